package annotator

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// ProjectState is whether people work on a project.
type ProjectState string

// The states of a project.
const (
	ProjectOpen    ProjectState = "open"
	ProjectClosed  ProjectState = "closed"  // all of it can be read, nothing in it changes
	ProjectDeleted ProjectState = "deleted" // it is not there, but an admin may restore it until it is purged
)

// ProjectStates are all of them.
var ProjectStates = []ProjectState{ProjectOpen, ProjectClosed, ProjectDeleted}

// State is whether people work on the project.
func (p Project) State() ProjectState {
	switch {
	case p.DeletedAt != nil:
		return ProjectDeleted
	case p.ClosedAt != nil:
		return ProjectClosed
	}
	return ProjectOpen
}

// ProjectKept is how long a deleted project can be restored. A worker then purges it.
const ProjectKept = 30 * 24 * time.Hour

// PurgesAt is when a deleted project is purged.
func (p Project) PurgesAt() time.Time { return p.DeletedAt.Add(ProjectKept) }

// ClosedError refuses a change of a project that is closed. It matches ErrConflict.
type ClosedError struct{ Slug string }

func (e *ClosedError) Error() string {
	return fmt.Sprintf("the project %s is closed, so nothing in it changes: an admin opens it again on its page Data", e.Slug)
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *ClosedError) Is(target error) bool { return target == ErrConflict }

// EndingStore closes, deletes and purges projects. The database refuses changes of those that are closed or deleted with a *ClosedError,
// and methods that read one thing by its id do not find it in a deleted project.
type EndingStore interface {
	// LockProject returns a project, also a deleted one, and keeps others from changing its state until the transaction ends. ErrNotFound
	// for one that was purged.
	LockProject(ctx context.Context, slug string) (Project, error)
	// EndProject writes when a project was closed and deleted.
	EndProject(ctx context.Context, p Project) error
	// WorkUnderWay lists the jobs of a project that have not ended.
	WorkUnderWay(ctx context.Context, projectID int64) ([]Job, error)
	// CancelJob ends a job that has not ended, and has its workers stop.
	CancelJob(ctx context.Context, jobID int64) error
	// EndLeases gives back every leased task of a project.
	EndLeases(ctx context.Context, projectID int64, at time.Time) error
	// DeletedBefore lists the slugs of projects that were deleted before a time and are not purged.
	DeletedBefore(ctx context.Context, before time.Time) ([]string, error)
	// PurgeProject says that the files of a deleted project are given up, and returns their hashes. What only served its pictures
	// goes: predictions without a task, undo stacks, clicks, uploads that became no version.
	PurgeProject(ctx context.Context, projectID int64, at time.Time) (hashes []string, err error)
}

// CloseProject puts a project away (lead): it is out of the list of those that are worked on, and nothing in it changes until it is
// opened again. Leased tasks are given back with their drafts, scans end. ErrConflict while a round or an import runs, or a model is added.
func (s *Service) CloseProject(ctx context.Context, actor User, slug string) (Project, error) {
	return s.endProject(ctx, actor, RoleLead, slug, "project.close", func(tx Store, p *Project, now time.Time) (detail string, err error) {
		if p.State() != ProjectOpen {
			return "", Conflict("the project %s is %s already", slug, p.State())
		}
		if err := s.endWork(ctx, tx, *p, now); err != nil {
			return "", err
		}
		p.ClosedAt = &now
		return p.Name, nil
	})
}

// ReopenProject brings a closed project back to those that are worked on (lead). Images that its active version has not seen are scanned.
func (s *Service) ReopenProject(ctx context.Context, actor User, slug string) (Project, error) {
	return s.endProject(ctx, actor, RoleLead, slug, "project.reopen", func(tx Store, p *Project, _ time.Time) (detail string, err error) {
		switch p.State() {
		case ProjectOpen:
			return "", Conflict("the project %s is open", slug)
		case ProjectDeleted:
			return "", fmt.Errorf("project %q: %w", slug, ErrNotFound)
		}
		p.ClosedAt = nil
		if err := tx.EndProject(ctx, *p); err != nil { // or its tasks could not be changed
			return "", err
		}
		return p.Name, tx.UnassignGone(ctx, p.ID)
	})
}

// DeleteProject deletes a project whose name the actor has typed (admin). For ProjectKept it can be restored; then it is purged. What
// stands in the way of CloseProject stands in the way of this too.
func (s *Service) DeleteProject(ctx context.Context, actor User, slug, name string) (Project, error) {
	return s.endProject(ctx, actor, RoleAdmin, slug, "project.delete", func(tx Store, p *Project, now time.Time) (detail string, err error) {
		if p.State() == ProjectDeleted {
			return "", fmt.Errorf("project %q: %w", slug, ErrNotFound)
		}
		if err := typed(*p, name); err != nil {
			return "", err
		}
		if p.State() == ProjectOpen {
			if err := s.endWork(ctx, tx, *p, now); err != nil {
				return "", err
			}
		}
		p.DeletedAt = &now
		return p.Name, nil
	})
}

// RestoreProject brings back a deleted project as it was, open or closed (admin).
func (s *Service) RestoreProject(ctx context.Context, actor User, slug string) (Project, error) {
	return s.endProject(ctx, actor, RoleAdmin, slug, "project.restore", func(tx Store, p *Project, _ time.Time) (detail string, err error) {
		if p.State() != ProjectDeleted {
			return "", Conflict("the project %s is not deleted", slug)
		}
		if p.DeletedAt = nil; p.ClosedAt != nil {
			return p.Name, nil
		}
		if err := tx.EndProject(ctx, *p); err != nil {
			return "", err
		}
		return p.Name, tx.UnassignGone(ctx, p.ID)
	})
}

// PurgeProject gives up the files of a deleted project whose name the actor has typed (admin): pictures, masks and models. That is for
// good. The rows that say what people did stay, as does the trail; another project may have the slug.
func (s *Service) PurgeProject(ctx context.Context, actor User, slug, name string) error {
	if s.blobs == nil {
		return fmt.Errorf("purging %s: %w: this process has no blob store", slug, ErrUnavailable)
	}
	var hashes []string
	project, err := s.endProject(ctx, actor, RoleAdmin, slug, "project.purge", func(tx Store, p *Project, now time.Time) (detail string, err error) {
		if p.State() != ProjectDeleted {
			return "", Conflict("the project %s is not deleted: delete it first", slug)
		}
		if err := typed(*p, name); err != nil {
			return "", err
		}
		hashes, err = tx.PurgeProject(ctx, p.ID, now)
		return p.Name, err
	})
	if err != nil {
		return err
	}
	if s.staging != nil { // a worker leaves what was sent to the server, which forgets it after StagedLasts
		staged, err := s.staging.List(project.ID)
		if err != nil {
			return err
		}
		for _, one := range staged {
			if err := s.staging.Discard(one.ID); err != nil && !isNotFound(err) {
				return err
			}
		}
	}
	const batch = 1000
	for len(hashes) > 0 {
		n := min(batch, len(hashes))
		if err := s.removeBlobs(ctx, hashes[:n]); err != nil {
			return err
		}
		hashes = hashes[n:]
	}
	return nil
}

// PurgeDeletedProjects purges the projects that were deleted longer than ProjectKept ago, and returns how many there were.
func (s *Service) PurgeDeletedProjects(ctx context.Context, actor User) (int, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return 0, err
	}
	slugs, err := s.store.DeletedBefore(ctx, s.now().Add(-ProjectKept))
	if err != nil {
		return 0, err
	}
	for n, slug := range slugs {
		project, err := s.store.LockProject(ctx, slug)
		if err == nil {
			err = s.PurgeProject(ctx, actor, slug, project.Name)
		}
		if err != nil {
			return n, fmt.Errorf("purging %s: %w", slug, err)
		}
	}
	return len(slugs), nil
}

// openProject is project for what an admin begins and that takes a while before it changes something: a closed project refuses it at once, with a *ClosedError.
func (s *Service) openProject(ctx context.Context, actor User, slug string) (User, Project, error) {
	actor, p, err := s.project(ctx, actor, RoleLead, slug)
	if err == nil && p.State() != ProjectOpen {
		err = &ClosedError{slug}
	}
	return actor, p, err
}

// typed checks that somebody has typed a project's name.
func typed(p Project, name string) error {
	if strings.TrimSpace(name) != p.Name {
		return &ValidationError{Field: "name", Message: fmt.Sprintf("type the project's name, %s", p.Name)}
	}
	return nil
}

// endProject changes the state of a project in one transaction, with its line of the trail. Where it is open afterwards, what closing it
// has ended is taken up again.
func (s *Service) endProject(ctx context.Context, actor User, needed Role, slug, action string, rule func(tx Store, p *Project, now time.Time) (detail string, err error)) (Project, error) {
	actor, err := s.in(ctx, actor, needed, ThingProject.Called(slug))
	if err != nil {
		return Project{}, err
	}
	var project Project
	err = s.store.InTx(ctx, func(tx Store) (err error) {
		if project, err = tx.LockProject(ctx, slug); err != nil {
			return err
		}
		detail, err := rule(tx, &project, s.now())
		if err != nil {
			return err
		}
		if err := tx.EndProject(ctx, project); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, actor, &project.ID, action, projectSubject(slug), detail); err != nil || project.State() != ProjectOpen {
			return err
		}
		active, err := tx.ActiveVersion(ctx, project.ID)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		scan, err := tx.EnqueueScan(ctx, active.ID) // it measures at its end
		if err == nil && scan.State.Over() {
			_, err = tx.EnqueueEvaluate(ctx, active.ID)
		}
		return err
	})
	return project, err
}

// endWork ends what runs in a project, or says what has to end first: what people started and would have to start again.
func (s *Service) endWork(ctx context.Context, tx Store, p Project, now time.Time) error {
	jobs, err := tx.WorkUnderWay(ctx, p.ID)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		switch job.Kind {
		case JobRound:
			return Conflict("a round of %s runs: wait or cancel it", p.Slug)
		case JobImport:
			return Conflict("an import into %s runs: wait for it", p.Slug)
		case JobAdd:
			return Conflict("a model is being added to %s: wait for it", p.Slug)
		}
	}
	for _, job := range jobs {
		if err := tx.CancelJob(ctx, job.ID); err != nil {
			return err
		}
	}
	return tx.EndLeases(ctx, p.ID, now)
}
