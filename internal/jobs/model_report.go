package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
)

// inspectFile reports what a model file is. It opens the model on the runtime but does not run it, and reads no other file of its
// folder.
func inspectFile(ctx context.Context, path string, beside []byte, names manifest.PartNames) (annotator.ModelFile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return annotator.ModelFile{}, fmt.Errorf("reading a model: %w", err)
	}
	model, err := onnx.Read(ctx, data)
	switch {
	case ctx.Err() != nil:
		return annotator.ModelFile{}, context.Cause(ctx)
	case errors.Is(err, onnx.ErrExternal):
		return annotator.ModelFile{}, wrongModel("%v. Send the file that holds it together with the model, or "+saveAsOne, err)
	case err != nil:
		return annotator.ModelFile{}, wrongModel("%v", noONNX(err))
	}
	found, err := inspectModel(ctx, model, path, beside, names)
	if ctx.Err() != nil {
		return found, context.Cause(ctx)
	}
	return found, err
}

// noONNX is the error of a file that could not be read as ONNX, for whoever sent it. What is known of such a file says what to do.
func noONNX(err error) error {
	if onnx.IsOtherFile(err) {
		return fmt.Errorf("this is %w", err)
	}
	return fmt.Errorf("this is no ONNX file (%w). Send what torch.onnx.export wrote", err)
}

// inspectModel reports what a model is. beside is the manifest that came with it; nil: the one in its metadata. names replace the
// names of values in the manifest.
func inspectModel(ctx context.Context, model *onnx.Model, path string, beside []byte, names manifest.PartNames) (annotator.ModelFile, error) {
	var found annotator.ModelFile
	if beside == nil {
		if text, ok := model.MetadataValue(manifest.Key); ok {
			beside = []byte(text)
		}
	}
	problem := &annotator.FieldProblem{Message: "the file has none: say how pixels become its input and what its classes are called"}
	var m manifest.Manifest
	if beside != nil {
		var err error
		problem = nil
		if m, err = manifest.Parse(beside); err != nil {
			problem = fieldProblem(err)
			if manifest.Keepable(beside) { // the names of the parts in it are still used
				partly, _ := manifest.Stored(beside)
				m.Names = partly.Names
			}
		}
	}
	m, beside = m.Named(names), manifest.WithNames(beside, names)
	opened, err := network.Open(ctx, model, m)
	if err != nil {
		refused := wrongModel("%v", onnx.AttachAdvice(ctx, model, m.PartNames(), err))
		if errors.Is(err, onnx.ErrNoABN) {
			refused = fmt.Errorf("%w: %w", annotator.ErrParts, refused)
		}
		return found, refused
	}
	if problem == nil {
		if err := opened.Fits(); err != nil {
			problem = fieldProblem(err)
		}
	}
	var opens error
	var beyond sync.WaitGroup // the runtime opens the model while the engines are asked
	beyond.Go(func() {
		opens = inference.CheckOpens(opened, path, inference.NetworkOptions{Session: ort.Options{IntraOpThreads: 1}})
	})
	found.Report, err = reportOf(ctx, opened)
	beyond.Wait()
	switch {
	case err != nil:
		return found, err
	case opens != nil:
		return found, wrongModel("%s: %v", cannotOpen, opens)
	}
	found.Report.ManifestProblem = problem
	if manifest.Keepable(beside) {
		found.Manifest = beside
	}
	if problem == nil {
		if found.Manifest, err = json.Marshal(m); err != nil {
			return found, err
		}
		found.Classes = classesOf(m)
	}
	return found, nil
}

func fieldProblem(err error) *annotator.FieldProblem {
	var wrong *manifest.Error
	if errors.As(err, &wrong) {
		return &annotator.FieldProblem{Field: text.Clean(wrong.Field), Message: text.Clean(wrong.Reason)}
	}
	return &annotator.FieldProblem{Message: text.Clean(err.Error())} // it may quote the file
}

func classesOf(m manifest.Manifest) []annotator.Class {
	var classes []annotator.Class
	for i, key := range m.Classes {
		classes = append(classes, annotator.Class{Index: i, Key: key, Name: ClassName(key)})
	}
	return classes
}

// reportOf makes the domain's report of an opened network.
func reportOf(ctx context.Context, n *network.Network) (annotator.ModelReport, error) {
	training, err := trainabilityOf(ctx, n)
	r, abn := onnx.Describe(ctx, n.Model()), n.ABN()
	parts := abn.Describe(ctx)
	out := annotator.ModelReport{
		Opset: r.Opset, IRVersion: r.IRVersion, Producer: r.Producer, Nodes: r.Nodes, Parameters: r.Parameters,
		ImageHeight: abn.ImageHeight, ImageWidth: abn.ImageWidth, ImageChannels: abn.ImageChannels,
		GridHeight: abn.Height, GridWidth: abn.Width, Classes: abn.Classes, Gain: parts.Gain,
		BatchWasFixed: parts.BatchWasFixed, UntoldShapes: parts.Untold, Notes: legible(n.Notes()), Training: training,
	}
	for _, v := range []struct {
		role string
		onnx.ValueReport
	}{{"image", parts.Image}, {"features", parts.Features}, {"map", parts.Map}, {"logits_att", parts.LogitsAtt}, {"logits_per", parts.LogitsPer}} {
		out.Values = append(out.Values, annotator.ModelValue{Role: v.role, Name: v.Name, Shape: v.Shape})
	}
	for _, p := range parts.Parts {
		out.Parts = append(out.Parts, annotator.ModelPart{Name: p.Name, Nodes: p.Nodes, Parameters: p.Parameters, BatchNorms: p.BatchNorms, Ops: p.Ops})
	}
	return out, err
}

// trainabilityOf asks the engines what they can train.
func trainabilityOf(ctx context.Context, n *network.Network) ([]annotator.Trainability, error) {
	var list []annotator.Trainability
	report, err := trainer.InspectTraining(ctx, n)
	for _, t := range report {
		entry := annotator.Trainability{Engine: t.Engine, Strategy: t.Strategy, BatchNorm: t.BatchNorm}
		for _, r := range t.Reasons {
			entry.Obstacles = append(entry.Obstacles, annotator.Obstacle{Node: r.Node, Op: r.Op, Why: r.Why})
		}
		list = append(list, entry)
	}
	return list, err
}

// legible cleans sentences that quote a file, so that they can be stored and shown (text.Clean).
func legible(list []string) []string {
	for i, s := range list {
		list[i] = text.Clean(s)
	}
	return list
}
