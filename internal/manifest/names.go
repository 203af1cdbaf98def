package manifest

import (
	"encoding/json"
	"strings"
)

// NameField is a value of a graph that people name where it cannot be told from the graph. A name has one key in manifests, forms
// and requests, and the same as a flag.
type NameField struct {
	Key  string // of PartNames' JSON
	Help string
	at   func(*PartNames) *string
}

// NameFields are the values that can be named: the only list of them.
var NameFields = []NameField{
	{"map", "The attention map, (N,1,h,w).", func(n *PartNames) *string { return &n.Map }},
	{"features", "The features that the map multiplies, (N,C,h,w).", func(n *PartNames) *string { return &n.Features }},
	{"logits_att", "The attention branch's logits, (N,K).", func(n *PartNames) *string { return &n.LogitsAtt }},
	{"logits_per", "The perception branch's logits, (N,K).", func(n *PartNames) *string { return &n.LogitsPer }},
	{"image", "The input, where there are several.", func(n *PartNames) *string { return &n.Image }},
}

// Flag is the field on the command line.
func (f NameField) Flag() string { return "--" + strings.ReplaceAll(f.Key, "_", "-") }

// Of is the field's name among others; "" where it has none.
func (f NameField) Of(n PartNames) string { return *f.at(&n) }

// Set gives a field a name; false where no field has the key.
func (n *PartNames) Set(key, name string) bool {
	for _, f := range NameFields {
		if f.Key == key {
			*f.at(n) = name
			return true
		}
	}
	return false
}

// Any reports whether a value is named.
func (n PartNames) Any() bool {
	for _, f := range NameFields {
		if f.Of(n) != "" {
			return true
		}
	}
	return false
}

// Named is a manifest with the names that are given in place of its own.
func (m Manifest) Named(names PartNames) Manifest {
	if !names.Any() {
		return m
	}
	var all PartNames
	if m.Names != nil {
		all = *m.Names
	}
	for _, f := range NameFields {
		if name := f.Of(names); name != "" {
			all.Set(f.Key, name)
		}
	}
	m.Names = &all
	return m
}

// WithNames is Named for a manifest's JSON, whatever faults that has; nil makes one of names alone. What is no JSON object is returned as it is.
func WithNames(text []byte, names PartNames) []byte {
	if !names.Any() {
		return text
	}
	fields := map[string]json.RawMessage{}
	if text != nil && json.Unmarshal(text, &fields) != nil {
		return text
	}
	partly, _ := decode(text, false)
	all, err := json.Marshal(partly.Named(names).Names)
	if err != nil {
		return text
	}
	fields["names"] = all
	if with, err := json.Marshal(fields); err == nil {
		return with
	}
	return text
}
