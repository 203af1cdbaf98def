package annotator

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/text"
)

// SpaceUse is how much of its quota a project has used, in bytes.
type SpaceUse struct {
	Used  int64 `json:"used"`
	Quota int64 `json:"quota" doc:"Its own or that of the studio; 0: none."`
}

// QuotaWarns is the share of a quota from which on a project's leads are warned.
const QuotaWarns = 0.9

// Share is the part of the quota that is used, above 1 where it was lowered later; 0 without one.
func (u SpaceUse) Share() float64 {
	if u.Quota == 0 {
		return 0
	}
	return float64(u.Used) / float64(u.Quota)
}

// Warns reports whether little of the quota is left, or nothing.
func (u SpaceUse) Warns() bool { return u.Share() >= QuotaWarns }

// takes returns a *QuotaError where so many more bytes are more than the quota has.
func (p ProjectSpace) takes(adds int64) error {
	if p.Quota == 0 || adds <= 0 || p.Used()+adds <= p.Quota {
		return nil
	}
	return &QuotaError{Project: p.Project, Use: p.Use(), Adds: adds}
}

// full returns a *QuotaError where nothing is left of the quota, so that nothing need be sent to be refused.
func (p ProjectSpace) full() error {
	if p.takes(1) == nil {
		return nil
	}
	return &QuotaError{Project: p.Project, Use: p.Use()}
}

// QuotaError is what does not fit into the quota of a project: nothing of it was added. It matches ErrConflict.
type QuotaError struct {
	Project string
	Use     SpaceUse
	Adds    int64 // bytes; 0: whatever it is
}

func (e *QuotaError) Error() string {
	if e.Adds == 0 {
		return fmt.Sprintf("the project %s may have %s and has %s: purge images that it does not need (page Images, Deleted), or ask an admin for a larger quota (page Storage)", e.Project, text.Bytes(e.Use.Quota), text.Bytes(e.Use.Used))
	}
	return fmt.Sprintf("the project %s may have %s and has %s, and this would add %s: purge images that it does not need (page Images, Deleted), or ask an admin for a larger quota (page Storage)",
		e.Project, text.Bytes(e.Use.Quota), text.Bytes(e.Use.Used), text.Bytes(e.Adds))
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *QuotaError) Is(target error) bool { return target == ErrConflict }

// MaxQuota bounds quotas: a million terabytes.
const MaxQuota = int64(1e18)

func checkQuota(bytes int64) error {
	if bytes < 0 || bytes > MaxQuota {
		return &ValidationError{Field: "quota", Message: "is a size above 0, or nothing for none"}
	}
	return nil
}

// SetQuota says how many bytes the files of a project may take (admin); 0: as many as the studio's quota for all projects. A quota below what
// the project has takes nothing away: nothing more is added.
func (s *Service) SetQuota(ctx context.Context, actor User, slug string, bytes int64) (ProjectSpace, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return ProjectSpace{}, err
	}
	if err := checkQuota(bytes); err != nil {
		return ProjectSpace{}, err
	}
	var space ProjectSpace
	err := s.store.InTx(ctx, func(tx Store) error {
		project, err := tx.LockProject(ctx, slug)
		if err != nil {
			return err
		}
		was, err := spaceOf(ctx, tx, project.ID)
		if err != nil {
			return err
		}
		if err := tx.SetQuota(ctx, project.ID, bytes); err != nil {
			return err
		}
		if space, err = spaceOf(ctx, tx, project.ID); err != nil || was.OwnQuota == bytes {
			return err
		}
		return s.audit(ctx, tx, actor, &project.ID, "project.quota", projectSubject(slug), quotaChange(was.OwnQuota, bytes))
	})
	return space, err
}

// SetDefaultQuota says how many bytes the files of each project may take that has no quota of its own (admin); 0: as many as there is room for.
func (s *Service) SetDefaultQuota(ctx context.Context, actor User, bytes int64) error {
	if err := may(actor, RoleAdmin); err != nil {
		return err
	}
	if err := checkQuota(bytes); err != nil {
		return err
	}
	return s.store.InTx(ctx, func(tx Store) error {
		was, err := tx.DefaultQuota(ctx)
		if err != nil || was == bytes {
			return err
		}
		if err := tx.SetDefaultQuota(ctx, bytes); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, nil, "project.quota", "every project", quotaChange(was, bytes))
	})
}

// quotaChange is what the trail says of a quota that is another one now.
func quotaChange(was, is int64) string {
	said := func(bytes int64) string {
		if bytes == 0 {
			return "none"
		}
		return text.Bytes(bytes)
	}
	return fmt.Sprintf("from %s to %s", said(was), said(is))
}

// keepsQuota does something in a transaction that may add files to a project: a *QuotaError, with which the transaction ends, where the project
// has more afterwards than its quota and than before. The project's lock makes others wait, so that two cannot both take what is left.
func keepsQuota(ctx context.Context, tx Store, projectID int64, do func() error) error {
	if _, err := tx.ImportState(ctx, projectID); err != nil { // which locks the project
		return err
	}
	before, err := spaceOf(ctx, tx, projectID)
	if err != nil {
		return err
	}
	if err := do(); err != nil || before.Quota == 0 {
		return err
	}
	after, err := spaceOf(ctx, tx, projectID)
	if err != nil {
		return err
	}
	return before.takes(after.Used() - before.Used())
}

// RoundBytes is what a round may take at most: two checkpoints of each training, with each parameter's value and the optimiser's moments of
// it, and the parameters of two epochs that may be the best; and the candidate, which stays. Most trainings leave the extractor as it is, and
// take less.
func RoundBytes(v Version, r recipe.Settings) int64 {
	trainings := int64(0)
	for _, kind := range arms.Kinds() {
		if kind.Trains && (!kind.Asked || r.Arms.Has(kind.Arm)) {
			trainings++
		}
	}
	copies := int64(2*2 + 2)
	if r.Optimizer == recipe.OptimizerAdamW {
		copies = 2*3 + 2
	}
	const perValue = 4
	per := v.Parameters * perValue * copies
	return min(MaxQuota, trainings*max(1, int64(r.Seeds))*per+v.Bytes)
}
