package postgres

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
)

// roundImages is the column round_rows.images.
type roundImages struct {
	Judged []int64                `json:"judged"`
	Shown  []annotator.ShownImage `json:"shown"`
}

// KeepRoundRows implements annotator.RoundRowStore.
func (s *Store) KeepRoundRows(ctx context.Context, roundID int64, rows annotator.RoundRows) error {
	images, err := json.Marshal(roundImages{rows.Judged, rows.Shown})
	if err != nil {
		return err
	}
	_, err = s.q.Exec(ctx, `INSERT INTO round_rows (round_id, images, packed) VALUES ($1, $2, $3)`, roundID, images, rows.Packed)
	return wrap(err, "rows of round %d", roundID)
}

// PackedRows implements annotator.RoundRowStore.
func (s *Store) PackedRows(ctx context.Context, roundID int64) ([]byte, error) {
	packed, err := one(ctx, s, pgx.RowTo[[]byte], `SELECT packed FROM round_rows WHERE round_id = $1`, roundID)
	return packed, wrap(err, "rows of round %d", roundID)
}

// ImagesNamed implements annotator.RoundRowStore.
func (s *Store) ImagesNamed(ctx context.Context, projectID int64, names []string) (map[string]int64, error) {
	type named struct {
		Name string
		ID   int64
	}
	found, err := list(ctx, s, pgx.RowToStructByPos[named], `SELECT name, id FROM images WHERE project_id = $1 AND name = ANY ($2) AND retired_at IS NULL`, projectID, names)
	ids := make(map[string]int64, len(found))
	for _, f := range found {
		ids[f.Name] = f.ID
	}
	return ids, wrap(err, "images of project %d by name", projectID)
}

// ShownImages implements annotator.RoundRowStore.
func (s *Store) ShownImages(ctx context.Context, roundID int64) ([]annotator.ShownImage, error) {
	found, err := list(ctx, s, pgx.RowTo[[]annotator.ShownImage], `SELECT coalesce(nullif(images->'shown', 'null'), '[]') FROM round_rows WHERE round_id = $1`, roundID)
	if err != nil || len(found) == 0 {
		return nil, wrap(err, "images of round %d", roundID)
	}
	return found[0], nil
}
