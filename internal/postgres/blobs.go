package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// notPurged is the condition of a row whose project was not purged.
const notPurged = `project_id IN (SELECT id FROM projects WHERE purged_at IS NULL)`

// ReferencedBlobs returns the hashes of all blobs that rows refer to: images, masks, models, uploaded models that may yet be
// added, and the segmenter. Any other blob may be swept once it is older than any running transaction.
func (s *Store) ReferencedBlobs(ctx context.Context) (map[string]struct{}, error) {
	hashes, err := list(ctx, s, pgx.RowTo[string], `
		SELECT hash FROM images WHERE purged_at IS NULL UNION SELECT mask_hash FROM images WHERE mask_hash <> '' UNION SELECT model_hash FROM versions WHERE `+notPurged+`
		UNION SELECT model_hash FROM uploads WHERE state <> 'added'
		UNION SELECT encoder_hash FROM segmenter UNION SELECT decoder_hash FROM segmenter`)
	all := make(map[string]struct{}, len(hashes))
	for _, h := range hashes {
		all[h] = struct{}{}
	}
	return all, wrap(err, "listing the blobs in use")
}

// BlobUse is a reference to a blob.
type BlobUse struct {
	Hash string
	Use  string // "image birds/train/owl/1.jpg", "mask of image …", "model of version 3 of birds"
}

// BlobUses returns every reference to a blob. Images that an import could not read are left out: their files are not kept.
func (s *Store) BlobUses(ctx context.Context) ([]BlobUse, error) {
	uses, err := list(ctx, s, pgx.RowToStructByPos[BlobUse], blobUses(SchemaVersion()))
	return uses, wrap(err, "listing the blobs in use")
}

// blobUses is the statement of BlobUses for a schema of any release: a backup is also made of a database that is not migrated yet.
func blobUses(schema int64) string {
	image, project, segmenter := "true", "true", ""
	if schema >= 36 { // migrations/00036_images_deleted.sql
		image = "i.purged_at IS NULL"
	}
	if schema >= 40 { // migrations/00040_projects_end.sql
		project = "p.purged_at IS NULL"
	}
	if schema >= 43 { // migrations/00043_segmenter.sql
		segmenter = `UNION ALL SELECT encoder_hash, 'encoder of the segmenter ' || name FROM segmenter UNION ALL SELECT decoder_hash, 'decoder of the segmenter ' || name FROM segmenter`
	}
	return `
		SELECT hash, 'image ' || p.slug || '/' || i.name FROM images i JOIN projects p ON p.id = i.project_id WHERE broken = '' AND ` + image + `
		UNION ALL SELECT mask_hash, 'mask of image ' || p.slug || '/' || i.name FROM images i JOIN projects p ON p.id = i.project_id WHERE mask_hash <> ''
		UNION ALL SELECT model_hash, 'model of version ' || v.number || ' of ' || p.slug FROM versions v JOIN projects p ON p.id = v.project_id WHERE ` + project + `
		UNION ALL SELECT model_hash, 'uploaded model ' || u.name || ' for ' || p.slug FROM uploads u JOIN projects p ON p.id = u.project_id WHERE u.state <> 'added'
		` + segmenter + ` ORDER BY 1, 2`
}

// blobsLock is the advisory lock that a backup shares while it copies: what its snapshot names must not be removed meanwhile.
const blobsLock = 0x61626e_626c6f62 // "abnblob"

// BackingUp reports whether a backup copies blobs. Who removes blobs first asks which of them rows refer to, and then this: a backup
// that begins later does not name the others.
func (s *Store) BackingUp(ctx context.Context) (bool, error) {
	free, err := one(ctx, s, pgx.RowTo[bool], `SELECT pg_try_advisory_xact_lock($1)`, int64(blobsLock))
	return !free, wrap(err, "looking for a backup that runs")
}

// Installation is the studio's own id, made with its database.
func (s *Store) Installation(ctx context.Context) (string, error) {
	id, err := one(ctx, s, pgx.RowTo[string], `SELECT id::text FROM installation`)
	return id, wrap(err, "the studio's own id")
}
