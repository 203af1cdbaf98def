package inference

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/activation"
	"github.com/abn-studio/studio/onnx/gradient"
)

// activationGraphs is how many graphs of activation maps stay open: the four that people compare, for two versions. Each has the
// weights of one branch.
const activationGraphs = 8

var _ annotator.ActivationMapper = (*LiveScorer)(nil)

// ActivationMap computes where a branch of the version looks for q.Class in an image, by CAM or Grad-CAM, or what would help the class
// (formulas in package onnx/activation): h×w values on the grid of the value that is weighted, not negative for Grad-CAM and else of
// either sign.
// The image's features come from the cache of live scores; the graph of a method, branch and value is made and opened when it is
// first asked for. Errors: *annotator.ValidationError if the model has no such map, attention.ErrGrid or ErrValue for a bad
// q.Map, *annotator.PictureError for a bad picture, or the context's cause.
func (s *LiveScorer) ActivationMap(ctx context.Context, version annotator.Version, image annotator.Image, q annotator.ActivationQuery) (annotator.ActivationMap, error) {
	m, err := s.activationMap(ctx, version, image, q)
	if errors.Is(err, ort.ErrClosed) && !s.networks.isClosed() { // evicted between being found and being run
		m, err = s.activationMap(ctx, version, image, q)
	}
	if err != nil {
		return annotator.ActivationMap{}, fmt.Errorf("mapping image %s with model %.12s: %w", image.Name, version.ModelHash, domainError(err))
	}
	return m, nil
}

func (s *LiveScorer) activationMap(ctx context.Context, version annotator.Version, image annotator.Image, q annotator.ActivationQuery) (annotator.ActivationMap, error) {
	var none annotator.ActivationMap
	network, err := s.network(ctx, version)
	if err != nil {
		return none, err
	}
	if q.Class == nil || *q.Class < 0 || *q.Class >= network.sizes.Classes {
		return none, &annotator.ValidationError{Field: "class", Message: fmt.Sprintf("is from 0 to %d", network.sizes.Classes-1)}
	}
	var grid []float32
	if q.Branch == annotator.BranchPerception {
		if q.Map == nil {
			return none, &annotator.ValidationError{Field: "map", Message: "the perception branch needs one"}
		}
		if err := q.Map.ValidateOn(network.sizes.GridHeight, network.sizes.GridWidth); err != nil {
			return none, err
		}
		grid = q.Map.Values
	}
	mapper, err := s.mapper(ctx, version, q)
	if err != nil {
		return none, err
	}
	features, err := s.featuresOf(ctx, network, version, image)
	if err != nil {
		return none, err
	}
	values, err := mapper.run(ctx, network, features, grid, *q.Class)
	if err != nil {
		return none, err
	}
	m := annotator.ActivationMap{Method: q.Method, Branch: q.Branch, Class: *q.Class, Value: mapper.graph.Value,
		Height: mapper.graph.Height, Width: mapper.graph.Width, Values: values, Min: slices.Min(values), Max: slices.Max(values)}
	if math.IsNaN(float64(m.Min)) || math.IsInf(float64(m.Min), 0) || math.IsInf(float64(m.Max), 0) {
		return none, &annotator.ValidationError{Field: "method", Message: "the model's values for this image are not finite numbers"}
	}
	return m, nil
}

// activationMapper is the graph of one method, branch and value, ready to run; or why there is none.
type activationMapper struct {
	graph   *activation.Graph // without its model once the session has its own copy
	session *ort.Session
	refused error
}

// Close frees the session, if there is one.
func (a *activationMapper) Close() error { return a.session.Close() }

// run maps one image: features [1,C,h,w], and for the perception branch grid [1,1,h,w].
func (a *activationMapper) run(ctx context.Context, n *Network, features, grid []float32, class int) ([]float32, error) {
	arrays := []array{n.featureArray(1, features)}
	if grid != nil {
		arrays = append(arrays, n.mapArray(1, grid))
	}
	inputs, err := tensors(arrays)
	defer func() { closeAll(inputs) }()
	if err != nil {
		return nil, err
	}
	classes, err := ort.Int64s([]int64{int64(class)}, 1)
	if err != nil {
		return nil, err
	}
	inputs = append(inputs, classes)
	values := make([]float32, a.graph.Height*a.graph.Width)
	outputs, err := tensors([]array{{values, dims(1, 1, a.graph.Height, a.graph.Width)}})
	defer closeAll(outputs)
	if err != nil {
		return nil, err
	}
	return values, a.session.Run(ctx, inputs, outputs)
}

// mapper returns the mapper for a query. A refusal is kept like a session, since finding it out takes as long as differentiating
// the branch.
func (s *LiveScorer) mapper(ctx context.Context, version annotator.Version, q annotator.ActivationQuery) (*activationMapper, error) {
	key := fmt.Sprintf("%s %s %q %s", q.Method, q.Branch, q.Value, networkKey(version))
	found, err := s.activations.get(ctx, key, func(ctx context.Context) (*activationMapper, error) { return s.makeMapper(ctx, version, q) })
	if err != nil {
		return nil, err
	}
	return found, found.refused
}

// makeMapper makes and opens the graph of a query. If the model has no such map, the mapper holds the refusal.
func (s *LiveScorer) makeMapper(ctx context.Context, version annotator.Version, q annotator.ActivationQuery) (*activationMapper, error) {
	opened, err := s.opened.Open(ctx, version.ModelHash, version.Manifest)
	if err != nil {
		return nil, err
	}
	graph, err := activationGraph(ctx, opened.ABN(), q)
	switch {
	case errors.Is(err, activation.ErrNoCAM), errors.Is(err, gradient.ErrUnsupported), errors.Is(err, gradient.ErrNoPath):
		return &activationMapper{refused: &annotator.ValidationError{Field: "method", Message: err.Error()}}, nil
	case errors.Is(err, activation.ErrValue) && q.Method == annotator.ActivationHelp:
		return &activationMapper{refused: &annotator.ValidationError{Field: "method", Message: err.Error()}}, nil
	case errors.Is(err, activation.ErrValue):
		return &activationMapper{refused: &annotator.ValidationError{Field: "value", Message: err.Error()}}, nil
	case err != nil:
		return nil, err
	}
	data, err := graph.Model.Marshal()
	if err != nil {
		return nil, err
	}
	o := s.options.Session
	o.Name, o.NoSpinning = "the "+graph.Model.Graph.Name, true
	session, err := ort.Open(data, graph.Inputs, []string{graph.Output}, o)
	if err != nil {
		return nil, err
	}
	graph.Model = nil
	return &activationMapper{graph: graph, session: session}, nil
}

func activationGraph(ctx context.Context, abn *onnx.ABN, q annotator.ActivationQuery) (*activation.Graph, error) {
	switch q.Method {
	case annotator.ActivationCAM:
		return activation.CAM(ctx, abn, q.Branch)
	case annotator.ActivationHelp:
		return activation.Help(ctx, abn)
	}
	return activation.GradCAM(ctx, abn, q.Branch, q.Value)
}
