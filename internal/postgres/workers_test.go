package postgres_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// scanWorker is a River worker that says which jobs it was given.
type scanWorker struct {
	river.WorkerDefaults[postgres.ScanArgs]
	given chan river.Job[postgres.ScanArgs]
}

func (w *scanWorker) Work(_ context.Context, job *river.Job[postgres.ScanArgs]) error {
	w.given <- *job
	return nil
}

// A job whose worker fell silent is worked on by another one within moments, and loses no attempt by it.
func TestRescueJobs(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	more(t, w, 1)
	job, err := w.Store.EnqueueScan(ctx, w.Version.ID)
	if err != nil {
		t.Fatal(err)
	}
	pool := w.Store.Pool()
	for _, worker := range []string{"alive", "dead"} {
		if err := w.Store.Heartbeat(ctx, postgres.Worker{ID: worker, Host: "here", PID: 1}); err != nil {
			t.Fatal(err)
		}
	}
	running := func(worker string) {
		t.Helper()
		if _, err := pool.Exec(ctx, `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '1 minute', attempted_by = ARRAY['alive', $1] WHERE args ->> 'job_id' = $2::text`, worker, strconv.FormatInt(job.ID, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pool.Exec(ctx, `UPDATE workers SET heartbeat_at = now() - interval '30 s' WHERE id = 'dead'`); err != nil {
		t.Fatal(err)
	}
	running("alive")
	if n, err := w.Store.RescueJobs(ctx, 15*time.Second); err != nil || n != 0 {
		t.Errorf("RescueJobs took %d jobs from a worker that lives, %v", n, err)
	}
	running("dead")
	if n, err := w.Store.RescueJobs(ctx, 15*time.Second); err != nil || n != 1 {
		t.Fatalf("RescueJobs = %d, %v; want 1", n, err)
	}
	running("never heard of")
	if n, err := w.Store.RescueJobs(ctx, 15*time.Second); err != nil || n != 1 {
		t.Fatalf("RescueJobs of an unknown worker = %d, %v; want 1", n, err)
	}

	worker := &scanWorker{given: make(chan river.Job[postgres.ScanArgs], 2)}
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues: map[string]river.QueueConfig{postgres.QueueModel: {MaxWorkers: 1}}, Workers: workers, FetchPollInterval: 100 * time.Millisecond, TestOnly: true,
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
