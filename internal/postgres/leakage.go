package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fingerprint"
)

// Looks implements annotator.LeakageStore.
func (s *Store) Looks(ctx context.Context, projectID int64) ([]annotator.Look, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (l annotator.Look, err error) {
		var label *int32
		var leftOut []string
		var hash []byte
		var known *int64
		if err = row.Scan(&l.ID, &l.Split, &label, &hash, &known, &leftOut); err != nil {
			return l, err
		}
		copy(l.Hash[:], hash)
		l.LeftOut = leftOutOf(leftOut)
		if label != nil {
			n := int(*label)
			l.Label = &n
		}
		if known != nil {
			f := fingerprint.Fingerprint(*known)
			l.Fingerprint = &f
		}
		return l, nil
	}, `
		SELECT id, split, label, decode(hash, 'hex'), fingerprint, left_out FROM images
		WHERE project_id = $1 AND broken = '' AND retired_at IS NULL ORDER BY id`, projectID)
	return all, wrap(err, "reading what the images of project %d look like", projectID)
}

// ImagesByID implements annotator.LeakageStore.
func (s *Store) ImagesByID(ctx context.Context, projectID int64, ids []int64) (map[int64]annotator.Image, error) {
	all, err := list(ctx, s, scanImage, `SELECT `+imageColumns+` FROM images i WHERE project_id = $1 AND id = ANY($2)`, projectID, ids)
	found := make(map[int64]annotator.Image, len(all))
	for _, image := range all {
		found[image.ID] = image
	}
	return found, wrap(err, "reading images of project %d", projectID)
}

// LeaveOut implements annotator.LeakageStore.
func (s *Store) LeaveOut(ctx context.Context, projectID int64, images []int64, why annotator.LeftOut, out bool) (int, error) {
	n, err := s.exec(ctx, `
		UPDATE images SET left_out = CASE WHEN $4 THEN array_append(left_out, $3) ELSE array_remove(left_out, $3) END
		WHERE project_id = $1 AND id = ANY($2) AND ($3 = ANY (left_out)) <> $4`, projectID, images, string(why), out)
	return int(n), wrap(err, "leaving images of project %d out of measures", projectID)
}

// leftOutOf returns the reasons for which an image does not count; nil for none.
func leftOutOf(column []string) (all []annotator.LeftOut) {
	for _, why := range column {
		all = append(all, annotator.LeftOut(why))
	}
	return all
}

// ImagesToFingerprint lists readable images in use whose fingerprint is not known, with ids after one, by id: ids and hashes. project
// 0 is all of them.
func (s *Store) ImagesToFingerprint(ctx context.Context, projectID, after int64, limit int) ([]annotator.Image, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (i annotator.Image, err error) {
		err = row.Scan(&i.ID, &i.Hash)
		return i, err
	}, `
		SELECT id, hash FROM images WHERE fingerprint IS NULL AND broken = '' AND retired_at IS NULL AND id > $2 AND ($1 = 0 OR project_id = $1) AND `+inOpenProject+`
		ORDER BY id LIMIT $3`, projectID, after, limit)
	return all, wrap(err, "looking for images without a fingerprint")
}

// SetFingerprints keeps the fingerprints of images.
func (s *Store) SetFingerprints(ctx context.Context, images []int64, prints []fingerprint.Fingerprint) error {
	signed := make([]int64, len(prints))
	for i, f := range prints {
		signed[i] = int64(f)
	}
	_, err := s.exec(ctx, `
		UPDATE images i SET fingerprint = n.print FROM unnest($1::bigint[], $2::bigint[]) AS n(id, print) WHERE i.id = n.id`, images, signed)
	return wrap(err, "keeping %d fingerprints", len(images))
}

// FingerprintOpts are River's for FingerprintArgs: one at a time, since it takes whatever there is.
func FingerprintOpts() *river.InsertOpts {
	return &river.InsertOpts{Queue: LightWork, MaxAttempts: maxAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
	}}}
}

// enqueueFingerprints has a worker look at the pictures that nobody has looked at.
func (s *Store) enqueueFingerprints(ctx context.Context) error {
	_, err := s.river.InsertTx(ctx, s.tx, FingerprintArgs{}, FingerprintOpts())
	return err
}
