package arms

import (
	"fmt"
	"strings"
)

// Arm names one network of a round, as JSON, rows and the command line spell it.
type Arm string

// The arms.
const (
	Parent              Arm = "parent"
	ParentRefit         Arm = "parent_refit"
	ParentRefitPool     Arm = "parent_refit_pool"
	Control             Arm = "control"
	ControlRefit        Arm = "control_refit"
	ShuffledWithin      Arm = "shuffled_within"
	ShuffledWithinRefit Arm = "shuffled_within_refit"
	ShuffledAcross      Arm = "shuffled_across"
	ShuffledAcrossRefit Arm = "shuffled_across_refit"
	Candidate           Arm = "candidate"
	CandidateRefit      Arm = "candidate_refit"
	MapAtTest           Arm = "map_at_test"
)

// Kind says what an arm is.
type Kind struct {
	Arm     Arm
	Label   string // in tables
	Brief   string // where there is little room
	Words   string // in a sentence: "over the refitted last layer"
	What    string // what is done, in a sentence of its own
	Trains  bool   // its branches are trained, once for each seed
	Refits  Arm    // the arm whose last layer is fitted anew; "": it is no refit
	Maps    bool   // it has people's maps, each on its own image
	Asked   bool   // a round has it only where Settings.Arms names it
	Follows bool   // a round has it where Settings.Arms names the network that it refits, and the candidate's refit, which is compared with it
	// OfStudies says that studies alone have it: a round does not know the pool's other images.
	OfStudies bool
	Against   Arm // what it is compared with; "": the baseline
}

// kinds are the arms. Those without maps are in the order of how simple they are, which decides between equals.
var kinds = []Kind{
	{Arm: Parent, Label: "Parent", Brief: "parent", Words: "the parent", Against: Candidate,
		What: "The network that the round starts from, as it is."},
	{Arm: ParentRefit, Label: "Parent, last layer refitted", Brief: "parent, refitted", Words: "the parent with its last layer refitted", Refits: Parent, Asked: true, Against: Candidate,
		What: "Labels alone: the last layer of the parent's perception branch fitted anew on the training and the edited images, every class weighing the same."},
	{Arm: ParentRefitPool, Label: "Parent, last layer refitted on the whole pool", Brief: "parent, refitted on the pool", Words: "the parent with its last layer refitted on the whole pool", Refits: Parent, OfStudies: true, Against: Candidate,
		What: "In a study: labels alone again, of the training images and of all pool images, edited or not."},
	{Arm: Control, Label: "Control", Brief: "control", Words: "the control", Trains: true, Against: Candidate,
		What: "The same start, seed and budget without the map loss."},
	{Arm: ControlRefit, Label: "Control, last layer refitted", Brief: "control, refitted", Words: "the control with its last layer refitted", Refits: Control, Asked: true, Against: Candidate,
		What: "The control, its last layer then fitted anew."},
	{Arm: ShuffledWithin, Label: "Maps shuffled within the class", Brief: "shuffled maps", Words: "maps shuffled within the class", Trains: true, Asked: true, Against: Candidate,
		What: "Trained as the candidate, each edited image with the map of another one of its class: what some map of the class is worth."},
	{Arm: ShuffledWithinRefit, Label: "Maps shuffled within the class, last layer refitted", Brief: "shuffled maps, refitted", Words: "maps shuffled within the class and a refitted last layer", Refits: ShuffledWithin, Follows: true, Against: Candidate,
		What: "Those maps, the last layer then fitted anew: what is left of the candidate's refit without its own maps."},
	{Arm: ShuffledAcross, Label: "Maps shuffled across classes", Brief: "shuffled maps", Words: "maps shuffled across classes", Trains: true, Asked: true, Against: Candidate,
		What: "Trained as the candidate, each edited image with the map of any other one: what some regulariser is worth."},
	{Arm: ShuffledAcrossRefit, Label: "Maps shuffled across classes, last layer refitted", Brief: "shuffled maps, refitted", Words: "maps shuffled across classes and a refitted last layer", Refits: ShuffledAcross, Follows: true, Against: Candidate,
		What: "Those maps, the last layer then fitted anew."},
	{Arm: Candidate, Label: "Candidate", Brief: "candidate", Words: "the candidate", Trains: true, Maps: true,
		What: "Trained with people's maps."},
	{Arm: CandidateRefit, Label: "Candidate, last layer refitted", Brief: "candidate, refitted", Words: "the candidate with its last layer refitted", Refits: Candidate, Maps: true, Asked: true,
		What: "The candidate, its last layer then fitted anew."},
	{Arm: MapAtTest, Label: "Edited map at test time", Brief: "edited map", Words: "the parent with the edited map in place", Maps: true, Asked: true, Against: Parent,
		What: "The parent on the edited images, a person's map in place of its own."},
}

// Markdown is the table of the arms, for docs/training.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| arm | what it is |\n|---|---|\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "| `%s` | %s |\n", k.Arm, k.What)
	}
	return b.String()
}

// Kinds are the arms; those without maps by how simple they are.
func Kinds() []Kind { return append([]Kind(nil), kinds...) }

// Of returns what an arm is; an arm that is none of these is only its name.
func Of(arm Arm) Kind {
	for _, k := range kinds {
		if k.Arm == arm {
			return k
		}
	}
	return Kind{Arm: arm, Label: string(arm), Brief: string(arm), Words: "the " + string(arm)}
}

// All are the arms' names.
func All() []Arm { return names(func(Kind) bool { return true }) }

// Asked are the arms that a round may be asked for.
func Asked() []Arm { return names(func(k Kind) bool { return k.Asked }) }

func names(of func(Kind) bool) (list []Arm) {
	for _, k := range kinds {
		if of(k) {
			list = append(list, k.Arm)
		}
	}
	return list
}

// Baseline reports whether the candidate can be compared with the arm, which has no maps of its images, on all held-out images.
func (k Kind) Baseline() bool { return !k.Maps }

// Pair returns the arm that an arm is not asked for without: refitting one side alone would flatter it. "" where there is none.
func (a Arm) Pair() Arm {
	switch a {
	case ControlRefit:
		return CandidateRefit
	case CandidateRefit:
		return ControlRefit
	}
	return ""
}
