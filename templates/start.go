package templates

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/words"
)

// Start is the view model of the page that says what painters begin with.
type Start struct {
	Preview   annotator.StartPreview
	Chosen    attention.Start // in the form
	NoVersion bool            // no version is active, so that no maps can be shown
	Problem   string
	Field     string // what the problem is about
}

// problemOf returns what is wrong with a field, "" if nothing is.
func (v Start) problemOf(field string) string {
	if field == v.Field {
		return v.Problem
	}
	return ""
}

// radius is the value of the form's radius field: that of the maps shown.
func (v Start) radius() string {
	if v.Chosen.Radius > 0 {
		return strconv.FormatFloat(v.Chosen.Radius, 'g', -1, 64)
	}
	for _, example := range v.Preview.Examples {
		for _, m := range example.Maps {
			if m.Radius > 0 {
				return strconv.FormatFloat(m.Radius, 'g', -1, 64)
			}
		}
	}
	return "1"
}

// lacks reports whether a method can make a map of no image, as it is known once there is a version.
func (v Start) lacks(m attention.StartMethod) bool {
	switch {
	case v.NoVersion || m == attention.StartModel:
		return false
	case m == attention.StartClicks:
		return v.Preview.Sources.Clicks == 0
	}
	return v.Preview.Sources.Masks == 0
}

// available says for how many images a method can make a map.
func (v Start) available(ctx context.Context, m attention.StartMethod) string {
	switch {
	case v.NoVersion || m == attention.StartModel:
		return ""
	case m == attention.StartClicks:
		return words.N(ctx, v.Preview.Sources.Images, "{some} of {n} image have clicks.", "{some} of {n} images have clicks.", "some", v.Preview.Sources.Clicks)
	}
	return words.N(ctx, v.Preview.Sources.Images, "{some} of {n} image have a mask.", "{some} of {n} images have a mask.", "some", v.Preview.Sources.Masks)
}

// StartWords returns a way to begin in words: "the mask, by maximum (radius 1 cell)".
func StartWords(ctx context.Context, s attention.Start) string {
	name := s.Method.Kind().Name
	said := words.Say(ctx, name)
	if said == name { // within a sentence
		said = strings.ToLower(name[:1]) + name[1:]
	}
	if s.Radius > 0 {
		return words.T(ctx, "{method}, radius {radius}", "method", said, "radius", fmt.Sprint(s.Radius))
	}
	return said
}

// mapTop says how large a map's largest value is. A small object averaged over its cells may give a map too faint to see.
func mapTop(ctx context.Context, m attention.Map) string {
	return words.T(ctx, "up to {value}", "value", Fraction(slices.Max(m.Values)))
}
