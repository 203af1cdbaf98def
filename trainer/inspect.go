package trainer

import (
	"context"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
)

// Trainability says whether an engine can train an ABN by a strategy, and if not which nodes keep it from that.
type Trainability struct {
	Engine    recipe.Engine     `json:"engine"`
	Strategy  recipe.Strategy   `json:"strategy"`
	BatchNorm recipe.BatchNorm  `json:"batch_norm"`
	OK        bool              `json:"ok"`
	Reasons   []gradient.Reason `json:"reasons,omitempty"` // in the graph's order; without a node if the reason is the network as a whole
}

// Obstacle is one reason and what it keeps from being trained.
type Obstacle struct {
	gradient.Reason
	Cases []string `json:"cases"` // as Trainability.Case, or an engine's name if the reason holds for all its cases
}

// Case names an engine, a strategy and a treatment of BatchNorm in words, such as "ort, both, BatchNorm batch".
func (t Trainability) Case() string {
	return fmt.Sprintf("%s, %s, BatchNorm %s", t.Engine, t.Strategy, t.BatchNorm)
}

// TrainingReport is what the engines can train of an ABN: one entry per engine, strategy and treatment of BatchNorm.
type TrainingReport []Trainability

// maxReasons bounds the reasons that are listed for one case: a file may have any number of such nodes.
const maxReasons = 100

// InspectTraining reports what both engines could train of an ABN, without opening either; no runtime is needed. The strategies
// are those of fine-tuning: attention and both. `studio model inspect` and the page for adding a model show this report. An error
// only means that ctx ended.
func InspectTraining(ctx context.Context, n *network.Network) (TrainingReport, error) {
	return network.Kept(n, trainingKey{}, func() (TrainingReport, error) { return inspectTraining(ctx, n.ABN()) })
}

// trainingKey is what a network's TrainingReport is kept under.
type trainingKey struct{}

func inspectTraining(ctx context.Context, abn *onnx.ABN) (TrainingReport, error) {
	var report TrainingReport
	for _, engine := range recipe.Engines() {
		for _, way := range recipe.Ways() {
			t := Trainability{Engine: engine, Strategy: way.Strategy, BatchNorm: way.BatchNorm}
			s := recipe.Defaults()
			s.Engine, s.Strategy, s.BatchNorm = engine, way.Strategy, way.BatchNorm
			reasons, err := Lacks(ctx, abn, s)
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if t.Reasons = reasons; err != nil {
				t.Reasons = append(t.Reasons, gradient.Reason{Why: err.Error()})
			}
			t.OK = len(t.Reasons) == 0
			if more := len(t.Reasons) - maxReasons; more > 0 {
				t.Reasons = append(slices.Clip(t.Reasons[:maxReasons]), gradient.Reason{Why: fmt.Sprintf("and %d more nodes", more)})
			}
			report = append(report, t)
		}
	}
	return report, nil
}

// Trains counts the cases in which an engine can train the ABN, and all its cases.
func (r TrainingReport) Trains(engine recipe.Engine) (can, of int) {
	for _, t := range r {
		if t.Engine == engine {
			of++
			if t.OK {
				can++
			}
		}
	}
	return can, of
}

// Obstacles lists every reason once, in the order in which they were found, with the cases it holds for; empty if all can be
// trained.
func (r TrainingReport) Obstacles() []Obstacle {
	var list []Obstacle
	at := map[gradient.Reason]map[recipe.Engine][]string{}
	for _, t := range r {
		for _, reason := range t.Reasons {
			if at[reason] == nil {
				at[reason] = map[recipe.Engine][]string{}
				list = append(list, Obstacle{Reason: reason})
			}
			if cases := at[reason][t.Engine]; !slices.Contains(cases, t.Case()) {
				at[reason][t.Engine] = append(cases, t.Case())
			}
		}
	}
	for i, o := range list {
		for _, engine := range recipe.Engines() {
			cases := at[o.Reason][engine]
			if _, of := r.Trains(engine); len(cases) == of && of > 0 {
				cases = []string{string(engine)}
			}
			list[i].Cases = append(list[i].Cases, cases...)
		}
	}
	return list
}
