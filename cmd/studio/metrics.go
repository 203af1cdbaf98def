package main

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/health"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/postgres"
)

// registerProcess registers what a server and a worker tell Prometheus alike: of the process, of the studio's parts and disks, of the
// database, and of the networks that are run. docs/operations.md describes every figure; a test compares.
func registerProcess(r prometheus.Registerer, s *storage, ready health.Check) *runMetrics {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "studio_build_info", Help: "1, with the release and Go's version as labels.",
		ConstLabels: prometheus.Labels{"version": cmp.Or(version, "development"), "go": runtime.Version()}})
	build.Set(1)
	runs := newRunMetrics()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build,
		readyCollector{ready}, diskCollector{s.Data}, postgres.NewCollector(s.Store), runs.runs, runs.seconds, runs.rows)
	return runs
}

// runMetrics are figures of the runs of networks, in scans, live scores and trainings.
type runMetrics struct {
	runs    *prometheus.CounterVec
	rows    *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newRunMetrics() *runMetrics {
	return &runMetrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "studio_network_runs_total", Help: "Runs of networks, by what was run and outcome: ok, stopped (nobody waits for it any more), slow (it did not end in time), error."}, []string{"network", "outcome"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "studio_network_rows_total", Help: "Rows of the batches that networks were run on, by what was run: of most, images."}, []string{"network"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "studio_network_run_seconds", Help: "Time of a run of a network, by what was run.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12)}, []string{"network"}),
	}
}

// watch is an ort.Watcher.
func (m *runMetrics) watch(_ context.Context, run ort.Run) func(error) {
	began := time.Now()
	return func(err error) {
		outcome := "ok"
		switch {
		case errors.Is(err, ort.ErrTooLong):
			outcome = "slow"
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			outcome = "stopped"
		case err != nil:
			outcome = "error"
		}
		m.runs.WithLabelValues(run.Network, outcome).Inc()
		m.rows.WithLabelValues(run.Network).Add(float64(run.Rows))
		m.seconds.WithLabelValues(run.Network).Observe(time.Since(began).Seconds())
	}
}

// lookWithin is how long a scrape waits for the parts.
const lookWithin = 2 * time.Second

// readyCollector tells of each part what /readyz says of it.
type readyCollector struct{ check health.Check }

var descReady = prometheus.NewDesc("studio_ready", "1 for each part of the studio that can be used, 0 for one that cannot: as /readyz says it.", []string{"part"}, nil)

func (c readyCollector) Describe(all chan<- *prometheus.Desc) { all <- descReady }

func (c readyCollector) Collect(all chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), lookWithin)
	defer cancel()
	for _, part := range c.check(ctx) {
		value := 1.0
		if part.Err != nil {
			value = 0
		}
		all <- prometheus.MustNewConstMetric(descReady, prometheus.GaugeValue, value, part.Name)
	}
}

// diskCollector tells how much room the disks have on which the data folder and its caches lie.
type diskCollector struct{ data string }

var (
	descFree = prometheus.NewDesc("studio_disk_free_bytes", "What may still be written to the disk of a folder.", []string{"folder"}, nil)
	descSize = prometheus.NewDesc("studio_disk_size_bytes", "The size of the disk of a folder.", []string{"folder"}, nil)
)

func (c diskCollector) Describe(all chan<- *prometheus.Desc) { all <- descFree; all <- descSize }

func (c diskCollector) Collect(all chan<- prometheus.Metric) {
	for name, dir := range map[string]string{"data": c.data, "cache": filepath.Join(c.data, "cache")} {
		if free, size, ok := disk.Room(dir); ok {
			all <- prometheus.MustNewConstMetric(descFree, prometheus.GaugeValue, float64(free), name)
			all <- prometheus.MustNewConstMetric(descSize, prometheus.GaugeValue, float64(size), name)
		}
	}
}
