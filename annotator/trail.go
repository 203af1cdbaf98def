package annotator

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// TrailLine is a line of the whole studio's trail.
type TrailLine struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	ActorID int64     `json:"actor_id" doc:"0: the command line, or nobody who is known."`
	Actor   string    `json:"actor"`
	Project string    `json:"project" doc:"The slug of the project it is of; empty: of the studio."`
	Action  string    `json:"action"`
	Subject string    `json:"subject"`
	Detail  string    `json:"detail"`
	// SubjectName is as that of AuditEntry.
	SubjectName string `json:"subject_name,omitempty" doc:"Of a person: their name, with their number where somebody else has it too."`
}

// TrailKind names actions that are looked for together.
type TrailKind string

// TrailActions says which actions a kind has.
type TrailActions struct {
	Kind    TrailKind
	What    string   // in words
	Actions []string // patterns, as of SQL's LIKE
}

// TrailKinds are all of them.
var TrailKinds = []TrailActions{
	{"sessions", "sign-ins, successful or not, and their ends", []string{"session.%", "password.%"}},
	{"accounts", "accounts, roles and passwords", []string{"user.%", "password.%", "setup.%", "invitation.%", "identity.%", "factor.%", "passkey.%"}},
	{"tokens", "API tokens", []string{"token.%"}},
	{"members", "members of projects", []string{"member.%", "invitation.%"}},
	{"exports", "what left the studio", []string{"export.%"}},
	{"deletions", "deletions and restorations", []string{"%.delete", "%.purge", "%.restore", "user.remove"}},
	{"models", "models, versions and activations", []string{"version.%", "model.%", "segmenter.%"}},
	{"webhooks", "webhooks", []string{"webhook.%"}},
	{"rounds", "rounds and forecasts", []string{"round.%", "forecast.%"}},
	{"settings", "projects, classes and images", []string{"project.%", "class.%", "image.%"}},
	{"work", "tasks, maps, reviews and labels", []string{"task.%", "edit.%", "label.%"}},
}

// TrailKindNames are the kinds alone.
func TrailKindNames() []TrailKind {
	var names []TrailKind
	for _, k := range TrailKinds {
		names = append(names, k.Kind)
	}
	return names
}

// TrailFilter says which lines of the trail are wanted. Zero fields do not filter.
type TrailFilter struct {
	Person  int64     // what this person did, and what was done to their account
	Kind    TrailKind // which actions
	Project string    // slug; lines of the studio that name the project are of it too
	Since   time.Time // at this time or later
	Until   time.Time // before this time
}

// Check returns a *ValidationError for what no line can have.
func (f TrailFilter) Check() error {
	if f.Kind != "" {
		if err := oneOf("kind", f.Kind, TrailKindNames()); err != nil {
			return err
		}
	}
	if f.Person < 0 {
		return &ValidationError{Field: "person", Message: "is the number of a person, from 1"}
	}
	if f.Project != "" && SlugProblem(f.Project) != "" {
		return &ValidationError{Field: "project", Message: SlugProblem(f.Project)}
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return &ValidationError{Field: "until", Message: "is not after since: nothing was done in between"}
	}
	return nil
}

// Actions are the patterns of the filter's kind, nil for none.
func (f TrailFilter) Actions() []string {
	if at := slices.IndexFunc(TrailKinds, func(k TrailActions) bool { return k.Kind == f.Kind }); at >= 0 {
		return TrailKinds[at].Actions
	}
	return nil
}

// String is the filter as the trail writes it down.
func (f TrailFilter) String() string {
	var parts []string
	for _, part := range []struct {
		name, value string
		set         bool
	}{
		{"person", fmt.Sprint(f.Person), f.Person != 0}, {"kind", string(f.Kind), f.Kind != ""}, {"project", f.Project, f.Project != ""},
		{"since", f.Since.UTC().Format(time.RFC3339), !f.Since.IsZero()}, {"until", f.Until.UTC().Format(time.RFC3339), !f.Until.IsZero()},
	} {
		if part.set {
			parts = append(parts, part.name+" "+part.value)
		}
	}
	return strings.Join(parts, ", ")
}

// TrailPage is how many lines a page of the trail has.
const TrailPage = 100

// trailBatch is how many lines an export reads at a time.
const trailBatch = 2000

// Trail lists lines of the whole studio's trail, newest first, at most TrailPage (admin); before is the id to continue from, 0 for the
// newest.
func (s *Service) Trail(ctx context.Context, actor User, f TrailFilter, before int64) ([]TrailLine, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return nil, err
	}
	if err := f.Check(); err != nil {
		return nil, err
	}
	return s.store.TrailBefore(ctx, f, before, TrailPage)
}

// ExportTrail returns all lines of the studio's trail that a filter takes, oldest first (admin). The trail itself says that they were taken.
// The sequence ends with its first error.
func (s *Service) ExportTrail(ctx context.Context, actor User, f TrailFilter) iter.Seq2[TrailLine, error] {
	return func(yield func(TrailLine, error) bool) {
		err := may(actor, RoleAdmin)
		if err == nil {
			err = f.Check()
		}
		if err == nil {
			err = s.audit(ctx, s.store, actor, nil, "export.trail", "the trail", f.String())
		}
		for after := int64(0); err == nil; {
			var lines []TrailLine
			if lines, err = s.store.TrailAfter(ctx, f, after, trailBatch); err != nil {
				break
			}
			for _, line := range lines {
				if !yield(line, nil) {
					return
				}
			}
			if len(lines) < trailBatch {
				return
			}
			after = lines[len(lines)-1].ID
		}
		yield(TrailLine{}, err)
	}
}

// TellExport writes down that records of a project are taken out of the studio, as what. It is called before they are: if the trail cannot
// have it, they stay.
func (s *Service) TellExport(ctx context.Context, actor User, slug string, kind ExportKind, as string) error {
	actor, _, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return err
	}
	return s.audit(ctx, s.store, actor, nil, "export.records", "project "+slug, string(kind)+" as "+as)
}
