package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/text"
)

const jobColumns = `id, kind, state, phase, done, total, fraction, remaining_seconds, unreadable, message, report, created_at`

// silent is the condition of a job j that is an import whose process says nothing any more: it does so every second. It is not
// stored, so that whoever reads a job sees it, also where nobody is there to end the import (giveUpImports).
var silent = fmt.Sprintf(`(j.kind = 'import' AND j.state = ANY('{%s}') AND j.reported_at < now() - interval '%d seconds')`,
	strings.Join(texts(annotator.JobTransitions.From(annotator.EventGiveUp)), ","), int(StaleAfter.Seconds()))

// shownColumns are jobColumns of a job j as people see it: an import that is silent as if it had been given up.
var shownColumns = `id, kind, CASE WHEN ` + silent + ` THEN '` + string(annotator.JobTransitions.To(annotator.EventGiveUp)) + `' ELSE state END AS state, phase, done, total, fraction,
	CASE WHEN ` + silent + ` THEN 0 ELSE remaining_seconds END AS remaining_seconds, unreadable,
	CASE WHEN ` + silent + ` THEN '` + cutOff + `' ELSE message END AS message, report, created_at`

// cutOff is the message of an import whose process is gone.
const cutOff = "it was stopped or killed. What it had written is there: start it again with the same command, and it goes on"

var scanJob = pgx.RowToStructByName[annotator.Job]

// Job returns one job as pages show it.
func (s *Store) Job(ctx context.Context, id int64) (annotator.Job, error) {
	j, err := one(ctx, s, scanJob, `SELECT `+shownColumns+` FROM jobs j WHERE id = $1`, id)
	return j, wrap(err, "job %d", id)
}

// Jobs implements annotator.ProjectStore.
func (s *Store) Jobs(ctx context.Context, projectID int64, limit int) ([]annotator.Job, error) {
	all, err := list(ctx, s, scanJob, `SELECT `+shownColumns+` FROM jobs j WHERE project_id = $1 ORDER BY id DESC LIMIT $2`, projectID, limit)
	return all, wrap(err, "listing the jobs of project %d", projectID)
}

func (s *Store) insertJob(ctx context.Context, projectID int64, kind annotator.JobKind, versionID, roundID *int64) (annotator.Job, error) {
	return one(ctx, s, scanJob, `
		INSERT INTO jobs (project_id, kind, version_id, round_id) VALUES ($1, $2, $3, $4) RETURNING `+jobColumns,
		projectID, kind, versionID, roundID)
}

// silentImport is how long an import's process may be silent before the import is ended. It is longer than what pages say it is gone
// after: once it has ended, the files that it has just stored may be swept.
const silentImport = 2 * time.Minute

// BeginImport implements annotator.ImportStore.
func (s *Store) BeginImport(ctx context.Context, projectID int64, images int) (annotator.Job, error) {
	var job annotator.Job
	err := s.inTx(ctx, func(tx *Store) (err error) {
		if err := tx.giveUpImports(ctx); err != nil {
			return err
		}
		job, err = one(ctx, tx, scanJob, `
			INSERT INTO jobs (project_id, kind, state, started_at, phase, total) VALUES ($1, $2, $5, now(), $3, $4) RETURNING `+jobColumns,
			projectID, annotator.JobImport, progress.Reading, images, annotator.JobTransitions.To(annotator.EventBegin))
		return err
	})
	return job, wrap(err, "starting an import into project %d", projectID)
}

// FinishImport implements annotator.ImportStore. An import that giveUpImports has ended may still finish.
func (s *Store) FinishImport(ctx context.Context, jobID int64, report annotator.ImportReport, message string) error {
	body, err := json.Marshal(report)
	if err != nil {
		return wrap(err, "finishing import %d", jobID)
	}
	err = s.changeJob(ctx, jobID, annotator.EventFinishImport, annotator.ErrNotFound, func(tx *Store, to annotator.JobState) error {
		_, err := tx.q.Exec(ctx, `
			UPDATE jobs SET state = $6, finished_at = now(), phase = $4, done = total, fraction = 1, remaining_seconds = 0, unreadable = $2, message = $3, report = $5::jsonb
			WHERE id = $1`, jobID, report.Broken, text.Clean(message), progress.Storing, text.CleanJSON(body), to)
		if err != nil {
			return err
		}
		return tx.enqueueFingerprints(ctx)
	})
	return wrap(err, "finishing import %d", jobID)
}

// giveUpImports ends, as failed, imports whose process was silent for silentImport. The images that they have written stay. No other
// process continues them.
func (s *Store) giveUpImports(ctx context.Context) error {
	_, err := s.q.Exec(ctx, `
		UPDATE jobs SET state = $3, finished_at = now(), remaining_seconds = 0, message = $2
		WHERE kind = 'import' AND state = ANY($4) AND reported_at < now() - make_interval(secs => $1)`, silentImport.Seconds(), cutOff,
		annotator.JobTransitions.To(annotator.EventGiveUp), texts(annotator.JobTransitions.From(annotator.EventGiveUp)))
	return err
}

// Importing ends imports whose process is gone, and reports whether another one is running.
func (s *Store) Importing(ctx context.Context) (bool, error) {
	var importing bool
	err := s.inTx(ctx, func(tx *Store) (err error) {
		if err := tx.giveUpImports(ctx); err != nil {
			return err
		}
		importing, err = one(ctx, tx, pgx.RowTo[bool], `SELECT EXISTS (SELECT FROM jobs WHERE kind = 'import' AND state = 'running')`)
		return err
	})
	return importing, wrap(err, "looking for imports")
}

// EnqueueEvaluate asks a worker to compute a version's figures.
func (s *Store) EnqueueEvaluate(ctx context.Context, versionID int64) (annotator.Job, error) {
	var job annotator.Job
	err := s.inTx(ctx, func(tx *Store) error {
		v, err := tx.Version(ctx, versionID)
		if err != nil {
			return err
		}
		if job, err = tx.insertJob(ctx, v.ProjectID, annotator.JobEvaluate, &versionID, nil); err != nil {
			return err
		}
		return tx.enqueue(ctx, job.ID, EvaluateArgs{JobID: job.ID, VersionID: versionID}, HeavyWork)
	})
	return job, wrap(err, "starting an evaluation of version %d", versionID)
}

// StartJob marks a job as running, which it may be already, after another worker. total 0 leaves the total as it is.
// annotator.ErrNotFound if the job has ended.
func (s *Store) StartJob(ctx context.Context, jobID int64, total int) error {
	return wrap(s.startJob(ctx, jobID, total, annotator.ErrNotFound), "starting job %d", jobID)
}

// startJob is StartJob with the error over for a job that has ended.
func (s *Store) startJob(ctx context.Context, jobID int64, total int, over error) error {
	return s.changeJob(ctx, jobID, annotator.EventStart, over, func(tx *Store, to annotator.JobState) error {
		_, err := tx.q.Exec(ctx, `
			UPDATE jobs SET state = $2, started_at = coalesce(started_at, now()), total = CASE WHEN $3 > 0 THEN $3 ELSE total END
			WHERE id = $1`, jobID, to, total)
		return err
	})
}

// changeJob locks a job and has write store its state after an event. If the event does not happen to it, it returns the error
// otherwise.
func (s *Store) changeJob(ctx context.Context, jobID int64, event annotator.Event, otherwise error, write func(tx *Store, to annotator.JobState) error) error {
	return s.inTx(ctx, func(tx *Store) error {
		job, err := one(ctx, tx, scanJob, `SELECT `+jobColumns+` FROM jobs WHERE id = $1 FOR NO KEY UPDATE`, jobID)
		if err != nil {
			return err
		}
		to, may := job.Next(event)
		if !may {
			return otherwise
		}
		return write(tx, to)
	})
}

// SetJobProgress stores how far a running job is, and that its process is alive.
func (s *Store) SetJobProgress(ctx context.Context, jobID int64, p progress.Progress) error {
	n, err := s.exec(ctx, `
		UPDATE jobs SET phase = $2, done = $3, total = $4, fraction = greatest(fraction, $5), remaining_seconds = $6, reported_at = now()
		WHERE id = $1 AND state = 'running'`, jobID, p.Stage, p.Done, p.Total, p.Share, p.Remaining.Seconds())
	return changed(n, err, "job %d", jobID)
}

// FinishJob ends a job that succeeded; message "" leaves its last warning in place.
func (s *Store) FinishJob(ctx context.Context, jobID int64, message string) error {
	return s.endJob(ctx, jobID, annotator.EventFinish, message)
}

// FailJob ends a job that failed. message says why.
func (s *Store) FailJob(ctx context.Context, jobID int64, message string) error {
	return s.endJob(ctx, jobID, annotator.EventFail, message)
}

// endJob ends a job once: a later end of the same job, as after a rescue, changes nothing.
func (s *Store) endJob(ctx context.Context, jobID int64, event annotator.Event, message string) error {
	err := s.changeJob(ctx, jobID, event, nil, func(tx *Store, to annotator.JobState) error {
		_, err := tx.q.Exec(ctx, `
			UPDATE jobs SET state = $2, started_at = coalesce(started_at, now()), finished_at = now(), remaining_seconds = 0,
				fraction = CASE WHEN $4 THEN 1 ELSE fraction END,
				message = CASE WHEN $3 = '' THEN message ELSE $3 END
			WHERE id = $1`, jobID, to, text.Clean(message), to == annotator.JobFinished)
		return err
	})
	return wrap(err, "ending job %d", jobID)
}

// cancelRiver cancels the River jobs of a job: waiting ones at once; the worker of a running one is notified, and its context ends.
func (s *Store) cancelRiver(ctx context.Context, jobID int64) error {
	ids, err := list(ctx, s, pgx.RowTo[int64], `SELECT river_job_id FROM job_parts WHERE job_id = $1`, jobID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		// River removes jobs that ended long ago.
		if _, err := s.river.JobCancelTx(ctx, s.tx, id); err != nil && !errors.Is(err, errRiverNotFound) {
			return err
		}
	}
	return nil
}
