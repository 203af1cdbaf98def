package guide

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/abn-studio/studio/internal/attention"
)

// Picture is the name of the examples' picture among the pages' static files.
const Picture = "guide.png"

// The maps, by name.
const (
	Own     = "own"     // the network's own
	Object  = "object"  // the object's mask, averaged over the cells
	Strokes = "strokes" // each cell that is a quarter full of the object: what a few strokes of the brush make
	All     = "all"     // every cell
	Spot    = "spot"    // the fullest cell alone
	Outline = "outline" // the object's border, hollow
	Scene   = "scene"   // everything but the object
	Dimmed  = "dimmed"  // the network's own, halved
)

// Good are the maps that teach, Bad those that do not.
var (
	Good = []string{Object, Strokes}
	Bad  = []string{All, Spot, Outline, Scene, Dimmed}
)

// Example is a map of the picture and the network's answer with it.
type Example struct {
	Name string        `json:"name"`
	Map  attention.Map `json:"map"`
	// Answer is the class answered, and Confidence its probability; Right is the probability of the true class, both in [0,1].
	Answer     string  `json:"answer"`
	Confidence float32 `json:"confidence"`
	Right      float32 `json:"right"`
}

// Examples are the maps of one picture.
type Examples struct {
	Picture string    `json:"picture"` // its name in Aviary
	Class   string    `json:"class"`   // the true one
	Scene   string    `json:"scene"`
	Maps    []Example `json:"maps"` // Own, then Good, then Bad
}

//go:embed examples.json
var committed []byte

// Read returns the examples.
func Read() (Examples, error) {
	var e Examples
	if err := json.Unmarshal(committed, &e); err != nil {
		return e, fmt.Errorf("the guide's examples: %w", err)
	}
	return e, nil
}

// Named returns the map of that name.
func (e Examples) Named(name string) (Example, error) {
	for _, x := range e.Maps {
		if x.Name == name {
			return x, nil
		}
	}
	return Example{}, fmt.Errorf("the guide has no map %q", name)
}
