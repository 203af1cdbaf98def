package annotator

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/recipe"
)

// RoundState is where a fine-tuning round stands.
type RoundState string

// See doc.go for which state follows which.
const (
	RoundQueued     RoundState = "queued"
	RoundTraining   RoundState = "training"
	RoundEvaluating RoundState = "evaluating"
	RoundFinished   RoundState = "finished"
	RoundCancelled  RoundState = "cancelled"
	RoundFailed     RoundState = "failed"
)

// RoundStates are all of them, in the order in which a round comes to them.
var RoundStates = []RoundState{RoundQueued, RoundTraining, RoundEvaluating, RoundFinished, RoundCancelled, RoundFailed}

// Over reports whether the round has ended: finished, cancelled or failed.
func (s RoundState) Over() bool {
	return s == RoundFinished || s == RoundCancelled || s == RoundFailed
}

// RoundData counts what a round would work on.
type RoundData struct {
	Images     int   `json:"images"`          // labelled images it trains on, edited ones included
	Edits      int   `json:"edits"`           // of them with an approved edit
	Validation int   `json:"validation"`      // labelled validation images, which early stopping looks at
	Heldout    int   `json:"heldout"`         // labelled images that no edit touched, which it is measured on
	LeftOut    int   `json:"left_out"`        // further ones that are left out
	Split      Split `json:"split,omitempty"` // theirs: test, or validation in a project without test images; absent before the first version
	Judged     int   `json:"judged"`          // finished rounds that at least half of these held-out images have judged
}

// WornAt is after how many rounds that the same images have judged a fresh split is suggested. Of ten rounds that are worth the same, the
// one that looks best is expected 1.5 standard errors above its worth: three quarters of what the 95% interval allows for.
const WornAt = 10

// Worn reports whether the held-out images have judged so many rounds that the best of them is likely best by luck.
func (d RoundData) Worn() bool { return d.Judged >= WornAt }

// RoundPlan is what a round that is started now would work on, and with which settings.
type RoundPlan struct {
	Settings recipe.Settings // the defaults
	Data     RoundData
	Training []Trainability // what the engines can train of the active version; nil while that is not known
	Last     *Round         // the latest finished round, to tell how long one takes; nil: there is none
}

// Arm names one of a round's networks.
type Arm = arms.Arm

// Round is one fine-tuning: a candidate, its control, and the measured difference between them.
type Round struct {
	ID            int64           `json:"id"`
	ProjectID     int64           `json:"project_id"`
	Number        int             `json:"number"`
	State         RoundState      `json:"state"`
	Settings      recipe.Settings `json:"settings"`
	ParentVersion int64           `json:"parent_version"`    // version id
	Version       *int64          `json:"version,omitempty"` // the candidate, once finished
	Edits         int             `json:"edits"`             // approved edits it learns from
	Images        int             `json:"images"`            // training images, edited ones included
	StartedBy     string          `json:"started_by"`
	StarterID     int64           `json:"-"` // whose name that is; 0: the command line's
	CreatedAt     time.Time       `json:"created_at"`
	StartedAt     *time.Time      `json:"started_at,omitempty"`
	FinishedAt    *time.Time      `json:"finished_at,omitempty"`
	Progress      RoundProgress   `json:"progress"`
	Attempt       int             `json:"-"`                    // how many workers have taken it: 0 while it is queued
	Cancelling    bool            `json:"cancelling"`           // somebody asked it to stop and it has not yet
	Unreadable    *Unreadable     `json:"unreadable,omitempty"` // images it left out, known before the first step
	Result        *RoundResult    `json:"result,omitempty"`
	Error         string          `json:"error,omitempty"`
}

// RoundProgress is how far a running round is: a progress.Progress in the form that is stored.
type RoundProgress struct {
	Phase            string   `json:"phase"`            // the stage at work, such as "candidate"; "" while it is queued
	Phases           []string `json:"phases,omitempty"` // all of them, in order
	Fraction         float64  `json:"fraction"`         // of the whole round, [0,1]; never falls, and is 1 when the round has finished
	RemainingSeconds float64  `json:"remaining_seconds"`
	Step             int      `json:"step"`
	Steps            int      `json:"steps"`          // of the phase, in all
	Unit             string   `json:"unit,omitempty"` // what is counted: "steps" or "images"
	Waits            Wait     `json:"waits,omitempty" doc:"What the round waits for, to go on by itself: room on a full disk, or the bucket of the studio's files."`
}

// Wait is what work waits for that would fail now.
type Wait string

// What work waits for.
const (
	WaitRoom  Wait = "room"  // a disk takes no more: the worker's, the blob store's or the database's
	WaitFiles Wait = "files" // the blob store does not answer
)

// Waits are all of them.
var Waits = []Wait{WaitRoom, WaitFiles}

// WaitOf returns what work waits for that failed with an error; "" where it does not wait, or for the database, without which nothing can be told.
func WaitOf(err error) Wait {
	switch {
	case errors.Is(err, ErrFull):
		return WaitRoom
	case errors.Is(err, ErrBlobsAway):
		return WaitFiles
	default:
		return ""
	}
}

// RoundProgressOf converts a progress to the form that is stored.
func RoundProgressOf(p progress.Progress) RoundProgress {
	r := RoundProgress{
		Phase: string(p.Stage), Fraction: p.Share, RemainingSeconds: p.Remaining.Seconds(), Step: p.Done, Steps: p.Total, Unit: p.Stage.Unit(),
	}
	for _, s := range p.Stages {
		r.Phases = append(r.Phases, string(s))
	}
	return r
}

// RoundPoint is one point of a loss curve: means over the steps since the last point.
type RoundPoint struct {
	Arm         Arm     `json:"arm"`
	Seed        int64   `json:"seed,omitempty"` // of a round with several
	Step        int     `json:"step"`
	Epoch       float64 `json:"epoch"`
	LossAtt     float64 `json:"loss_att"`
	LossPer     float64 `json:"loss_per"`
	LossMap     float64 `json:"loss_map"`     // γ-scaled; 0 in the control
	MapDistance float64 `json:"map_distance"` // L_map with γ = 1, in both arms
	LossAnchor  float64 `json:"loss_anchor"`  // scaled by the anchor; 0 without one
	Accuracy    float64 `json:"accuracy"`     // perception branch on the training batches
	// What early stopping measured at the end of an epoch; absent at other points and without early stopping.
	ValidationLoss     float64 `json:"validation_loss,omitempty"`
	ValidationAccuracy float64 `json:"validation_accuracy,omitempty"`
}

// RoundEvent is one message of a round's event stream; exactly one field besides ID is set.
type RoundEvent struct {
	ID    int64       `json:"id"` // grows; resume after the last one seen
	Point *RoundPoint `json:"point,omitempty"`
	Round *Round      `json:"round,omitempty"` // a new state or progress
}

// RoundResult compares candidate, control and parent on images no edit touched.
type RoundResult struct {
	Headline string `json:"headline"` // "Maps were worth +3.1 points (95% 0.8 to 5.4) over the control."
	Split    Split  `json:"split"`    // the split it was measured on
	Images   int    `json:"images"`
	Rows     int    `json:"rows,omitempty"`     // that its figures follow from: GET /rounds/{round}/rows; absent where none are kept
	LeftOut  int    `json:"left_out,omitempty"` // images of the split that were left out
	// Maps is the network that stands for people's maps, Against the strongest one without them, which it is compared with: measures,
	// classes and images call them candidate and control. Absent in rounds of old releases, which compared candidate and control.
	Maps       Arm       `json:"maps,omitempty"`
	Against    Arm       `json:"against,omitempty"`
	Measures   []Measure `json:"measures"`
	Fixed      []int64   `json:"fixed"`           // image ids that Against gets wrong and Maps right
	Broken     []int64   `json:"broken"`          // and the other way round
	Moved      []int64   `json:"moved,omitempty"` // image ids that the parent and both get right, on which the maps moved most; at most 24
	FeatureMAE float64   `json:"feature_mae,omitempty"`
	Seconds    float64   `json:"seconds"`

	Arms       []RoundArm  `json:"arms,omitempty"`       // candidate, control, others: how long each trained and what was kept of it
	Comparison *Comparison `json:"comparison,omitempty"` // of all networks; absent without a held-out image, and in rounds of old releases
	// Reliability has a diagram of the parent, of Against, and of Maps, over the answers of all seeds.
	Reliability []Reliability `json:"reliability,omitempty"`
	// Classes are those that lost or gained most, those that lost first; ClassesCompared is how many there are in all.
	Classes         []ClassDifference `json:"classes,omitempty"`
	ClassesCompared int               `json:"classes_compared,omitempty"`
	// ValidationImages is the number of images that early stopping measured on, 0 without it. HeldBack says that they were taken
	// from the training images, since the project has no validation images.
	ValidationImages int      `json:"validation_images,omitempty"`
	HeldBack         bool     `json:"held_back,omitempty"`
	Warnings         []string `json:"warnings,omitempty"` // reasons to doubt the figures
	// GammaSearch says how the round found its γ, in place of the one in its settings; absent without a search.
	GammaSearch *GammaSearch `json:"gamma_search,omitempty"`
}

// Compared are the networks that measures, classes and images compare: the one that stands for people's maps, and the one without them.
func (r RoundResult) Compared() (maps, against Arm) {
	return cmp.Or(r.Maps, arms.Candidate), cmp.Or(r.Against, arms.Control)
}

// Reliability is the reliability diagram of a network: how often answers of a confidence are right.
type Reliability struct {
	Arm  Arm              `json:"arm"`
	Bins []ReliabilityBin `json:"bins"` // those with images
}

// ReliabilityBin has the answers of which the confidence is between Low and High.
type ReliabilityBin struct {
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Images     int     `json:"images"`
	Accuracy   float64 `json:"accuracy"`
	Confidence float64 `json:"confidence"` // their mean
}

// ClassDifference is what a network gets right of a class, and the one that it is compared with.
type ClassDifference struct {
	Class      int     `json:"class"`
	Images     int     `json:"images"`
	Value      float64 `json:"value"` // the accuracy of the network with maps
	Other      float64 `json:"other"` // of the one without
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"` // 95% interval
	High       float64 `json:"high"`
	Clear      bool    `json:"clear,omitempty"` // the interval leaves out 0, and so does the sign test of the class's images
}

// MaxClassesTold is how many classes a result names at most: half of them from those that lost most, half from those that gained most.
const MaxClassesTold = 40

// ToldClasses are those of classes, which are in the order of their differences, that a result names.
func ToldClasses(classes []ClassDifference) []ClassDifference {
	if len(classes) <= MaxClassesTold {
		return classes
	}
	return slices.Concat(classes[:MaxClassesTold/2], classes[len(classes)-MaxClassesTold/2:])
}

// GammaSearch is how a round found its γ on validation images.
type GammaSearch struct {
	Gamma  float64    `json:"gamma"`  // the one it trained with
	Epochs int        `json:"epochs"` // of each try
	Tries  []GammaTry `json:"tries"`
}

// GammaTry is what a γ was worth on the validation images.
type GammaTry struct {
	Gamma              float64 `json:"gamma"`
	ValidationLoss     float64 `json:"validation_loss"` // the lowest is chosen
	ValidationAccuracy float64 `json:"validation_accuracy"`
	Diverged           bool    `json:"diverged,omitempty"` // its training came apart, and nothing was measured
}

// TrainedGamma is the γ that the round trains with, and whether it is known yet: one that is searched is told with the result.
func (r Round) TrainedGamma() (gamma float64, known bool) {
	switch {
	case r.Result != nil && r.Result.GammaSearch != nil:
		return r.Result.GammaSearch.Gamma, true
	default:
		return r.Settings.Gamma, !r.Settings.GammaSearch
	}
}

// RoundArm says how one of a round's trainings went.
type RoundArm struct {
	Arm    Arm   `json:"arm"`
	Seed   int64 `json:"seed,omitempty"` // of a round with several
	Epochs int   `json:"epochs"`         // trained; fewer than asked for if early stopping ended it
	Steps  int   `json:"steps"`
	Kept   int   `json:"kept"` // the epoch whose state was kept, from 1
	// Of the epoch that was kept; absent without early stopping.
	ValidationLoss     float64 `json:"validation_loss,omitempty"`
	ValidationAccuracy float64 `json:"validation_accuracy,omitempty"`
	Seconds            float64 `json:"seconds,omitempty"` // of training and measuring; absent in rounds of old releases
}

// Measure is one figure of the parent and of a result's networks Against (control) and Maps (candidate), with their paired-bootstrap difference.
type Measure struct {
	Name       string  `json:"name"`             // that of docs/measures.md
	Label      string  `json:"label"`            // as people read it
	Unit       string  `json:"unit"`             // "fraction" or ""
	Better     string  `json:"better,omitempty"` // higher, lower; absent where neither is better by itself, and in rounds of old releases
	Parent     float64 `json:"parent"`
	Control    float64 `json:"control"`
	Candidate  float64 `json:"candidate"`
	Difference float64 `json:"difference"` // candidate − control
	Low        float64 `json:"low"`        // 95% interval
	High       float64 `json:"high"`
	Images     int     `json:"images"` // number of images it is measured on
}
