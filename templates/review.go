package templates

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// Review is the view model of the review page. Task is nil when nothing waits.
type Review struct {
	Task      *annotator.TaskDetail
	Revisions []annotator.Edit
	Waiting   int                   // submitted tasks, this one included
	Problem   string                // what was wrong with the last verdict
	Comment   string                // the comment that was typed with that verdict
	Judged    *annotator.TaskDetail // what the visitor has judged before this one, if that can be taken back
	Refused   error                 // why the visitor may not judge it (TaskCard.MayJudge), nil if they may
}

// EncodeExact writes a map for the page's canvas with its float32 values: "h,w,f," and base64.
func EncodeExact(m attention.Map) string {
	raw := make([]byte, 0, 4*len(m.Values))
	for _, v := range m.Values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return fmt.Sprintf("%d,%d,f,%s", m.Height, m.Width, base64.StdEncoding.EncodeToString(raw))
}

// marksNote says how much of a task's edit is marked; "" where nothing is.
func marksNote(t annotator.TaskDetail) string {
	if t.Edit == nil || t.Edit.Map.Marks == "" {
		return ""
	}
	return " Marked: " + marksSummary(t.Edit.Map) + "."
}

// marksSummary says how many cells of a map have which mark: "don't know: 12 of 196 cells; do not look here: 30 of 196 cells"; "" without marks.
func marksSummary(m attention.Map) string {
	var parts []string
	for _, mark := range []struct {
		mark  attention.Mark
		words string
	}{{attention.Unknown, "don't know"}, {attention.Avoided, "do not look here"}} {
		if n := m.Marks.Count(mark.mark); n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d of %d cells", mark.words, n, len(m.Values)))
		}
	}
	return strings.Join(parts, "; ")
}

// judgeable reports whether the visitor can approve or reject now.
func (v Review) judgeable() bool {
	return v.Task != nil && v.Task.Edit != nil && v.Refused == nil
}

// retractable reports whether the visitor can take back the verdict on a task's map, unless a round has learnt from it.
func retractable(f Frame, t *annotator.TaskDetail) bool {
	if t == nil || t.Edit == nil || f.User == nil || !annotator.TaskTransitions.May(t.State, annotator.EventRetract) {
		return false
	}
	return slices.ContainsFunc(t.Reviews, func(r annotator.Review) bool {
		return r.EditID == t.Edit.ID && r.TakenBackAt == nil && (r.ReviewerID == f.User.ID || f.May(annotator.RoleAdmin))
	})
}

// change is one class's probability with the model's map and with the edit.
type change struct {
	class         annotator.ClassScore
	before, after float32
}

// changes compares the answers before and after: it lists the classes that are in either top five, by the larger of their two
// probabilities.
func (v Review) changes() []change {
	e := v.Task.Edit
	if e == nil || e.Before == nil || e.After == nil {
		return nil
	}
	var list []change
	seen := map[int]bool{}
	add := func(c annotator.ClassScore) {
		if !seen[c.Class] && len(list) < 6 {
			seen[c.Class] = true
			list = append(list, change{c, probability(e.Before, c), probability(e.After, c)})
		}
	}
	for i := range max(len(e.Before.Top), len(e.After.Top)) {
		if i < len(e.Before.Top) {
			add(e.Before.Top[i])
		}
		if i < len(e.After.Top) {
			add(e.After.Top[i])
		}
	}
	return list
}

func probability(s *annotator.Scores, c annotator.ClassScore) float32 {
	if c.Class < len(s.Probabilities) {
		return s.Probabilities[c.Class]
	}
	for _, t := range s.Top {
		if t.Class == c.Class {
			return t.Probability
		}
	}
	return 0
}

// outcomeWord says in words what the edit does to the answer.
func (v Review) outcomeWord() (word, class string) {
	e := v.Task.Edit
	switch {
	case e == nil || e.Before == nil || e.After == nil:
		return "", ""
	case e.After.Correct && !e.Before.Correct:
		return "✓ The edit makes the answer right.", "good"
	case !e.After.Correct && e.Before.Correct:
		return "✗ The edit makes the answer wrong.", "bad"
	case e.After.Correct:
		return "✓ Right with and without the edit.", "good"
	default:
		return "✗ Still wrong with the edit: fine-tuning may carry it further.", "bad"
	}
}

// sourceWord says how an edit was made.
func sourceWord(s annotator.EditSource) string {
	switch s {
	case annotator.SourceModel:
		return "the model's own map, confirmed"
	case annotator.SourceGenerator:
		return "made from a known mask, by no person"
	}
	return "painted"
}
