package annotator

import (
	"context"
	"fmt"
	"strings"
)

// VersionStore keeps model versions.
type VersionStore interface {
	Version(ctx context.Context, id int64) (Version, error)
	// ActiveVersion returns ErrNotFound while the project has no model.
	ActiveVersion(ctx context.Context, projectID int64) (Version, error)
	// Versions lists a project's versions, v1 first.
	Versions(ctx context.Context, projectID int64) ([]Version, error)
	// AddVersion adds a model, in the state that NewVersion.StateIn gives it.
	AddVersion(ctx context.Context, projectID int64, v NewVersion) (Version, error)
	// LockVersion returns a version and keeps others from adding or activating versions of its project until the transaction ends.
	LockVersion(ctx context.Context, id int64) (Version, error)
	// ActivateVersion archives the project's active version, makes another one, which must be locked, active, and returns it as stored.
	ActivateVersion(ctx context.Context, id int64) (Version, error)
}

// Versions lists a project's versions, v1 first.
func (s *Service) Versions(ctx context.Context, actor User, slug string) ([]Version, error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return nil, err
	}
	return s.store.Versions(ctx, project.ID)
}

// Version returns one version and its project.
func (s *Service) Version(ctx context.Context, actor User, id int64) (Version, Project, error) {
	_, err := s.in(ctx, actor, RoleAnnotator, ThingVersion.Of(id))
	if err != nil {
		return Version{}, Project{}, err
	}
	version, err := s.store.Version(ctx, id)
	if err != nil {
		return Version{}, Project{}, err
	}
	project, err := s.store.ProjectByID(ctx, version.ProjectID)
	return version, project, err
}

// ActivateVersion makes a version the project's active one, archives the one before, and starts a scan of the images that it has not
// predicted (admin). Activating an archived version is a rollback. The trail keeps what clearly got worse from the version before, as far
// as rounds tell it, and the reason, without which such a version is not activated (*ValidationError).
func (s *Service) ActivateVersion(ctx context.Context, actor User, id int64, reason string) (Version, error) {
	actor, err := s.in(ctx, actor, RoleLead, ThingVersion.Of(id))
	if err != nil {
		return Version{}, err
	}
	reason, err = BoundComment.check("reason", reason)
	if err != nil {
		return Version{}, err
	}
	told, err := s.AgainstActive(ctx, actor, id)
	if err != nil {
		return Version{}, fmt.Errorf("activating version %d: %w", id, err)
	}
	if told != nil && len(told.Worse) > 0 && reason == "" {
		return Version{}, &ValidationError{Field: "reason", Message: "is needed, since the version is worse than the active one: " + strings.Join(told.Worse, " ")}
	}
	var version Version
	err = s.store.InTx(ctx, func(tx Store) error {
		was, err := tx.LockVersion(ctx, id)
		if err != nil {
			return err
		}
		version = was
		if changes, err := was.MayActivate(); err != nil || !changes {
			return err
		}
		if version, err = tx.ActivateVersion(ctx, id); err != nil {
			return err
		}
		detail := fmt.Sprintf("v%d", version.Number)
		if was.State == VersionArchived {
			detail += "; " + "rolled back"
		}
		if told != nil && len(told.Worse) > 0 {
			detail += ". Worse: " + strings.TrimSuffix(strings.Join(told.Worse, " "), ".")
		}
		if reason != "" {
			detail += ". Reason: " + reason
		}
		if err := s.audit(ctx, tx, actor, &version.ProjectID, "version.activate", versionSubject(id), detail); err != nil {
			return err
		}
		if _, err = s.scan(ctx, tx, actor, version); err != nil {
			return err
		}
		return ConsiderForecast(ctx, tx, version.ProjectID)
	})
	if err != nil {
		return Version{}, fmt.Errorf("activating version %d: %w", id, err)
	}
	return version, nil
}

func versionSubject(id int64) string { return fmt.Sprintf("version %d", id) }
