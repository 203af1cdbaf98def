package onnx

import (
	"context"
	"fmt"
)

// Report is what Describe finds in a file.
type Report struct {
	IRVersion  int64             `json:"ir_version"`
	Opset      int64             `json:"opset"`
	Producer   string            `json:"producer,omitempty"`
	Inputs     []ValueReport     `json:"inputs"`
	Outputs    []ValueReport     `json:"outputs"`
	Nodes      int               `json:"nodes"`
	Parameters int64             `json:"parameters"` // elements of floating-point initializers, running statistics included
	Metadata   map[string]string `json:"metadata,omitempty"`
	Data       []DataSource      `json:"data,omitempty"`  // files beside the model that its values were read from
	Notes      []string          `json:"notes,omitempty"` // what its owner should know of the file, in sentences
	ABN        *ABNReport        `json:"abn,omitempty"`   // nil where the file is no ABN
}

// ValueReport is a named value with its shape, such as "(N,1,14,14)".
type ValueReport struct {
	Name  string `json:"name"`
	Shape string `json:"shape"`
}

// ABNReport says where a network is split and what its parts contain.
type ABNReport struct {
	Image         ValueReport `json:"image"`
	Features      ValueReport `json:"features"`
	Map           ValueReport `json:"map"`
	LogitsAtt     ValueReport `json:"logits_att"`
	LogitsPer     ValueReport `json:"logits_per"`
	Gain          Gain        `json:"gain"`
	MapSource     MapSource   `json:"map_source"`
	MapRange      MapRange    `json:"map_range"`
	Classes       int         `json:"classes"`
	HeadTold      bool        `json:"head_told"`                 // a softmax behind the logits says that the head is one
	BatchWasFixed int64       `json:"batch_was_fixed,omitempty"` // the batch size the file was exported for; the studio runs it with any
	// TrainingModeNodes counts BatchNorms and Dropouts that the file has in training mode; they are run in evaluation mode.
	TrainingModeNodes int          `json:"training_mode_nodes,omitempty"`
	ExtractorHash     string       `json:"extractor_hash"`
	Parts             []PartReport `json:"parts"`
	// Untold lists nodes whose output shapes are not known. They can be run, but a part that has them may not be trainable.
	Untold []string `json:"untold_shapes,omitempty"`
	// Notes are what its owner should know of how the network is read, in sentences.
	Notes []string `json:"notes,omitempty"`
}

// PartReport counts what a part is made of.
type PartReport struct {
	Name       string         `json:"name"`
	Nodes      int            `json:"nodes"`
	Parameters int64          `json:"parameters"`
	Ops        map[string]int `json:"ops"`
	// BatchNorms counts the BatchNormalizations that were kept rather than folded into a convolution.
	BatchNorms int `json:"batch_norms"`
}

// Describe lists what a file contains, whether or not it is an ABN. It leaves ABN nil.
func Describe(ctx context.Context, m *Model) *Report {
	r := &Report{
		IRVersion: m.IRVersion, Opset: m.Opset(), Producer: m.ProducerName, Nodes: len(m.Graph.Nodes),
		Parameters: parameters(m.Graph), Metadata: map[string]string{}, Data: m.sources, Notes: m.Notes(),
	}
	if m.ProducerVersion != "" {
		r.Producer += " " + m.ProducerVersion
	}
	for _, e := range m.Metadata {
		r.Metadata[e.Key] = e.Value
	}
	for _, v := range m.Graph.Feeds() {
		r.Inputs = append(r.Inputs, ValueReport{v.Name, v.Shape.String()})
	}
	inferred, inferErr := Infer(ctx, m, nil)
	for _, v := range m.Graph.Outputs {
		shape := v.Shape
		if inferErr == nil {
			shape = inferred.Shape(v.Name)
		}
		r.Outputs = append(r.Outputs, ValueReport{v.Name, shape.String()})
	}
	return r
}

// Describe says where the network is split and what its parts contain. ExtractorHash is left to the caller, since computing it
// reads all of the extractor's values. Package gradient says what can be trained.
func (a *ABN) Describe(ctx context.Context) *ABNReport {
	h, w := int64(a.Height), int64(a.Width)
	logits := BatchOf(int64(a.Classes)).String()
	r := &ABNReport{
		Image:     ValueReport{a.Names.Image, BatchOf(int64(a.ImageChannels), int64(a.ImageHeight), int64(a.ImageWidth)).String()},
		Features:  ValueReport{a.Names.Features, BatchOf(int64(a.Channels), h, w).String()},
		Map:       ValueReport{a.Names.Map, BatchOf(1, h, w).String()},
		LogitsAtt: ValueReport{a.Names.LogitsAtt, logits},
		LogitsPer: ValueReport{a.Names.LogitsPer, logits},
		Gain:      a.Gain, MapSource: a.MapSource, MapRange: a.MapRange, Classes: a.Classes, HeadTold: a.HeadTold, BatchWasFixed: a.BatchWasFixed,
		TrainingModeNodes: a.TrainingModeNodes, Notes: a.Notes(),
	}
	untold := 0
	for _, part := range []struct {
		name  string
		model *Model
	}{{"extractor", a.Extractor}, {"attention branch", a.Attention}, {"perception branch", a.Perception}} {
		p := PartReport{Name: part.name, Nodes: len(part.model.Graph.Nodes), Parameters: parameters(part.model.Graph), Ops: map[string]int{}}
		inferred, err := Infer(ctx, part.model, nil)
		for _, n := range part.model.Graph.Nodes {
			if _, counted := p.Ops[n.Op]; counted || len(p.Ops) < maxOps {
				p.Ops[n.Op]++
			} else {
				p.Ops["others"]++
			}
			if n.IsOp("BatchNormalization") {
				p.BatchNorms++
			}
			if err == nil && inferred.Shape(n.Output(0)) == nil {
				if untold++; untold <= maxListed {
					r.Untold = append(r.Untold, n.String())
				}
			}
		}
		r.Parts = append(r.Parts, p)
	}
	if more := untold - maxListed; more > 0 {
		r.Untold = append(r.Untold, fmt.Sprintf("and %d more", more))
	}
	return r
}

// Notes are sentences on how the map was found if it was not found by FindParts's own rule, on the range of its values, and on
// weights that the parts shared.
func (p *Parts) Notes() (notes []string) {
	if p.MapSource == MapIsInside {
		notes = append(notes, fmt.Sprintf("the map is no output of the file: %q is the value inside that is multiplied with the features %q", p.Names.Map, p.Names.Features))
	}
	switch {
	case p.MapRange == RangeUnit:
	case p.MapBounded:
		notes = append(notes, fmt.Sprintf("the map's values may be %s: maps are shown and drawn from 0 to 1", p.MapRange))
	default:
		notes = append(notes, fmt.Sprintf("the map's values are not bounded to 0…1 by what makes them (they may be %s): maps are shown and drawn from 0 to 1", p.MapRange))
	}
	if p.MapShares {
		notes = append(notes, fmt.Sprintf("the map is a softmax over its %d cells: they add up to 1, about %.2g each, and no drawn map does, whose cells are from 0 to 1. "+
			"The attention branch cannot come to give what is drawn; a sigmoid of each cell could", p.Height*p.Width, 1/float64(p.Height*p.Width)))
	}
	if p.Effect != nil {
		notes = append(notes, fmt.Sprintf("the mechanism is the network's own: a cell of 0 multiplies the features by %.3g, one of 1 by %.3g", p.Effect[0], p.Effect[1]))
	}
	if n := len(p.Split); n > 0 {
		notes = append(notes, fmt.Sprintf("both branches have weights in common (%d, such as %q): here each branch has its own, and a trained file has further initializers, "+
			"which the module that it was exported from has no place for where it shares a stage", n, p.Split[0]))
	}
	return notes
}

// parameters counts the elements of floating-point initializers.
func parameters(g *Graph) int64 {
	var total int64
	for _, t := range g.Initializers {
		if n, err := t.Elements(); err == nil && t.Type.IsFloat() {
			total += n
		}
	}
	return total
}
