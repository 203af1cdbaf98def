package annotator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
)

// BringStore keeps maps that were made elsewhere.
type BringStore interface {
	SeedStore
	// MapTargets lists a project's images in use, with what keeps a map of the version from being added to each.
	MapTargets(ctx context.Context, v Version) ([]MapTarget, error)
	// LatestMaps returns the latest revision of each image's task, by the image; those that have none are not in it.
	LatestMaps(ctx context.Context, imageIDs []int64) (map[int64]Edit, error)
	// LockUntouchedOf is LockUntouched for many images, by the image; those without such a task are not in it.
	LockUntouchedOf(ctx context.Context, v Version, imageIDs []int64) (map[int64]Task, error)
	// InsertBrought adds first revisions with their verdicts, and writes their tasks.
	InsertBrought(ctx context.Context, v Version, all []Brought) error
}

// Brought is a map that was brought, as it is kept: the first revision of its task, which has become what follows from its state.
type Brought struct {
	Task      Task
	Edit      Edit      // State: what it comes as
	Submitted time.Time // of one that is no draft
	Review    *Review   // nil: nobody has judged it
}

// MapTarget is an image that a map may be brought for.
type MapTarget struct {
	ImageID int64
	Source  string
	Name    string
	Why     string // what keeps a map from being added, "" if nothing does
	Worked  bool   // somebody has worked on it: it has a map, or is held
}

// BroughtMap is a map that somebody brings for an image.
type BroughtMap struct {
	From    string // where it was read, for messages
	ImageID int64
	Map     attention.Map
	// What is known of it. Empty fields are those of the BringChoices, or now.
	Author     string
	Reviewer   string
	Comment    string
	State      EditState
	Made       EditSource
	Created    time.Time
	Submitted  time.Time
	Reviewed   time.Time
	Provenance json.RawMessage
}

// BringChoices say what is not known of the maps that are brought.
type BringChoices struct {
	Author   string     // by whom they are, where they do not say; needed then
	State    EditState  // as what they come, where they do not say. "": submitted, so that somebody reviews them
	Made     EditSource // how they were made, where they do not say. "": painted
	Reviewer string     // who approved or rejected them, where they do not say. "": DefaultBringer
	Look     bool       // count, and change nothing
}

// DefaultBringer is the name of who judged maps that came judged without saying by whom.
const DefaultBringer = "map import"

// BringReport says what became of maps that were brought.
type BringReport struct {
	Maps  int      `json:"maps" doc:"How many were read."`
	Added int      `json:"added" doc:"How many became revisions, or would with look."`
	Same  int      `json:"same" doc:"How many were there already: the image's latest map is equal to the bit."`
	Kept  int      `json:"kept" doc:"How many were left out because somebody has worked on the image."`
	Names []string `json:"kept_names,omitempty" doc:"The first of those images."`
	Above string   `json:"above,omitempty" doc:"Folders that all maps lie in and no image's name has: they were passed over."`
	// Unknown are maps of no image of the project, or of one that can have none; they are an error unless they are to be left out.
	Unknown      int      `json:"unknown" doc:"How many were left out because their image is not there or can have no map."`
	UnknownNames []string `json:"unknown_names,omitempty" doc:"The first of them, with the reason."`
}

// MaxNamed is how many names of a kind a report lists.
const MaxNamed = 20

// bringChunk is how many maps one transaction adds.
const bringChunk = 500

// MapTargets lists the images that maps may be brought for, and the active version, on whose grid the maps are (admin).
func (s *Service) MapTargets(ctx context.Context, actor User, slug string) ([]MapTarget, Version, error) {
	_, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil {
		return nil, Version{}, err
	}
	version, err := s.store.ActiveVersion(ctx, project.ID)
	if isNotFound(err) {
		return nil, version, &ValidationError{Field: "project", Message: "it has no model yet, whose grid the maps would be on: add one"}
	}
	if err != nil {
		return nil, version, err
	}
	targets, err := s.store.MapTargets(ctx, version)
	return targets, version, err
}

// BroughtStates are what maps from elsewhere come as.
var BroughtStates = []EditState{EditDraft, EditSubmitted, EditApproved, EditRejected}

// broughtAs is what a map comes as that was in a state elsewhere. Nobody stands by one that was taken back, so it is a draft to go on from.
func broughtAs(state EditState) EditState {
	if state == EditTakenBack {
		return EditDraft
	}
	return state
}

// check fills in what a map does not say, and returns what is wrong with it.
func (m BroughtMap) check(v Version, c BringChoices, now time.Time) (BroughtMap, error) {
	fill := func(to *string, with string) {
		if *to == "" {
			*to = with
		}
	}
	fill(&m.Author, c.Author)
	fill(&m.Reviewer, c.Reviewer)
	fill(&m.Reviewer, DefaultBringer)
	fill((*string)(&m.State), string(c.State))
	fill((*string)(&m.State), string(EditSubmitted))
	fill((*string)(&m.Made), string(c.Made))
	fill((*string)(&m.Made), string(SourcePainted))
	if m.Map.Height != v.GridHeight || m.Map.Width != v.GridWidth {
		return m, fmt.Errorf("%w: it has %d×%d cells, the maps of v%d have %d×%d: resample it, or activate a version with its grid first",
			attention.ErrGrid, m.Map.Height, m.Map.Width, v.Number, v.GridHeight, v.GridWidth)
	}
	if err := m.Map.Validate(); err != nil {
		return m, err
	}
	m.Map.Marks = m.Map.Marks.Plain()
	if m.Author == "" {
		return m, &ValidationError{Field: "author", Message: "the maps do not say by whom they are: say it"}
	}
	var err error
	if m.Author, err = BoundPersonName.check("author", m.Author); err != nil {
		return m, err
	}
	if m.Reviewer, err = BoundPersonName.check("reviewer", m.Reviewer); err != nil {
		return m, err
	}
	if m.Comment, err = BoundComment.check("comment", m.Comment); err != nil {
		return m, err
	}
	m.State = broughtAs(m.State)
	if err := oneOf("state", m.State, BroughtStates); err != nil {
		return m, err
	}
	if err := oneOf("made", m.Made, EditSources); err != nil {
		return m, err
	}
	judged := m.State == EditApproved || m.State == EditRejected
	switch {
	case judged && strings.EqualFold(m.Author, m.Reviewer):
		return m, &ValidationError{Field: "reviewer", Message: fmt.Sprintf("%s drew the map, and nobody judges their own: name another reviewer", m.Author)}
	case len(m.Provenance) > 64<<10:
		return m, &ValidationError{Field: "provenance", Message: "has more than 64 KiB"}
	case len(m.Provenance) > 0 && !json.Valid(m.Provenance):
		return m, &ValidationError{Field: "provenance", Message: "is not JSON"}
	}
	if string(m.Provenance) == "null" {
		m.Provenance = nil
	}
	if m.State == EditRejected && m.Comment == "" {
		m.Comment = "Rejected where it came from."
	}
	for _, at := range []*time.Time{&m.Created, &m.Submitted, &m.Reviewed} {
		if at.IsZero() || at.After(now) {
			*at = now
		}
	}
	return m, nil
}

// BringMaps adds maps that were made elsewhere (admin): each becomes the first revision of its image's task for the active version, in
// the name of an author who cannot sign in. A draft is what the next painter goes on from, a submitted map waits for a reviewer, an
// approved one is learned from, and a rejected one leaves its task open. All maps are checked before the first is written. Images that
// somebody has worked on keep what they have.
func (s *Service) BringMaps(ctx context.Context, actor User, slug, from string, all []BroughtMap, c BringChoices) (report BringReport, err error) {
	targets, version, err := s.MapTargets(ctx, actor, slug)
	if err != nil {
		return report, err
	}
	if from, err = BoundImportedFrom.check("from", from); err != nil {
		return report, err
	}
	at := make(map[int64]int, len(targets))
	for i, t := range targets {
		at[t.ImageID] = i
	}
	now := s.now()
	checked := make([]BroughtMap, len(all))
	for i, m := range all {
		where, known := at[m.ImageID]
		if !known {
			return report, fmt.Errorf("%s: image %d: %w", m.From, m.ImageID, ErrNotFound)
		}
		if why := targets[where].Why; why != "" {
			return report, &ValidationError{Field: "maps", Message: fmt.Sprintf("%s: %s", m.From, why)}
		}
		if checked[i], err = m.check(version, c, now); err != nil {
			return report, fmt.Errorf("%s: %w", m.From, err)
		}
	}
	report.Maps = len(all)
	keep := func(m BroughtMap, same bool) {
		if same {
			report.Same++
			return
		}
		report.Kept++
		if len(report.Names) < MaxNamed {
			report.Names = append(report.Names, targets[at[m.ImageID]].Name)
		}
	}
	if c.Look {
		var worked []BroughtMap
		for _, m := range checked {
			if targets[at[m.ImageID]].Worked {
				worked = append(worked, m)
			} else {
				report.Added++
			}
		}
		for chunk := range slices.Chunk(worked, bringChunk) {
			there, err := s.store.LatestMaps(ctx, imagesOf(chunk))
			if err != nil {
				return report, err
			}
			for _, m := range chunk {
				keep(m, m.isIn(there))
			}
		}
		return report, nil
	}
	for chunk := range slices.Chunk(checked, bringChunk) {
		var added int
		var left []BroughtMap
		var there map[int64]Edit
		err := s.store.InTx(ctx, func(tx Store) error {
			var err error
			if left, err = s.bring(ctx, tx, version, chunk); err != nil {
				return err
			}
			if there, err = tx.LatestMaps(ctx, imagesOf(left)); err != nil {
				return err
			}
			if added = len(chunk) - len(left); added == 0 {
				return nil
			}
			if err := s.audit(ctx, tx, actor, &version.ProjectID, "edit.import", versionSubject(version.ID), fmt.Sprintf("%s maps from %s", text.Count(added), from)); err != nil {
				return err
			}
			return ConsiderForecast(ctx, tx, version.ProjectID)
		})
		if err != nil {
			return report, fmt.Errorf("bringing maps to %s: %w", slug, err)
		}
		report.Added += added
		for _, m := range left {
			keep(m, m.isIn(there))
		}
	}
	return report, nil
}

func imagesOf(all []BroughtMap) []int64 {
	ids := make([]int64, len(all))
	for i, m := range all {
		ids[i] = m.ImageID
	}
	return ids
}

// isIn reports whether the image's latest map is this one, in the same state.
func (m BroughtMap) isIn(latest map[int64]Edit) bool {
	e, there := latest[m.ImageID]
	return there && e.State == m.State && e.Map.Equal(m.Map)
}

// bring adds maps, but for those of images that somebody has worked on, which it returns. So is a second map of an image.
func (s *Service) bring(ctx context.Context, tx Store, v Version, all []BroughtMap) (left []BroughtMap, err error) {
	tasks, err := tx.LockUntouchedOf(ctx, v, imagesOf(all))
	if err != nil {
		return nil, err
	}
	people := map[string]User{}
	person := func(name string) (User, error) {
		if u, ok := people[name]; ok {
			return u, nil
		}
		u, err := tx.GeneratorUser(ctx, name)
		people[name] = u
		return u, err
	}
	var add []Brought
	for _, m := range all {
		task, open := tasks[m.ImageID]
		if !open {
			left = append(left, m)
			continue
		}
		delete(tasks, m.ImageID)
		author, err := person(m.Author)
		if err != nil {
			return nil, err
		}
		reviewer := User{}
		if m.State == EditApproved || m.State == EditRejected {
			if reviewer, err = person(m.Reviewer); err != nil {
				return nil, err
			}
		}
		b, err := m.become(task, v, author, reviewer, s.now())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.From, err)
		}
		add = append(add, b)
	}
	return left, tx.InsertBrought(ctx, v, add)
}

// become is what a map and its open task become.
func (m BroughtMap) become(task Task, v Version, author, reviewer User, now time.Time) (b Brought, err error) {
	b = Brought{Task: task, Submitted: m.Submitted, Edit: Edit{
		TaskID: task.ID, Revision: 1, AuthorID: author.ID, State: m.State, Source: m.Made, Map: m.Map, VersionID: v.ID, CreatedAt: m.Created, Provenance: m.Provenance,
	}}
	if m.State == EditDraft {
		return b, nil
	}
	if b.Task, err = task.Bring(author, m.Submitted, now); err != nil || m.State == EditSubmitted {
		return b, err
	}
	verdict := VerdictApprove
	if m.State == EditRejected {
		verdict = VerdictReject
	}
	b.Review = &Review{ReviewerID: reviewer.ID, Verdict: verdict, Comment: m.Comment, CreatedAt: m.Reviewed}
	if b.Task, err = b.Task.Judge(verdict, now); err == nil && verdict == VerdictReject { // its author cannot come back to it
		b.Task, err = b.Task.Reopen(now)
	}
	return b, err
}

// Bring puts an open task into review with a map that was made elsewhere, by somebody who cannot sign in here; ErrForbidden for an
// author who can, since people submit their own maps.
func (t Task) Bring(author User, submitted, now time.Time) (Task, error) {
	to, may := TaskTransitions.Next(t.State, EventBring)
	switch {
	case !author.Generator:
		return t, fmt.Errorf("%w: %s submits their own maps", ErrForbidden, author.Name)
	case !may:
		return t, fmt.Errorf("task %d is %s, only an open one takes a map from elsewhere: %w", t.ID, t.State, ErrConflict)
	}
	t.State, t.AuthorID, t.AuthorName, t.SubmittedAt, t.UpdatedAt = to, &author.ID, author.Name, &submitted, now
	return t, nil
}
