package annotator

import (
	"encoding/json"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
)

// ModelReport is what is known of a model file without running it.
type ModelReport struct {
	Opset      int64       `json:"opset"`
	IRVersion  int64       `json:"ir_version"`
	Producer   string      `json:"producer,omitempty"`
	Nodes      int         `json:"nodes"`
	Parameters int64       `json:"parameters"`
	Parts      []ModelPart `json:"parts"` // extractor, attention, perception

	Values        []ModelValue   `json:"values"` // image, features, map, logits of both branches: the values at which the graph is split
	ImageHeight   int            `json:"image_height"`
	ImageWidth    int            `json:"image_width"`
	ImageChannels int            `json:"image_channels"`
	GridHeight    int            `json:"grid_height"`
	GridWidth     int            `json:"grid_width"`
	Classes       int            `json:"classes"`                   // K
	Gain          attention.Gain `json:"gain"`                      // "1+M", "M" or "other"
	Notes         []string       `json:"notes,omitempty"`           // what its owner should know, in sentences
	BatchWasFixed int64          `json:"batch_was_fixed,omitempty"` // the batch size it was exported for; the studio runs it with any; 0: it was not fixed
	UntoldShapes  []string       `json:"untold_shapes,omitempty"`   // nodes whose output shapes could not be inferred

	Data []ModelData `json:"data,omitempty"` // the files it came as, where they were more than one

	Training []Trainability `json:"training"`
	// ManifestProblem says why the manifest that came with the file cannot be used, or that there was none; nil: it can be used.
	ManifestProblem *FieldProblem `json:"manifest_problem,omitempty"`
}

// ModelData is one of several files that a model was sent as; the studio keeps it as one.
type ModelData struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"` // how many of the file's bytes belong to the model
}

// FieldProblem is what is wrong with one field of a manifest.
type FieldProblem struct {
	Field   string `json:"field"` // "mean", "classes[3]"; "": the manifest as a whole
	Message string `json:"message"`
}

// ModelValue is a value at which the graph is split, with its shape such as "(N,1,14,14)".
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

// Obstacle is a node that keeps an engine from training a network. If Node and Op are "", it is the network as a whole.
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

// TrainabilityOf finds the entry of an engine, strategy and treatment of BatchNorm; false if there is none, so that it is not known.
func TrainabilityOf(training []Trainability, engine recipe.Engine, strategy recipe.Strategy, batchNorm recipe.BatchNorm) (Trainability, bool) {
	for _, t := range training {
		if t.Engine == engine && t.Strategy == strategy && t.BatchNorm == batchNorm {
			return t, true
		}
	}
	return Trainability{}, false
}

// ModelFile is a stored model file, its report and its manifest.
type ModelFile struct {
	Hash     string          `json:"-"` // SHA-256, lower-case hex
	Bytes    int64           `json:"-"`
	Manifest json.RawMessage `json:"manifest,omitempty"` // nil: there is none that could be kept; Report.ManifestProblem says why
	Classes  []Class         `json:"classes,omitempty"`  // of the manifest; nil while that has a problem
	Report   ModelReport     `json:"report"`
}
