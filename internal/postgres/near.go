package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// NearMaps implements annotator.NearStore.
func (s *Store) NearMaps(ctx context.Context, projectID int64, label int, except int64, height, width, limit int) ([]annotator.NearMap, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (n annotator.NearMap, err error) {
		var cells []byte
		var marks attention.Marks
		if err = row.Scan(append([]any{&n.EditID, &n.TaskID, &cells, &marks}, imageFields(&n.Image)...)...); err != nil {
			return n, err
		}
		n.Map, err = attention.FromBytes(height, width, cells)
		n.Map.Marks = marks
		return n, err
	}, `
		WITH newest AS (SELECT DISTINCT ON (i.id) e.id FROM `+approvedOf+` AND i.broken = '' ORDER BY i.id, e.id DESC)
		SELECT e.id, t.id, e.map, e.marks, `+imageColumns+` FROM newest JOIN edits e ON e.id = newest.id JOIN tasks t ON t.id = e.task_id JOIN images i ON i.id = t.image_id
		ORDER BY e.judged_at DESC, e.id DESC LIMIT $6`, projectID, label, except, height, width, limit)
	return all, wrap(err, "the approved maps near image %d", except)
}
