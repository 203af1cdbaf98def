package annotator

import (
	"cmp"
	"fmt"
	"math"

	"github.com/abn-studio/studio/internal/orders"
)

// Handed is how somebody got a task: by one of the orders, or as follows.
type Handed string

// The ways besides the orders.
const (
	HandedChosen   Handed = "chosen"   // they opened this very task
	HandedAssigned Handed = "assigned" // it was assigned to them
)

// HandedWays are all of them.
func HandedWays() []Handed {
	var all []Handed
	for _, order := range orders.All() {
		all = append(all, Handed(order))
	}
	return append(all, HandedChosen, HandedAssigned)
}

// Handing is why a task was handed to somebody.
type Handing struct {
	Handed        Handed
	Label, Answer string // the image's class, and the version's answer
	Right         bool
	Confidence    float32  // of the answer, in [0,1]
	Inside        *float32 // Task.Inside
	Assignee      string
}

// Sentence says it.
func (r Handing) Sentence() string {
	says := func(format string) string { return fmt.Sprintf(format, r.Answer, perCent(r.Confidence)) }
	switch orders.Order(r.Handed) {
	case orders.ConfidentlyWrong:
		return says("The network says %s with %.0f%%: confidently wrong")
	case orders.Uncertain:
		return says("The network says %s with %.0f%% only: uncertain")
	case orders.Confusion:
		return fmt.Sprintf("One of the images of %s that the network takes for %s", r.Label, r.Answer)
	case orders.Diverse:
		return says("The network says %s with %.0f%%, which is wrong; the image is unlike those that were given out before it")
	case orders.WrongReason:
		switch {
		case r.Inside == nil:
			return fmt.Sprintf("The network is right (%s, %.0f%%), and its map is far from the approved maps of %s", r.Answer, perCent(r.Confidence), r.Label)
		case *r.Inside < 0.5:
			return fmt.Sprintf("The network is right (%s, %.0f%%) with only %.0f%% of its attention on the object: right for the wrong reason", r.Answer, perCent(r.Confidence), perCent(*r.Inside))
		}
		return fmt.Sprintf("The network is right (%s, %.0f%%) with %.0f%% of its attention on the object, the least of those that were left", r.Answer, perCent(r.Confidence), perCent(*r.Inside))
	case orders.Random:
		return "Drawn at random, as a control"
	}
	switch {
	case r.Handed == HandedAssigned:
		return fmt.Sprintf("Assigned to %s", cmp.Or(r.Assignee, "somebody"))
	case r.Handed == HandedChosen && r.Right:
		return says("The network says %s with %.0f%%, which is right; the task was chosen by hand")
	case r.Handed == HandedChosen:
		return says("The network says %s with %.0f%%, which is wrong; the task was chosen by hand")
	case r.Right:
		return says("The network says %s with %.0f%%, which is right; somebody asked for a map")
	}
	return says("The network says %s with %.0f%%, which is wrong")
}

// perCent is a share in [0,1] in whole per cent. What is not quite all is not called all, nor what is little none.
func perCent(share float32) float64 {
	whole := math.Round(100 * float64(share))
	switch {
	case whole >= 100 && share < 1:
		return 99
	case whole == 0 && share > 0:
		return 1
	}
	return whole
}

// reason is that of a card whose classes have names.
func (c TaskCard) reason(answer string) Handing {
	return Handing{Handed: c.HandedBy, Label: c.LabelName, Answer: answer, Right: c.Prediction.Correct, Confidence: c.Prediction.Confidence,
		Inside: c.Inside, Assignee: c.AssigneeName}
}
