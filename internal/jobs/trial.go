package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer"
)

// Try implements annotator.Models. It finds the model's parts, runs it once, and refuses it with the names of the nodes if no way of
// training it is possible. Only then is the file stored.
func (m *Models) Try(ctx context.Context, file []byte, beside json.RawMessage) (annotator.NewVersion, error) {
	var v annotator.NewVersion
	preprocessing, err := manifest.Stored(beside)
	if err != nil {
		return v, err
	}
	opened, err := network.Read(ctx, file, preprocessing)
	if err != nil {
		return v, err
	}
	if v, err = checkModel(ctx, opened, 0); err != nil {
		return annotator.NewVersion{}, err
	}
	v.ModelHash, v.Bytes, err = m.blobs.Put(ctx, bytes.NewReader(file))
	return v, err
}

// checkModel makes sure that a network runs, within runLimit (0: ort's default), and can be trained.
func checkModel(ctx context.Context, opened *network.Network, runLimit time.Duration) (v annotator.NewVersion, err error) {
	if v.Training, err = trainabilityOf(ctx, opened); err != nil {
		return v, err
	}
	if err := trainable(v.Training); err != nil {
		return v, err
	}
	ready, err := inference.NewNetwork(opened, inference.NetworkOptions{Session: ort.Options{IntraOpThreads: 1, RunLimit: runLimit}})
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, ready.Close()) }()
	trial, err := ready.Try(ctx, opened)
	if err != nil {
		return v, err
	}
	v.Warnings = legible(trial.Warnings)
	if v.Manifest, err = json.Marshal(opened.Manifest()); err != nil {
		return v, err
	}
	v.ExtractorHash = opened.ExtractorHash()
	v.LearningRate = trainer.SuggestedLearningRate(opened.ABN(), recipe.OptimizerSGD, recipe.Defaults().Rates)
	v.GridHeight, v.GridWidth, v.Gain = ready.Sizes().GridHeight, ready.Sizes().GridWidth, opened.ABN().Gain
	for _, t := range opened.Model().Graph.Initializers {
		n, err := t.Elements()
		if err != nil {
			return v, err
		}
		v.Parameters += n
	}
	v.Classes = classesOf(opened.Manifest())
	return v, nil
}

// trainable returns an error that lists the obstacles if ONNX Runtime's engine can train the network in none of its ways. If it can
// in some, the round's form tells which not.
func trainable(training []annotator.Trainability) error {
	var reasons []string
	for _, t := range training {
		if t.Engine != recipe.EngineORT {
			continue
		}
		if t.OK() {
			return nil
		}
		for _, o := range t.Obstacles {
			if text := o.String(); !slices.Contains(reasons, text) {
				reasons = append(reasons, text)
			}
		}
	}
	return fmt.Errorf("it could not be trained: %s", strings.Join(reasons, "; "))
}
