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
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
)

// Try implements annotator.Models: its parts are found, it is run once, and the nodes that keep every way of training it are
// named. Only then it is stored.
func (m *Models) Try(ctx context.Context, file []byte, manifest json.RawMessage) (annotator.NewVersion, error) {
	var v annotator.NewVersion
	model, err := onnx.Read(ctx, file)
	if err != nil {
		return v, err
	}
	var preprocessing onnx.Manifest
	if err := json.Unmarshal(manifest, &preprocessing); err != nil {
		return v, fmt.Errorf("its manifest: %w", err)
	}
	if v, err = checkModel(ctx, model, preprocessing, 0); err != nil {
		return annotator.NewVersion{}, err
	}
	v.ModelHash, v.Bytes, err = m.blobs.Put(ctx, bytes.NewReader(file))
	return v, err
}

// checkModel finds a model's parts and makes sure that it runs, within runLimit (0: ort's default), and can be trained.
func checkModel(ctx context.Context, model *onnx.Model, manifest onnx.Manifest, runLimit time.Duration) (v annotator.NewVersion, err error) {
	parts, err := onnx.FindParts(ctx, model, manifest.PartNames())
	if err != nil {
		return v, err
	}
	abn, err := onnx.Split(ctx, model, parts)
	if err != nil {
		return v, err
	}
	if v.Training, err = trainabilityOf(ctx, abn); err != nil {
		return v, err
	}
	if err := trainable(v.Training); err != nil {
		return v, err
	}
	network, err := inference.NewNetwork(abn, manifest, inference.NetworkOptions{Session: ort.Options{IntraOpThreads: 1, RunLimit: runLimit}})
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	if _, err := network.Forward(ctx, 1, make([]float32, network.Sizes().Image())); err != nil {
		return v, fmt.Errorf("it does not run: %w", err)
	}
	if v.Manifest, err = json.Marshal(manifest); err != nil {
		return v, err
	}
	if v.ExtractorHash, err = onnx.ExtractorHash(ctx, model, parts); err != nil {
		return v, err
	}
	v.LearningRate = trainer.SuggestedLearningRate(abn, trainer.OptimizerSGD)
	v.GridHeight, v.GridWidth, v.Gain = network.Sizes().GridHeight, network.Sizes().GridWidth, string(parts.Gain)
	for _, t := range model.Graph.Initializers {
		n, err := t.Elements()
		if err != nil {
			return v, err
		}
		v.Parameters += n
	}
	v.Classes = classesOf(manifest)
	return v, nil
}

// trainable returns an error that lists what stands in the way of ONNX Runtime's engine where that can train the network
// in none of its ways. What it cannot do in one of them is told by the round's form.
func trainable(training []annotator.Trainability) error {
	var reasons []string
	for _, t := range training {
		if t.Engine != string(trainer.EngineORT) {
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
