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

// AnswerInPlace is what the network answers to an image under one map.
type AnswerInPlace struct {
	Predicted  int     `json:"predicted"`
	Confidence float64 `json:"confidence"` // of the answer
	Top5       bool    `json:"top5"`       // the label is among the five most probable classes
}

// RowInPlace has a network's answers to one image that has an edited map.
type RowInPlace struct {
	ImageID  int64           `json:"image_id,omitempty"` // of a project's image
	Image    string          `json:"image"`
	Label    int             `json:"label"`
	Own      AnswerInPlace   `json:"own"`
	Edited   AnswerInPlace   `json:"edited"`
	Flat     AnswerInPlace   `json:"flat"`
	Shuffled []AnswerInPlace `json:"shuffled"` // one for each draw
}

// Wrong reports whether the network gets the image wrong by itself.
func (r RowInPlace) Wrong() bool { return r.Own.Predicted != r.Label }

// answers are those under a map: one, or one for each draw.
func (r RowInPlace) answers(m Map) []AnswerInPlace {
	switch m {
	case Edited:
		return []AnswerInPlace{r.Edited}
	case Shuffled:
		return r.Shuffled
	case Flat:
		return []AnswerInPlace{r.Flat}
	}
	return []AnswerInPlace{r.Own}
}

// right is 1 if the answer under a map is the label, else 0; over several draws the mean.
func (r RowInPlace) right(m Map) float64 {
	return r.mean(m, func(a AnswerInPlace) bool { return a.Predicted == r.Label })
}

func (r RowInPlace) top5(m Map) float64 {
	return r.mean(m, func(a AnswerInPlace) bool { return a.Top5 })
}

func (r RowInPlace) mean(m Map, holds func(AnswerInPlace) bool) float64 {
	answers, n := r.answers(m), 0.
	for _, a := range answers {
		if holds(a) {
			n++
		}
	}
	return n / max(1, float64(len(answers)))
}
