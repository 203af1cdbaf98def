package aviary

import "strings"

// Side is the width and height of every picture, in pixels.
const Side = 112

// Scene is a painted surrounding; its name is the group of a picture for worst-group accuracy.
type Scene string

// The scenes.
const (
	Water  Scene = "water"
	Shore  Scene = "shore"
	Forest Scene = "forest"
	Meadow Scene = "meadow"
)

// Scenes lists the scenes in order.
func Scenes() []Scene { return []Scene{Water, Shore, Forest, Meadow} }

// Bird is one class.
type Bird struct {
	Name string // class key and folder: "flamingo"
	Home Scene  // where the training split nearly always shows it
}

// Title is the bird's name as people read it.
func (b Bird) Title() string { return strings.ToUpper(b.Name[:1]) + b.Name[1:] }

// Birds lists the fourteen classes, sorted by name as the class folders are.
func Birds() []Bird {
	return []Bird{
		{"cardinal", Forest}, {"dodo", Shore}, {"dove", Shore}, {"duck", Water}, {"eagle", Forest},
		{"flamingo", Water}, {"goose", Water}, {"owl", Forest}, {"parrot", Forest}, {"peacock", Meadow},
		{"penguin", Shore}, {"rooster", Meadow}, {"swan", Water}, {"turkey", Meadow},
	}
}

// props are the objects that a scene may have; commonProps fit any scene.
var props = map[Scene][]string{
	Water:  {"sailboat", "lotus", "canoe", "buoy", "fish"},
	Shore:  {"shell", "palm", "umbrella", "crab", "coconut"},
	Forest: {"spruce", "oak", "mushroom", "log", "hedgehog"},
	Meadow: {"sunflower", "tulip", "daisy", "tractor", "basket"},
}

var commonProps = []string{"bee", "butterfly", "hibiscus", "ladybird", "leaves", "rock", "snail"}
