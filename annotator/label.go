package annotator

import (
	"fmt"
	"slices"
	"time"
)

// This file has what people say of an image's label, and the rules for it (LabelTransitions). A label is data: it can be found
// wrong, and is mended by two people.

// LeftOut is a reason for which an image does not count in what is trained or measured from now on.
type LeftOut string

// The reasons. An image may have several at once. It is scanned and shown all the same.
const (
	LeftOutLeakage   LeftOut = "leakage"       // it is like a training image: not measured on while it is in a held-out split
	LeftOutNone      LeftOut = "none-of-these" // it shows none of the classes: neither trained nor measured on, nor painted
	LeftOutAmbiguous LeftOut = "ambiguous"     // its class cannot be told: the same
)

// LeftOutByLabel are the reasons that say that the image has no label to train or to measure with.
var LeftOutByLabel = []LeftOut{LeftOutNone, LeftOutAmbiguous}

// LeftOutReasons are all of them.
var LeftOutReasons = append([]LeftOut{LeftOutLeakage}, LeftOutByLabel...)

// Words returns the reason in words for people, after "left out: ".
func (l LeftOut) Words() string {
	return map[LeftOut]string{
		LeftOutLeakage: "it is like a training image", LeftOutNone: "it shows none of the classes", LeftOutAmbiguous: "its class is ambiguous",
	}[l]
}

// Is reports whether the image is left out for a reason.
func (i Image) Is(why LeftOut) bool { return slices.Contains(i.LeftOut, why) }

// Teaches reports whether the image may be trained on and painted: its label is not in doubt. Images.Measured is stricter.
func (i Image) Teaches() bool { return i.leftOutByLabel() == "" }

// Measured reports whether figures of a held-out split count the image.
func (i Image) Measured() bool { return len(i.LeftOut) == 0 }

func (i Image) leftOutByLabel() LeftOut {
	for _, why := range LeftOutByLabel {
		if i.Is(why) {
			return why
		}
	}
	return ""
}

// Corrected reports whether people gave the image another class than its source did.
func (i Image) Corrected() bool { return !equalLabels(i.Label, i.SourceLabel) }

func equalLabels(a, b *int) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// LabelAnswer is what somebody says of an image's label.
type LabelAnswer string

// The answers.
const (
	LabelIsClass     LabelAnswer = "class"                       // it should be another class
	LabelIsNone      LabelAnswer = LabelAnswer(LeftOutNone)      // the image shows none of the classes
	LabelIsAmbiguous LabelAnswer = LabelAnswer(LeftOutAmbiguous) // nobody can tell
	LabelIsRight     LabelAnswer = "right"                       // somebody looked, and it is right
)

// LabelAnswers are all of them.
var LabelAnswers = []LabelAnswer{LabelIsClass, LabelIsNone, LabelIsAmbiguous, LabelIsRight}

// LabelState is where a verdict on a label stands.
type LabelState string

// The states. See LabelTransitions.
const (
	LabelProposed  LabelState = "proposed"
	LabelConfirmed LabelState = "confirmed"
	LabelRejected  LabelState = "rejected"
	LabelWithdrawn LabelState = "withdrawn"
	LabelVouched   LabelState = "vouched" // somebody says that the label is right: nothing is to be decided
)

// LabelStates are all of them.
var LabelStates = []LabelState{LabelProposed, LabelConfirmed, LabelRejected, LabelWithdrawn, LabelVouched}

// LabelJudgement is what a reviewer says of a proposed verdict.
type LabelJudgement string

// The judgements. A rejection needs a comment.
const (
	LabelConfirm LabelJudgement = "confirm"
	LabelReject  LabelJudgement = "reject"
)

// LabelJudgements are both of them.
var LabelJudgements = []LabelJudgement{LabelConfirm, LabelReject}

// Event is what a judgement does to a verdict.
func (j LabelJudgement) Event() Event {
	if j == LabelReject {
		return EventReject
	}
	return EventConfirm
}

// LabelVerdict says that the label of an image is wrong, or that it is right. Verdicts are only added; a proposed one is decided once.
type LabelVerdict struct {
	ID        int64       `json:"id"`
	ProjectID int64       `json:"project_id"`
	ImageID   int64       `json:"image_id"`
	ImageName string      `json:"image_name"`
	State     LabelState  `json:"state"`
	Says      LabelAnswer `json:"says"`
	Class     *int        `json:"class,omitempty" doc:"The class that it should have; where says is class."`
	ClassName string      `json:"class_name,omitempty"`
	Was       *int        `json:"was,omitempty" doc:"The class that it had when this was said; absent where it had none."`
	WasName   string      `json:"was_name,omitempty"`
	AuthorID  int64       `json:"author_id"`
	Author    string      `json:"author"`
	Comment   string      `json:"comment,omitempty"`
	CreatedAt time.Time   `json:"created_at"`

	ReviewerID    *int64     `json:"reviewer_id,omitempty"` // who confirmed or rejected it
	Reviewer      string     `json:"reviewer,omitempty"`
	ReviewComment string     `json:"review_comment,omitempty"`
	JudgedAt      *time.Time `json:"judged_at,omitempty"` // when it was decided, or withdrawn
}

// LabelProposal is what somebody says of an image's label.
type LabelProposal struct {
	Says    LabelAnswer
	Class   *int // where Says is LabelIsClass
	Comment string
}

// check refuses a proposal that says nothing, or nothing new, of an image. classes is how many the project has.
func (p LabelProposal) check(image Image, classes int) error {
	if err := oneOf("says", p.Says, LabelAnswers); err != nil {
		return err
	}
	left := image.leftOutByLabel()
	switch {
	case (p.Class != nil) != (p.Says == LabelIsClass):
		return &ValidationError{Field: "class", Message: "goes with says class, and only with it"}
	case p.Class != nil && (*p.Class < 0 || *p.Class >= classes):
		return &ValidationError{Field: "class", Message: fmt.Sprintf("%d is no class of the project, which has %d, from 0", *p.Class, classes)}
	case p.Class != nil && image.Label != nil && *p.Class == *image.Label && left == "":
		return &ValidationError{Field: "class", Message: "is the one that the image has"}
	case p.Says == LabelAnswer(left):
		return &ValidationError{Field: "says", Message: "is what is known of the image already"}
	case p.Says == LabelIsRight && (image.Label == nil || left != ""):
		return &ValidationError{Field: "says", Message: "the image has no label that could be right: name a class"}
	}
	return nil
}

// MayJudge reports whether a user may confirm or reject the verdict: nil, or ErrForbidden or ErrConflict with the reason. Nobody judges
// their own, as with edits; the database enforces it too (label_verdicts_check in migration 35).
func (v LabelVerdict) MayJudge(u User) error {
	if err := may(u, RoleReviewer); err != nil {
		return err
	}
	switch {
	case u.ID == 0:
		return fmt.Errorf("%w: only a person reviews", ErrForbidden)
	case !LabelTransitions.May(v.State, EventConfirm):
		return fmt.Errorf("what was said of the label of %s is %s already: %w", v.ImageName, v.State, ErrConflict)
	case v.AuthorID == u.ID:
		return fmt.Errorf("%w: you said it yourself, so somebody else judges it", ErrForbidden)
	}
	return nil
}

// Judge returns the verdict as u decided it. MayJudge says who may.
func (v LabelVerdict) Judge(u User, j LabelJudgement, comment string, now time.Time) (LabelVerdict, error) {
	if err := v.MayJudge(u); err != nil {
		return v, err
	}
	v.State, v.ReviewerID, v.Reviewer, v.ReviewComment, v.JudgedAt = LabelTransitions.To(j.Event()), &u.ID, u.Name, comment, &now
	return v, nil
}

// Withdraw takes the verdict back; only its author may, while nobody has decided it.
func (v LabelVerdict) Withdraw(u User, now time.Time) (LabelVerdict, error) {
	to, may := LabelTransitions.Next(v.State, EventWithdraw)
	switch {
	case v.AuthorID != u.ID || u.ID == 0:
		return v, fmt.Errorf("%w: %s said it, and takes it back; a reviewer rejects it", ErrForbidden, v.Author)
	case !may:
		return v, fmt.Errorf("what was said of the label of %s is %s already: %w", v.ImageName, v.State, ErrConflict)
	}
	v.State, v.JudgedAt = to, &now
	return v, nil
}

// Apply returns the image as a confirmed verdict makes it: with another class, or left out. ErrConflict where its label has changed since
// the verdict was proposed.
func (v LabelVerdict) Apply(image Image) (Image, error) {
	if !equalLabels(v.Was, image.Label) {
		return image, fmt.Errorf("the label of %s has changed since this was said: reject it, and say anew what is wrong: %w", image.Name, ErrConflict)
	}
	image.LeftOut = slices.DeleteFunc(slices.Clone(image.LeftOut), func(why LeftOut) bool { return slices.Contains(LeftOutByLabel, why) })
	if v.Says == LabelIsClass {
		image.Label = v.Class
	} else {
		image.LeftOut = append(image.LeftOut, LeftOut(v.Says))
	}
	return image, nil
}

// LabelCause is what changed a label.
type LabelCause string

// The causes.
const (
	LabelByVerdict LabelCause = "verdict" // a reviewer confirmed what somebody said
	LabelByImport  LabelCause = "import"  // its source has another class now, and an import took it over
)

// LabelCauses are both of them.
var LabelCauses = []LabelCause{LabelByVerdict, LabelByImport}

// LabelChange is one step of a label's history. Classes are named by their keys, which never change.
type LabelChange struct {
	At        time.Time  `json:"at"`
	Was       string     `json:"was" doc:"The class before, by its key; empty where it had none."`
	Became    string     `json:"became"`
	LeftOut   LeftOut    `json:"left_out,omitempty" doc:"Why the image does not count since then, because of its label."`
	Cause     LabelCause `json:"cause"`
	VerdictID *int64     `json:"verdict_id,omitempty"`
}

// LabelHistory is all that is known of an image's label.
type LabelHistory struct {
	Source   string         `json:"source" doc:"The class that the image came in with, or that an import took over last, by its key; empty where it had none."`
	Changes  []LabelChange  `json:"changes"`  // oldest first
	Verdicts []LabelVerdict `json:"verdicts"` // oldest first
}
