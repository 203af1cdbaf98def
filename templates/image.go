package templates

import (
	"fmt"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
)

// Image is the view model of one picture's page.
type Image struct {
	Image       annotator.Image
	Predictions []VersionPrediction // newest version first
	Manifest    manifest.Manifest   // the active version's: where its crop lies
	Task        *annotator.TaskDetail
}

// VersionPrediction is what one version says of the picture; Prediction is nil while it has not been scanned.
type VersionPrediction struct {
	Version    annotator.Version
	Prediction *annotator.Prediction
}

// crop is what whole.ts needs to outline the model's view on the whole picture: which side is resized ("none" where it is not), to
// how many pixels (height and width, twice the same where it is one side), and the crop's height and width in those.
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
