package main

import "github.com/abn-studio/studio/internal/manifest"

// partFlags name values of a graph whose roles cannot be told from it (manifest.NameFields). They replace the manifest's names.
type partFlags struct {
	Image     string `help:"${name_image}" placeholder:"VALUE" group:"Names of values of the graph"`
	Features  string `help:"${name_features}" placeholder:"VALUE" group:"Names of values of the graph"`
	Map       string `help:"${name_map}" placeholder:"VALUE" group:"Names of values of the graph"`
	LogitsAtt string `help:"${name_logits_att}" placeholder:"VALUE" group:"Names of values of the graph"`
	LogitsPer string `help:"${name_logits_per}" placeholder:"VALUE" group:"Names of values of the graph"`
}

// names returns the names that were given.
func (f partFlags) names() manifest.PartNames {
	return manifest.PartNames{Image: f.Image, Features: f.Features, Map: f.Map, LogitsAtt: f.LogitsAtt, LogitsPer: f.LogitsPer}
}

// over returns a manifest with the names that were given in place of its own.
func (f partFlags) over(m manifest.Manifest) manifest.Manifest { return m.Named(f.names()) }

// nameWords are the words of these flags, for helpWords.
func nameWords() map[string]string {
	words := map[string]string{}
	for _, f := range manifest.NameFields {
		words["name_"+f.Key] = f.Help
	}
	return words
}
