package templates

import (
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

// crop is what pages.js needs to outline the model's view on the whole picture: the shorter side
// after resizing (0: not resized) and the crop's height and width in those pixels.
func (v Image) crop() (resize, height, width int) {
	if m := v.Manifest; m.Resize != nil {
		resize = *m.Resize
	}
	return resize, v.Manifest.Crop[0], v.Manifest.Crop[1]
}
