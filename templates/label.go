package templates

import (
	"context"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// Label is the view model of one verdict on a label, to be judged.
type Label struct {
	Verdict    annotator.LabelVerdict
	Image      annotator.Image
	Prediction *annotator.Prediction // the active version's
	History    annotator.LabelHistory
	Refused    error  // why the visitor may not judge it; nil: they may
	Comment    string // as typed, where the verdict was refused
	Problem    string
}

// Labels is the view model of the list of verdicts.
type Labels struct {
	Verdicts []annotator.LabelVerdict
	Older    int64 // id to continue from, 0 at the end
	Next     bool  // there is one that the visitor may judge
}

// LabelForm is what somebody types of an image's label.
type LabelForm struct {
	Says, Class, Comment string
	Problem              string
	Suggested            string // by the list of suspects, which the visitor comes from
}

// labelWord is a verdict's state as people say it.
func labelWord(ctx context.Context, s annotator.LabelState) string {
	return map[annotator.LabelState]string{
		annotator.LabelProposed: words.T(ctx, "waits"), annotator.LabelConfirmed: words.T(ctx, "confirmed"), annotator.LabelRejected: words.T(ctx, "rejected"),
		annotator.LabelWithdrawn: words.T(ctx, "taken back"), annotator.LabelVouched: words.T(ctx, "right"),
	}[s]
}

// className is a class as people read it, by its key; "unlabelled" without one.
func (f Frame) className(ctx context.Context, key string) string {
	if key == "" {
		return words.T(ctx, "unlabelled")
	}
	for _, c := range f.Project.Classes {
		if c.Key == key {
			return c.Name
		}
	}
	return key
}

// questioned returns the verdict of a history that nobody has decided; nil if there is none.
func questioned(h annotator.LabelHistory) *annotator.LabelVerdict {
	for i, v := range h.Verdicts {
		if v.State == annotator.LabelProposed {
			return &h.Verdicts[i]
		}
	}
	return nil
}
