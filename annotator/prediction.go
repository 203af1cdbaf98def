package annotator

import "github.com/abn-studio/studio/internal/attention"

// ClassScore is one class's probability in an answer, in [0,1].
type ClassScore struct {
	Class       int     `json:"class"`
	Name        string  `json:"name"`
	Probability float32 `json:"probability"`
}

// Prediction is one version's output for one image: the perception branch's softmax and the attention map.
type Prediction struct {
	VersionID     int64         `json:"version_id"`
	ImageID       int64         `json:"image_id"`
	Class         int           `json:"class"`      // argmax of the perception branch
	Confidence    float32       `json:"confidence"` // its probability
	Correct       bool          `json:"correct"`    // Class equals the label; false where unlabelled
	Probabilities []float32     `json:"-"`          // K of them, from the perception branch; not read back
	Top           []ClassScore  `json:"top"`        // the five largest, falling
	AttClass      int           `json:"att_class"`  // argmax of the attention branch
	Map           attention.Map `json:"map"`
}

// Scores is a live score: the perception branch's softmax with a person's map in place of the model's.
type Scores struct {
	Probabilities []float32    `json:"probabilities"` // K of them, in class order
	Top           []ClassScore `json:"top"`           // the five largest, falling
	Label         *int         `json:"label,omitempty"`
	Correct       bool         `json:"correct"`
	Milliseconds  float64      `json:"milliseconds"` // time the model took
}
