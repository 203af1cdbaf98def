package annotator

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
)

// SeedStore keeps edits that programs make under names of their own.
type SeedStore interface {
	// GeneratorUser finds or makes the user under whose name a program's edits, or its reviews, stand. It cannot sign in.
	GeneratorUser(ctx context.Context, name string) (User, error)
	// LockUntouched returns the version's open, unpainted task for an image, and locks it. If the image has no task, is labelled and
	// was predicted by the version, a task is made. ErrNotFound otherwise.
	LockUntouched(ctx context.Context, v Version, imageID int64) (Task, error)
}

// SeedEdit is the map for one image, on the version's grid. The version has predicted the image.
type SeedEdit struct {
	ImageID int64
	Map     attention.Map
}

// SeedEdits adds approved edits to a version's project (admin). They are made from known masks by the program named author and
// approved by the program named reviewer. It returns how many were added: images that a person has worked on are left out.
func (s *Service) SeedEdits(ctx context.Context, actor User, versionID int64, author, reviewer string, edits []SeedEdit) (int, error) {
	actor, err := s.in(ctx, actor, RoleLead, ThingVersion.Of(versionID))
	if err != nil {
		return 0, err
	}
	if author, err = BoundPersonName.check("author", author); err != nil {
		return 0, err
	}
	if reviewer, err = BoundPersonName.check("reviewer", reviewer); err != nil {
		return 0, err
	}
	added := 0
	err = s.store.InTx(ctx, func(tx Store) error {
		added = 0
		version, err := tx.Version(ctx, versionID)
		if err != nil {
			return err
		}
		var by seeders
		if by.author, err = tx.GeneratorUser(ctx, author); err != nil {
			return err
		}
		if by.reviewer, err = tx.GeneratorUser(ctx, reviewer); err != nil {
			return err
		}
		for _, e := range edits {
			done, err := s.seed(ctx, tx, version, by, e)
			if err != nil {
				return fmt.Errorf("image %d: %w", e.ImageID, err)
			}
			if done {
				added++
			}
		}
		if err := s.audit(ctx, tx, actor, &version.ProjectID, "edit.generate", versionSubject(versionID),
			fmt.Sprintf("%s edits from known masks, by %s", text.Count(added), author)); err != nil {
			return err
		}
		return ConsiderForecast(ctx, tx, version.ProjectID)
	})
	if err != nil {
		return 0, fmt.Errorf("adding edits from known masks to version %d: %w", versionID, err)
	}
	return added, nil
}

// seeders are the two programs in whose names maps are made and approved.
type seeders struct{ author, reviewer User }

// seed adds one approved edit, unless somebody has worked on the image.
func (s *Service) seed(ctx context.Context, tx Store, v Version, by seeders, e SeedEdit) (bool, error) {
	if err := e.Map.ValidateOn(v.GridHeight, v.GridWidth); err != nil {
		return false, err
	}
	task, err := tx.LockUntouched(ctx, v, e.ImageID)
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	now := s.now()
	if task, err = task.Seed(by.author, by.reviewer, now); err != nil {
		return false, err
	}
	edit, err := tx.InsertEdit(ctx, Edit{
		TaskID: task.ID, Revision: 1, AuthorID: by.author.ID, Source: SourceGenerator, Map: e.Map, VersionID: v.ID,
		CreatedAt: now, Provenance: json.RawMessage(`{"made_by":"generator","from":"known mask"}`),
	})
	if err != nil {
		return false, err
	}
	if err := tx.SubmitEdit(ctx, edit.ID, nil, nil, now); err != nil { // without scores
		return false, err
	}
	if _, err := tx.JudgeEdit(ctx, Review{
		EditID: edit.ID, ReviewerID: by.reviewer.ID, Verdict: VerdictApprove, Comment: "Made from the known mask.", CreatedAt: now,
	}); err != nil {
		return false, err
	}
	return true, tx.UpdateTask(ctx, task)
}

// Seed returns an open task as approved, with a map that a program made and another program approved. ErrForbidden if one of the two
// is a person: people's edits are submitted and reviewed.
func (t Task) Seed(author, reviewer User, now time.Time) (Task, error) {
	to, may := TaskTransitions.Next(t.State, EventSeed)
	switch {
	case !author.Generator || !reviewer.Generator:
		return t, fmt.Errorf("only a program's edits are approved without a person: %w", ErrForbidden)
	case author.ID == reviewer.ID:
		return t, fmt.Errorf("a program does not approve its own edits: %w", ErrForbidden)
	case !may:
		return t, fmt.Errorf("task %d is %s, only an open one is seeded: %w", t.ID, t.State, ErrConflict)
	}
	t.State, t.AuthorID, t.AuthorName, t.SubmittedAt, t.UpdatedAt = to, &author.ID, author.Name, &now, now
	return t, nil
}
