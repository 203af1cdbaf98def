package postgres

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abn-studio/studio/annotator"
)

// countWithin is how long a scrape waits for the database.
const countWithin = 2 * time.Second

// Collector gives Prometheus what the database counts, and this process's connections to it. While the database is away it gives the
// latter alone.
type Collector struct {
	store *Store

	mu sync.Mutex
	at time.Time
	of Figures
}

// NewCollector returns a collector of a store.
func NewCollector(s *Store) *Collector { return &Collector{store: s} }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	descParts        = describe("studio_queue_parts", "Parts of jobs in the queue, by kind and state. The whole studio's.", "kind", "state")
	descOldest       = describe("studio_queue_oldest_seconds", "For how long the part that has waited longest has been due, by kind. The whole studio's.", "kind")
	descJobs         = describe("studio_jobs", "Jobs as pages show them, by kind and state. The whole studio's.", "kind", "state")
	descProgress     = describe("studio_job_progress_ratio", "The least share done of the running jobs of a kind. The whole studio's.", "kind")
	descSilent       = describe("studio_job_silent_seconds", "The longest time since a running job of a kind has told how far it is. The whole studio's.", "kind")
	descTasks        = describe("studio_tasks", "Tasks by state. The whole studio's.", "state")
	descLeases       = describe("studio_leases", "Tasks that somebody has to paint or to judge (held), and leases that have run out (expired). The whole studio's.", "state")
	descWorkers      = describe("studio_workers", "Workers that were heard of within seconds. The whole studio's.")
	descFeatures     = describe("studio_feature_cache_bytes", "Disk space of the workers' caches of features, together. The whole studio's.")
	descFeatureLimit = describe("studio_feature_cache_limit_bytes", "What the workers' caches of features may take, together. The whole studio's.")
	descDatabase     = describe("studio_database_bytes", "Size of the database. The whole studio's.")
	descQuota        = describe("studio_quota_used_ratio", "The greatest share of its quota that a project has used; 0 where none has one. The whole studio's.")
	descConnections  = describe("studio_db_connections", "This process's connections to the database: used, idle, or being made.", "state")
	descMost         = describe("studio_db_connections_max", "The most connections this process makes.")
	descAcquires     = describe("studio_db_acquires_total", "Connections taken from the pool.")
	descWaits        = describe("studio_db_acquire_waits_total", "Connections that had to be waited for.")
	descWaited       = describe("studio_db_acquire_wait_seconds_total", "Time spent waiting for a connection.")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(all chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descParts, descOldest, descJobs, descProgress, descSilent, descTasks, descLeases, descWorkers, descFeatures, descFeatureLimit, descDatabase, descQuota,
		descConnections, descMost, descAcquires, descWaits, descWaited,
	} {
		all <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(all chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		all <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value float64) {
		all <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value)
	}
	pool := c.store.pool.Stat()
	gauge(descConnections, float64(pool.AcquiredConns()), "used")
	gauge(descConnections, float64(pool.IdleConns()), "idle")
	gauge(descConnections, float64(pool.ConstructingConns()), "connecting")
	gauge(descMost, float64(pool.MaxConns()))
	counter(descAcquires, float64(pool.AcquireCount()))
	counter(descWaits, float64(pool.EmptyAcquireCount()))
	counter(descWaited, pool.EmptyAcquireWaitTime().Seconds())

	f, err := c.figures()
	if err != nil {
		return // the store has logged it, and studio_ready says so
	}
	for _, kind := range PartKinds {
		oldest := 0.0
		for _, state := range []string{"available", "pending", "scheduled", "running", "retryable"} {
			n := 0
			for _, p := range f.Parts {
				if p.Kind == kind && p.State == state {
					if n = p.Count; state != "running" {
						oldest = max(oldest, p.Oldest)
					}
				}
			}
			gauge(descParts, float64(n), kind, state)
		}
		gauge(descOldest, oldest, kind)
	}
	count := func(of []StateFigure, kind, state string) float64 {
		if i := slices.IndexFunc(of, func(s StateFigure) bool { return s.Kind == kind && s.State == state }); i >= 0 {
			return float64(of[i].Count)
		}
		return 0
	}
	for _, kind := range annotator.JobKinds {
		for _, state := range annotator.JobStates {
			gauge(descJobs, count(f.Jobs, string(kind), string(state)), string(kind), string(state))
		}
	}
	for _, g := range f.Going {
		if slices.Contains(annotator.JobKinds, annotator.JobKind(g.Kind)) { // a newer studio may have others
			gauge(descProgress, g.Fraction, g.Kind)
			gauge(descSilent, g.Silent, g.Kind)
		}
	}
	for _, state := range annotator.TaskStates {
		gauge(descTasks, count(f.Tasks, "", string(state)), string(state))
	}
	gauge(descLeases, float64(f.Leases.Held), "held")
	gauge(descLeases, float64(f.Leases.Expired), "expired")
	gauge(descWorkers, float64(f.Workers))
	gauge(descFeatures, float64(f.FeatureBytes))
	gauge(descFeatureLimit, float64(f.FeatureLimit))
	gauge(descDatabase, float64(f.DatabaseBytes))
	gauge(descQuota, f.QuotaUsed)
}

// figures returns what was counted within figuresFor, or counts.
func (c *Collector) figures() (Figures, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && time.Since(c.at) < figuresFor {
		return c.of, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), countWithin)
	defer cancel()
	f, err := c.store.Figures(ctx)
	if err != nil {
		c.store.log.WarnContext(ctx, "the figures of the database are missing from the metrics", "err", err)
		return f, err
	}
	c.at, c.of = time.Now(), f
	return f, nil
}
