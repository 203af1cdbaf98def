package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/abn-studio/studio/annotator"
)

// ProjectSpaces implements annotator.SpaceStore. What images have is kept by a trigger; versions, uploads and rounds are few.
func (s *Store) ProjectSpaces(ctx context.Context, projectID int64) ([]annotator.ProjectSpace, error) {
	all, err := list(ctx, s, func(row pgx.CollectableRow) (p annotator.ProjectSpace, err error) {
		var closed, deleted *time.Time
		err = row.Scan(&p.ID, &p.Project, &p.Name, &closed, &deleted, &p.OwnQuota, &p.Quota, &p.Images, &p.ImageBytes, &p.Masks, &p.MaskBytes, &p.Uncounted,
			&p.Versions, &p.ModelBytes, &p.Uploads, &p.UploadBytes, &p.RoundBytes)
		p.State = annotator.Project{ClosedAt: closed, DeletedAt: deleted}.State()
		return p, err
	}, `
		SELECT p.id, p.slug, p.name, p.closed_at, p.deleted_at, coalesce(p.quota, 0), `+quotaOf+`,
			coalesce(s.images, 0), coalesce(s.image_bytes, 0), coalesce(s.masks, 0), coalesce(s.mask_bytes, 0), coalesce(s.uncounted, 0), v.n, v.bytes, u.n, u.bytes, `+roundBytes+`
		FROM projects p LEFT JOIN project_space s ON s.project_id = p.id,
			LATERAL (SELECT count(*)::int AS n, coalesce(sum(bytes), 0)::bigint AS bytes FROM versions WHERE project_id = p.id) v,
			LATERAL (SELECT count(*)::int AS n, coalesce(sum(bytes), 0)::bigint AS bytes FROM uploads WHERE project_id = p.id AND state <> 'added') u
		WHERE p.purged_at IS NULL AND ($1 = 0 OR p.id = $1) ORDER BY p.id`, projectID)
	return all, wrap(err, "counting what projects take")
}

const (
	// quotaOf is the quota that holds for a project p, 0 for none.
	quotaOf = `coalesce(p.quota, (SELECT project_quota FROM installation), 0)`
	// roundBytes is what the round of a project p that runs may take.
	roundBytes = `coalesce((SELECT max(r.bytes) FROM rounds r WHERE r.project_id = p.id AND r.state IN ('queued', 'training', 'evaluating')), 0)`
	// usedBytes is what the files of a project p take (annotator.ProjectSpace.Used).
	usedBytes = `(coalesce((SELECT image_bytes + mask_bytes FROM project_space x WHERE x.project_id = p.id), 0)
		+ coalesce((SELECT sum(bytes) FROM versions x WHERE x.project_id = p.id), 0) + coalesce((SELECT sum(bytes) FROM uploads x WHERE x.project_id = p.id AND x.state <> 'added'), 0) + ` + roundBytes + `)::bigint`
)

// SetQuota implements annotator.SpaceStore.
func (s *Store) SetQuota(ctx context.Context, projectID, bytes int64) error {
	n, err := s.exec(ctx, `UPDATE projects SET quota = nullif($2::bigint, 0) WHERE id = $1`, projectID, bytes)
	return changed(n, err, "the quota of project %d", projectID)
}

// DefaultQuota implements annotator.SpaceStore.
func (s *Store) DefaultQuota(ctx context.Context) (int64, error) {
	bytes, err := one(ctx, s, pgx.RowTo[int64], `SELECT coalesce(project_quota, 0) FROM installation`)
	return bytes, wrap(err, "the quota of projects")
}

// SetDefaultQuota implements annotator.SpaceStore.
func (s *Store) SetDefaultQuota(ctx context.Context, bytes int64) error {
	_, err := s.exec(ctx, `UPDATE installation SET project_quota = nullif($1::bigint, 0)`, bytes)
	return wrap(err, "the quota of projects")
}

// tableGroups says what the tables are about. One that is not here is among the others.
var tableGroups = map[annotator.TableGroup][]string{
	annotator.TablesOfImages:      {"images", "image_clicks", "classes", "label_changes", "label_verdicts", "project_space", "image_tallies"},
	annotator.TablesOfPredictions: {"predictions", "reserve", "scan_chunks"},
	annotator.TablesOfMaps:        {"tasks", "task_tallies", "edits", "edit_histories", "edit_sources", "edit_figures", "reviews", "draws", "check_scores", "queues"},
	annotator.TablesOfRounds:      {"rounds", "round_edits", "round_events", "round_rows", "forecasts", "versions", "uploads"},
	annotator.TablesOfJobs:        {"jobs", "job_parts", "workers", "river_job", "river_job_archive", "river_leader", "river_queue", "river_client", "river_client_queue", "river_migration", "river_notification"},
	annotator.TablesOfTrail:       {"audit", "webhooks", "webhook_deliveries"},
	annotator.TablesOfPeople:      {"users", "sessions", "user_sessions", "tokens", "invitations", "invitation_projects", "identities", "second_factors", "recovery_codes", "passkeys", "memberships", "setup_link"},
}

// DatabaseSpace implements annotator.SpaceStore.
func (s *Store) DatabaseSpace(ctx context.Context) (space annotator.DatabaseSpace, err error) {
	if space.Bytes, err = one(ctx, s, pgx.RowTo[int64], `SELECT pg_database_size(current_database())`); err != nil {
		return space, wrap(err, "measuring the database")
	}
	type table struct {
		Name        string
		Bytes, Rows int64
	}
	tables, err := list(ctx, s, pgx.RowToStructByPos[table], `
		SELECT relname::text, pg_total_relation_size(oid), greatest(0, reltuples)::bigint FROM pg_class
		WHERE relkind = 'r' AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'images'::regclass)`)
	rest := annotator.TableSpace{Group: annotator.TablesOfOthers, Bytes: space.Bytes}
	for group, names := range tableGroups {
		of := annotator.TableSpace{Group: group}
		for _, t := range tables {
			if slices.Contains(names, t.Name) {
				of.Bytes += t.Bytes
				of.Rows += t.Rows
			}
		}
		rest.Bytes -= of.Bytes
		space.Tables = append(space.Tables, of)
	}
	slices.SortFunc(space.Tables, func(a, b annotator.TableSpace) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Group, b.Group))
	})
	rest.Bytes = max(0, rest.Bytes)
	space.Tables = append(space.Tables, rest)
	return space, wrap(err, "measuring the tables")
}

// BlobSpace implements annotator.SpaceStore.
func (s *Store) BlobSpace(ctx context.Context) (*annotator.BlobSpace, error) {
	all, err := list(ctx, s, pgx.RowToStructByPos[annotator.BlobSpace], `SELECT counted_at, files, bytes, referred FROM blob_space`)
	if err != nil || len(all) == 0 {
		return nil, wrap(err, "what the blob store holds")
	}
	return &all[0], nil
}

// SetBlobSpace keeps what was counted of the blob store.
func (s *Store) SetBlobSpace(ctx context.Context, b annotator.BlobSpace) error {
	_, err := s.exec(ctx, `
		INSERT INTO blob_space (counted_at, files, bytes, referred) VALUES ($1, $2, $3, $4)
		ON CONFLICT (single) DO UPDATE SET counted_at = excluded.counted_at, files = excluded.files, bytes = excluded.bytes, referred = excluded.referred`,
		b.CountedAt, b.Files, b.Bytes, b.Referred)
	return wrap(err, "keeping what the blob store holds")
}

// UncountedImage is an image whose files' sizes are not known.
type UncountedImage struct {
	ID             int64
	Hash, MaskHash string // MaskHash is "" where it has no mask
}

// NewestImage is the highest id of an image, whose file was kept before it got its id.
func (s *Store) NewestImage(ctx context.Context) (int64, error) {
	id, err := one(ctx, s, pgx.RowTo[int64], `SELECT coalesce(max(id), 0) FROM images`)
	return id, wrap(err, "looking for the newest image")
}

// UncountedImages lists images with after < id ≤ last whose files' sizes are not known, by id.
func (s *Store) UncountedImages(ctx context.Context, after, last int64, limit int) ([]UncountedImage, error) {
	all, err := list(ctx, s, pgx.RowToStructByPos[UncountedImage], `
		SELECT id, hash, mask_hash FROM images WHERE bytes IS NULL AND purged_at IS NULL AND id > $1 AND id <= $2 ORDER BY id LIMIT $3`, after, last, limit)
	return all, wrap(err, "looking for images of unknown size")
}

// CountImages writes the sizes of images' files and of their masks', also in projects that are closed: it is no change of theirs.
func (s *Store) CountImages(ctx context.Context, images, bytes, maskBytes []int64) error {
	err := s.inTx(ctx, func(tx *Store) error {
		if _, err := tx.q.Exec(ctx, `SELECT set_config('studio.purging', 'on', true)`); err != nil {
			return err
		}
		_, err := tx.q.Exec(ctx, `
			UPDATE images i SET bytes = n.bytes, mask_bytes = n.mask_bytes FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS n(id, bytes, mask_bytes)
			WHERE i.id = n.id AND i.bytes IS NULL`, images, bytes, maskBytes)
		return err
	})
	return wrap(err, "keeping the sizes of %d images", len(images))
}

// TidyOpts are River's for TidyArgs: one at a time.
func TidyOpts() *river.InsertOpts {
	return &river.InsertOpts{Queue: LightWork, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
	}}}
}

// EnqueueTidy implements annotator.SpaceStore.
func (s *Store) EnqueueTidy(ctx context.Context) error {
	_, err := s.river.InsertTx(ctx, s.tx, TidyArgs{}, TidyOpts())
	return wrap(err, "asking a worker to tidy")
}
