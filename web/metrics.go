package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry is where a server's figures are registered, and what /metrics shows.
type Registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// metrics are the server's figures for /metrics. Every label has a bounded number of values, whatever clients send: methods are those of
// HTTP or "other", routes are patterns or "none".
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	signIns  *prometheus.CounterVec
	scores   prometheus.Histogram
	streams  prometheus.Gauge
	conflict prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "studio_http_requests_total", Help: "Requests answered, by method, route and status."}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "studio_http_request_seconds", Help: "Time to answer, by route.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 11)}, []string{"route"}),
		signIns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "studio_sign_ins_total", Help: "Sign-ins accepted, refused, throttled, and sent away because too many waited (busy)."}, []string{"outcome"}),
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

// methods are the methods that have a label of their own.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// knownMethod is a method, or "other": clients may send any word.
func knownMethod(method string) string {
	if slices.Contains(methods, method) {
		return method
	}
	return "other"
}

func (m *metrics) observe(method, route string, status int, took time.Duration) {
	method = knownMethod(method)
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// MetricsHandler answers /metrics without a token. It is meant for an address of its own that is not public.
func (s *Server) MetricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.config.Metrics, promhttp.HandlerOpts{}))
	return mux
}

// metricsForToken answers /metrics on the public address to requests with Config.MetricsToken.
func (s *Server) metricsForToken(w http.ResponseWriter, r *http.Request) error {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	sent, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.config.MetricsToken))
	if subtle.ConstantTimeCompare(sent[:], want[:]) == 0 {
		w.Header().Set("Www-Authenticate", "Bearer")
		http.Error(w, "The metrics are for who sends the token of --metrics-token (Authorization: Bearer …).", http.StatusUnauthorized)
		return nil
	}
	promhttp.HandlerFor(s.config.Metrics, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return nil
}
