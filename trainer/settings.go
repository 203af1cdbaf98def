package trainer

import (
	"github.com/abn-studio/studio/internal/recipe"
)

// What a training is asked for stands in internal/recipe.
type (
	Settings     = recipe.Settings
	Strategy     = recipe.Strategy
	MapLoss      = recipe.MapLoss
	BatchNorm    = recipe.BatchNorm
	Schedule     = recipe.Schedule
	Rates        = recipe.Rates
	EngineName   = recipe.Engine
	Optimizer    = recipe.Optimizer
	SettingError = recipe.Error
)

// The words.
const (
	StrategyAttention = recipe.StrategyAttention
	StrategyBoth      = recipe.StrategyBoth
	StrategyScratch   = recipe.StrategyScratch
	MapLossL2         = recipe.MapLossL2
	MapLossMSE        = recipe.MapLossMSE
	MapLossL1         = recipe.MapLossL1
	BatchNormFrozen   = recipe.BatchNormFrozen
	BatchNormBatch    = recipe.BatchNormBatch
	ScheduleCosine    = recipe.ScheduleCosine
	ScheduleStep      = recipe.ScheduleStep
	ScheduleConstant  = recipe.ScheduleConstant
	RatesOne          = recipe.RatesOne
	RatesByLayer      = recipe.RatesByLayer
	EngineORT         = recipe.EngineORT
	EngineGorgonia    = recipe.EngineGorgonia
	OptimizerSGD      = recipe.OptimizerSGD
	OptimizerNesterov = recipe.OptimizerNesterov
	OptimizerAdamW    = recipe.OptimizerAdamW
)

// MaxEditRepeat bounds how often an epoch repeats an edited image when EditRepeat is automatic: a handful of
// edits shown dozens of times an epoch would be memorised rather than learned from.
const MaxEditRepeat = 8
