package annotator

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
)

// This file has what checks are: tasks of images whose object's mask is known, which a painter is given among the others without being told,
// and whose maps are scored against the mask when they are submitted.

// CheckStore keeps the scores of checks.
type CheckStore interface {
	// CountTaken counts the tasks of a project that are a person's: what they have been given so far.
	CountTaken(ctx context.Context, projectID, userID int64) (int, error)
	InsertCheck(ctx context.Context, editID int64, s CheckScore) error
}

// CheckScore is a person's map of a check against the object's mask (package trainer/measure has the definitions).
type CheckScore struct {
	Inside   float64 `json:"inside"`             // Σ M·mask ÷ Σ M on the map's grid
	Area     float64 `json:"area"`               // mean of the mask over the cells: what an even map has inside
	Pointing *bool   `json:"pointing,omitempty"` // the map's largest value lies on the object; nil for an even map
}

// Checking scores a map against an image's known mask (jobs.Catalog).
type Checking interface {
	// CheckMap is given a map on the version's grid. ok is false where nothing of the object lies in what the model sees of the picture.
	CheckMap(ctx context.Context, v Version, image Image, m attention.Map) (score CheckScore, ok bool, err error)
}

// checkTurn reports whether the next task that a person is given is a check: by a hash of the person and of how many tasks they have had, so
// that nobody can tell by counting, and the same again.
func (p Project) checkTurn(u User, taken int) bool {
	return lot(p.Overlap.Seed, "check", p.CheckShare, u.ID, int64(taken))
}

// hidesMasks returns ErrForbidden where painters are not shown the masks of images, since some of their tasks are checks.
func (p Project) hidesMasks(u User) error {
	if p.CheckShare == 0 || u.Role.May(RoleReviewer) {
		return nil
	}
	return fmt.Errorf("%w: painters do not see masks in project %s: some of their maps are scored against them", ErrForbidden, p.Slug)
}

// setChecks checks how many of the tasks given out are checks.
func (s *Service) setChecks(ctx context.Context, project Project, share int) (Project, error) {
	if share < 0 || share > 100 {
		return project, &ValidationError{Field: "check_share", Message: "is between 0 and 100 per cent"}
	}
	if share > 0 {
		if project.Start.Method.ReadsMask() {
			return project, &ValidationError{Field: "check_share", Message: "is 0 where maps begin with the masks, which they would be scored against: let them begin with the model's map first"}
		}
		sources, err := s.store.StartSources(ctx, project.ID)
		if err != nil {
			return project, err
		}
		if sources.Masks == 0 {
			return project, &ValidationError{Field: "check_share", Message: fmt.Sprintf("is 0 where no mask is known: none of the %s images that tasks come from (train and pool) has one", text.Count(sources.Images))}
		}
	}
	project.CheckShare = share
	return project, nil
}

// scoreCheck scores the map of a check; nil for a task that is none, and where its mask cannot be read: a painter does not wait for it.
func (s *Service) scoreCheck(ctx context.Context, card TaskCard, v Version, m attention.Map) *CheckScore {
	if !card.Check || s.checking == nil {
		return nil
	}
	score, ok, err := s.checking.CheckMap(ctx, v, card.Image, m)
	if err != nil {
		s.log.WarnContext(ctx, "no score of a check", "task", card.ID, "image", card.Image.ID, "error", err)
	}
	if err != nil || !ok {
		return nil
	}
	return &score
}
