package annotator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/abn-studio/studio/internal/attention"
)

// BringStore keeps maps that were made elsewhere.
type BringStore interface {
	SeedStore
	// MapTargets lists a project's images in use, with what keeps a map of the version from being added to each.
	MapTargets(ctx context.Context, v Version) ([]MapTarget, error)
	// LatestMap returns the latest revision of the image's task; ErrNotFound if it has none.
	LatestMap(ctx context.Context, imageID int64) (Edit, error)
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
const bringChunk = 250

// MapTargets lists the images that maps may be brought for, and the active version, on whose grid the maps are (admin).
func (s *Service) MapTargets(ctx context.Context, actor User, slug string) ([]MapTarget, Version, error) {
	project, err := s.project(ctx, actor, RoleAdmin, slug)
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
		for _, m := range checked {
			if !targets[at[m.ImageID]].Worked {
				report.Added++
				continue
			}
			same, err := s.brought(ctx, s.store, m)
			if err != nil {
				return report, err
			}
			keep(m, same)
		}
		return report, nil
	}
	for chunk := range slices.Chunk(checked, bringChunk) {
		var added int
		var left []BroughtMap
		var same []bool
		err := s.store.InTx(ctx, func(tx Store) error {
			added, left, same = 0, nil, nil
			people := map[string]User{}
			for _, m := range chunk {
				done, err := s.bring(ctx, tx, version, people, m)
				if err != nil {
					return fmt.Errorf("%s: %w", m.From, err)
				}
				if done {
					added++
					continue
				}
				equal, err := s.brought(ctx, tx, m)
				if err != nil {
					return err
				}
				left, same = append(left, m), append(same, equal)
			}
			if added == 0 {
				return nil
			}
			return s.audit(ctx, tx, actor, &version.ProjectID, "edit.import", versionSubject(version.ID), fmt.Sprintf("%d maps from %s", added, from))
		})
		if err != nil {
			return report, fmt.Errorf("bringing maps to %s: %w", slug, err)
		}
		report.Added += added
		for i, m := range left {
			keep(m, same[i])
		}
	}
	return report, nil
}

// brought reports whether the image's latest map is this one, in the same state.
func (s *Service) brought(ctx context.Context, from Store, m BroughtMap) (bool, error) {
	latest, err := from.LatestMap(ctx, m.ImageID)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil && latest.State == m.State && latest.Map.Equal(m.Map), err
}

// bring adds one map, unless somebody has worked on its image.
func (s *Service) bring(ctx context.Context, tx Store, v Version, people map[string]User, m BroughtMap) (bool, error) {
	task, err := tx.LockUntouched(ctx, v, m.ImageID)
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	person := func(name string) (User, error) {
		if u, ok := people[name]; ok {
			return u, nil
		}
		u, err := tx.GeneratorUser(ctx, name)
		people[name] = u
		return u, err
	}
	author, err := person(m.Author)
	if err != nil {
		return false, err
	}
	edit, err := tx.InsertEdit(ctx, Edit{
		TaskID: task.ID, Revision: 1, AuthorID: author.ID, Source: m.Made, Map: m.Map, VersionID: v.ID, CreatedAt: m.Created, Provenance: m.Provenance,
	})
	if err != nil || m.State == EditDraft {
		return err == nil, err
	}
	now := s.now()
	if err := tx.SubmitEdit(ctx, edit.ID, nil, nil, m.Submitted); err != nil { // without scores
		return false, err
	}
	if task, err = task.Bring(author, m.Submitted, now); err != nil || m.State == EditSubmitted {
		if err == nil {
			err = tx.UpdateTask(ctx, task)
		}
		return err == nil, err
	}
	reviewer, err := person(m.Reviewer)
	if err != nil {
		return false, err
	}
	verdict := VerdictApprove
	if m.State == EditRejected {
		verdict = VerdictReject
	}
	if _, err := tx.JudgeEdit(ctx, Review{EditID: edit.ID, ReviewerID: reviewer.ID, Verdict: verdict, Comment: m.Comment, CreatedAt: m.Reviewed}); err != nil {
		return false, err
	}
	if task, err = task.Judge(verdict, now); err != nil {
		return false, err
	}
	if verdict == VerdictReject { // its author cannot come back to it
		if task, err = task.Reopen(now); err != nil {
			return false, err
		}
	}
	return true, tx.UpdateTask(ctx, task)
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
