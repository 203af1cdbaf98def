package annotator

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/internal/attention"
)

// SeedStore keeps edits that no person painted.
type SeedStore interface {
	// GeneratorUser finds or makes the user under whose name a program's edits, or its reviews, stand. It cannot sign in.
	GeneratorUser(ctx context.Context, name string) (User, error)
	// SeedEdits adds approved edits and returns how many: an image that somebody has worked on already is left to them.
	SeedEdits(ctx context.Context, seed SeedEdits) (int, error)
}

// SeedEdits are maps that a program made from known masks and that are to be approved at once, marked
// as such: Author and Reviewer are two generators.
type SeedEdits struct {
	ProjectID, VersionID int64
	Author, Reviewer     User
	Edits                []SeedEdit
}

// SeedEdit is the map for one image, on the version's grid. The version has predicted the image.
type SeedEdit struct {
	ImageID int64
	Map     attention.Map
}

// SeedEdits adds approved edits to a version's project, made from known masks by the program author and checked by the program
// reviewer (admin). It returns how many: an image that somebody has worked on already is left to them.
func (s *Service) SeedEdits(ctx context.Context, actor User, versionID int64, author, reviewer string, edits []SeedEdit) (int, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return 0, err
	}
	var err error
	if author, err = checkText("author", author, 1, 100); err != nil {
		return 0, err
	}
	if reviewer, err = checkText("reviewer", reviewer, 1, 100); err != nil {
		return 0, err
	}
	added := 0
	err = s.store.InTx(ctx, func(tx Store) error {
		version, err := tx.Version(ctx, versionID)
		if err != nil {
			return err
		}
		seed := SeedEdits{ProjectID: version.ProjectID, VersionID: versionID, Edits: edits}
		if seed.Author, err = tx.GeneratorUser(ctx, author); err != nil {
			return err
		}
		if seed.Reviewer, err = tx.GeneratorUser(ctx, reviewer); err != nil {
			return err
		}
		if added, err = tx.SeedEdits(ctx, seed); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &version.ProjectID, "edit.generate", versionSubject(versionID),
			fmt.Sprintf("%d edits from known masks, by %s", added, author))
	})
	if err != nil {
		return 0, fmt.Errorf("adding edits from known masks to version %d: %w", versionID, err)
	}
	return added, nil
}
