package postgres_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// scanWorker is a River worker that reports which jobs it was given.
type scanWorker struct {
	river.WorkerDefaults[postgres.ScanArgs]
	given chan river.Job[postgres.ScanArgs]
}

func (w *scanWorker) Work(_ context.Context, job *river.Job[postgres.ScanArgs]) error {
	w.given <- *job
	return nil
}

// A process that freezes within a transaction does not keep its locks: PostgreSQL ends the transaction, on every connection.
func TestTransactionsThatStandStillEnd(t *testing.T) {
	t.Parallel()
	var limit string
	if err := pgtest.Store(t).Pool().QueryRow(t.Context(), "SHOW idle_in_transaction_session_timeout").Scan(&limit); err != nil || limit != "8s" {
		t.Errorf("a transaction may stand still for %s: %v, want 8s, less than an answer may take", limit, err)
	}
}

// A process that wakes up within a transaction that PostgreSQL ended meanwhile makes it once more.
func TestTransactionsThatStoodStillAreRepeated(t *testing.T) {
	t.Parallel()
	s, ctx := pgtest.Store(t), t.Context()
	tries := 0
	err := s.InTx(ctx, func(tx annotator.Store) error {
		if tries++; tries > 1 {
			_, err := tx.InsertProject(ctx, annotator.Project{Slug: "p", Name: "P"})
			return err
		}
		pid, err := postgres.StandStill(ctx, tx)
		if err != nil {
			return err
		}
		for left := 1; left > 0; {
			if err := s.Pool().QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE pid = $1`, pid).Scan(&left); err != nil {
				return err
			}
		}
		_, err = tx.InsertProject(ctx, annotator.Project{Slug: "p", Name: "P"})
		return err
	})
	if err != nil || tries != 2 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

// Workers are listed while they send heartbeats, with what the last one said.
func TestWorkersAreListed(t *testing.T) {
	t.Parallel()
	s, ctx := pgtest.Store(t), t.Context()
	for _, w := range []annotator.Worker{
		{ID: "b", Host: "beta", PID: 2, FeatureBytes: 1, FeatureLimit: 20 << 30},
		{ID: "a", Host: "alpha", PID: 1}, {ID: "c", Host: "gone", PID: 3},
		{ID: "b", Host: "beta", PID: 2, FeatureBytes: 3 << 30, FeatureLimit: 20 << 30},
	} {
		if err := s.Heartbeat(ctx, w); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Pool().Exec(ctx, `UPDATE workers SET heartbeat_at = now() - interval '1 minute' WHERE id = 'c'`); err != nil {
		t.Fatal(err)
	}
	got, err := s.Workers(ctx)
	if err != nil || len(got) != 2 || got[0].Host != "alpha" || got[1].FeatureBytes != 3<<30 || got[1].FeatureLimit != 20<<30 || time.Since(got[1].HeardAt) > time.Minute {
		t.Errorf("%+v, %v", got, err)
	}
}

// A job whose worker fell silent is soon taken over by another one, and loses no attempt. What its former worker reports later changes
// nothing.
func TestRescueParts(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	more(t, w, 1)
	job, err := w.Store.EnqueueScan(ctx, w.Version.ID)
	if err != nil {
		t.Fatal(err)
	}
	pool := w.Store.Pool()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(ctx, sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	beat := func(worker string) {
		t.Helper()
		if err := w.Store.Heartbeat(ctx, annotator.Worker{ID: worker, Host: "here", PID: 1}); err != nil {
			t.Fatal(err)
		}
	}
	rescue := func(want int, working ...int64) {
		t.Helper()
		if n, err := w.Store.RescueParts(ctx, "alive", working); err != nil || n != want {
			t.Fatalf("RescueParts = %d, %v; want %d", n, err, want)
		}
	}
	running := func(worker string) (id int64) {
		t.Helper()
		if err := pool.QueryRow(ctx, `
			UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '50 s', attempted_by = ARRAY['alive', $1]
			WHERE args ->> 'job_id' = $2::text AND state = 'available' RETURNING id`, worker, strconv.FormatInt(job.ID, 10)).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	lost := func(want bool, worker string, id int64) {
		t.Helper()
		if ids, err := w.Store.LostParts(ctx, worker, []int64{id}); err != nil || (len(ids) == 1) != want {
			t.Errorf("LostParts(%s, %d) = %v, %v", worker, id, ids, err)
		}
	}
	for _, worker := range []string{"alive", "dead"} {
		beat(worker)
	}
	exec(`UPDATE workers SET heartbeat_at = now() - interval '30 s' WHERE id = 'dead'`)

	// The database was away. The first worker that reports does not take over from others, which have had no time to report.
	first := running("dead")
	exec(`UPDATE workers SET heartbeat_at = now() - interval '30 s', steady_since = now() - interval '1 day' WHERE id = 'alive'`)
	beat("alive")
	rescue(0)
	if _, err := w.Store.ClaimChunk(ctx, job.ID, "dead", 0); err != nil {
		t.Fatal(err)
	}
	exec(`UPDATE scan_chunks SET lease_expires_at = now() - interval '1 s' WHERE claimed_by IS NOT NULL`)
	if _, err := w.Store.ClaimChunk(ctx, job.ID, "alive", 0); !errors.Is(err, annotator.ErrChunksBusy) {
		t.Errorf("a chunk is taken over right after the database was away: %v", err)
	}
	// A while later everybody else has reported.
	exec(`UPDATE workers SET steady_since = now() - interval '20 s' WHERE id = 'alive'`)
	beat("alive")
	if c, err := w.Store.ClaimChunk(ctx, job.ID, "alive", 0); err != nil {
		t.Errorf("a chunk whose worker is silent: %v", err)
	} else if err := w.Store.ReleaseChunk(ctx, c); err != nil {
		t.Error(err)
	}
	lost(false, "dead", first)
	rescue(1)
	lost(true, "dead", first)

	second := running("alive")
	if second == first {
		t.Error("a job is taken over under the number that its former worker knows")
	}
	rescue(0, second) // its worker is alive
	lost(false, "alive", second)
	exec(`UPDATE river_job SET attempted_at = now() - interval '2 minutes' WHERE id = $1`, second)
	rescue(0, second)
	rescue(1) // it was given to this worker and never reached it
	running("never heard of")
	rescue(1)
	exec(`UPDATE river_job SET scheduled_at = now() + interval '1 minute' WHERE state = 'available'`) // given back by a worker whose clock is ahead
	rescue(0)
	exec(`UPDATE river_job SET state = 'completed', finalized_at = now() WHERE state = 'running' AND id = $1`, first) // its former worker wakes up

	worker := &scanWorker{given: make(chan river.Job[postgres.ScanArgs], 2)}
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues: map[string]river.QueueConfig{postgres.HeavyWork: {MaxWorkers: 1}}, Workers: workers, FetchPollInterval: 100 * time.Millisecond, TestOnly: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(ctx); err != nil {
		t.Fatal(err)
	}
	got := <-worker.given
	for got.Args.JobID != job.ID { // the world's own scan
		got = <-worker.given
	}
	if got.Args.JobID != job.ID || got.Args.VersionID != w.Version.ID || got.Attempt != 1 {
		t.Errorf("the rescued job came as %+v, attempt %d", got.Args, got.Attempt)
	}
	if err := client.Stop(context.WithoutCancel(ctx)); err != nil {
		t.Error(err)
	}
	if err := w.Store.RemoveWorker(ctx, "alive"); err != nil {
		t.Error(err)
	}
}
