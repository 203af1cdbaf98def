package annotator

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/orders"
)

// Split says what an image is used for in an experiment.
type Split string

// The splits. Tasks come from train and pool; what a round gained is measured on test.
const (
	SplitTrain      Split = "train"
	SplitValidation Split = "validation"
	SplitTest       Split = "test"
	SplitPool       Split = "pool" // labelled, not trained on until edited
)

// Splits are all of them.
var Splits = []Split{SplitTrain, SplitValidation, SplitTest, SplitPool}

// Project is one classifier, its images and its people's work.
type Project struct {
	ID          int64     `json:"id"`
	Slug        string    `json:"slug"` // in addresses: lower case letters, digits, hyphens
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Classes     []Class   `json:"classes"` // by Index, the order of the model's logits
	CreatedAt   time.Time `json:"created_at"`
	// Start says what the map of an untouched task begins with, on images that have what it needs: a mask or clicks.
	Start attention.Start `json:"start"`
	// Mix is how much of each order people are given to paint.
	Mix orders.Mix `json:"mix"`
	// Feedback says when painters see what the network says to their map.
	Feedback Feedback `json:"feedback"`
	// SecondReviewer says that a map which a reviewer corrected waits for another reviewer, in place of being approved with that.
	SecondReviewer bool `json:"second_reviewer"`
	// Overlap says which images several people paint without seeing each other's maps.
	Overlap Overlap `json:"overlap"`
	// CheckShare is how many per cent of the tasks given out are checks.
	CheckShare int `json:"check_share"`
	// Sampling says how much of people's work is reviewed.
	Sampling Sampling `json:"sampling"`
	// Where the project is put away (State): since when.
	ClosedAt  *time.Time `json:"closed_at,omitempty"`
	DeletedAt *time.Time `json:"deleted_at,omitempty"`
	PurgedAt  *time.Time `json:"purged_at,omitempty"` // of a deleted project: when its files were given up
}

// Feedback is when painters see what the network says to their map. Reviewers see it with the submitted map in any case.
type Feedback string

// The times. Who sees the score under the brush paints for the score too, which a study may not want.
const (
	FeedbackLive      Feedback = "live"      // while they paint
	FeedbackSubmitted Feedback = "submitted" // once the map is submitted
	FeedbackOff       Feedback = "off"       // never in the editor
)

// Feedbacks are all of them.
var Feedbacks = []Feedback{FeedbackLive, FeedbackSubmitted, FeedbackOff}

// tells returns ErrForbidden where painters are not told what the network says to a map that they paint.
func (p Project) tells() error {
	if p.Feedback == FeedbackLive {
		return nil
	}
	return fmt.Errorf("%w: project %s shows no answers while a map is painted (feedback %s)", ErrForbidden, p.Slug, p.Feedback)
}

// withhold takes out of an edit what its painter is not shown of the network's answers. Reviewers see them.
func (p Project) withhold(actor User, e *Edit) {
	inHand := e.State == EditDraft || e.State == EditTakenBack
	if !actor.Role.May(RoleReviewer) && (p.Feedback == FeedbackOff || p.Feedback == FeedbackSubmitted && inHand) {
		e.Before, e.After = nil, nil
	}
}

// Class is one of the K answers of the project's classifier.
type Class struct {
	Index int    `json:"index"`
	Key   string `json:"key"`  // as folders and manifests spell it: "n01440764"
	Name  string `json:"name"` // as people read it: "tench"; equal to Key if no better name is known
}

// ProjectSummary is a project with the counts its card shows.
type ProjectSummary struct {
	Project
	Role          Role     `json:"role" doc:"What whoever asks is in the project."`
	Images        int      `json:"images"`
	OpenTasks     int      `json:"open_tasks"`
	InReview      int      `json:"in_review"`
	ToReview      int      `json:"to_review" doc:"Of in_review: what whoever asks may judge, also where somebody else has it to judge now. 0 for annotators."`
	LabelsWaiting int      `json:"labels_waiting"` // labels that are said to be wrong, which a reviewer decides
	LabelsToJudge int      `json:"labels_to_judge" doc:"Of labels_waiting: what whoever asks may decide. 0 for annotators."`
	ApprovedEdits int      `json:"approved_edits"`
	ActiveVersion *Version `json:"active_version,omitempty"`
	RunningRound  *int64   `json:"running_round,omitempty"`
	RunningJob    *Job     `json:"running_job,omitempty"` // an import or scan under way
	Space         SpaceUse `json:"space" doc:"What its files take, in bytes, and may take."`
}

// Image is one picture of a project. Its bytes are a blob under Hash.
type Image struct {
	ID        int64  `json:"id"`
	ProjectID int64  `json:"project_id"`
	Source    string `json:"source"` // the data set it came in with: names are unique within it
	Name      string `json:"name"`   // slash-separated path below the import's root
	Split     Split  `json:"split"`
	Label     *int   `json:"label,omitempty"` // class index; nil where unlabelled
	Group     string `json:"group,omitempty"` // subgroup for worst-group accuracy, such as the scene
	Hash      string `json:"hash"`            // SHA-256 of the file, lower-case hex
	MaskHash  string `json:"-"`               // blob of a known object mask (grey PNG of the image's size), "" if none
	Width     int    `json:"width"`           // pixels, as stored in the file (before EXIF orientation)
	Height    int    `json:"height"`
	Broken    string `json:"broken,omitempty"` // why it cannot be decoded, "" if it can
	// Retired is "replaced" if an import found other bytes under its name, "gone" if it found no file, "deleted" if a person deleted it, ""
	// while the image is in use. A retired image keeps its predictions and edits, and is not used for anything else.
	Retired string `json:"retired,omitempty"`
	// Purged says that the bytes of a retired image are gone.
	Purged bool `json:"purged,omitempty"`
	// SourceLabel is the class that the image's source gave it. It differs from Label where people corrected that.
	SourceLabel *int `json:"source_label,omitempty"`
	// LeftOut says why the image does not count in measures, or in training either; empty where it counts.
	LeftOut []LeftOut `json:"left_out,omitempty"`
}

// VersionState is where a model version stands.
type VersionState string

// Exactly one version of a project that has any is active.
const (
	VersionCandidate VersionState = "candidate"
	VersionActive    VersionState = "active"
	VersionArchived  VersionState = "archived"
)

// VersionStates are all of them.
var VersionStates = []VersionState{VersionCandidate, VersionActive, VersionArchived}

// Version is one trained model of a project: imported, or made by a round. Its file is a blob under ModelHash.
type Version struct {
	ID            int64              `json:"id"`
	ProjectID     int64              `json:"project_id"`
	Number        int                `json:"number"` // v1, v2, … within the project
	ParentID      *int64             `json:"parent_id,omitempty"`
	RoundID       *int64             `json:"round_id,omitempty"`
	State         VersionState       `json:"state"`
	ModelHash     string             `json:"model_hash"`     // SHA-256 of the ONNX file
	ExtractorHash string             `json:"extractor_hash"` // SHA-256 of the extractor alone: keys the feature cache
	Manifest      json.RawMessage    `json:"manifest"`
	GridHeight    int                `json:"grid_height"` // h
	GridWidth     int                `json:"grid_width"`  // w
	Gain          attention.Gain     `json:"gain"`        // "1+M", "M" or "other": the attention mechanism
	Parameters    int64              `json:"parameters"`
	Bytes         int64              `json:"bytes"`
	LearningRate  float64            `json:"learning_rate,omitempty"` // peak that suits the network; 0: not known
	Training      []Trainability     `json:"training,omitempty"`      // what engines can fine-tune of it; absent while that is not known
	Warnings      []string           `json:"warnings,omitempty"`      // what its owner should know of the network, in sentences
	Figures       map[string]float64 `json:"figures,omitempty"`       // "test/accuracy", "test/worst_group", "train/accuracy" …, in [0,1]; "test/left_out", a number of images
	Scanned       int                `json:"scanned"`                 // images predicted so far
	CreatedAt     time.Time          `json:"created_at"`
	ActivatedAt   *time.Time         `json:"activated_at,omitempty"`
}

// Problem says why a version cannot be used, "" if nothing is known against it. A version may have been added by an older release,
// which did not check its manifest as this one does.
func (v Version) Problem() string {
	m, err := v.ReadManifest()
	if err != nil {
		return ""
	}
	return m.CannotAnswer()
}

// ReadManifest parses the version's manifest.
func (v Version) ReadManifest() (manifest.Manifest, error) {
	m, err := manifest.Stored(v.Manifest)
	if err != nil {
		return m, fmt.Errorf("version %d: %w", v.Number, err)
	}
	return m, nil
}

// unfit returns Problem as an error; nil if there is none.
func (v Version) unfit() error {
	if why := v.Problem(); why != "" {
		return &ValidationError{Field: "version", Message: fmt.Sprintf("v%d cannot answer: %s. Add it anew, mended", v.Number, why)}
	}
	return nil
}

// NewImage is an image to be stored by an import; Name is unique within its source.
type NewImage struct {
	Source     string // "": DefaultSource
	Name       string
	Split      Split
	Class      string // key of a class, "" where unlabelled
	Group      string
	Hash       string
	Bytes      int64 // of its file; 0: not known, or the file is not kept
	MaskHash   string
	MaskBytes  int64
	Clicks     [][2]float64 // where people clicked on the object, as shares of the width and the height; none where unknown
	MaskBroken bool         // it has a mask that cannot be read, so that it is imported without one
	Width      int
	Height     int
	Decoded    bool // its pixels have been decoded to their end, or found broken; else its header alone was read
	Broken     string
}

// NewVersion is a model to be added to a project.
type NewVersion struct {
	ParentID      *int64
	RoundID       *int64
	ModelHash     string
	ExtractorHash string
	Manifest      json.RawMessage
	Classes       []Class // the first version of a project sets the project's classes where it has none
	GridHeight    int
	GridWidth     int
	Gain          attention.Gain
	Parameters    int64
	Bytes         int64
	LearningRate  float64 // peak that suits the network (trainer.SuggestedLearningRate); 0: not known
	Training      []Trainability
	Warnings      []string
	Figures       map[string]float64
	Activate      bool // make it the active one at once (the first version always is)
}
