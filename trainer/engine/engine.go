package engine

import (
	"context"

	"github.com/abn-studio/studio/internal/recipe"
)

// Batch is the input of one training step. Slices are row-major; the engine reads them during the step and does not keep them.
type Batch struct {
	Size   int       // N, at most the engine's batch size; the last batch of an epoch may be smaller
	Inputs []float32 // [N, C, h, w] features, or [N, 3, H, W] pixels under StrategyScratch
	Labels []int64   // [N]
	Edited []float32 // [N, 1, h, w] edited maps M′; ignored where HasEdit is 0
	// Known and Avoided are k and the shares of n of the edited maps, as attention.Map.Known gives them: [N, 1, h, w]; both nil: no row
	// has marks.
	Known, Avoided []float32
	HasEdit        []float32 // [N], 1 where the row carries an approved edit, else 0
	// Weights are the edited rows' weights in L_map, read where Settings.MapWeight is by class; nil: all are 1.
	Weights []float32 // [N]
	// Anchored is 1 for a row without an edit whose entry in Edited is the parent's map M°, the target of L_anchor; nil: no row
	// has one.
	Anchored []float32 // [N]
}

// Update is the optimiser's setting for one step.
type Update struct {
	LearningRate, Momentum, WeightDecay float64

	Optimizer  recipe.Optimizer // "" is OptimizerSGD
	SpareNorms bool
	ClipNorm   float64 // 0: never
	Step       int     // from 1; AdamW corrects its moments' bias by it
}

// StepResult is what one step measured, before its update.
type StepResult struct {
	LossAtt     float64 // L_att, mean over the batch
	LossPer     float64 // L_per
	LossMap     float64 // L_map, its parts scaled by γ and γ_n; 0 in a batch without an edit
	MapDistance float64 // the distance to the edited maps: the first part with γ = 1
	Avoidance   float64 // the attention on cells that should have none: the second part with γ_n = 1
	LossAnchor  float64 // L_anchor, scaled by Settings.Anchor; 0 in a batch without anchored rows
	GradNorm    float64 // L2 norm over all gradients, before clipping; 0 where Update.ClipNorm is 0
	HitsAtt     int     // rows the attention branch gets right
	HitsPer     int
}

// Total is L = L_att + L_per + L_map + L_anchor.
func (r StepResult) Total() float64 { return r.LossAtt + r.LossPer + r.LossMap + r.LossAnchor }

// Outputs is a forward pass in evaluation mode.
type Outputs struct {
	LogitsAtt []float32 // [N, K]
	LogitsPer []float32 // [N, K]
	Maps      []float32 // [N, 1, h, w]
}

// Parameter is one tensor a run changes: a trained weight, or a running statistic of a BatchNorm. Value,
// Momentum and Second are the engine's own buffers: copy them to keep them.
type Parameter struct {
	Name     string // the initializer's name in the model file
	Dims     []int64
	Value    []float32
	Rate     float64   // what the learning rate is multiplied by; 0 stands for 1
	Momentum []float32 // SGD's buffer or AdamW's first moment; nil for running statistics
	Second   []float32 // AdamW's second moment; nil with other optimizers and for running statistics
}

// Engine computes training steps on one network. It is not safe for concurrent use.
type Engine interface {
	// Step runs forward and backward over a batch and applies the update in place. When ctx ends
	// the step is abandoned, no parameter changes, and ctx's cause is returned.
	Step(ctx context.Context, b Batch, u Update) (StepResult, error)
	// Forward evaluates inputs [n, C, h, w] with the present parameters (running statistics).
	Forward(ctx context.Context, n int, inputs []float32) (Outputs, error)
	// Parameters lists what the run changes, in the order of the model's initializers.
	Parameters() []Parameter
	// Load sets values (and momenta, if given) by name; names the engine does not train are an error.
	Load(parameters []Parameter) error
	// Close frees the runtime's memory.
	Close() error
}
