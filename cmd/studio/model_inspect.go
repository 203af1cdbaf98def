package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/statedict"
	"github.com/abn-studio/studio/trainer"
)

// modelInspectCommand says what a model file is: its parts, shapes, manifest, and what can be trained.
type modelInspectCommand struct {
	File string `arg:"" help:"The ONNX file." type:"existingfile"`
	JSON bool   `name:"json" help:"Print one JSON document."`
	partFlags
}

// inspection is what --json prints.
type inspection struct {
	File string `json:"file"`
	*onnx.Report
	Problem   string                 `json:"problem,omitempty"` // why the file cannot be used
	Head      string                 `json:"head,omitempty"`    // the head that the graph shows, which a manifest should name
	Manifest  *manifest.Manifest     `json:"manifest,omitempty"`
	Training  trainer.TrainingReport `json:"training,omitempty"`
	Obstacles []trainer.Obstacle     `json:"obstacles,omitempty"` // nodes that keep an engine from training, each once
	Warning   string                 `json:"warning,omitempty"`   // a manifest that is missing or does not fit
	WayHome   *statedict.Way         `json:"way_home,omitempty"`  // how its weights can go home to PyTorch
	Trial     *inference.Trial       `json:"trial,omitempty"`     // what running it on test pictures shows
}

// Run reads and describes the file. If it is no ABN, it is described as far as possible and the command fails.
func (c *modelInspectCommand) Run(ctx context.Context, streams *stdio) error {
	model, err := onnx.ReadFile(ctx, c.File)
	if err != nil {
		return err
	}
	found := inspection{File: c.File, Report: onnx.Describe(ctx, model)}
	m, manifestErr := manifest.Load(c.File, model.MetadataValue)
	if manifestErr == nil {
		own := m
		found.Manifest = &own
	} else {
		found.Warning = manifestErr.Error()
	}
	problem := found.inspectNetwork(ctx, model, c.over(m))
	var wrong *manifest.Error
	if problem == nil && errors.As(manifestErr, &wrong) && wrong.Field == "head" { // other faults of a manifest can be corrected: warnings
		problem = manifestErr
	}
	if problem != nil {
		found.Problem = problem.Error()
	}
	switch {
	case errors.Is(problem, onnx.ErrSigmoid):
		found.Head = manifest.HeadSigmoid
	case found.ABN != nil:
		found.Head = m.HeadOf()
	}
	if c.JSON {
		encoder := json.NewEncoder(verbatim(streams.Out))
		encoder.SetIndent("", "  ")
		return errors.Join(encoder.Encode(found), problem)
	}
	found.print(streams.Out)
	if problem != nil {
		return fmt.Errorf("%s: %w", c.File, problem)
	}
	return nil
}

// inspectNetwork describes the network, checks the manifest against it and asks what can be trained.
func (f *inspection) inspectNetwork(ctx context.Context, model *onnx.Model, m manifest.Manifest) error {
	opened, err := network.Open(ctx, model, m)
	if err != nil {
		return onnx.AttachAdvice(ctx, model, m.PartNames(), err)
	}
	f.ABN = opened.ABN().Describe(ctx)
	f.ABN.ExtractorHash = opened.ExtractorHash()
	way := opened.WayHome()
	f.WayHome = &way
	if f.Manifest != nil {
		if err := opened.Fits(); err != nil {
			f.Warning = err.Error()
		}
	}
	if f.Training, err = trainer.InspectTraining(ctx, opened); err != nil {
		return err
	}
	f.Obstacles = f.Training.Obstacles()
	trial, err := tryABN(ctx, opened)
	if err == nil {
		f.Trial = &trial
	}
	return err
}

func (f *inspection) print(w io.Writer) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(w, "%-18s %s\n", label, text.Line(fmt.Sprintf(format, args...)))
	}
	line("file", "%s", f.File)
	line("format", "opset %d, IR %d, %s", f.Opset, f.IRVersion, cmp.Or(f.Producer, "producer unknown"))
	line("size", "%d nodes, %d parameters", f.Nodes, f.Parameters)
	for _, d := range f.Data {
		line("data", "%d bytes from %s", d.Bytes, d.Location)
	}
	for _, v := range f.Inputs {
		line("input", "%s %s", v.Name, v.Shape)
	}
	for _, v := range f.Outputs {
		line("output", "%s %s", v.Name, v.Shape)
	}
	for _, key := range slices.Sorted(maps.Keys(f.Metadata)) {
		line("metadata", "%s = %s", key, shorten(f.Metadata[key], 60))
	}
	if a := f.ABN; a != nil {
		fmt.Fprintln(w)
		for _, v := range []struct {
			label string
			onnx.ValueReport
		}{{"image x", a.Image}, {"features g(x)", a.Features}, {"map M(x)", a.Map}, {"logits ŷ_att", a.LogitsAtt}, {"logits ŷ_per", a.LogitsPer}} {
			line(v.label, "%s %s", v.Shape, v.Name)
		}
		mechanism := annotator.MechanismOf(a.Gain)
		line("mechanism", "%s: %s", cmp.Or(mechanism.Formula, string(a.Gain)), mechanism.Values)
		if a.BatchWasFixed > 0 {
			line("batch", "exported for %d, opened", a.BatchWasFixed)
		}
		if a.TrainingModeNodes > 0 {
			line("mode", "exported in training mode; %d BatchNorms and Dropouts are run in evaluation mode", a.TrainingModeNodes)
		}
		line("extractor hash", "%s", a.ExtractorHash)
		for _, p := range a.Parts {
			ops := make([]string, 0, len(p.Ops))
			for _, op := range slices.Sorted(maps.Keys(p.Ops)) {
				ops = append(ops, fmt.Sprintf("%s×%d", op, p.Ops[op]))
			}
			line(p.Name, "%d parameters, %d nodes: %s", p.Parameters, p.Nodes, strings.Join(ops, " "))
		}
		for _, node := range a.Untold {
			line("shape unknown", "%s", node)
		}
	}
	switch {
	case f.Head == manifest.HeadSigmoid:
		line("head", "%s, as the graph shows", f.Head)
	case f.Head != "" && f.ABN.HeadTold:
		line("head", "%s, as the graph shows", f.Head)
	case f.Head != "":
		line("head", "%s: one class is right (the graph ends in logits, and does not say)", f.Head)
	}
	if f.Manifest != nil {
		m := f.Manifest
		line("manifest", "resize %v (%s), crop %d×%d, %s %s, mean %v, std %v, %d classes",
			m.Resize, m.FitOf(), m.Crop[0], m.Crop[1], m.Interpolation, m.Channels, m.Mean, m.Std, len(m.Classes))
	}
	if t := f.Trial; t != nil {
		line("tried", "on %d test pictures, alone and together: cells of the map %.3g to %.3g, their sum %.3g to %.3g", inference.Tried, t.Map[0], t.Map[1], t.MapSums[0], t.MapSums[1])
	}
	warnings := f.warnings()
	for _, note := range f.Notes {
		if !slices.Contains(warnings, note) {
			line("note", "%s", note)
		}
	}
	for _, warning := range warnings {
		line("warning", "%s", warning)
	}
	if f.Warning != "" {
		line("warning", "%s", f.Warning)
	}
	f.printTraining(line)
	if way := f.WayHome; way != nil {
		switch {
		case len(way.Lost) > 0:
			line("way home", "no: %s", onnx.Enumerate(way.Lost, ", "))
		case way.ByName:
			line("way home", "by the names in the file: model export --state-dict")
		default:
			line("way home", "with the module's state_dict, model export --state-dict --reference original.safetensors: %s", way.Reason)
		}
	}
}

// warnings are those that every road tells; of a network that does not run, what the file shows.
func (f *inspection) warnings() []string {
	switch {
	case f.Trial != nil:
		return f.Trial.Warnings
	case f.ABN != nil:
		return f.ABN.Notes
	}
	return nil
}

// printTraining prints what each engine can train, and the nodes that keep it from the rest.
func (f *inspection) printTraining(line func(label, format string, args ...any)) {
	for _, engine := range recipe.Engines() {
		can, of := f.Training.Trains(engine)
		label := fmt.Sprintf("train with %s", engine)
		switch {
		case of == 0:
		case can == of:
			line(label, "yes: attention and both, BatchNorm frozen and batch")
		case can == 0:
			line(label, "no")
		default:
			for _, t := range f.Training {
				if t.Engine == engine {
					line(label, "%s, BatchNorm %s: %s", t.Strategy, t.BatchNorm, map[bool]string{true: "yes", false: "no"}[t.OK])
				}
			}
		}
	}
	for _, o := range f.Obstacles {
		line("cannot train", "%v [%s]", o.Reason, strings.Join(o.Cases, "; "))
	}
}

// shorten cuts a text to n runes and one line.
func shorten(s string, n int) string {
	runes := []rune(strings.Join(strings.Fields(s), " "))
	if len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return string(runes)
}
