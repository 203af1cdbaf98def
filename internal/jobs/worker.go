package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/features"
	"github.com/abn-studio/studio/internal/logs"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/tracing"
	"github.com/abn-studio/studio/internal/webhook"
)

// Config is what NewWorker needs.
type Config struct {
	Store Store
	Blobs *blob.Store
	// Data is the folder of caches and of running rounds. A worker that takes a round over resumes from its checkpoint if it sees the
	// same folder, and else starts the round again.
	Data string
	// Networks opens networks; nil: a store of the worker's own.
	Networks *network.Store
	// Threads bounds ONNX Runtime's threads; 0: all cores.
	Threads int
	// RunLimit is the least time after which one run of a network is stopped; 0: ort's default.
	RunLimit time.Duration
	// FeatureBytes bounds the cache of features on disk; 0: the store's default.
	FeatureBytes int64
	// Webhooks sends lines of the trail; nil: a sender that dials the public internet alone.
	Webhooks *webhook.Sender
	Logger   *slog.Logger
	Tracer   *tracing.Tracer       // what traces attempts; nil: nothing does
	Metrics  prometheus.Registerer // where the worker's figures are registered; nil: nowhere
}

// Worker takes jobs from the database. Make one with NewWorker; Start it once; Stop is safe at any time.
type Worker struct {
	config   Config
	log      *slog.Logger
	metrics  *metrics
	id       string
	service  *annotator.Service // what changes a project
	catalog  *Catalog
	features *features.Store
	sender   *webhook.Sender
	client   *river.Client[pgx.Tx]
	cancel   context.CancelFunc
	beating  sync.WaitGroup
	holds    holds
}

// NewWorker checks its folders and prepares a worker. Nothing runs before Start.
func NewWorker(c Config) (*Worker, error) {
	host, _ := os.Hostname()
	w := &Worker{config: c, id: fmt.Sprintf("%s-%d-%d", host, os.Getpid(), time.Now().UnixNano())}
	w.log = logs.Wrap(cmp.Or(c.Logger, slog.Default()))
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	w.metrics = newMetrics(c.Metrics)
	for _, folder := range []string{w.roundsFolder(), w.cacheFolder()} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, fmt.Errorf("worker: %w", err)
		}
	}
	var err error
	if w.features, err = features.Open(FeaturesFolder(c.Data), features.Options{MaxBytes: c.FeatureBytes, Logger: w.log}); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	w.service = annotator.NewService(annotator.ServiceConfig{Store: c.Store, Blobs: c.Blobs, Logger: w.log})
	w.catalog = NewCatalog(c.Blobs, c.Networks, c.Threads)
	w.catalog.runLimit = c.RunLimit
	w.sender = cmp.Or(c.Webhooks, webhook.NewSender(webhook.Options{}))
	workers := river.NewWorkers()
	river.AddWorker(workers, &scanWorker{worker: w})
	river.AddWorker(workers, &roundWorker{worker: w})
	river.AddWorker(workers, &evaluateWorker{worker: w})
	river.AddWorker(workers, &forecastWorker{worker: w})
	river.AddWorker(workers, &addWorker{worker: w})
	river.AddWorker(workers, &fingerprintWorker{worker: w})
	river.AddWorker(workers, &rankWorker{worker: w})
	river.AddWorker(workers, &tallyWorker{store: w.config.Store})
	river.AddWorker(workers, &tidyWorker{worker: w})
	river.AddWorker(workers, &deliveryWorker{worker: w})
	w.client, err = river.NewClient(riverpgxv5.New(c.Store.Pool()), &river.Config{
		ID:     w.id,
		Logger: slog.New(quiet{w.log.Handler(), &w.holds}),
		Queues: map[string]river.QueueConfig{
			postgres.HeavyWork: {MaxWorkers: 1}, // a model's run keeps all cores busy
			postgres.LightWork: {MaxWorkers: 2},
			postgres.Outbound:  {MaxWorkers: deliveriesAtOnce},
		},
		Workers:                     workers,
		Middleware:                  []rivertype.Middleware{river.WorkerMiddlewareFunc(w.attend)},
		PeriodicJobs:                periodicJobs(),
		JobTimeout:                  -1, // a round may take any time; a dead worker's jobs are noticed by its heartbeat
		RescueStuckJobsAfter:        30 * 24 * time.Hour,
		ErrorHandler:                &errorHandler{worker: w},
		CompletedJobRetentionPeriod: 7 * 24 * time.Hour,
		RetryPolicy:                 retrySoon{w.service.Now},
	})
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	return w, nil
}

func (w *Worker) roundsFolder() string { return RoundsFolder(w.config.Data) }
func (w *Worker) cacheFolder() string  { return filepath.Join(w.config.Data, "cache") }

// roundFolder is the folder of the checkpoints of one attempt at a round. The next attempt renames it, so that a worker that was
// frozen and wakes up finds no folder to write into.
func (w *Worker) roundFolder(id int64, attempt int) string {
	name := strconv.FormatInt(id, 10)
	if attempt > 1 {
		name += "-" + strconv.Itoa(attempt)
	}
	return filepath.Join(w.roundsFolder(), name)
}

// removeRound removes the folders of all attempts at a round.
func (w *Worker) removeRound(id int64) error {
	later, err := filepath.Glob(filepath.Join(w.roundsFolder(), strconv.FormatInt(id, 10)+"-*"))
	for _, folder := range append(later, w.roundFolder(id, 1)) {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	return err
}

// leftFolder is the folder of the checkpoints of a project's last round, if that failed. A project has one.
func (w *Worker) leftFolder(project int64) string {
	return filepath.Join(w.roundsFolder(), fmt.Sprintf("left-by-project-%d", project))
}

// Features is the worker's store of features on disk, which the process may use for other work too.
func (w *Worker) Features() *features.Store { return w.features }

// Start begins to take jobs and returns. The worker runs until Stop, even if ctx ends.
func (w *Worker) Start(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if err := w.beat(ctx); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	if err := w.client.Start(ctx); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	beats, cancel := context.WithCancel(ctx)
	w.cancel = cancel
	w.beating.Go(func() { w.keepBeating(beats) })
	w.beating.Go(func() {
		if err := w.features.Count(); err != nil {
			w.log.WarnContext(ctx, "worker: what its features take is not known", "err", err)
		}
	})
	w.log.InfoContext(ctx, "worker started", "worker", w.id)
	return nil
}

// Stop asks running jobs to stop where they can be resumed (a round at its next step, a scan after its chunk), waits for them, and
// removes the worker from the database. If ctx ends first it returns ctx's error.
func (w *Worker) Stop(ctx context.Context) error {
	if w.cancel == nil {
		return nil
	}
	err := w.client.StopAndCancel(ctx)
	w.cancel()
	w.beating.Wait()
	err = errors.Join(err, w.config.Store.RemoveWorker(ctx, w.id), w.catalog.Close())
	w.cancel = nil
	return err
}

// beat says that this worker is alive, makes the parts of silent workers available again, and stops work on parts that were taken
// over from it.
func (w *Worker) beat(ctx context.Context) error {
	host, _ := os.Hostname()
	kept := w.features.Stats()
	if err := w.config.Store.Heartbeat(ctx, annotator.Worker{
		ID: w.id, Host: host, PID: os.Getpid(), FeatureBytes: kept.Bytes, FeatureLimit: kept.MaxBytes,
	}); err != nil {
		return err
	}
	underWay, recent := w.holds.list()
	if _, err := w.config.Store.RescueParts(ctx, w.id, recent); err != nil {
		return err
	}
	lost, err := w.config.Store.LostParts(ctx, w.id, underWay)
	for _, id := range lost {
		w.holds.lose(id)
	}
	return errors.Join(err, w.closeStranded(ctx))
}

// closeStranded ends jobs that nobody works on any more: as failed, or as cancelled where somebody asked for that. Else a project would
// wait for them for ever.
func (w *Worker) closeStranded(ctx context.Context) error {
	stranded, err := w.config.Store.StrandedJobs(ctx)
	for _, j := range stranded {
		message := "the studio gave it up after several tries, the last of which ended with: " + cmp.Or(j.Why, "nothing that was written down") + ". The worker's log says more; please report it"
		ctx := logs.With(logs.WithRequest(ctx, j.Request), slog.Int64(logs.KeyJob, j.ID))
		failed := w.closeJob(ctx, j, message)
		if failed == nil {
			w.log.ErrorContext(ctx, "job was given up", "round", j.RoundID, "why", j.Why)
		}
		err = errors.Join(err, failed)
	}
	return err
}

func (w *Worker) closeJob(ctx context.Context, j postgres.StrandedJob, message string) error {
	if j.RoundID == 0 {
		return w.config.Store.FailJob(ctx, j.ID, message)
	}
	claim, _, err := w.config.Store.ClaimRound(ctx, j.RoundID)
	switch {
	case errors.Is(err, annotator.ErrRoundCancelled), errors.Is(err, annotator.ErrRoundOver):
		return w.removeRound(j.RoundID)
	case err != nil:
		return err
	default:
		return errors.Join(w.service.FailRound(ctx, claim, message), w.removeRound(j.RoundID))
	}
}

func (w *Worker) keepBeating(ctx context.Context) {
	ticker := time.NewTicker(postgres.HeartbeatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := w.beat(ctx); err != nil && ctx.Err() == nil {
				w.log.WarnContext(ctx, "worker: no heartbeat", "err", err)
			}
		}
	}
}

// retrySoon tries a failed part again after a few seconds, since most failures are a database that was away for a moment.
// now is the database's time, by which River takes it up again.
type retrySoon struct{ now func() time.Time }

// NextRetry is a little later each time.
func (r retrySoon) NextRetry(part *rivertype.JobRow) time.Time {
	return r.now().Add(time.Duration(2*len(part.Errors)+1) * time.Second)
}

// errorHandler logs parts that failed. The failure that ends a job for good is stored by the job's own worker or, if that could not,
// by closeStranded.
type errorHandler struct{ worker *Worker }

// HandleError logs an attempt that failed.
func (h *errorHandler) HandleError(ctx context.Context, part *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	h.worker.log.ErrorContext(logs.With(ctx, about(part)...), "job failed", "attempt", part.Attempt, "err", err)
	return nil
}

// HandlePanic logs a panic; River treats the attempt as failed.
func (h *errorHandler) HandlePanic(ctx context.Context, part *rivertype.JobRow, value any, trace string) *river.ErrorHandlerResult {
	h.worker.log.ErrorContext(logs.With(ctx, about(part)...), "job panicked", "panic", value, "stack", trace)
	return nil
}
