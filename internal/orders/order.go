package orders

import "cmp"

// Order is an order in which images are given to people.
type Order string

// The orders.
const (
	ConfidentlyWrong Order = "confident"
	Uncertain        Order = "uncertain"
	Confusion        Order = "confusion"
	Diverse          Order = "diverse"
	WrongReason      Order = "wrong-reason"
	Random           Order = "random"
)

// Kind is what there is to say of an order.
type Kind struct {
	Order Order
	Name  string // on pages
	Short string // where there is little room
	First string // in a sentence, such as a table's caption
	Gives string // which images, and what comes first
	wrong bool   // it gives images that the network gets wrong
	right bool   // it gives images that the network gets right
}

// Kinds are all of them, in the order in which pages list them; of two whose turn it is equally, the first has it.
var Kinds = []Kind{
	{ConfidentlyWrong, "Confidently wrong", "confident", "confidently wrong first", "that the network gets wrong, the most confident first", true, false},
	{Uncertain, "Uncertain", "uncertain", "uncertain first", "right or wrong, the least confident first", true, true},
	{Confusion, "By confusion", "confusion", "each confusion in turn", "that the network gets wrong: of each pair of classes that it confuses in turn, the most frequent pair first", true, false},
	{Diverse, "Far apart", "far apart", "far apart", "that the network gets wrong, each with features as far as possible from those before it", true, false},
	{WrongReason, "Right for the wrong reason", "wrong reason", "right for the wrong reason first", "that the network gets right, those with the least attention inside the object first, or where no mask is known with maps furthest from the approved ones of their class", false, true},
	{Random, "Random control", "control", "drawn at random", "right or wrong, drawn at random", true, true},
}

// All are the orders.
func All() []Order {
	all := make([]Order, len(Kinds))
	for i, k := range Kinds {
		all[i] = k.Order
	}
	return all
}

// Kind returns what there is to say of o; zero for what is no order.
func (o Order) Kind() Kind {
	for _, k := range Kinds {
		if k.Order == o {
			return k
		}
	}
	return Kind{}
}

// Takes reports whether an order gives images that the network gets right, or wrong.
func (o Order) Takes(right bool) bool {
	k := o.Kind()
	return right && k.right || !right && k.wrong
}

// Answer is what a network says of an image, as far as orders ask.
type Answer struct {
	Right      bool
	Confidence float32 // of the class it answers, in [0,1]
	Inside     float64 // the share of its attention inside the object's mask, in [0,1]
}

// Compare says which of two images that an order gives comes first: negative for a. It is 0 for the orders that do not go by one image's
// answer alone: by confusion, far apart, at random.
func (o Order) Compare(a, b Answer) int {
	switch o {
	case ConfidentlyWrong:
		return cmp.Compare(b.Confidence, a.Confidence)
	case Uncertain:
		return cmp.Compare(a.Confidence, b.Confidence)
	case WrongReason:
		return cmp.Compare(a.Inside, b.Inside)
	}
	return 0
}
