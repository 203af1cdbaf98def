package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/health"
	"github.com/abn-studio/studio/internal/logs"
	"github.com/abn-studio/studio/internal/oidc"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/internal/tracing"
)

// Config is what a Server needs. Service and SessionStore are required; every other field has a default.
type Config struct {
	Service      *annotator.Service
	SessionStore scs.Store // where sessions are stored, such as postgres.Store.Sessions()

	Logger  *slog.Logger    // nil: slog.Default()
	Tracer  *tracing.Tracer // what traces requests; nil: nothing does
	Metrics Registry        // what MetricsHandler shows; nil: a new one
	Ready   health.Check    // what /readyz says of the studio's parts; nil: it is ready

	// Disk returns annotator.ErrFull while the studio's disk is full; nil: it is not checked. On a full disk the database may stop
	// answering. Requests are then answered with 507 (full) instead of 503.
	Disk func(context.Context) error

	PublicURL      string   // how people reach the studio, "https://studio.example.org"; https makes cookies secure
	TrustedOrigins []string // other origins whose forms and scripts may act, "https://proxy.example.org"
	TrustProxy     bool     // believe X-Forwarded-For and X-Forwarded-Proto of every connection

	// Queues answers below QueuesPath: River's own page of its queues, for admins (jobs.QueuePage); nil: there is none.
	Queues http.Handler

	MetricsToken string // the bearer token for /metrics on the public address; empty: there is no such page

	// Institution signs people in by an institution's provider, as the Service's Institution says; nil: nobody does.
	Institution *oidc.Client

	Accounts []Account // sign-ins the sign-in page offers; only the demo, which binds to loopback, has any
	Release  string    // shown in the footer and in OpenAPI

	MaxModelBytes int64 // largest size of an uploaded model; 0: annotator.DefaultMaxModelBytes. The Service's Models has a bound too

	SignIn      Throttle      // bounds guessing of passwords
	Codes       Throttle      // bounds guessing of codes, by who has the password; 5 of a person from one address, 10 from all, one more in 30 s
	ShutdownFor time.Duration // how long open requests may take at shutdown, 10 s
}

// Account is a sign-in that the demo prints and its sign-in page offers.
type Account struct{ Name, Email, Password, Role string }

// WithDefaults returns c with its empty fields filled in.
func (c Config) WithDefaults() Config {
	c.Logger = logs.Wrap(cmp.Or(c.Logger, slog.Default()))
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.Ready == nil {
		c.Ready = func(context.Context) []health.Part { return nil }
	}
	c.Release = cmp.Or(c.Release, "development")
	c.MaxModelBytes = cmp.Or(c.MaxModelBytes, annotator.DefaultMaxModelBytes)
	c.SignIn = c.SignIn.WithDefaults()
	c.Codes = Throttle{PerPair: cmp.Or(c.Codes.PerPair, 5), PerAccount: cmp.Or(c.Codes.PerAccount, 10), PerAddress: c.Codes.PerAddress, Refill: cmp.Or(c.Codes.Refill, 30*time.Second)}.WithDefaults()
	c.ShutdownFor = cmp.Or(c.ShutdownFor, 10*time.Second)
	return c
}

// Server answers every request of the studio. It is made by NewServer and safe for concurrent use.
type Server struct {
	config   Config
	service  *annotator.Service
	log      *slog.Logger
	sessions *sessions
	assets   *assets
	metrics  *metrics
	handler  http.Handler
	origins  []string // the studio's own, besides the one a request is sent to: the public address and the trusted ones

	heartbeat   time.Duration   // the longest time an event stream sends nothing
	streams     context.Context // ends when the server shuts down, so that event streams do
	stopStreams context.CancelFunc
}

// NewServer builds a server; it opens nothing and starts nothing.
func NewServer(c Config) (*Server, error) {
	c = c.WithDefaults()
	if c.Service == nil || c.SessionStore == nil {
		return nil, errors.New("web.NewServer: Config needs a Service and a SessionStore")
	}
	protection := http.NewCrossOriginProtection()
	origins := c.TrustedOrigins
	if c.PublicURL != "" {
		origins = append([]string{strings.TrimRight(c.PublicURL, "/")}, origins...)
	}
	for _, origin := range origins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("trusted origin %q: %w (write it as https://host[:port])", origin, err)
		}
	}
	assets, err := loadAssets()
	if err != nil {
		return nil, fmt.Errorf("reading the embedded assets: %w", err)
	}
	s := &Server{
		config:  c,
		service: c.Service,
		origins: origins,
		log:     c.Logger,
		assets:  assets,
		metrics: newMetrics(c.Metrics),

		heartbeat: heartbeat,
	}
	s.streams, s.stopStreams = context.WithCancel(context.Background())
	s.sessions = newSessions(c, s.fail)
	if s.sessions.always && !c.TrustProxy {
		s.log.Warn("the public address is " + text.Cut(c.PublicURL, maxPathLogged) + " and the studio itself speaks plain HTTP: " + proxyAdvice)
	}
	protection.SetDenyHandler(s.plain(func(http.ResponseWriter, *http.Request) error { return errCrossOrigin }))
	s.handler = s.routes(protection)
	return s, nil
}

// Handler answers requests; Serve is the usual way to use it.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers on listener until ctx ends, then lets open requests finish for Config.ShutdownFor
// (event streams end at once: browsers reconnect). It returns nil after such a shutdown.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           OnLoopback(listener.Addr(), s.origins, s.handler),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      120 * time.Second, // streams and downloads extend it as they go
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(s.stopStreams)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		s.stopStreams()
		return fmt.Errorf("serving on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.ShutdownFor)
	defer cancel()
	err := server.Shutdown(grace)
	<-failed
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.WarnContext(ctx, "requests were still open at shutdown", "after", s.config.ShutdownFor)
		return server.Close()
	}
	return err
}
