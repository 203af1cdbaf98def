package annotator

import (
	"encoding/json"
	"fmt"

	"github.com/abn-studio/studio/internal/attention"
)

// Changes is what a save changes of the revision that it was made from, or of the model's own map where there is none: a stroke on a fine grid
// is a hundredth of the map.
type Changes struct {
	Cells  []int            `json:"cells" nullable:"false" doc:"Places among the values, each once."`
	Values []float32        `json:"values" nullable:"false" bound:"changed values" doc:"Their new values, in [0,1]."`
	Marks  *attention.Marks `json:"marks,omitempty" doc:"Marks of all cells, a letter each; an empty text where none is marked; left out where they are as they were."`
}

// of applies the changes to a map, which stays as it is.
func (c Changes) of(base attention.Map) (attention.Map, error) {
	if len(c.Cells) != len(c.Values) {
		return attention.Map{}, &ValidationError{Field: "changes", Message: fmt.Sprintf("has %d cells and %d values", len(c.Cells), len(c.Values))}
	}
	m := base.Clone()
	changed := make([]bool, len(m.Values))
	for i, cell := range c.Cells {
		if cell < 0 || cell >= len(m.Values) {
			return attention.Map{}, &ValidationError{Field: "changes", Message: fmt.Sprintf("has cell %d, where the map has %d", cell, len(m.Values))}
		}
		if changed[cell] {
			return attention.Map{}, &ValidationError{Field: "changes", Message: fmt.Sprintf("has cell %d twice", cell)}
		}
		m.Values[cell], changed[cell] = c.Values[i], true
	}
	if c.Marks != nil {
		m.Marks = *c.Marks
	}
	return m, m.Validate()
}

// KeptSteps are steps of the undo stack of the revision that a save was made from: they stand before those that it sends.
type KeptSteps struct {
	From  int `json:"from" minimum:"0" doc:"Steps of the last save's stack that are left out in front."`
	Count int `json:"count" minimum:"0" doc:"Steps after those that are kept."`
}

// before puts the kept steps of a stack in front of the steps of another. A stack is an object with a list called steps; what else it
// has is the editor's own.
func (k KeptSteps) before(stack, base json.RawMessage) (json.RawMessage, error) {
	var was struct {
		Steps []json.RawMessage `json:"steps"`
	}
	fields := map[string]json.RawMessage{}
	var steps []json.RawMessage
	if len(base) > 0 {
		if err := json.Unmarshal(base, &was); err != nil {
			return nil, &ValidationError{Field: "kept_steps", Message: "names steps of the last save, whose history has no list of steps: send the whole stack"}
		}
	}
	if k.From < 0 || k.Count < 0 || k.From > len(was.Steps) || k.Count > len(was.Steps)-k.From {
		return nil, &ValidationError{Field: "kept_steps", Message: fmt.Sprintf("names %d steps after %d, where the last save has %d: send the whole stack", k.Count, k.From, len(was.Steps))}
	}
	if err := json.Unmarshal(stack, &fields); err != nil {
		return nil, &ValidationError{Field: "history", Message: "is no object with steps, so that kept_steps have no place"}
	}
	if err := json.Unmarshal(fields["steps"], &steps); err != nil {
		return nil, &ValidationError{Field: "history", Message: "has no list of steps, so that kept_steps have no place"}
	}
	all, err := json.Marshal(append(was.Steps[k.From:k.From+k.Count:k.From+k.Count], steps...))
	if err != nil {
		return nil, err
	}
	fields["steps"] = all
	whole, err := json.Marshal(fields)
	if err == nil && len(whole) > MaxHistoryBytes {
		err = &ValidationError{Field: "history", Message: fmt.Sprintf("has %d bytes with the kept steps, at most %d are kept", len(whole), MaxHistoryBytes)}
	}
	return whole, err
}

// madeWith adds to a draft's provenance which network the map was painted against, what it began with, and the hints that were shown before. What the studio knows itself is not taken from
// whoever saves, and need not be sent with every stroke.
func madeWith(provenance json.RawMessage, v Version, origin Origin, hints Hints) (json.RawMessage, error) {
	fields := map[string]any{}
	if len(provenance) > 0 {
		if err := json.Unmarshal(provenance, &fields); err != nil || fields == nil {
			return nil, &ValidationError{Field: "provenance", Message: "is no JSON object"}
		}
	}
	fields["version_id"], fields["model_hash"], fields["preprocessing"] = v.ID, v.ModelHash, v.Manifest
	fields["origin"] = origin
	delete(fields, "hints")
	if hints != (Hints{}) {
		fields["hints"] = hints
	}
	return json.Marshal(fields)
}
