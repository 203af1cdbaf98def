package postgres

import (
	"context"
	"time"

	"github.com/riverqueue/river/rivertype"
)

var riverNotFound = rivertype.ErrNotFound

// Worker is a process that works on jobs.
type Worker struct {
	ID   string // its River client's ID
	Host string
	PID  int
}

// Heartbeat says that a worker is alive. The time is the database's, so that workers' clocks need not agree.
func (s *Store) Heartbeat(ctx context.Context, w Worker) error {
	_, err := s.exec(ctx, `
		INSERT INTO workers (id, host, pid) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET heartbeat_at = now()`, w.ID, w.Host, w.PID)
	return wrap(err, "saying that worker %s is alive", w.ID)
}

// RemoveWorker takes a worker that stopped in order off the list.
func (s *Store) RemoveWorker(ctx context.Context, id string) error {
	_, err := s.exec(ctx, `DELETE FROM workers WHERE id = $1`, id)
	return wrap(err, "removing worker %s", id)
}

// RescueJobs makes the running jobs of workers that were silent for longer than staleAfter available
// again, and returns how many. Such a job loses no attempt by it. What its former worker may still
// write is refused by the claims of scans and rounds.
func (s *Store) RescueJobs(ctx context.Context, staleAfter time.Duration) (int, error) {
	n, err := s.exec(ctx, `
		UPDATE river_job j SET state = 'available', scheduled_at = now(), attempt = greatest(0, j.attempt - 1)
		WHERE j.state = 'running' AND j.attempted_at < now() - make_interval(secs => $1)
			AND NOT EXISTS (
				SELECT FROM workers w WHERE w.id = j.attempted_by[array_upper(j.attempted_by, 1)]
				AND w.heartbeat_at > now() - make_interval(secs => $1))`, staleAfter.Seconds())
	if err != nil {
		return 0, wrap(err, "rescuing the jobs of dead workers")
	}
	if n > 0 {
		s.log.Warn("jobs of workers that fell silent were made available again", "jobs", n)
	}
	if _, err = s.Importing(ctx); err == nil { // which gives up those of dead processes
		_, err = s.exec(ctx, `DELETE FROM workers WHERE heartbeat_at < now() - interval '1 day'`)
	}
	return int(n), wrap(err, "rescuing the jobs of dead workers")
}
