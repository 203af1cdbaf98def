package templates

import (
	"encoding/json"

	"github.com/abn-studio/studio/annotator"
)

// Image is the view model of one picture's page.
type Image struct {
	Image       annotator.Image
	Predictions []VersionPrediction // newest version first
	Manifest    json.RawMessage     // the active version's: where its crop lies
	Task        *annotator.TaskDetail
}

// VersionPrediction is what one version says of the picture; Prediction is nil while it has not been scanned.
type VersionPrediction struct {
	Version    annotator.Version
	Prediction *annotator.Prediction
}

// crop is what pages.js needs to outline the model's view on the whole picture: the shorter side
// after resizing (0: not resized) and the crop's height and width in those pixels.
func (v Image) crop() (resize, height, width float64) {
	var m struct {
		Resize *float64  `json:"resize"`
		Crop   []float64 `json:"crop"`
	}
	if json.Unmarshal(v.Manifest, &m) != nil || len(m.Crop) != 2 {
		return 0, 0, 0
	}
	if m.Resize != nil {
		resize = *m.Resize
	}
	return resize, m.Crop[0], m.Crop[1]
}
