package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	"github.com/abn-studio/studio/annotator"
)

var errRiverNotFound = rivertype.ErrNotFound

// The times of heartbeats. If a worker's heartbeats are at most maxGap apart, an outage of the database between them was no longer than
// that. Because of it other workers may have been silent for maxGap, HeartbeatEvery and an attempt to connect (connectWithin)
// together, which is less than StaleAfter: they are not taken for dead.
const (
	HeartbeatEvery = 2 * time.Second
	StaleAfter     = 15 * time.Second // silence after which other workers take over
	maxGap         = 7 * time.Second  // between two heartbeats of a worker that is in steady contact
)

// Heartbeat stores that a worker is alive, and the bytes of its cached features. The time is the database's, so that workers' clocks need
// not agree.
func (s *Store) Heartbeat(ctx context.Context, w annotator.Worker) error {
	_, err := s.exec(ctx, `
		INSERT INTO workers AS w (id, host, pid, feature_bytes, feature_limit) VALUES ($1, $2, $3, $5, $6)
		ON CONFLICT (id) DO UPDATE SET heartbeat_at = now(), feature_bytes = $5, feature_limit = $6,
			steady_since = CASE WHEN w.heartbeat_at < now() - make_interval(secs => $4) THEN now() ELSE w.steady_since END`,
		w.ID, w.Host, w.PID, maxGap.Seconds(), w.FeatureBytes, w.FeatureLimit)
	return wrap(err, "saying that worker %s is alive", w.ID)
}

// Workers implements annotator.JobStore.
func (s *Store) Workers(ctx context.Context) ([]annotator.Worker, error) {
	all, err := list(ctx, s, pgx.RowToStructByName[workerRow], `
		SELECT id, host, pid, feature_bytes, feature_limit, heartbeat_at FROM workers
		WHERE heartbeat_at > now() - make_interval(secs => $1) ORDER BY host, started_at`, StaleAfter.Seconds())
	var out []annotator.Worker
	for _, r := range all {
		out = append(out, annotator.Worker{ID: r.ID, Host: r.Host, PID: r.PID, FeatureBytes: r.FeatureBytes, FeatureLimit: r.FeatureLimit, HeardAt: r.HeartbeatAt})
	}
	return out, wrap(err, "listing the workers")
}

// workerRow is a row of workers.
type workerRow struct {
	ID, Host                   string
	PID                        int
	FeatureBytes, FeatureLimit int64
	HeartbeatAt                time.Time
}

// RemoveWorker removes a worker that has stopped cleanly.
func (s *Store) RemoveWorker(ctx context.Context, id string) error {
	_, err := s.exec(ctx, `DELETE FROM workers WHERE id = $1`, id)
	return wrap(err, "removing worker %s", id)
}

// RescueParts makes parts of jobs available again whose worker fell silent, and returns how many. The calling worker must itself have
// been in steady contact for StaleAfter: after an outage of the database, or of its own connection, all others have then had time to
// report. RescueParts also takes back parts that the database gave to the calling worker and that never reached it, as when the
// connection broke; working are the parts that it works on, or did a moment ago.
//
// A part is taken over as a new row of river_job. What its former worker still reports of it concerns the old row, which has ended;
// what that worker still writes is refused by the claims of scans and rounds. The part loses no attempt.
func (s *Store) RescueParts(ctx context.Context, worker string, working []int64) (int, error) {
	n, err := one(ctx, s, pgx.RowTo[int], `
		WITH silent AS (
			UPDATE river_job j SET state = 'discarded', finalized_at = now()
			WHERE j.state = 'running' AND (
				j.attempted_at < now() - make_interval(secs => $2)
				AND NOT EXISTS (
					SELECT FROM workers w WHERE w.id = j.attempted_by[array_upper(j.attempted_by, 1)]
					AND w.heartbeat_at > now() - make_interval(secs => $2))
				AND EXISTS (SELECT FROM workers me WHERE me.id = $1 AND me.steady_since <= now() - make_interval(secs => $2))
			OR
				j.attempted_by[array_upper(j.attempted_by, 1)] = $1 AND NOT j.id = ANY($3) AND j.attempted_at < now() - make_interval(secs => $4))
			RETURNING *
		), taken AS (
			INSERT INTO river_job (state, attempt, max_attempts, created_at, scheduled_at, priority, args, errors, kind, metadata, queue, tags, unique_key, unique_states)
			SELECT 'available', greatest(0, attempt - 1), max_attempts, created_at, now(), priority, args, errors, kind,
				metadata || jsonb_build_object('taken_over_from', id), queue, tags, unique_key, unique_states FROM silent
			RETURNING id, (metadata ->> 'taken_over_from')::bigint AS former
		), parts AS (
			INSERT INTO job_parts (job_id, river_job_id) SELECT p.job_id, t.id FROM taken t JOIN job_parts p ON p.river_job_id = t.former
		)
		SELECT count(*)::int FROM taken`, worker, StaleAfter.Seconds(), orNone(working), lostAfter.Seconds())
	if err != nil {
		return 0, wrap(err, "taking over the jobs of silent workers")
	}
	if n > 0 {
		s.log.WarnContext(ctx, "jobs of workers that fell silent were made available again", "jobs", n)
	}
	// River gives a part back by the worker's own clock. One that was to be available at once, and is not yet, was given back by a clock that
	// is ahead.
	if _, err := s.exec(ctx, `UPDATE river_job SET scheduled_at = now() WHERE state = 'available' AND scheduled_at > now() + make_interval(secs => $1)`, riverAtOnce.Seconds()); err != nil {
		return n, wrap(err, "looking for jobs that were given back by a clock that is ahead")
	}
	if _, err = s.Importing(ctx); err == nil { // it also ends the imports of dead processes
		_, err = s.exec(ctx, `DELETE FROM workers WHERE heartbeat_at < now() - interval '1 day'`)
	}
	return n, wrap(err, "forgetting workers that are gone")
}

// riverAtOnce is how far ahead River makes a part available that is to wait so long at most; what waits longer it schedules.
const riverAtOnce = 6 * time.Second

// lostAfter is how long a job may be on its way from the database to its worker, and its end from the worker to the database.
const lostAfter = time.Minute

// LostParts returns which of the parts that a worker works on were taken over by another one.
func (s *Store) LostParts(ctx context.Context, worker string, working []int64) ([]int64, error) {
	lost, err := list(ctx, s, pgx.RowTo[int64], `
		SELECT id FROM unnest($2::bigint[]) AS w(id) WHERE NOT EXISTS (
			SELECT FROM river_job j WHERE j.id = w.id AND j.state = 'running' AND j.attempted_by[array_upper(j.attempted_by, 1)] = $1)`,
		worker, orNone(working))
	return lost, wrap(err, "looking for jobs that worker %s has lost", worker)
}

// StrandedJob is a job that nobody works on any more, and the round that it is of; 0: of none.
type StrandedJob struct {
	ID, RoundID int64
	Why         string // what its last part failed of
	Request     string // the id of the request that asked for it, "" if it is not known
}

// StrandedJobs returns the jobs that are not over although River has given up all their parts: work that came apart in a way that its
// own worker could not write down, such as a panic.
func (s *Store) StrandedJobs(ctx context.Context) ([]StrandedJob, error) {
	stranded, err := list(ctx, s, pgx.RowToStructByPos[StrandedJob], `
		SELECT j.id, coalesce(r.id, 0), coalesce((
			SELECT p.errors[array_upper(p.errors, 1)] ->> 'error' FROM job_parts o JOIN river_job p ON p.id = o.river_job_id
			WHERE o.job_id = j.id AND p.errors IS NOT NULL ORDER BY p.finalized_at DESC NULLS LAST LIMIT 1), ''), coalesce((
			SELECT p.metadata ->> 'request' FROM job_parts o JOIN river_job p ON p.id = o.river_job_id
			WHERE o.job_id = j.id AND p.metadata ? 'request' ORDER BY p.id DESC LIMIT 1), '')
		FROM jobs j LEFT JOIN rounds r ON r.id = j.round_id
		WHERE j.finished_at IS NULL AND EXISTS (SELECT FROM job_parts o WHERE o.job_id = j.id) AND NOT EXISTS (
			SELECT FROM job_parts o JOIN river_job p ON p.id = o.river_job_id
			WHERE o.job_id = j.id AND p.finalized_at IS NULL)
		ORDER BY j.id`)
	return stranded, wrap(err, "looking for jobs that nobody works on")
}

// orNone returns ids as an array parameter; never nil, which would be NULL.
func orNone(ids []int64) []int64 {
	if ids == nil {
		return []int64{}
	}
	return ids
}
