package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/text"
)

// chunkLease is how long a worker keeps a chunk without a sign of life.
const chunkLease = StaleAfter

// EnqueueScan implements annotator.ScanStore. In a project of few images one statement makes the chunks of those that the version has not predicted: first
// of the splits that tasks come from, so that people need not wait for the others. In a larger one a worker does, a page at a time (NextChunks), since
// nobody can change the project while the transaction lasts.
func (s *Store) EnqueueScan(ctx context.Context, versionID int64) (annotator.Job, error) {
	var job annotator.Job
	err := s.inTx(ctx, func(tx *Store) error {
		v, err := tx.Version(ctx, versionID)
		if err != nil {
			return err
		}
		if err := tx.lockProject(ctx, v.ProjectID); err != nil {
			return err
		}
		job, err = one(ctx, tx, scanJob, `SELECT `+jobColumns+` FROM jobs WHERE version_id = $1 AND kind = 'scan' AND state IN ('queued', 'running') FOR UPDATE`, versionID)
		joins := err == nil
		if errors.Is(err, annotator.ErrNotFound) {
			job, err = tx.insertJob(ctx, v.ProjectID, annotator.JobScan, &versionID, nil)
		}
		if err != nil {
			return err
		}
		few, err := tx.fewImages(ctx, v.ProjectID)
		if err != nil {
			return err
		}
		if !few {
			if _, err := tx.q.Exec(ctx, `UPDATE jobs SET looks = true, looked_group = 0 WHERE id = $1`, job.ID); err != nil || joins {
				return err
			}
			return tx.enqueueScan(ctx, job.ID, versionID, 0, 1)
		}
		added, err := one(ctx, tx, pgx.RowTo[int], `
			WITH unseen AS (
				SELECT i.id, (row_number() OVER (ORDER BY i.split <> ALL ($5), i.id) - 1) / $3 AS chunk FROM images i
				WHERE i.project_id = $1 AND i.broken = '' AND i.retired_at IS NULL
					AND NOT EXISTS (SELECT FROM predictions p WHERE p.version_id = $2 AND p.image_id = i.id)
					AND i.id NOT IN (SELECT unnest(c.image_ids) FROM scan_chunks c WHERE c.job_id = $4 AND c.done_at IS NULL)
			), chunks AS (
				INSERT INTO scan_chunks (job_id, image_ids)
				SELECT $4, array_agg(id ORDER BY id) FROM unseen GROUP BY chunk ORDER BY chunk
				RETURNING cardinality(image_ids) AS n
			)
			SELECT coalesce(sum(n), 0)::int FROM chunks`, v.ProjectID, versionID, annotator.ChunkImages, job.ID, scanGroups[0])
		if err != nil {
			return err
		}
		job, err = one(ctx, tx, scanJob, `UPDATE jobs SET total = total + $2 WHERE id = $1 RETURNING `+jobColumns, job.ID, added)
		if err != nil || joins {
			return err
		}
		if annotator.ScanOver(added) {
			if job, err = tx.endScan(ctx, job.ID); err != nil || job.State.Over() {
				return err
			}
		}
		return tx.enqueueScan(ctx, job.ID, versionID, 0, max(1, annotator.ScanWorkers(added)))
	})
	return job, wrap(err, "starting a scan with version %d", versionID)
}

// enqueueScan asks for workers: for the parts of a scan from one to the one before another.
func (s *Store) enqueueScan(ctx context.Context, jobID, versionID int64, from, until int) error {
	for share := from; share < until; share++ {
		if err := s.enqueue(ctx, jobID, ScanArgs{JobID: jobID, VersionID: versionID, Share: share}, HeavyWork); err != nil {
			return err
		}
	}
	return nil
}

// fewImages reports whether a project has so few images that what concerns all of them is done at once.
func (s *Store) fewImages(ctx context.Context, projectID int64) (bool, error) {
	return one(ctx, s, pgx.RowTo[bool], `SELECT count(*) <= $2 FROM (SELECT FROM images WHERE project_id = $1 LIMIT $2 + 1) first`, projectID, annotator.TaskStep)
}

// scanGroups are the splits of the images of a scan, in the order in which they are predicted: first those that tasks come from.
var scanGroups = func() (groups [2][]string) {
	for _, split := range annotator.Splits {
		group := 0
		if split.HeldOut() {
			group = 1
		}
		groups[group] = append(groups[group], string(split))
	}
	return groups
}()

// lookStep is how many images of a large project a scan looks at at a time.
const lookStep = 20_000

// NextChunks makes the chunks of the next images that a scan's version has not predicted, and asks for more workers after the last. It locks the
// scan alone: who adds images to it waits for one page. annotator.ErrScanOver if it has ended; nothing is done where all images were looked at.
func (s *Store) NextChunks(ctx context.Context, jobID int64) error {
	return wrap(s.nextChunks(ctx, jobID, lookStep), "looking for the images of scan %d", jobID)
}

func (s *Store) nextChunks(ctx context.Context, jobID int64, step int) error {
	return s.inTx(ctx, func(tx *Store) error {
		var project, version int64
		var state annotator.JobState
		var group int
		var looks bool
		var until []int64
		if _, err := one(ctx, tx, func(row pgx.CollectableRow) (struct{}, error) {
			return struct{}{}, row.Scan(&project, &version, &state, &looks, &group, &until)
		}, `SELECT project_id, version_id, state, looks, looked_group, looked_until FROM jobs WHERE id = $1 FOR NO KEY UPDATE`, jobID); err != nil {
			return err
		}
		switch {
		case state.Over():
			return annotator.ErrScanOver
		case !looks:
			return nil
		}
		looked, added, err := tx.makeChunks(ctx, jobID, project, version, &until[group], `
			SELECT i.id, i.broken = '' AND i.retired_at IS NULL AS used FROM unnest($5::text[]) one, LATERAL (
				SELECT id, broken, retired_at FROM images WHERE project_id = $1 AND split = one AND id > $6 ORDER BY id LIMIT $7
			) i ORDER BY i.id LIMIT $7`, scanGroups[group], until[group], step)
		if err != nil {
			return err
		}
		if looked < step {
			group++
		}
		if group == len(scanGroups) {
			group, looks = 0, false
		}
		left, err := one(ctx, tx, pgx.RowTo[int], `
			UPDATE jobs SET total = total + $2, looks = $3, looked_group = $4, looked_until = $5, reported_at = now() WHERE id = $1 RETURNING total - done`, jobID, added, looks, group, until)
		if err != nil || looks {
			return err
		}
		parts, err := one(ctx, tx, pgx.RowTo[int], `SELECT count(*) FROM job_parts WHERE job_id = $1`, jobID)
		if err != nil {
			return err
		}
		return tx.enqueueScan(ctx, jobID, version, parts, annotator.ScanWorkers(left))
	})
}

// scanAlso has scans that run take in images of a project that may have been looked at when they were not to be scanned, or were of another split.
func (s *Store) scanAlso(ctx context.Context, projectID int64, images []int64) error {
	scans, err := list(ctx, s, pgx.RowToStructByPos[struct{ Job, Version int64 }], `
		SELECT id, version_id FROM jobs WHERE project_id = $1 AND kind = 'scan' AND state IN ('queued', 'running') ORDER BY id FOR NO KEY UPDATE`, projectID)
	if err != nil {
		return err
	}
	for _, scan := range scans {
		var last int64
		_, added, err := s.makeChunks(ctx, scan.Job, projectID, scan.Version, &last, imagesOfPage, images)
		if err != nil {
			return err
		}
		if _, err := s.q.Exec(ctx, `UPDATE jobs SET total = total + $2 WHERE id = $1`, scan.Job, added); err != nil {
			return err
		}
	}
	return nil
}

// imagesOfPage is a page of images by their ids, for makeChunks.
const imagesOfPage = `SELECT id, broken = '' AND retired_at IS NULL AS used FROM images WHERE project_id = $1 AND id = ANY ($5)`

// makeChunks makes chunks of a locked scan of those images of a page that its version has not predicted and that wait in none. The page is a query of id
// and used, with arguments from $5. It returns how many images the page has and how many of them are in the chunks, and sets last to the last of the page.
func (s *Store) makeChunks(ctx context.Context, jobID, project, version int64, last *int64, page string, args ...any) (looked, added int, err error) {
	// The images come first, whatever the planner takes the tables to hold (tasksOf). Those that wait in a chunk are in one whose ends are not both before or
	// both behind the page.
	var until *int64
	_, err = one(ctx, s, func(row pgx.CollectableRow) (struct{}, error) {
		return struct{}{}, row.Scan(&looked, &until, &added)
	}, `
		WITH page AS MATERIALIZED (`+page+`
		), waiting AS MATERIALIZED (
			SELECT unnest(image_ids) AS id FROM scan_chunks WHERE job_id = $3 AND done_at IS NULL
				AND image_ids[1] <= (SELECT max(id) FROM page) AND image_ids[cardinality(image_ids)] >= (SELECT min(id) FROM page)
		), unseen AS (
			SELECT page.id, (row_number() OVER (ORDER BY page.id) - 1) / $4 AS chunk
			FROM page LEFT JOIN LATERAL (SELECT true AS is FROM predictions WHERE version_id = $2 AND image_id = page.id OFFSET 0) seen ON true
			WHERE page.used AND seen.is IS NULL AND page.id NOT IN (SELECT id FROM waiting)
		), chunks AS (
			INSERT INTO scan_chunks (job_id, image_ids)
			SELECT $3, array_agg(id ORDER BY id) FROM unseen GROUP BY chunk ORDER BY chunk
			RETURNING cardinality(image_ids) AS n
		)
		SELECT (SELECT count(*)::int FROM page), (SELECT max(id) FROM page), (SELECT coalesce(sum(n), 0)::int FROM chunks)`,
		append([]any{project, version, jobID, annotator.ChunkImages}, args...)...)
	if until != nil {
		*last = *until
	}
	return looked, added, err
}

// ClaimChunk gives a worker the next chunk of a scan for StaleAfter; KeepChunk renews that. A worker gets a chunk that another one let
// expire only if it has itself been in steady contact for StaleAfter (RescueParts says why). annotator.ErrScanOver means that
// there is nothing left to do, annotator.ErrChunksDone that tasks are left to be made (NextTasks), annotator.ErrChunksBusy that other
// workers hold the rest: ask again in a second, in case one of them dies.
//
// after is the chunk that the worker had before, 0 at first. Chunks are looked through from there, and from the beginning once none is
// left after it, so that those that are done are not passed over for each.
func (s *Store) ClaimChunk(ctx context.Context, jobID int64, worker string, after int64) (annotator.Chunk, error) {
	var c annotator.Chunk
	var failure error
	err := s.inTx(ctx, func(tx *Store) error {
		c, failure = annotator.Chunk{JobID: jobID}, nil
		if err := tx.startJob(ctx, jobID, 0, annotator.ErrScanOver); err != nil {
			return err
		}
		var looks bool
		if _, err := one(ctx, tx, func(row pgx.CollectableRow) (struct{}, error) {
			return struct{}{}, row.Scan(&c.VersionID, &looks)
		}, `SELECT version_id, looks FROM jobs WHERE id = $1`, jobID); err != nil {
			return err
		}
		if looks {
			failure = annotator.ErrChunksToMake
			return nil
		}
		ids, err := tx.claimChunk(ctx, &c, worker, after)
		if errors.Is(err, annotator.ErrNotFound) && after > 0 {
			ids, err = tx.claimChunk(ctx, &c, worker, 0)
		}
		if errors.Is(err, annotator.ErrNotFound) {
			failure = annotator.ErrChunksBusy
			left, err := one(ctx, tx, pgx.RowTo[int], `SELECT total - done FROM jobs WHERE id = $1`, jobID)
			if annotator.ScanOver(left) {
				failure = annotator.ErrChunksDone
			}
			return err
		}
		if err != nil {
			return err
		}
		c.Images, err = list(ctx, tx, scanImage, `
			SELECT `+imageColumns+` FROM images i WHERE i.id = ANY($1) AND i.broken = '' AND i.retired_at IS NULL
				AND NOT EXISTS (SELECT FROM predictions p WHERE p.version_id = $2 AND p.image_id = i.id)
			ORDER BY i.id`, ids, c.VersionID)
		return err
	})
	if err == nil {
		err = failure
	}
	return c, wrap(err, "claiming a part of scan %d", jobID)
}

// claimChunk claims the first free chunk after one, and returns the ids of its images.
func (s *Store) claimChunk(ctx context.Context, c *annotator.Chunk, worker string, after int64) (ids []int64, err error) {
	_, err = one(ctx, s, func(row pgx.CollectableRow) (struct{}, error) {
		return struct{}{}, row.Scan(&c.ID, &c.Attempt, &ids)
	}, `
		UPDATE scan_chunks SET attempt = attempt + 1, claimed_by = $2, lease_expires_at = now() + make_interval(secs => $3)
		WHERE id = (SELECT id FROM scan_chunks WHERE job_id = $1 AND id > $4 AND done_at IS NULL AND (claimed_by IS NULL OR lease_expires_at < now()
				AND NOT EXISTS (SELECT FROM workers me WHERE me.id = $2 AND me.steady_since > now() - make_interval(secs => $3)))
			ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING id, attempt, image_ids`, c.JobID, worker, chunkLease.Seconds(), after)
	return ids, err
}

// KeepChunk renews a claim; annotator.ErrSuperseded if it was lost.
func (s *Store) KeepChunk(ctx context.Context, c annotator.Chunk) error {
	n, err := s.exec(ctx, `
		UPDATE scan_chunks SET lease_expires_at = now() + make_interval(secs => $3)
		WHERE id = $1 AND attempt = $2 AND claimed_by IS NOT NULL`, c.ID, c.Attempt, chunkLease.Seconds())
	if err == nil && n == 0 {
		err = annotator.ErrSuperseded
	}
	return wrap(err, "keeping chunk %d", c.ID)
}

// ReleaseChunk gives up a claim, so that another worker need not wait for it to expire.
func (s *Store) ReleaseChunk(ctx context.Context, c annotator.Chunk) error {
	_, err := s.exec(ctx, `
		UPDATE scan_chunks SET claimed_by = NULL, lease_expires_at = NULL WHERE id = $1 AND attempt = $2 AND done_at IS NULL`, c.ID, c.Attempt)
	return wrap(err, "releasing chunk %d", c.ID)
}

// CompleteChunk writes a chunk's predictions and broken images, makes the tasks of its images if the version is active, and ends it, in one
// transaction; annotator.ErrSuperseded, with nothing written, if the claim was lost. The last chunk ends the scan, which makes the
// tasks that are still missing.
func (s *Store) CompleteChunk(ctx context.Context, c annotator.Chunk, predictions []annotator.Prediction, broken []annotator.BrokenImage) (annotator.ScanStatus, error) {
	var status annotator.ScanStatus
	err := s.inTx(ctx, func(tx *Store) error {
		status = annotator.ScanStatus{}
		// The project is locked first, as everywhere, so that two transactions cannot wait for each other.
		project, err := one(ctx, tx, pgx.RowTo[int64], `SELECT project_id FROM jobs WHERE id = $1`, c.JobID)
		if err != nil {
			return err
		}
		if err := tx.lockProject(ctx, project); err != nil {
			return err
		}
		left, err := one(ctx, tx, pgx.RowTo[[]int64], `
			UPDATE scan_chunks SET done_at = now(), claimed_by = NULL, lease_expires_at = NULL
			WHERE id = $1 AND attempt = $2 AND claimed_by IS NOT NULL RETURNING image_ids`, c.ID, c.Attempt)
		if errors.Is(err, annotator.ErrNotFound) {
			return annotator.ErrSuperseded
		}
		if err != nil {
			return err
		}
		if _, err := tx.insertPredictions(ctx, c.VersionID, predictions); err != nil {
			return err
		}
		version, err := tx.Version(ctx, c.VersionID)
		if err != nil {
			return err
		}
		if version.MakesTasks() {
			ids := make([]int64, len(predictions))
			for i, p := range predictions {
				ids[i] = p.ImageID
			}
			if _, err := tx.createTasks(ctx, version, ids); err != nil {
				return err
			}
		}
		for _, b := range broken {
			reason := text.Clean(b.Reason)
			if _, err := tx.q.Exec(ctx, `UPDATE images SET broken = $2 WHERE id = $1`, b.ImageID, reason); err != nil {
				return err
			}
		}
		// Images that were out of use when the chunk was claimed may have come back: they waited in it, so that nobody put them into another.
		left = slices.DeleteFunc(left, func(id int64) bool {
			return slices.ContainsFunc(predictions, func(p annotator.Prediction) bool { return p.ImageID == id }) ||
				slices.ContainsFunc(broken, func(b annotator.BrokenImage) bool { return b.ImageID == id })
		})
		if err := tx.scanLeft(ctx, c, project, left); err != nil {
			return err
		}
		// The chunk counts with all its images, even if some were predicted before: total counts them too.
		var elapsed time.Duration
		var looks bool
		_, err = one(ctx, tx, func(row pgx.CollectableRow) (struct{}, error) {
			return struct{}{}, row.Scan(&status.Done, &status.Total, &elapsed, &looks)
		}, `
			UPDATE jobs SET done = done + c.n, unreadable = unreadable + $3, first_unreadable = least(first_unreadable, $4)
			FROM (SELECT cardinality(image_ids) AS n FROM scan_chunks WHERE id = $2) AS c
			WHERE jobs.id = $1 RETURNING done, total, now() - started_at, looks`, c.JobID, c.ID, len(broken), annotator.FirstBroken(broken))
		if err != nil {
			return err
		}
		if err := tx.tellUnreadable(ctx, c.JobID); err != nil {
			return err
		}
		if err := tx.SetJobProgress(ctx, c.JobID, progress.Of(progress.Scanning, status.Done, status.Total, elapsed)); err != nil {
			return err
		}
		if status.Over = !looks && annotator.ScanOver(status.Total-status.Done); !status.Over {
			return nil
		}
		job, err := tx.endScan(ctx, c.JobID)
		status.Over = job.State.Over()
		return err
	})
	return status, wrap(err, "completing chunk %d of scan %d", c.ID, c.JobID)
}

// scanLeft makes a chunk of those images of a chunk that is done which are in use and that its scan's version has not predicted.
func (s *Store) scanLeft(ctx context.Context, c annotator.Chunk, project int64, images []int64) error {
	if len(images) == 0 {
		return nil
	}
	if _, err := s.q.Exec(ctx, `SELECT FROM jobs WHERE id = $1 FOR NO KEY UPDATE`, c.JobID); err != nil {
		return err
	}
	var last int64
	_, added, err := s.makeChunks(ctx, c.JobID, project, c.VersionID, &last, imagesOfPage, images)
	if err != nil || added == 0 {
		return err
	}
	_, err = s.q.Exec(ctx, `UPDATE jobs SET total = total + $2 WHERE id = $1`, c.JobID, added)
	return err
}

// tellUnreadable writes into a scan's job how many of its images could not be read, and the first of them.
func (s *Store) tellUnreadable(ctx context.Context, jobID int64) error {
	var count, total int
	var name, reason string
	_, err := one(ctx, s, func(row pgx.CollectableRow) (struct{}, error) {
		return struct{}{}, row.Scan(&count, &total, &name, &reason)
	}, `SELECT j.unreadable, j.total, i.name, i.broken FROM jobs j JOIN images i ON i.id = j.first_unreadable WHERE j.id = $1`, jobID)
	if errors.Is(err, annotator.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.q.Exec(ctx, `UPDATE jobs SET message = $2 WHERE id = $1`, jobID, annotator.UnreadableText(count, total, name, reason))
	return err
}

// endScan ends a scan's job and, if its version is the active one, makes the tasks of all images; where these are more than TaskStep, the job goes on
// and NextTasks does.
func (s *Store) endScan(ctx context.Context, jobID int64) (annotator.Job, error) {
	version, err := s.versionOfScan(ctx, jobID)
	if err != nil {
		return annotator.Job{}, err
	}
	if version.MakesTasks() {
		few, err := s.fewImages(ctx, version.ProjectID)
		if err != nil {
			return annotator.Job{}, err
		}
		if !few {
			return s.Job(ctx, jobID)
		}
		if _, err := s.CreateTasks(ctx, version.ID); err != nil {
			return annotator.Job{}, err
		}
	}
	if err := s.endTasked(ctx, jobID, version); err != nil {
		return annotator.Job{}, err
	}
	return s.Job(ctx, jobID)
}

// NextTasks makes, of a scan whose images are all predicted, the tasks of the next TaskStep images, by id; over says that these were the last, and the
// scan has ended. annotator.ErrScanOver if it had ended before, annotator.ErrChunksBusy if images were added to it: claim chunks again.
func (s *Store) NextTasks(ctx context.Context, jobID int64) (over bool, err error) {
	err = s.inTx(ctx, func(tx *Store) error {
		over = false
		version, err := tx.versionOfScan(ctx, jobID)
		if err != nil {
			return err
		}
		if err := tx.lockProject(ctx, version.ProjectID); err != nil {
			return err
		}
		var last int64
		var left int
		var looks bool
		var state annotator.JobState
		if _, err := one(ctx, tx, func(row pgx.CollectableRow) (struct{}, error) {
			return struct{}{}, row.Scan(&state, &left, &looks, &last)
		}, `SELECT state, total - done, looks, tasks_until FROM jobs WHERE id = $1 FOR NO KEY UPDATE`, jobID); err != nil {
			return err
		}
		switch {
		case state.Over():
			return annotator.ErrScanOver
		case looks || !annotator.ScanOver(left):
			return annotator.ErrChunksBusy
		case !version.MakesTasks(): // another version was activated meanwhile
			over = true
			return tx.endTasked(ctx, jobID, version)
		}
		ids, err := tx.imagesAfter(ctx, version.ProjectID, last)
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			if _, err := tx.createTasks(ctx, version, ids); err != nil {
				return err
			}
			if _, err := tx.q.Exec(ctx, `UPDATE jobs SET tasks_until = $2, reported_at = now() WHERE id = $1`, jobID, ids[len(ids)-1]); err != nil {
				return err
			}
		}
		if over = len(ids) < annotator.TaskStep; over {
			return tx.endTasked(ctx, jobID, version)
		}
		return nil
	})
	return over, wrap(err, "making the tasks of scan %d", jobID)
}

// versionOfScan is the version that a scan is by.
func (s *Store) versionOfScan(ctx context.Context, jobID int64) (annotator.Version, error) {
	return one(ctx, s, scanVersion, `SELECT `+versionColumns+` FROM versions WHERE id = (SELECT version_id FROM jobs WHERE id = $1)`, jobID)
}

// endTasked ends a scan whose tasks are made, and has them put in order.
func (s *Store) endTasked(ctx context.Context, jobID int64, version annotator.Version) error {
	if err := s.endJob(ctx, jobID, annotator.EventFinish, ""); err != nil || !version.MakesTasks() {
		return err
	}
	return s.rankLater(ctx, version.ProjectID)
}
