package jobs

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abn-studio/studio/internal/postgres"
)

// metrics are a worker's figures. Every label has a bounded number of values.
type metrics struct {
	attempts *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	working  *prometheus.GaugeVec
	images   *prometheus.CounterVec
	bytes    prometheus.Gauge
	files    prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "studio_job_attempts_total", Help: "Attempts at parts of jobs that this worker ended, by kind and how: finished, failed (the job has failed for good), error (tried again), given back, taken over."}, []string{"kind", "how"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "studio_job_attempt_seconds", Help: "Time of an attempt at a part of a job, by kind.",
			Buckets: []float64{0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600}}, []string{"kind"}),
		working: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "studio_job_attempts_running", Help: "Parts of jobs that this worker works on, by kind."}, []string{"kind"}),
		images: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "studio_scan_images_total", Help: "Images that this worker scanned: predicted, or left out since they cannot be read."}, []string{"outcome"}),
		bytes: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "studio_blob_store_bytes", Help: "Size of the blob store, as last counted by this worker. The worker that tidies counts it, every six hours."}),
		files: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "studio_blob_store_files", Help: "Files of the blob store, as last counted by this worker."}),
	}
	for _, kind := range postgres.PartKinds {
		m.working.WithLabelValues(kind)
		for _, how := range attemptEnds {
			m.attempts.WithLabelValues(kind, how)
		}
	}
	for _, outcome := range []string{scanPredicted, scanLeftOut} {
		m.images.WithLabelValues(outcome)
	}
	r.MustRegister(m.attempts, m.seconds, m.working, m.images, m.bytes, m.files)
	return m
}

// What becomes of an image of a scan.
const (
	scanPredicted = "predicted"
	scanLeftOut   = "left out"
)

// begin counts that an attempt at a part began; the function that it returns counts how it ended.
func (m *metrics) begin(kind string) (ended func(how string, took time.Duration)) {
	if !slices.Contains(postgres.PartKinds, kind) {
		return func(string, time.Duration) {}
	}
	m.working.WithLabelValues(kind).Inc()
	return func(how string, took time.Duration) {
		m.working.WithLabelValues(kind).Dec()
		m.attempts.WithLabelValues(kind, how).Inc()
		m.seconds.WithLabelValues(kind).Observe(took.Seconds())
	}
}
