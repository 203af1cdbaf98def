package annotator

import (
	"encoding/json"

	"github.com/abn-studio/studio/internal/recipe"
)

// ModelReport is what can be told of a model file without running it.
type ModelReport struct {
	Opset      int64       `json:"opset"`
	IRVersion  int64       `json:"ir_version"`
	Producer   string      `json:"producer,omitempty"`
	Nodes      int         `json:"nodes"`
	Parameters int64       `json:"parameters"`
	Parts      []ModelPart `json:"parts"` // extractor, attention, perception

	Values        []ModelValue `json:"values"` // image, features, map, logits of both branches: where the graph comes apart
	ImageHeight   int          `json:"image_height"`
	ImageWidth    int          `json:"image_width"`
	ImageChannels int          `json:"image_channels"`
	GridHeight    int          `json:"grid_height"`
	GridWidth     int          `json:"grid_width"`
	Classes       int          `json:"classes"`                   // K
	Gain          string       `json:"gain"`                      // "1+M", "M" or "other"
	Notes         []string     `json:"notes,omitempty"`           // what its owner should know, in sentences
	BatchWasFixed int64        `json:"batch_was_fixed,omitempty"` // the size it was exported for; it runs any all the same
	UntoldShapes  []string     `json:"untold_shapes,omitempty"`   // nodes whose output shapes could not be told

	Data []ModelData `json:"data,omitempty"` // the files it came as, where they were more than one

	Training []Trainability `json:"training"`
	// ManifestProblem says why the manifest that came with the file cannot be used, or that none did; nil: it can.
	ManifestProblem *FieldProblem `json:"manifest_problem,omitempty"`
}

// ModelData is one of the files that a model came as, which were made one.
type ModelData struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"` // of it that are the model's
}

// FieldProblem is what is wrong with one field of a manifest.
type FieldProblem struct {
	Field   string `json:"field"` // "mean", "classes[3]"; "" where it is the whole
	Message string `json:"message"`
}

// ModelValue is a value of the graph at which it comes apart, with its shape such as "(N,1,14,14)".
type ModelValue struct {
	Role  string `json:"role"` // "image", "features", "map", "logits_att", "logits_per"
	Name  string `json:"name"`
	Shape string `json:"shape"`
}

// ModelPart counts what a part of a network is made of.
type ModelPart struct {
	Name       string         `json:"name"`
	Nodes      int            `json:"nodes"`
	Parameters int64          `json:"parameters"`
	BatchNorms int            `json:"batch_norms"` // kept, not folded into a convolution
	Ops        map[string]int `json:"ops"`
}

// Trainability says whether an engine can fine-tune a network by a strategy and a treatment of BatchNorm.
type Trainability struct {
	Engine    recipe.Engine    `json:"engine"`
	Strategy  recipe.Strategy  `json:"strategy"`
	BatchNorm recipe.BatchNorm `json:"batch_norm"`
	Obstacles []Obstacle       `json:"obstacles,omitempty"`
}

// OK reports whether nothing stands in the way.
func (t Trainability) OK() bool { return len(t.Obstacles) == 0 }

// Obstacle is a node that keeps an engine from training a network. Node and Op are "" where it is the
// network as a whole.
type Obstacle struct {
	Node string `json:"node,omitempty"`
	Op   string `json:"op,omitempty"`
	Why  string `json:"why"`
}

func (o Obstacle) String() string {
	if o.Node == "" && o.Op == "" {
		return o.Why
	}
	return o.Node + " (" + o.Op + "): " + o.Why
}

// TrainabilityOf finds the entry of an engine, strategy and treatment of BatchNorm; false where nobody has asked.
func TrainabilityOf(training []Trainability, engine recipe.Engine, strategy recipe.Strategy, batchNorm recipe.BatchNorm) (Trainability, bool) {
	for _, t := range training {
		if t.Engine == engine && t.Strategy == strategy && t.BatchNorm == batchNorm {
			return t, true
		}
	}
	return Trainability{}, false
}

// ModelFile is a kept model file and what it says of itself.
type ModelFile struct {
	Hash     string          `json:"-"` // SHA-256, lower-case hex
	Bytes    int64           `json:"-"`
	Manifest json.RawMessage `json:"manifest,omitempty"` // nil: none, or (Report.ManifestProblem) none that can be used
	Classes  []Class         `json:"classes,omitempty"`  // of the manifest
	Report   ModelReport     `json:"report"`
}
