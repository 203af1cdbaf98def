package web

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what /metrics tells of the server. Paths are route patterns, so that their number is bounded.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	signIns  *prometheus.CounterVec
	scores   prometheus.Histogram
	streams  prometheus.Gauge
	conflict prometheus.Counter
}

func newMetrics(r *prometheus.Registry) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "studio_http_requests_total", Help: "Requests answered, by method, route and status."}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "studio_http_request_seconds", Help: "Time to answer, by route.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 11)}, []string{"route"}),
		signIns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "studio_sign_ins_total", Help: "Sign-ins accepted, refused and throttled."}, []string{"outcome"}),
		scores: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "studio_score_seconds", Help: "Time of a live score, from request to answer.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 12)}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "studio_event_streams", Help: "Event streams open now."}),
		conflict: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "studio_stale_saves_total", Help: "Saves refused because a newer revision was there."}),
	}
	r.MustRegister(m.requests, m.seconds, m.signIns, m.scores, m.streams, m.conflict)
	return m
}

func (m *metrics) observe(method, route string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}
