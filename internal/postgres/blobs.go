package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// ReferencedBlobs returns the hash of every blob a row needs: images, masks, models and
// models that were uploaded and may yet be added. What is not in it
// may be swept, once it is old enough to belong to no transaction under way.
func (s *Store) ReferencedBlobs(ctx context.Context) (map[string]struct{}, error) {
	hashes, err := list(ctx, s, pgx.RowTo[string], `
		SELECT hash FROM images UNION SELECT mask_hash FROM images WHERE mask_hash <> '' UNION SELECT model_hash FROM versions
		UNION SELECT model_hash FROM uploads WHERE state <> 'added'`)
	all := make(map[string]struct{}, len(hashes))
	for _, h := range hashes {
		all[h] = struct{}{}
	}
	return all, wrap(err, "listing the blobs in use")
}

// Installation is the studio's own id, made with its database.
func (s *Store) Installation(ctx context.Context) (string, error) {
	id, err := one(ctx, s, pgx.RowTo[string], `SELECT id::text FROM installation`)
	return id, wrap(err, "the studio's own id")
}
