package annotator

import (
	"encoding/json"
	"time"

	"github.com/abn-studio/studio/internal/attention"
)

// TaskState is where the work on one image stands.
type TaskState string

// See doc.go for which state follows which.
const (
	TaskOpen             TaskState = "open"
	TaskLeased           TaskState = "leased"
	TaskSubmitted        TaskState = "submitted"
	TaskApproved         TaskState = "approved"
	TaskChangesRequested TaskState = "changes-requested"
	TaskSkipped          TaskState = "skipped"
)

// TaskStates are all of them, in the order in which a task comes to them.
var TaskStates = []TaskState{TaskOpen, TaskLeased, TaskSubmitted, TaskApproved, TaskChangesRequested, TaskSkipped}

// LeaseDuration is how long a task stays with its painter, or while it is in review with its reviewer, after their last sign of life.
const LeaseDuration = 15 * time.Minute

// MaxLeases is how many tasks one person may hold at a time to paint, and how many to review, in all projects together, so that one
// person cannot empty a queue just by opening its tasks.
const MaxLeases = 10

// Task asks a person to repaint the attention map of one image: one that the active version gets wrong, or one that it gets right and
// that an order gave out or somebody asked for.
type Task struct {
	ID             int64      `json:"id"`
	ProjectID      int64      `json:"project_id"`
	ImageID        int64      `json:"image_id"`
	VersionID      int64      `json:"version_id"` // the version whose map is being edited
	State          TaskState  `json:"state"`
	AuthorID       *int64     `json:"author_id,omitempty"` // who paints it, once somebody has
	AuthorName     string     `json:"author_name,omitempty"`
	ReviewerID     *int64     `json:"reviewer_id,omitempty"` // who has it to judge, while somebody has
	ReviewerName   string     `json:"reviewer_name,omitempty"`
	LeaseExpiresAt *time.Time `json:"lease_expires_at,omitempty"` // of its painter, or of its reviewer while it is in review
	SkipReason     string     `json:"skip_reason,omitempty"`
	Returned       bool       `json:"returned"` // a reviewer asked for changes and they are still due
	SubmittedAt    *time.Time `json:"submitted_at,omitempty"`
	UpdatedAt      time.Time  `json:"updated_at"`
	// HandedBy is how somebody got it last; "" before.
	HandedBy Handed `json:"handed_by,omitempty"`
	// Inside is the share of the version's attention inside the object, in [0,1]; it is known of images with a mask that the version gets
	// right, once somebody got the task for the wrong reason's sake.
	Inside *float32 `json:"inside,omitempty"`
	// MadeRight says that the version was right about the image when the task was made.
	MadeRight bool `json:"-"`
	// AssignedTo is who alone is offered the task while it is open.
	AssignedTo   *int64     `json:"assigned_to,omitempty"`
	AssigneeName string     `json:"assignee_name,omitempty"`
	AssignedAt   *time.Time `json:"assigned_at,omitempty"`
	// Slot is which of several maps of the image, by different people, the task is for, from 1; 0: it is the image's only one, or has what
	// was adopted of them.
	Slot int `json:"slot,omitempty"`
	// PainterID is who has drawn in the slot, which nobody else does then.
	PainterID *int64 `json:"-"`
	// Check says that it was given out as a check, which painters are not told.
	Check bool  `json:"-"`
	Among Among `json:"-"`
}

// TaskCard is a task as the queue shows it. EditMap is absent while nobody has painted.
type TaskCard struct {
	Task
	Image      Image          `json:"image"`
	LabelName  string         `json:"label_name"`
	Prediction Prediction     `json:"prediction"`
	EditMap    *attention.Map `json:"edit_map,omitempty"`
	// Why says in a sentence why the task is there, or by what order it was handed out.
	Why string `json:"why"`
	// DrawnBy lists, for a task in review, the users (ids) who took part in the submitted edit: they drew a revision since the last
	// verdict, or drew the same map before it.
	DrawnBy []int64 `json:"drawn_by,omitempty"`
	// PaintedBy are those of DrawnBy who did so as painters, and not only as reviewers who corrected it.
	PaintedBy []int64 `json:"-"`
}

// TaskDetail is all the editor and the review page need of a task.
type TaskDetail struct {
	TaskCard
	Project Project `json:"project"`
	Version Version `json:"version"`
	// Mechanism says in words what the values of the version's map do to its features.
	Mechanism Mechanism  `json:"mechanism"`
	Edit      *Edit      `json:"edit,omitempty"` // the latest revision; nil: untouched
	Reviews   []Review   `json:"reviews"`        // oldest first
	Lease     *Lease     `json:"lease,omitempty"`
	View      ViewRegion `json:"view"`
	// Start is the map that the actor begins with. It is set if the actor holds the untouched task and the project's maps do not begin
	// with the model's.
	Start *StartingMap `json:"start,omitempty"`
}

// Lease says who holds a task, and until when: its painter or, while it is in review, its reviewer.
type Lease struct {
	UserID    int64     `json:"user_id"`
	UserName  string    `json:"user_name"`
	ExpiresAt time.Time `json:"expires_at"`
	Mine      bool      `json:"mine"` // the actor holds it
}

// ViewRegion is the part of the stored picture that the model sees, in the pixels of the oriented
// original: the attention grid covers exactly this rectangle.
type ViewRegion struct {
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
	// Picture is the size, width and height, of the picture that the rectangle lies on: turned if its EXIF data says so and the model's
	// preprocessing heeds it.
	Picture [2]int `json:"-"`
}

// EditState is the state of one revision.
type EditState string

// A revision is a draft until it is submitted; only the submitted one is judged.
const (
	EditDraft     EditState = "draft"
	EditSubmitted EditState = "submitted"
	EditApproved  EditState = "approved"
	EditRejected  EditState = "rejected"
	EditTakenBack EditState = "taken-back" // by its author, who submits another revision
	EditCorrected EditState = "corrected"  // by its reviewer: their revision has taken its place in review
)

// EditStates are all of them.
var EditStates = []EditState{EditDraft, EditSubmitted, EditApproved, EditRejected, EditTakenBack, EditCorrected}

// EditSource says how a map was made. Three cases differ: an untouched task has no edit at all, a map of zeros is painted, and the
// model's own map, confirmed, is SourceModel.
type EditSource string

// The sources of an edit.
const (
	SourcePainted   EditSource = "painted"
	SourceModel     EditSource = "model"     // the model's own map, confirmed as it is
	SourceGenerator EditSource = "generator" // made from a known mask by a program
	SourceAdopted   EditSource = "adopted"   // the mean of several people's maps of the image, or one of them, as a reviewer chose
)

// EditSources are all of them; DraftSources those of what a person saves.
var (
	EditSources  = []EditSource{SourcePainted, SourceModel, SourceGenerator, SourceAdopted}
	DraftSources = []EditSource{SourcePainted, SourceModel}
)

// Edit is one immutable revision of a person's map M′ for one task.
type Edit struct {
	ID       int64     `json:"id"`
	TaskID   int64     `json:"task_id"`
	Revision int       `json:"revision"` // 1, 2, … within the task
	AuthorID int64     `json:"author_id"`
	Author   string    `json:"author"` // of an adopted map: all whose maps it is made of
	State    EditState `json:"state"`
	// Corrects is the revision that a reviewer corrected with this one, 0 for a painter's own; Painter drew that.
	Corrects  int           `json:"corrects,omitempty"`
	Painter   string        `json:"painter,omitempty"`
	Source    EditSource    `json:"source"`
	Map       attention.Map `json:"map"`
	VersionID int64         `json:"version_id"` // whose map it started from
	CreatedAt time.Time     `json:"created_at"`
	// History is the editor's undo stack (opaque to the server, at most MaxHistoryBytes); it comes
	// back with the task so that undo survives a reload.
	History json.RawMessage `json:"history,omitempty"`
	// Provenance says how the edit was made: tool strokes by kind, seconds spent, what feedback was shown.
	Provenance json.RawMessage `json:"provenance,omitempty"`
	// Origin is what the map began with, as the provenance has it; nil where that is not recorded.
	Origin *Origin `json:"origin,omitempty"`
	// Hints are those that painters were shown while the map was made, as the provenance has them.
	Hints  Hints   `json:"hints,omitzero"`
	Before *Scores `json:"before,omitempty"` // with the model's map; set at submission
	After  *Scores `json:"after,omitempty"`  // with this map; set at submission
}

// MaxHistoryBytes bounds Edit.History.
const MaxHistoryBytes = 1 << 20

// Draft is a save of the map being painted.
type Draft struct {
	BaseRevision int // the revision it was made from, 0 for none
	Source       EditSource
	Map          attention.Map
	Changes      *Changes // instead of Map
	History      json.RawMessage
	KeptSteps    *KeptSteps // of the base's undo stack, before those of History; nil: History is the whole stack
	Provenance   json.RawMessage
	Origin       *Origin // what it began with; nil: what the base began with
	corrects     int     // Edit.Corrects
}

// Verdict is a reviewer's judgement.
type Verdict string

// The verdicts. A rejection needs a comment, a Reason or a Pin: it goes back to its author.
const (
	VerdictApprove Verdict = "approve"
	VerdictReject  Verdict = "reject"
	VerdictCorrect Verdict = "correct" // the reviewer changed the map themselves: Service.Correct gives it
)

// Verdicts are all of them.
var Verdicts = []Verdict{VerdictApprove, VerdictReject, VerdictCorrect}

// GivenVerdicts are those that a reviewer gives of a map as it is.
var GivenVerdicts = []Verdict{VerdictApprove, VerdictReject}

// Review is one judgement of one submitted edit.
type Review struct {
	ID         int64     `json:"id"`
	EditID     int64     `json:"edit_id"`
	Revision   int       `json:"revision"`
	ReviewerID int64     `json:"reviewer_id"`
	Reviewer   string    `json:"reviewer"`
	Verdict    Verdict   `json:"verdict"`
	Comment    string    `json:"comment"`
	Reasons    []Reason  `json:"reasons"` // in the order of Reasons
	Pins       []Pin     `json:"pins"`    // cells of the revision's map that it points at
	Rule       string    `json:"rule,omitempty" doc:"sampling: the map was not drawn into what people review, and is approved by that rule; absent: somebody judged."`
	CreatedAt  time.Time `json:"created_at"`
	// A verdict that was taken back counts for nothing; it stays in the history.
	TakenBackAt *time.Time `json:"taken_back_at,omitempty"`
	TakenBackBy string     `json:"taken_back_by,omitempty"`
}

// TaskFilter selects tasks of one project. Zero fields do not filter.
type TaskFilter struct {
	Project       string // slug
	States        []TaskState
	Label         *int
	Predicted     *int // with Label: a confusion pair
	MinConfidence *float32
	MaxConfidence *float32
	Author        *int64
	Assignee      *int64 // to whom it is assigned; 0: to nobody
	Search        string // part of the image's name; one or two letters: the beginning of one of its words
	Masked        bool   // of images whose object's mask is known
	For           int64  // who is given a task: none of an image of which they paint or judged another map; 0: nobody
	Except        int64  // a task that is not given out, such as one that is being submitted meanwhile; 0: none
	Cursor        string // opaque, from TaskPage.Next
	Limit         int    // 1 to MaxPage; 0: DefaultPage
}

// How many tasks one page of a queue has.
const (
	DefaultPage = 60
	MaxPage     = 200
)

// MaxCounted bounds how many tasks or images are counted that a search by name finds: a part of a name that a million have would be looked for in each
// of them. The counts beside the queue's filters are then of so many of them.
const MaxCounted = 10_000

// TaskPage is one page of a queue, most confident mistakes first.
type TaskPage struct {
	Tasks []TaskCard `json:"tasks"`
	Total int        `json:"total" doc:"How many tasks match, or of a search that finds very many so many of them as are counted."`
	More  bool       `json:"more,omitempty" doc:"More match than total."`
	Next  string     `json:"next,omitempty"` // cursor of the following page, "" at the end
}

// Facets are the counts beside the queue's filters, each taken with the other filters applied.
type Facets struct {
	States    map[TaskState]int `json:"states"`
	Labels    map[int]int       `json:"labels"`
	Confusion []ConfusionPair   `json:"confusion"`  // most frequent first, at most 40
	Authors   []AuthorCount     `json:"authors"`    // most frequent first
	Assignees []AuthorCount     `json:"assignees"`  // to whom tasks are assigned, most frequent first
	Histogram [10]int           `json:"confidence"` // tasks per tenth of confidence
}

// ConfusionPair counts tasks of one true class taken for one other.
type ConfusionPair struct {
	Label     int `json:"label"`
	Predicted int `json:"predicted"`
	Count     int `json:"count"`
}

// AuthorCount counts the tasks one person works or worked on, or that are assigned to them.
type AuthorCount struct {
	UserID int64  `json:"user_id"`
	Name   string `json:"name"`
	Count  int    `json:"count"`
}
