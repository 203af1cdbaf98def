package aviary

import (
	"fmt"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/random"
)

// Options says how many pictures are made.
type Options struct {
	Seed int64
	// Pictures of each bird in each split. All but Train must be multiples of 4, so that every scene has the same number. A Pool of 0
	// or less makes none.
	Train, Validation, Test, Pool int
	// HomePercent is how many of a hundred training pictures show a bird in its home scene.
	HomePercent int
	// Parallel bounds how many pictures are drawn at once; 0: one per core. The pictures do not depend on it.
	Parallel int
}

// DefaultOptions are the options of the demo's data set.
func DefaultOptions() Options {
	return Options{Seed: 1, Train: 200, Validation: 20, Test: 80, Pool: 80, HomePercent: 95}
}

// Validate returns an error for the first field that is out of bounds.
func (o Options) Validate() error {
	for _, field := range []struct {
		name      string
		value     int
		low, high int
		multiple  int
	}{
		{"pictures of each bird for training", o.Train, 1, 10000, 1},
		{"pictures of each bird for validation", o.Validation, 4, 10000, 4},
		{"pictures of each bird for test", o.Test, 4, 10000, 4},
		{"pictures of each bird in the pool", max(o.Pool, 0), 0, 10000, 4},
		{"percentage at home", o.HomePercent, 25, 100, 1},
	} {
		if field.value < field.low || field.value > field.high || field.value%field.multiple != 0 {
			return fmt.Errorf("%s: %d, want %d to %d in steps of %d", field.name, field.value, field.low, field.high, field.multiple)
		}
	}
	return nil
}

// Groups of pictures for worst-group accuracy: in Home the scene fits the bird, in Away it misleads.
const (
	Home = "home"
	Away = "away"
)

// Picture says what one picture shows.
type Picture struct {
	Name  string // file below the root: "train/owl/0007.png"
	Split string
	Bird  Bird
	Scene Scene
}

// Group is Home if the bird is in its home scene, else Away. In the test split, whose scenes are balanced, three pictures in four are
// Away. The accuracy on them shows how well a classifier does without the help of the scene.
func (p Picture) Group() string {
	if p.Scene == p.Bird.Home {
		return Home
	}
	return Away
}

// Mask is the file of the picture's mask below the root.
func (p Picture) Mask() string { return "masks/" + p.Name }

// Plan lists the pictures of a data set. In train HomePercent of each bird's pictures are in its home scene, the others evenly in the
// other scenes. Validation, test and pool show every bird equally often in every scene, like new pictures that a classifier in use
// is given.
func Plan(o Options) []Picture {
	var out []Picture
	for _, split := range []struct {
		name     string
		count    int
		balanced bool
	}{
		{dataset.Train, o.Train, false}, {dataset.Validation, o.Validation, true},
		{dataset.Test, o.Test, true}, {dataset.Pool, o.Pool, true},
	} {
		for index, bird := range Birds() {
			var scenes []Scene
			if split.balanced {
				for i := range max(split.count, 0) {
					scenes = append(scenes, Scenes()[i%4])
				}
			} else {
				scenes = biased(bird, index, split.count, o.HomePercent)
			}
			r := random.New(o.Seed, "plan", split.name, bird.Name)
			r.Shuffle(len(scenes), func(i, j int) { scenes[i], scenes[j] = scenes[j], scenes[i] })
			for i, scene := range scenes {
				out = append(out, Picture{
					Name:  fmt.Sprintf("%s/%s/%04d.png", split.name, bird.Name, i),
					Split: split.name, Bird: bird, Scene: scene,
				})
			}
		}
	}
	return out
}

// biased lists count scenes: homePercent of them are the bird's own, the rest are the others in turn. index moves where the turn starts,
// so that remainders favour no scene.
func biased(bird Bird, index, count, homePercent int) []Scene {
	var others []Scene
	for _, scene := range Scenes() {
		if scene != bird.Home {
			others = append(others, scene)
		}
	}
	home := (count*homePercent + 50) / 100
	scenes := make([]Scene, 0, count)
	for i := range count {
		if i < home {
			scenes = append(scenes, bird.Home)
		} else {
			scenes = append(scenes, others[(i+index)%3])
		}
	}
	return scenes
}
