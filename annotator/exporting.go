package annotator

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
)

// ExportKind says which of a project's records are exported.
type ExportKind string

// The kinds of records.
const (
	ExportMaps        ExportKind = "maps"
	ExportPredictions ExportKind = "predictions"
	ExportReviews     ExportKind = "reviews"
	ExportTasks       ExportKind = "tasks"
	ExportAudit       ExportKind = "audit"
)

// ExportKinds are all of them.
var ExportKinds = []ExportKind{ExportMaps, ExportPredictions, ExportReviews, ExportTasks, ExportAudit}

// ExportFilter says which records of a kind are exported. Zero fields do not filter; Check says which fields a kind has.
type ExportFilter struct {
	States    []string  // of maps and reviews: EditState of the revision, of tasks: TaskState. Maps of no state: approved
	Splits    []Split   // of the image
	Class     string    // the image's class, by its key or name
	Author    string    // who drew the map or holds the task, or whose line of the trail it is, by name or e-mail address
	Search    string    // part of the image's name
	Round     int       // number of a round: what it learned from
	Version   int       // number of a version. Predictions of none: the active one's
	Since     time.Time // made at this time or later
	Until     time.Time // made before this time
	Revisions bool      // every revision of a map, also of maps of which another was adopted; not only the latest one of an image
	Viewer    User      // who asks, and is not shown maps that several people still paint; set by the Service
}

// exportFilters holds, for each kind, the fields of the filter that it has, by the names that API and command line have for them.
var exportFilters = map[ExportKind][]string{
	ExportMaps:        {"state", "split", "class", "author", "search", "round", "version", "since", "until", "revisions"},
	ExportPredictions: {"split", "class", "search", "version"},
	ExportReviews:     {"state", "split", "class", "author", "search", "round", "version", "since", "until"},
	ExportTasks:       {"state", "split", "class", "author", "search", "version", "since", "until"},
	ExportAudit:       {"author", "since", "until"},
}

// FiltersOf lists the names of the fields by which a kind is filtered.
func FiltersOf(kind ExportKind) []string { return exportFilters[kind] }

// StatesOf lists the states by which a kind is filtered.
func StatesOf(kind ExportKind) []string {
	switch kind {
	case ExportMaps:
		return statesAsText(EditStates)
	case ExportReviews:
		return statesAsText([]EditState{EditApproved, EditRejected})
	case ExportTasks:
		return statesAsText(TaskStates)
	}
	return nil
}

func statesAsText[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, state := range all {
		out[i] = string(state)
	}
	return out
}

// Check returns a *ValidationError for a kind that is none, for a field that the kind does not have, and for a value that a field
// cannot have.
func (f ExportFilter) Check(kind ExportKind) error {
	if err := oneOf("what", kind, ExportKinds); err != nil {
		return err
	}
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"state", len(f.States) > 0}, {"split", len(f.Splits) > 0}, {"class", f.Class != ""}, {"author", f.Author != ""}, {"search", f.Search != ""},
		{"round", f.Round != 0}, {"version", f.Version != 0}, {"since", !f.Since.IsZero()}, {"until", !f.Until.IsZero()}, {"revisions", f.Revisions},
	} {
		if field.set && !slices.Contains(exportFilters[kind], field.name) {
			return &ValidationError{Field: field.name, Message: fmt.Sprintf("%s have none: leave it out; they are filtered by %s", kind, strings.Join(exportFilters[kind], ", "))}
		}
	}
	for _, state := range f.States {
		if states := StatesOf(kind); !slices.Contains(states, state) {
			return &ValidationError{Field: "state", Message: fmt.Sprintf("%q is no state of %s: want %s", state, kind, strings.Join(states, ", "))}
		}
	}
	for _, split := range f.Splits {
		if err := oneOf("split", split, Splits); err != nil {
			return err
		}
	}
	for field, value := range map[string]string{"class": f.Class, "author": f.Author, "search": f.Search} {
		if problem := BoundSearch.Problem(value); problem != "" {
			return &ValidationError{Field: field, Message: problem}
		}
	}
	switch {
	case f.Round < 0:
		return &ValidationError{Field: "round", Message: "is the number of a round, from 1"}
	case f.Version < 0:
		return &ValidationError{Field: "version", Message: "is the number of a version, from 1"}
	case !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until):
		return &ValidationError{Field: "until", Message: "is not after since: nothing was made in between"}
	}
	return nil
}

// ExportedImage says which picture a record is about.
type ExportedImage struct {
	ImageID int64  `json:"image_id" parquet:"image_id"`
	Image   string `json:"image" parquet:"image"` // its name, unique within its source
	Source  string `json:"source" parquet:"source"`
	SHA256  string `json:"sha256" parquet:"sha256"` // of the file's bytes
	Split   string `json:"split" parquet:"split"`
	Class   string `json:"class" parquet:"class"` // key of its class, "" where unlabelled
	Group   string `json:"group" parquet:"group"`
	Width   int    `json:"width" parquet:"width"` // pixels, as stored in the file
	Height  int    `json:"height" parquet:"height"`
}

// ExportedGrid is an attention map of h×w cells: Values[row*w+column], each in [0,1].
type ExportedGrid struct {
	Rows    int       `json:"h" parquet:"h"`
	Columns int       `json:"w" parquet:"w"`
	Values  []float32 `json:"values" parquet:"values,list"`
}

// Grid is the map.
func (g ExportedGrid) Grid() attention.Map {
	return attention.Map{Height: g.Rows, Width: g.Columns, Values: g.Values}
}

// ExportedVersion says which version a record is about.
type ExportedVersion struct {
	Version     int    `json:"version" parquet:"version"` // its number in the project
	ModelSHA256 string `json:"model_sha256" parquet:"model_sha256"`
}

// ExportedMap is a person's map with all that is known of it.
type ExportedMap struct {
	ExportedImage
	ExportedGrid
	Marks           attention.Marks `json:"marks,omitempty" parquet:"marks"` // a letter a cell; "" where every cell carries its value
	ExportedVersion                 // whose map it started from

	Author      string          `json:"author" parquet:"author"`             // who painted it
	CorrectedBy string          `json:"corrected_by" parquet:"corrected_by"` // the reviewer who changed it, "" for nobody
	Program     bool            `json:"program" parquet:"program"`           // the author is a program, or somebody who is known by name only
	Made        string          `json:"made" parquet:"made"`                 // EditSource
	State       string          `json:"state" parquet:"state"`               // EditState
	Revision    int             `json:"revision" parquet:"revision"`
	TaskID      int64           `json:"task_id" parquet:"task_id"`
	EditID      int64           `json:"edit_id" parquet:"edit_id"`
	TaskState   string          `json:"task_state" parquet:"task_state"`
	Predicted   string          `json:"predicted" parquet:"predicted"` // key of the model's answer, with its own map
	Confidence  float32         `json:"confidence" parquet:"confidence"`
	Reviewer    string          `json:"reviewer" parquet:"reviewer"` // "" before there is a verdict
	Comment     string          `json:"comment" parquet:"comment"`
	Reasons     string          `json:"reasons" parquet:"reasons"` // of the verdict: "too wide; missed a part"
	Pins        json.RawMessage `json:"pins" parquet:"pins,json"`  // of the verdict: a list of Pin
	CreatedAt   time.Time       `json:"created_at" parquet:"created_at,timestamp(microsecond)"`
	SubmittedAt *time.Time      `json:"submitted_at" parquet:"submitted_at,optional,timestamp(microsecond)"`
	ReviewedAt  *time.Time      `json:"reviewed_at" parquet:"reviewed_at,optional,timestamp(microsecond)"`
	Rounds      []int32         `json:"rounds" parquet:"rounds,list"`  // numbers of the rounds that learned from it
	Origin      string          `json:"origin" parquet:"origin"`       // what it began with, in words; "" where that is not recorded
	Hints       string          `json:"hints" parquet:"hints"`         // which hints its painters were shown, in words; "" for none
	HandedBy    string          `json:"handed_by" parquet:"handed_by"` // by which order its painter got the task (Handed); "" where that is not recorded
	Why         string          `json:"why" parquet:"why"`             // the same in a sentence, with keys of classes
	Provenance  json.RawMessage `json:"provenance" parquet:"provenance,optional,json"`
}

// Edited is the map with its marks.
func (m ExportedMap) Edited() attention.Map {
	edited := m.Grid()
	edited.Marks = m.Marks
	return edited
}

// ExportedPrediction is what a version says of an image.
type ExportedPrediction struct {
	ExportedImage
	ExportedGrid
	ExportedVersion

	Predicted      string    `json:"predicted" parquet:"predicted"` // key of the class
	Confidence     float32   `json:"confidence" parquet:"confidence"`
	Correct        bool      `json:"correct" parquet:"correct"`
	AttentionClass string    `json:"attention_class" parquet:"attention_class"`
	Probabilities  []float32 `json:"probabilities" parquet:"probabilities,list"` // K of them, in class order; of many classes the largest, and 0
}

// ExportedReview is a verdict.
type ExportedReview struct {
	ExportedImage
	ExportedVersion

	ReviewID    int64           `json:"review_id" parquet:"review_id"`
	TaskID      int64           `json:"task_id" parquet:"task_id"`
	EditID      int64           `json:"edit_id" parquet:"edit_id"`
	Revision    int             `json:"revision" parquet:"revision"`
	Author      string          `json:"author" parquet:"author"`             // of the map
	CorrectedBy string          `json:"corrected_by" parquet:"corrected_by"` // of the map, "" for nobody
	Reviewer    string          `json:"reviewer" parquet:"reviewer"`
	Verdict     string          `json:"verdict" parquet:"verdict"`
	Comment     string          `json:"comment" parquet:"comment"`
	Reasons     string          `json:"reasons" parquet:"reasons"` // "too wide; missed a part"
	Pins        json.RawMessage `json:"pins" parquet:"pins,json"`  // cells that it points at: a list of Pin
	Rule        string          `json:"rule" parquet:"rule"`       // by which a program approved it; "": somebody judged
	At          time.Time       `json:"at" parquet:"at,timestamp(microsecond)"`
}

// ExportedTask is a task as it is now.
type ExportedTask struct {
	ExportedImage
	ExportedVersion

	TaskID      int64      `json:"task_id" parquet:"task_id"`
	State       string     `json:"state" parquet:"state"`
	Author      string     `json:"author" parquet:"author"` // "" while it is nobody's
	Predicted   string     `json:"predicted" parquet:"predicted"`
	Confidence  float32    `json:"confidence" parquet:"confidence"`
	SkipReason  string     `json:"skip_reason" parquet:"skip_reason"`
	Returned    bool       `json:"returned" parquet:"returned"`
	Revisions   int        `json:"revisions" parquet:"revisions"` // how many maps were saved
	CreatedAt   time.Time  `json:"created_at" parquet:"created_at,timestamp(microsecond)"`
	UpdatedAt   time.Time  `json:"updated_at" parquet:"updated_at,timestamp(microsecond)"`
	SubmittedAt *time.Time `json:"submitted_at" parquet:"submitted_at,optional,timestamp(microsecond)"`
	HandedBy    string     `json:"handed_by" parquet:"handed_by"` // by which order somebody got it last (Handed); "" before
	Why         string     `json:"why" parquet:"why"`             // why it is there, in a sentence, with keys of classes
	Assignee    string     `json:"assignee" parquet:"assignee"`   // who alone is offered it while it is open; "" for everybody
}

// ExportedLine is a line of the audit trail.
type ExportedLine struct {
	ID      int64     `json:"id" parquet:"id"`
	At      time.Time `json:"at" parquet:"at,timestamp(microsecond)"`
	Actor   string    `json:"actor" parquet:"actor"`
	Action  string    `json:"action" parquet:"action"`
	Subject string    `json:"subject" parquet:"subject"`
	Detail  string    `json:"detail" parquet:"detail"`
}

// ExportStore reads records in the order of their keys, a page at a time: those whose key is larger than after. The last record of
// a page has its largest key. Keys are the image's id for the latest maps of images and for predictions, else the record's own id.
type ExportStore interface {
	// CountExport counts the records of a kind.
	CountExport(ctx context.Context, projectID int64, kind ExportKind, f ExportFilter) (int, error)
	ExportMaps(ctx context.Context, projectID int64, f ExportFilter, after int64, limit int) ([]ExportedMap, error)
	ExportPredictions(ctx context.Context, projectID int64, f ExportFilter, after int64, limit int) ([]ExportedPrediction, error)
	ExportReviews(ctx context.Context, projectID int64, f ExportFilter, after int64, limit int) ([]ExportedReview, error)
	ExportTasks(ctx context.Context, projectID int64, f ExportFilter, after int64, limit int) ([]ExportedTask, error)
	ExportAudit(ctx context.Context, projectID int64, f ExportFilter, after int64, limit int) ([]ExportedLine, error)
}

// exportPageBytes bounds the maps of a page, and exportPage its records.
const (
	exportPageBytes = 8 << 20
	exportPage      = 1000
)

// exportOf checks an export and fills in what it leaves open: approved maps, and predictions of the active version.
func (s *Service) exportOf(ctx context.Context, actor User, slug string, kind ExportKind, f ExportFilter) (Project, ExportFilter, error) {
	actor, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return project, f, err
	}
	if err := f.Check(kind); err != nil {
		return project, f, err
	}
	f.Viewer = actor
	f.Class, f.Author, f.Search = text.NFC(f.Class), text.NFC(strings.TrimSpace(f.Author)), text.NFC(f.Search)
	if kind == ExportMaps && len(f.States) == 0 {
		f.States = []string{string(EditApproved)}
	}
	if kind == ExportPredictions && f.Version == 0 {
		version, err := s.store.ActiveVersion(ctx, project.ID)
		switch {
		case isNotFound(err):
			return project, f, &ValidationError{Field: "what", Message: "the project has no model yet, so there are no predictions: add one"}
		case err != nil:
			return project, f, err
		}
		f.Version = version.Number
	}
	if f.Class != "" && !slices.ContainsFunc(project.Classes, func(c Class) bool { return c.Key == f.Class || c.Name == f.Class }) {
		return project, f, &ValidationError{Field: "class", Message: fmt.Sprintf("%q is no class of the project", f.Class)}
	}
	if f.Version != 0 {
		versions, err := s.store.Versions(ctx, project.ID)
		if err != nil {
			return project, f, err
		}
		if !slices.ContainsFunc(versions, func(v Version) bool { return v.Number == f.Version }) {
			return project, f, &ValidationError{Field: "version", Message: fmt.Sprintf("the project has no version %d; it has %d", f.Version, len(versions))}
		}
	}
	return project, f, nil
}

// CountExport returns how many records an export has.
func (s *Service) CountExport(ctx context.Context, actor User, slug string, kind ExportKind, f ExportFilter) (int, error) {
	project, f, err := s.exportOf(ctx, actor, slug, kind, f)
	if err != nil {
		return 0, err
	}
	return s.store.CountExport(ctx, project.ID, kind, f)
}

// exported reads all pages of an export. The sequence ends with its first error. Changes that are made meanwhile may be in it or not.
func exported[T any](ctx context.Context, s *Service, actor User, slug string, kind ExportKind, f ExportFilter,
	page func(ctx context.Context, projectID int64, f ExportFilter, after int64, limit int) ([]T, error), key func(*T) int64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		project, f, err := s.exportOf(ctx, actor, slug, kind, f)
		if err != nil {
			yield(none, err)
			return
		}
		limit := exportPage
		if kind == ExportMaps || kind == ExportPredictions {
			versions, err := s.store.Versions(ctx, project.ID)
			if err != nil {
				yield(none, err)
				return
			}
			for _, v := range versions {
				limit = max(1, min(limit, exportPageBytes/(4*v.GridHeight*v.GridWidth+4*len(project.Classes))))
			}
		}
		for after := int64(0); ; {
			records, err := page(ctx, project.ID, f, after, limit)
			if err != nil {
				yield(none, err)
				return
			}
			for i := range records {
				if !yield(records[i], nil) {
					return
				}
			}
			if len(records) < limit {
				return
			}
			after = key(&records[limit-1])
		}
	}
}

// ExportMaps returns a project's maps: of each image the latest that the filter takes, or all revisions.
func (s *Service) ExportMaps(ctx context.Context, actor User, slug string, f ExportFilter) iter.Seq2[ExportedMap, error] {
	return exported(ctx, s, actor, slug, ExportMaps, f, s.store.ExportMaps, func(m *ExportedMap) int64 {
		if f.Revisions {
			return m.EditID
		}
		return m.ImageID
	})
}

// ExportPredictions returns what a version says of a project's images.
func (s *Service) ExportPredictions(ctx context.Context, actor User, slug string, f ExportFilter) iter.Seq2[ExportedPrediction, error] {
	return exported(ctx, s, actor, slug, ExportPredictions, f, s.store.ExportPredictions, func(p *ExportedPrediction) int64 { return p.ImageID })
}

// ExportReviews returns a project's verdicts.
func (s *Service) ExportReviews(ctx context.Context, actor User, slug string, f ExportFilter) iter.Seq2[ExportedReview, error] {
	return exported(ctx, s, actor, slug, ExportReviews, f, s.store.ExportReviews, func(r *ExportedReview) int64 { return r.ReviewID })
}

// ExportTasks returns a project's tasks.
func (s *Service) ExportTasks(ctx context.Context, actor User, slug string, f ExportFilter) iter.Seq2[ExportedTask, error] {
	return exported(ctx, s, actor, slug, ExportTasks, f, s.store.ExportTasks, func(t *ExportedTask) int64 { return t.TaskID })
}

// ExportAudit returns a project's audit trail, oldest first.
func (s *Service) ExportAudit(ctx context.Context, actor User, slug string, f ExportFilter) iter.Seq2[ExportedLine, error] {
	return exported(ctx, s, actor, slug, ExportAudit, f, s.store.ExportAudit, func(l *ExportedLine) int64 { return l.ID })
}

// ExportRegions returns a function that tells where on its picture a map lies: the part that the map's version sees, in the pixels
// of the picture as the version turns it (ViewRegion.Picture).
func (s *Service) ExportRegions(ctx context.Context, actor User, slug string) (func(ExportedMap) (ViewRegion, error), error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return nil, err
	}
	if s.pictures == nil {
		return nil, fmt.Errorf("where the maps lie on their pictures: %w: this process shows no pictures", ErrUnavailable)
	}
	versions, err := s.store.Versions(ctx, project.ID)
	if err != nil {
		return nil, err
	}
	return func(m ExportedMap) (ViewRegion, error) {
		at := slices.IndexFunc(versions, func(v Version) bool { return v.Number == m.Version })
		if at < 0 {
			return ViewRegion{}, fmt.Errorf("version %d: %w", m.Version, ErrNotFound)
		}
		return s.pictures.View(versions[at], Image{ID: m.ImageID, Name: m.Image, Hash: m.SHA256, Width: m.Width, Height: m.Height})
	}, nil
}

// Size is about how many bytes the map's values take.
func (g ExportedGrid) Size() int { return 4 * len(g.Values) }
