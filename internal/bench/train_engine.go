package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/onnxruntime"
)

// benchUpdate is the update of every step, on every engine.
var benchUpdate = engine.Update{LearningRate: 1e-4, Momentum: 0.9, WeightDecay: 1e-4, Step: 1}

// engineSteps takes steps on one of our engines, always on the same batch.
type engineSteps struct {
	engine engine.Engine
	batch  engine.Batch
	first  *engine.StepResult // what the first step measured
}

func (c Train) settings(name recipe.Engine) recipe.Settings {
	s := recipe.Defaults()
	s.Engine, s.Strategy, s.BatchNorm, s.Gamma = name, recipe.Strategy(c.Strategy), recipe.BatchNorm(c.Norm), 1
	s.BatchSize, s.Anchor = c.Batch, 0
	return s
}

func (c Train) openEngine(ctx context.Context, abn *onnx.ABN, name recipe.Engine, o onnxruntime.Options, batch engine.Batch) (*engineSteps, error) {
	var engine engine.Engine
	var err error
	if s := c.settings(name); name == recipe.EngineORT {
		engine, err = onnxruntime.New(ctx, abn, s, o)
	} else {
		engine, err = trainer.NewEngine(ctx, abn, s, c.Threads)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the %s engine: %w", name, err)
	}
	return &engineSteps{engine: engine, batch: batch}, nil
}

// step implements stepRunner.
func (e *engineSteps) step(ctx context.Context) (seconds, processor float64, err error) {
	start, used := time.Now(), processorSeconds()
	result, err := e.engine.Step(ctx, e.batch, benchUpdate)
	if e.first == nil {
		e.first = &result
	}
	return time.Since(start).Seconds(), processorSeconds() - used, err
}

func (e *engineSteps) close() error { return e.engine.Close() }
