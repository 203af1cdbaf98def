// Command states draws the states of docs/architecture.md, from the tables of annotator/transitions.go; make generate runs it.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
)

// head and end are what stands before and after the drawing in the page.
const (
	head = "<!-- Written by internal/states from annotator/transitions.go: make generate. -->\n```\n"
	end  = "```\n"
)

func main() {
	path := filepath.Join(fixture.Root(), "docs", "architecture.md")
	old, err := os.ReadFile(path)
	if err == nil {
		var text []byte
		if text, err = withDrawing(old); err == nil {
			err = os.WriteFile(path, text, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the drawing of states:", err)
		os.Exit(1)
	}
}

// withDrawing returns the page with its drawing made anew.
func withDrawing(page []byte) ([]byte, error) {
	before, rest, found := bytes.Cut(page, []byte(head))
	_, after, ended := bytes.Cut(rest, []byte(end))
	if !found || !ended {
		return nil, errors.New("the page has no drawing: no block begins with " + strings.Split(head, "\n")[0])
	}
	return slices.Concat(before, []byte(head+drawing()+end), after), nil
}

// drawing draws all aggregates.
func drawing() string {
	return draw("task", annotator.TaskStates, annotator.TaskTransitions) +
		draw("edit", annotator.EditStates, annotator.EditTransitions) +
		draw("label", annotator.LabelStates, annotator.LabelTransitions) +
		draw("round", annotator.RoundStates, annotator.RoundTransitions) +
		draw("version", annotator.VersionStates, annotator.VersionTransitions) +
		draw("upload", annotator.UploadStates, annotator.UploadTransitions) +
		draw("job", annotator.JobStates, annotator.JobTransitions)
}

// draw has a line for each state and each state that follows it, with the events that lead there.
func draw[S ~string](name string, states []S, all annotator.Transitions[S]) string {
	var b strings.Builder
	for _, from := range append([]S{""}, states...) {
		label := string(from)
		if from == "" {
			label = "(new)"
		}
		var follow []S
		events := map[S][]string{}
		for _, row := range all {
			if row.From != from {
				continue
			}
			if events[row.To] == nil {
				follow = append(follow, row.To)
			}
			events[row.To] = append(events[row.To], string(row.Event))
		}
		if follow == nil {
			fmt.Fprintf(&b, "%-8s %-18s the end\n", name, label)
		}
		for _, to := range follow {
			fmt.Fprintf(&b, "%-8s %-18s ──▶ %-18s %s\n", name, label, to, strings.Join(events[to], ", "))
			name, label = "", ""
		}
		name = ""
	}
	return b.String()
}
