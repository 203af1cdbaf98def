package trainer

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/gorgonia"
	"github.com/abn-studio/studio/trainer/onnxruntime"
	"github.com/abn-studio/studio/trainer/step"
)

// LacksError says that an engine cannot train a network: the nodes it cannot train through, and what to do.
type LacksError struct {
	Engine  recipe.Engine
	Reasons []gradient.Reason
	Remedy  string // a sentence without a full stop; "" if there is none
}

func (e *LacksError) Error() string {
	lines := make([]string, len(e.Reasons))
	for i, r := range e.Reasons {
		lines[i] = r.String()
	}
	text := fmt.Sprintf("the %s engine cannot train this network: %s", e.Engine, onnx.Enumerate(lines, "; "))
	if e.Remedy != "" {
		text += ". " + e.Remedy
	}
	return text
}

// Unwrap makes errors.Is(err, gradient.ErrUnsupported) hold.
func (e *LacksError) Unwrap() error { return gradient.ErrUnsupported }

// requireEngine returns a *LacksError if the settings' engine cannot train an ABN. It compiles the step and runs nothing.
func requireEngine(ctx context.Context, abn *onnx.ABN, s recipe.Settings) error {
	reasons, err := Lacks(ctx, abn, s)
	if err != nil || len(reasons) == 0 {
		return err
	}
	lacks := &LacksError{Engine: s.Engine, Reasons: reasons}
	if s.Engine == recipe.EngineGorgonia {
		s.Engine = recipe.EngineORT
		if reasons, err := Lacks(ctx, abn, s); err == nil && len(reasons) == 0 {
			lacks.Remedy = "Use the ort engine, which can"
		}
	}
	return lacks
}

// NewEngine opens the engine that the settings name, on an ABN at the file's parameters. threads bound one
// operator of ONNX Runtime; 0: one per core.
func NewEngine(ctx context.Context, abn *onnx.ABN, s recipe.Settings, threads int) (engine.Engine, error) {
	switch s.Engine {
	case recipe.EngineGorgonia:
		e, err := gorgonia.New(ctx, abn, s)
		if err != nil {
			return nil, err
		}
		return e, nil
	default:
		e, err := onnxruntime.New(ctx, abn, s, onnxruntime.Options{Threads: threads})
		if err != nil {
			return nil, err
		}
		return e, nil
	}
}

// Lacks lists, with reasons, the nodes that keep the settings' engine from training an ABN with their strategy and BatchNorm;
// none if it can. No runtime is needed.
//
// The network is in the parts of step.Parts.
func Lacks(ctx context.Context, abn *onnx.ABN, s recipe.Settings) ([]gradient.Reason, error) {
	if s.Engine == recipe.EngineGorgonia {
		return gorgonia.Lacks(ctx, abn, s)
	}
	return step.Untrainable(ctx, abn, s.Strategy, s.BatchNorm)
}
