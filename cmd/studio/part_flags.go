package main

import (
	"cmp"

	"github.com/abn-studio/studio/internal/manifest"
)

// partFlags name the values of a graph that cannot be told from it, in place of the manifest's names.
type partFlags struct {
	Image     string `help:"Name of the input, if it is not found." placeholder:"VALUE" group:"Names of values of the graph"`
	Features  string `help:"Name of the features the map multiplies." placeholder:"VALUE" group:"Names of values of the graph"`
	Map       string `help:"Name of the attention map." placeholder:"VALUE" group:"Names of values of the graph"`
	LogitsAtt string `help:"Name of the attention branch's logits." placeholder:"VALUE" group:"Names of values of the graph"`
	LogitsPer string `help:"Name of the perception branch's logits." placeholder:"VALUE" group:"Names of values of the graph"`
}

// named reports whether any value is named.
func (f partFlags) named() bool { return f != partFlags{} }

// over is a manifest with the names that were given in place of its own.
func (f partFlags) over(m manifest.Manifest) manifest.Manifest {
	if !f.named() {
		return m
	}
	var names manifest.PartNames
	if m.Names != nil {
		names = *m.Names
	}
	names.Image, names.Features, names.Map = cmp.Or(f.Image, names.Image), cmp.Or(f.Features, names.Features), cmp.Or(f.Map, names.Map)
	names.LogitsAtt, names.LogitsPer = cmp.Or(f.LogitsAtt, names.LogitsAtt), cmp.Or(f.LogitsPer, names.LogitsPer)
	m.Names = &names
	return m
}
