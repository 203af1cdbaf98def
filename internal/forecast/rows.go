package forecast

// Map says which map the perception branch is given.
type Map string

// The maps. Where a person marked cells, an edited map stands in place as it does in the live score.
const (
	Own      Map = "own"      // the network's
	Edited   Map = "edited"   // the approved map of the image
	Shuffled Map = "shuffled" // the approved map of another image
	Flat     Map = "flat"     // in every cell the mean of the edited map in place: as much attention, without a place
)

// Maps are all of them, in the order of tables.
var Maps = []Map{Own, Edited, Shuffled, Flat}

// labels are what tables call them.
var labels = map[Map]string{Own: "the network's own map", Edited: "the edited map", Shuffled: "another image's map", Flat: "a flat map"}

// Label is what a table calls the map.
func (m Map) Label() string { return labels[m] }

// Answer is what the network answers to an image under one map.
type Answer struct {
	Predicted  int     `json:"predicted"`
	Confidence float64 `json:"confidence"` // of the answer
	Top5       bool    `json:"top5"`       // the label is among the five most probable classes
}

// Row has a network's answers to one image that has an edited map.
type Row struct {
	ImageID  int64    `json:"image_id,omitempty"` // of a project's image
	Image    string   `json:"image"`
	Label    int      `json:"label"`
	Own      Answer   `json:"own"`
	Edited   Answer   `json:"edited"`
	Flat     Answer   `json:"flat"`
	Shuffled []Answer `json:"shuffled"` // one for each draw
}

// Wrong reports whether the network gets the image wrong by itself.
func (r Row) Wrong() bool { return r.Own.Predicted != r.Label }

// answers are those under a map: one, or one for each draw.
func (r Row) answers(m Map) []Answer {
	switch m {
	case Edited:
		return []Answer{r.Edited}
	case Shuffled:
		return r.Shuffled
	case Flat:
		return []Answer{r.Flat}
	}
	return []Answer{r.Own}
}

// right is 1 if the answer under a map is the label, else 0; over several draws the mean.
func (r Row) right(m Map) float64 {
	return r.mean(m, func(a Answer) bool { return a.Predicted == r.Label })
}

func (r Row) top5(m Map) float64 { return r.mean(m, func(a Answer) bool { return a.Top5 }) }

func (r Row) mean(m Map, holds func(Answer) bool) float64 {
	answers, n := r.answers(m), 0.
	for _, a := range answers {
		if holds(a) {
			n++
		}
	}
	return n / max(1, float64(len(answers)))
}
