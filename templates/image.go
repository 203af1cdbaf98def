package templates

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/words"
)

// Image is the view model of one picture's page.
type Image struct {
	Image       annotator.Image
	Predictions []VersionPrediction // newest version first
	Manifest    manifest.Manifest   // the active version's: where its crop lies
	History     annotator.LabelHistory
	Form        LabelForm
	Tasks       []annotator.Task
	Edits       []annotator.Edit       // that were submitted, the newest first
	Trail       []annotator.AuditEntry // what people did to the image itself
}

// VersionPrediction is one version's prediction of the picture; Prediction is nil while the version has not scanned it.
type VersionPrediction struct {
	Version    annotator.Version
	Prediction *annotator.Prediction
}

// submitted returns the newest edit of a task that was submitted; nil where there is none.
func (v Image) submitted(task int64) *annotator.Edit {
	for i, e := range v.Edits {
		if e.TaskID == task {
			return &v.Edits[i]
		}
	}
	return nil
}

// retiredText says why an image is out of use, and what that means.
func retiredText(ctx context.Context, why string) string {
	reason := words.T(ctx, "An import did not find it at its source any more")
	switch annotator.Retirement(why) {
	case annotator.RetiredReplaced:
		reason = words.T(ctx, "An import found another picture under its name")
	case annotator.RetiredDeleted:
		reason = words.T(ctx, "It was deleted")
	}
	return words.Sentence(ctx, reason) + " " + words.T(ctx, "It is kept with its predictions and edits, and is not scanned, painted, trained on or measured with.")
}

// crop is what whole.ts needs to outline the model's view on the whole picture: how the picture is resized ("none": not at all), to how
// many pixels (height and width; both are the same number if one side is given), and the crop's height and width after that.
func (v Image) crop() string {
	m := v.Manifest
	fit, size := string(m.FitOf()), [2]int{}
	switch len(m.Resize) {
	case 0:
		fit = "none"
	case 1:
		size = [2]int{m.Resize[0], m.Resize[0]}
	default:
		size = [2]int{m.Resize[0], m.Resize[1]}
	}
	return fmt.Sprintf("%s,%d,%d,%d,%d", fit, size[0], size[1], m.Crop[0], m.Crop[1])
}

// askable reports whether somebody can ask for a task of the image: it has none, since the newest version that looked at it is right.
func (v Image) askable() bool {
	i := v.Image
	if len(v.Tasks) > 0 || i.Retired != "" || i.Broken != "" || i.Label == nil || i.Split.HeldOut() || !i.Teaches() || questioned(v.History) != nil {
		return false
	}
	for _, p := range v.Predictions {
		if p.Version.State == annotator.VersionActive {
			return p.Prediction != nil
		}
	}
	return false
}
