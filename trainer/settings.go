package trainer

import (
	"cmp"
	"fmt"
	"math"
)

// Strategy says which branches a fine-tuning updates (Mitsuhara et al., section 3.3). The extractor is
// never among them; StrategyScratch, for training a network of our own making, updates everything.
type Strategy string

// The strategies.
const (
	StrategyAttention Strategy = "attention" // the attention branch; L_per still sends its gradient through M
	StrategyBoth      Strategy = "both"      // attention and perception branch
	StrategyScratch   Strategy = "scratch"   // extractor too
)

// MapLoss names the form of L_map.
type MapLoss string

// The forms: the paper's unsquared L2 norm over the cells, the mean over the cells of squared
// differences, and the mean of absolute ones; each averaged over the batch's edited rows.
const (
	MapLossL2  MapLoss = "l2"
	MapLossMSE MapLoss = "mse"
	MapLossL1  MapLoss = "l1"
)

// BatchNorm says how a kept BatchNormalization of a trained branch is treated.
type BatchNorm string

// With frozen statistics scale and shift are trained and the running statistics used and left alone;
// with batch statistics the batch's own are used and the running ones follow them (momentum 0.1,
// unbiased variance, as PyTorch does). BatchNorms of branches that are not trained are always frozen.
const (
	BatchNormFrozen BatchNorm = "frozen"
	BatchNormBatch  BatchNorm = "batch"
)

// Schedule names how the learning rate moves over a run.
type Schedule string

// The schedules, each after a linear warm-up over the share WarmUp of the run: one half cosine from the peak to zero; ÷10 at
// half and at three quarters of the run; constant.
const (
	ScheduleCosine   Schedule = "cosine"
	ScheduleStep     Schedule = "step"
	ScheduleConstant Schedule = "constant"
)

// EngineName names what computes the training steps.
type EngineName string

// The engines: the step as one ONNX graph on ONNX Runtime, and the same step by Gorgonia's own
// automatic differentiation, slower, an independent check that needs no runtime library.
const (
	EngineORT      EngineName = "ort"
	EngineGorgonia EngineName = "gorgonia"
)

// Optimizer names the update; each is PyTorch's form, see optimizer.go.
type Optimizer string

// The optimizers.
const (
	OptimizerSGD      Optimizer = "sgd"      // with momentum
	OptimizerNesterov Optimizer = "nesterov" // SGD with Nesterov's momentum
	OptimizerAdamW    Optimizer = "adamw"    // decoupled weight decay; β₁ 0.9, β₂ 0.999, ε 1e-8
)

// Settings is all a training run depends on besides its data. WithDefaults fills zero fields for which zero makes
// no sense; Gamma, Anchor, WeightDecay, WarmUp and the switches are values whatever they are, so start from
// DefaultSettings for ours.
type Settings struct {
	Engine   EngineName `json:"engine"`
	Strategy Strategy   `json:"strategy"`
	Gamma    float64    `json:"gamma"` // scale of L_map, ≥ 0
	MapLoss  MapLoss    `json:"map_loss"`
	// Anchor is the scale of L_anchor: the same distance as L_map, between the maps of the batch's images without an
	// edit and the maps the parent gave them, so that attention does not drift where nobody asked for it. 0: none.
	Anchor       float64   `json:"anchor"`
	BatchNorm    BatchNorm `json:"batch_norm"`
	Epochs       int       `json:"epochs"`
	BatchSize    int       `json:"batch_size"`
	LearningRate float64   `json:"learning_rate"` // peak
	Optimizer    Optimizer `json:"optimizer"`
	Momentum     float64   `json:"momentum"` // PyTorch's form: buf = momentum·buf + grad; p −= lr·buf; unused by AdamW
	WeightDecay  float64   `json:"weight_decay"`
	SpareNorms   bool      `json:"spare_norms"` // weight decay leaves biases and BatchNorms alone (tensors of one axis)
	ClipNorm     float64   `json:"clip_norm"`   // gradients are scaled down to this L2 norm over all parameters; 0: never
	Schedule     Schedule  `json:"schedule"`
	WarmUp       float64   `json:"warm_up"`  // share of the run's steps in which the rate rises linearly to its peak
	Balanced     bool      `json:"balanced"` // an epoch shows every class equally often; see order.go
	Patience     int       `json:"patience"` // epochs without a better validation before the run stops with its best state; 0: it goes to the end
	Flip         bool      `json:"flip"`     // horizontal flips with probability ½, the map flipped too
	// Crop is the least share of the view's area that a random resized crop keeps, the map cut and resized with it; 0: no
	// crops. Features are then computed anew every epoch.
	Crop float64 `json:"crop"`
	Seed int64   `json:"seed"`
	// EditRepeat is how often an epoch shows each edited image. 0, the default, stands for as often
	// as it takes that every batch carries an edited row (at most MaxEditRepeat); see order.go.
	EditRepeat int `json:"edit_repeat"`
}

// MaxEditRepeat bounds how often an epoch repeats an edited image when EditRepeat is 0: a handful of
// edits shown dozens of times an epoch would be memorised rather than learned from.
const MaxEditRepeat = 8

// DefaultSettings are ours, not the paper's (our sources do not record its γ): strategy and γ from the
// sweep on the demo's Aviary data (docs/aviary.md), on a network with a map of 14×14 cells. The l2 norm
// grows with the square root of the number of cells, so a coarser grid wants a larger γ.
func DefaultSettings() Settings {
	return Settings{Gamma: 1, WeightDecay: 1e-4, WarmUp: 0.05}.WithDefaults()
}

// WithDefaults returns s with its zero fields filled in.
func (s Settings) WithDefaults() Settings {
	s.Engine = cmp.Or(s.Engine, EngineORT)
	s.Optimizer = cmp.Or(s.Optimizer, OptimizerSGD)
	s.Strategy = cmp.Or(s.Strategy, StrategyBoth)
	s.MapLoss = cmp.Or(s.MapLoss, MapLossL2)
	s.BatchNorm = cmp.Or(s.BatchNorm, BatchNormBatch)
	s.Epochs = cmp.Or(s.Epochs, 6)
	s.BatchSize = cmp.Or(s.BatchSize, 32)
	s.LearningRate = cmp.Or(s.LearningRate, 0.02)
	s.Momentum = cmp.Or(s.Momentum, 0.9)
	s.Schedule = cmp.Or(s.Schedule, ScheduleCosine)
	s.Seed = cmp.Or(s.Seed, 1)
	return s
}

// SettingError names the field of Settings that is wrong, as JSON spells it, and what it may be.
type SettingError struct {
	Field   string
	Message string
}

func (e *SettingError) Error() string { return e.Field + ": " + e.Message }

// Bounds of settings: generous, but small enough that a slip of the keyboard is refused before it
// has cost hours.
const (
	maxGamma     = 1e4
	maxEpochs    = 10_000
	maxBatchSize = 4096
)

// Validate returns a *SettingError for the first field that is wrong.
func (s Settings) Validate() error {
	bad := func(field, format string, args ...any) error {
		return &SettingError{Field: field, Message: fmt.Sprintf(format, args...)}
	}
	within := func(v, low, high float64) bool { return v >= low && v <= high } // false for NaN
	switch s.Engine {
	case EngineORT, EngineGorgonia:
	default:
		return bad("engine", "%q is neither ort nor gorgonia", s.Engine)
	}
	switch s.Optimizer {
	case OptimizerSGD, OptimizerNesterov, OptimizerAdamW:
	default:
		return bad("optimizer", "%q is none of sgd, nesterov, adamw", s.Optimizer)
	}
	switch s.Strategy {
	case StrategyAttention, StrategyBoth, StrategyScratch:
	default:
		return bad("strategy", "%q is none of attention, both, scratch", s.Strategy)
	}
	switch s.MapLoss {
	case MapLossL2, MapLossMSE, MapLossL1:
	default:
		return bad("map_loss", "%q is none of l2, mse, l1", s.MapLoss)
	}
	switch s.BatchNorm {
	case BatchNormFrozen, BatchNormBatch:
	default:
		return bad("batch_norm", "%q is neither frozen nor batch", s.BatchNorm)
	}
	switch s.Schedule {
	case ScheduleCosine, ScheduleStep, ScheduleConstant:
	default:
		return bad("schedule", "%q is none of cosine, step, constant", s.Schedule)
	}
	switch {
	case !within(s.Gamma, 0, maxGamma):
		return bad("gamma", "%v is not between 0 and %g", s.Gamma, maxGamma)
	case s.Epochs < 1 || s.Epochs > maxEpochs:
		return bad("epochs", "%d is not between 1 and %d", s.Epochs, maxEpochs)
	case s.BatchSize < 1 || s.BatchSize > maxBatchSize:
		return bad("batch_size", "%d is not between 1 and %d", s.BatchSize, maxBatchSize)
	case s.BatchNorm == BatchNormBatch && s.BatchSize < 2:
		return bad("batch_size", "batch statistics need at least 2 images in a batch")
	case !within(s.LearningRate, math.SmallestNonzeroFloat64, 100):
		return bad("learning_rate", "%v is not above 0 and at most 100", s.LearningRate)
	case !within(s.Momentum, 0, 0.9999):
		return bad("momentum", "%v is not between 0 and 0.9999", s.Momentum)
	case !within(s.Anchor, 0, maxGamma):
		return bad("anchor", "%v is not between 0 and %g", s.Anchor, maxGamma)
	case !within(s.ClipNorm, 0, 1e6):
		return bad("clip_norm", "%v is not between 0 (never) and 1e6", s.ClipNorm)
	case !within(s.WarmUp, 0, 0.9):
		return bad("warm_up", "%v is not between 0 and 0.9 of the run", s.WarmUp)
	case !within(s.Crop, 0, 1):
		return bad("crop", "%v is not between 0 (no crops) and 1", s.Crop)
	case s.Patience < 0 || s.Patience > maxEpochs:
		return bad("patience", "%d is not between 0 (no early stopping) and %d", s.Patience, maxEpochs)
	case !within(s.WeightDecay, 0, 1):
		return bad("weight_decay", "%v is not between 0 and 1", s.WeightDecay)
	case s.EditRepeat < 0 || s.EditRepeat > 1000:
		return bad("edit_repeat", "%d is not between 0 (automatic) and 1000", s.EditRepeat)
	}
	return nil
}
