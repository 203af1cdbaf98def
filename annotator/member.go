package annotator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/abn-studio/studio/internal/text"
)

// This file has who takes part in which project, and the one gate that everything of a project goes through (ADR 42).

// Member is a person in a project.
type Member struct {
	UserID  int64     `json:"user_id"`
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	AddedAt time.Time `json:"added_at"`
	AddedBy string    `json:"added_by,omitempty"` // a name; "": the command line, or an upgrade
	// Disabled people keep their place, and cannot sign in.
	Disabled bool `json:"disabled,omitempty"`
}

// Membership is a project as one of its members sees it in the list of theirs.
type Membership struct {
	Slug string
	Name string
	Role Role
}

// MemberStore keeps who takes part in which project.
type MemberStore interface {
	// MemberRole returns a person's role in the project that a thing is of, in one query; ErrNotFound where there is no such thing, where its
	// project was deleted, and where the person is no member.
	MemberRole(ctx context.Context, userID int64, of Thing) (Role, error)
	// Members lists a project's members, leads first, then reviewers, each by name.
	Members(ctx context.Context, projectID int64) ([]Member, error)
	// Memberships lists the projects that somebody is a member of and that are not deleted, by name.
	Memberships(ctx context.Context, userID int64) ([]Membership, error)
	// SetMember makes a person a member, or gives a member another role; by is nil for the command line.
	SetMember(ctx context.Context, projectID, userID int64, role Role, by *int64, at time.Time) error
	// JoinEverybody makes everybody with an account a member, with their own role, and returns how many were none before.
	JoinEverybody(ctx context.Context, projectID int64, by *int64, at time.Time) (int, error)
	// RemoveMember ends a membership; ErrNotFound where there is none.
	RemoveMember(ctx context.Context, projectID, userID int64) error
	// FreeMember gives back what somebody holds, should change or was assigned in a project.
	FreeMember(ctx context.Context, projectID, userID int64, at time.Time) error
	// ProjectsToJoin lists the ids and slugs of projects that are not deleted.
	ProjectsToJoin(ctx context.Context) ([]Project, error)
}

// ThingKind is a kind of things that belong to a project.
type ThingKind string

// The kinds, by the names that addresses have for them.
const (
	ThingProject ThingKind = "project" // by its slug
	ThingImage   ThingKind = "image"
	ThingTask    ThingKind = "task"
	ThingEdit    ThingKind = "edit"
	ThingRound   ThingKind = "round"
	ThingVersion ThingKind = "version"
	ThingUpload  ThingKind = "upload"
	ThingVerdict ThingKind = "verdict" // on a label
	ThingImport  ThingKind = "import"  // that is being sent, by its key
)

// ThingKinds are all of them. Where an address has several, the first in this order says whose it is.
var ThingKinds = []ThingKind{ThingProject, ThingImage, ThingTask, ThingEdit, ThingRound, ThingVersion, ThingUpload, ThingVerdict, ThingImport}

// Thing is what belongs to a project, by its number, or by a word: a project's slug, an import's key.
type Thing struct {
	Kind ThingKind
	ID   int64
	Word string
}

// Of is the thing of that number.
func (k ThingKind) Of(id int64) Thing { return Thing{Kind: k, ID: id} }

// Called is the thing of that word.
func (k ThingKind) Called(word string) Thing { return Thing{Kind: k, Word: word} }

// String is what errors call it.
func (t Thing) String() string {
	switch t.Kind {
	case ThingProject:
		return fmt.Sprintf("project %q", t.Word)
	case ThingImport:
		return "import " + t.Word
	case ThingVerdict:
		return fmt.Sprintf("verdict %d on a label", t.ID)
	}
	return fmt.Sprintf("%s %d", t.Kind, t.ID)
}

// Within returns the actor with the role that they have in the project of a thing, if it is at least the one needed: admins have all of every
// project, others the role of their membership. Whoever is no member gets the ErrNotFound of a thing that does not exist, word for word,
// after the same one query. Adapters ask it before they read a request's body; each use case asks it again, as its first step.
func (s *Service) Within(ctx context.Context, actor User, needed Role, of Thing) (User, error) {
	return s.in(ctx, actor, needed, of)
}

func (s *Service) in(ctx context.Context, actor User, needed Role, of Thing) (User, error) {
	if err := may(actor, RoleAnnotator); err != nil {
		return User{}, err
	}
	if actor.Role == RoleAdmin {
		return actor, nil
	}
	role, err := s.memberRole(ctx, actor.ID, of)
	if isNotFound(err) {
		return User{}, fmt.Errorf("%s: %w", of, ErrNotFound)
	}
	if err != nil {
		return User{}, err
	}
	if actor.Role = role; !role.May(needed) {
		return User{}, fmt.Errorf("%w: needs the role %s in this project, you are %s", ErrForbidden, needed, role)
	}
	return actor, nil
}

func (s *Service) memberRole(ctx context.Context, userID int64, of Thing) (Role, error) {
	if of.Kind == ThingProject && SlugProblem(of.Word) != "" {
		return "", ErrNotFound
	}
	if of.Kind != ThingImport {
		return s.store.MemberRole(ctx, userID, of)
	}
	if s.staging == nil {
		return "", ErrNotFound
	}
	staged, err := s.staging.Staged(of.Word)
	if err != nil {
		return "", err
	}
	if staged.ProjectID == 0 { // an archive, of which a project is to be made
		return "", ErrNotFound
	}
	project, err := s.store.ProjectByID(ctx, staged.ProjectID)
	if err != nil {
		return "", err
	}
	return s.store.MemberRole(ctx, userID, ThingProject.Called(project.Slug))
}

// painting is in for work in a person's own name, which the command line cannot do.
func (s *Service) painting(ctx context.Context, actor User, of Thing) (User, error) {
	actor, err := s.in(ctx, actor, RoleAnnotator, of)
	if err == nil {
		err = mayPaint(actor)
	}
	return actor, err
}

// holding is in for having maps to judge, which is done in a person's own name.
func (s *Service) holding(ctx context.Context, actor User, of Thing) (User, error) {
	actor, err := s.in(ctx, actor, RoleReviewer, of)
	if err == nil {
		err = mayHoldReviews(actor)
	}
	return actor, err
}

// retracting is in for taking a verdict back.
func (s *Service) retracting(ctx context.Context, actor User, of Thing) (User, error) {
	actor, err := s.in(ctx, actor, RoleReviewer, of)
	if err == nil {
		err = mayRetract(actor)
	}
	return actor, err
}

// project finds the project of an address, and returns the actor as they are in it.
func (s *Service) project(ctx context.Context, actor User, needed Role, slug string) (User, Project, error) {
	actor, err := s.in(ctx, actor, needed, ThingProject.Called(slug))
	if err != nil {
		return User{}, Project{}, err
	}
	project, err := s.store.ProjectBySlug(ctx, slug)
	return actor, project, err
}

// Members lists who takes part in a project (reviewer).
func (s *Service) Members(ctx context.Context, actor User, slug string) ([]Member, error) {
	_, project, err := s.project(ctx, actor, RoleReviewer, slug)
	if err != nil {
		return nil, err
	}
	return s.store.Members(ctx, project.ID)
}

// SetMember gives a member of a project another role there (lead), or makes a person one (admin): a lead does that by their address (AddMember), and is
// not told who else has an account. role "": the person's own in the studio.
func (s *Service) SetMember(ctx context.Context, actor User, slug string, userID int64, role Role) (Member, error) {
	return s.setMember(ctx, actor, slug, role, func(actor User) (User, error) {
		if actor.Role != RoleAdmin {
			if _, err := s.store.MemberRole(ctx, userID, ThingProject.Called(slug)); isNotFound(err) {
				return User{}, fmt.Errorf("member %d: %w", userID, ErrNotFound)
			} else if err != nil {
				return User{}, err
			}
		}
		person, err := s.store.User(ctx, userID)
		if err == nil && (person.Generator || person.RemovedAt != nil) {
			err = fmt.Errorf("user %d: %w", userID, ErrNotFound)
		}
		return person, err
	})
}

// AddMember is SetMember for a person by their e-mail address, since leads have no list of all people.
func (s *Service) AddMember(ctx context.Context, actor User, slug, email string, role Role) (Member, error) {
	return s.setMember(ctx, actor, slug, role, func(User) (User, error) {
		person, _, err := s.store.UserByEmail(ctx, strings.TrimSpace(email))
		if isNotFound(err) || err == nil && (person.Generator || person.RemovedAt != nil) {
			return User{}, &ValidationError{Field: "email", Message: "nobody in this studio has that address: an admin adds people to it"}
		}
		return person, err
	})
}

func (s *Service) setMember(ctx context.Context, actor User, slug string, role Role, find func(actor User) (User, error)) (Member, error) {
	actor, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil {
		return Member{}, err
	}
	if role != "" {
		if err := oneOf("role", role, MemberRoles); err != nil {
			return Member{}, err
		}
	}
	person, err := find(actor)
	if err != nil {
		return Member{}, err
	}
	if role == "" {
		role = person.Role.joining()
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		was, err := tx.MemberRole(ctx, person.ID, ThingProject.Called(slug))
		if err != nil && !isNotFound(err) || was == role {
			return err
		}
		if err := tx.SetMember(ctx, project.ID, person.ID, role, actor.byID(), s.now()); err != nil {
			return err
		}
		if was == "" {
			return s.audit(ctx, tx, actor, &project.ID, "member.add", userSubject(person.ID), string(role))
		}
		return s.audit(ctx, tx, actor, &project.ID, "member.change", userSubject(person.ID), fmt.Sprintf("%s, was %s", role, was))
	})
	if err != nil {
		return Member{}, fmt.Errorf("a member of project %s: %w", slug, err)
	}
	return s.member(ctx, project.ID, person.ID)
}

func (s *Service) member(ctx context.Context, projectID, userID int64) (Member, error) {
	all, err := s.store.Members(ctx, projectID)
	if err != nil {
		return Member{}, err
	}
	if at := slices.IndexFunc(all, func(m Member) bool { return m.UserID == userID }); at >= 0 {
		return all[at], nil
	}
	return Member{}, fmt.Errorf("member %d: %w", userID, ErrNotFound)
}

// RemoveMember takes a person out of a project (lead). What they hold there, should change or were assigned is everybody's;
// their maps and verdicts stay. A project may be without a lead: admins need no membership.
func (s *Service) RemoveMember(ctx context.Context, actor User, slug string, userID int64) error {
	actor, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil {
		return err
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		if err := tx.RemoveMember(ctx, project.ID, userID); err != nil {
			return err
		}
		if err := tx.FreeMember(ctx, project.ID, userID, s.now()); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &project.ID, "member.remove", userSubject(userID), "")
	})
	if err != nil {
		return fmt.Errorf("taking user %d out of project %s: %w", userID, slug, err)
	}
	return nil
}

// gone reports whether a person is no member any more of a task's project, or of the studio: what they should change is everybody's then.
func (s *Service) gone(ctx context.Context, tx Store, person User, taskID int64) (bool, error) {
	if person.Generator || person.RemovedAt != nil || person.Role == RoleAdmin {
		return person.RemovedAt != nil, nil
	}
	_, err := tx.MemberRole(ctx, person.ID, ThingTask.Of(taskID))
	if isNotFound(err) {
		return true, nil
	}
	return false, err
}

// Highest returns the highest role that somebody has anywhere: in the studio, or in one of their projects (everybody of themself). Scopes of
// their tokens are bounded by it; each project is asked for again when a token is used.
func (s *Service) Highest(ctx context.Context, actor User) (Role, error) {
	if err := may(actor, RoleAnnotator); err != nil {
		return "", err
	}
	return s.highest(ctx, actor)
}

// Memberships lists the projects that the actor is a member of, with their role in each, by name.
func (s *Service) Memberships(ctx context.Context, actor User) ([]Membership, error) {
	if err := may(actor, RoleAnnotator); err != nil {
		return nil, err
	}
	return s.store.Memberships(ctx, actor.ID)
}

func (s *Service) highest(ctx context.Context, u User) (Role, error) {
	highest := u.Role
	if highest == RoleAdmin {
		return highest, nil
	}
	all, err := s.store.Memberships(ctx, u.ID)
	for _, m := range all {
		if m.Role.May(highest) {
			highest = m.Role
		}
	}
	return highest, err
}

// joinNew makes members of a project that was just made: whoever made it, as lead, and everybody where that is wanted.
func (s *Service) joinNew(ctx context.Context, tx Store, actor User, project Project, everybody bool) error {
	n := 0
	if actor.ID != 0 {
		if err := tx.SetMember(ctx, project.ID, actor.ID, RoleLead, actor.byID(), s.now()); err != nil {
			return err
		}
		n++
	}
	if !everybody {
		if n == 0 {
			return nil
		}
		return s.audit(ctx, tx, actor, &project.ID, "member.add", userSubject(actor.ID), string(RoleLead))
	}
	more, err := tx.JoinEverybody(ctx, project.ID, actor.byID(), s.now())
	if err != nil || n+more == 0 {
		return err
	}
	return s.audit(ctx, tx, actor, &project.ID, "member.add", fmt.Sprintf("%s people", text.Count(n+more)), "everybody who has an account")
}

// joinProjects makes a person who was just added a member of projects: by their slugs; nil: of all that are not deleted.
func (s *Service) joinProjects(ctx context.Context, tx Store, actor, person User, slugs []string) error {
	if slugs != nil && len(slugs) == 0 {
		return nil
	}
	all, err := tx.ProjectsToJoin(ctx)
	if err != nil {
		return err
	}
	for _, slug := range slugs {
		if !slices.ContainsFunc(all, func(p Project) bool { return p.Slug == slug }) {
			return &ValidationError{Field: "projects", Message: fmt.Sprintf("%q is no project", slug)}
		}
	}
	role := person.Role.joining()
	for _, p := range all {
		if slugs != nil && !slices.Contains(slugs, p.Slug) {
			continue
		}
		if err := tx.SetMember(ctx, p.ID, person.ID, role, actor.byID(), s.now()); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, actor, &p.ID, "member.add", userSubject(person.ID), string(role)); err != nil {
			return err
		}
	}
	return nil
}

// byID is the actor as the one who made somebody a member; nil for the command line.
func (u User) byID() *int64 {
	if u.ID == 0 {
		return nil
	}
	return &u.ID
}

func userSubject(id int64) string { return fmt.Sprintf("user %d", id) }
