package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/agreement"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/roundrows"
	"github.com/abn-studio/studio/internal/sealed"
	"github.com/abn-studio/studio/internal/space"
	"github.com/abn-studio/studio/internal/webhook"
	"github.com/abn-studio/studio/web"
)

// serveCommand answers pages and the API, and does the background work unless another process does.
type serveCommand struct {
	storageFlags
	featureFlags
	webhookFlags
	logFlags
	sealingFlags
	institutionFlags `group:"Signing in by an institution (OpenID Connect)"`

	Listen         string        `default:"127.0.0.1:8080" help:"Address to answer on."`
	PublicURL      string        `env:"STUDIO_PUBLIC_URL" placeholder:"URL" help:"How people reach the studio, such as https://studio.example.org; https makes its cookies secure."`
	TrustedOrigins []string      `env:"STUDIO_TRUSTED_ORIGINS" placeholder:"URL" help:"Further addresses people use, where a proxy stands before the server."`
	TrustProxy     bool          `env:"STUDIO_TRUST_PROXY" help:"Believe X-Forwarded-For and X-Forwarded-Proto: only behind a proxy that sets them."`
	MetricsListen  string        `env:"STUDIO_METRICS_LISTEN" placeholder:"HOST:PORT" help:"Serve /metrics on this separate address, which outsiders must not reach."`
	MetricsToken   string        `env:"STUDIO_METRICS_TOKEN" placeholder:"TOKEN" help:"Serve /metrics on the studio's address for requests with this bearer token. Without this and --metrics-listen metrics are not served."`
	Source         []string      `env:"STUDIO_SOURCES" placeholder:"NAME=PATH" help:"Offer a folder of this machine, or a bucket's prefix (NAME=s3://BUCKET/PREFIX), to be imported from by its name; may be given several times. All of it can be read by every admin."`
	NoWorker       bool          `help:"Leave imports, scans and rounds to 'studio worker'."`
	Threads        int           `default:"0" help:"Threads of ONNX Runtime in background work; 0: all cores."`
	PictureCacheMB int64         `name:"picture-cache-mb" env:"STUDIO_PICTURE_CACHE_MB" default:"${picture_cache_mb}" help:"Disk for pictures as they are shown, in MiB. Beyond it the longest unused go."`
	OriginalLinks  time.Duration `env:"STUDIO_ORIGINAL_LINKS" placeholder:"DURATION" help:"Hand out original files by links to the bucket that work for so long (${min_link} to ${max_link}), instead of sending them. People have to reach the bucket, and need no sign-in there."`
	MaxModelMB     int64         `name:"max-model-mb" env:"STUDIO_MAX_MODEL_MB" default:"${max_model_mb}" help:"Largest model file that is taken from a browser or the API, in MiB."`
	MaxImportGB    int64         `name:"max-import-gb" env:"STUDIO_MAX_IMPORT_GB" default:"${max_import_gb}" help:"Most that one import from a browser or the API may have, in GiB. The disk's room bounds it too."`
}

// Run serves until it is interrupted.
func (c *serveCommand) Run(ctx context.Context, streams *stdio) (err error) {
	log := c.newLog(streams.Err)
	featureBytes, err := c.bytes()
	if err != nil {
		return err
	}
	webhooks, err := c.sender()
	if err != nil {
		return err
	}
	sources, err := jobs.ParseSources(c.Source)
	if err != nil {
		return fmt.Errorf("--source %w", err)
	}
	sealing, err := c.key()
	if err != nil {
		return err
	}
	institution, provider, err := c.institutionFlags.open()
	if err != nil {
		return err
	}
	if c.PictureCacheMB < 1 {
		return fmt.Errorf("--picture-cache-mb %d: want at least 1 MiB", c.PictureCacheMB)
	}
	listener, err := listen("--listen", c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	s, err := c.openToServe(ctx, log, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if c.OriginalLinks != 0 {
		if err := s.Blobs.GiveLinks(ctx, c.OriginalLinks); err != nil {
			return fmt.Errorf("--original-links %w", err)
		}
	}
	running, err := startStudio(ctx, s, studioConfig{
		log: log, worker: !c.NoWorker, threads: c.Threads, maxModelBytes: c.MaxModelMB << 20, maxImportBytes: c.MaxImportGB << 30, sources: sources, featureBytes: featureBytes, pictureBytes: c.PictureCacheMB << 20, webhooks: webhooks, metrics: prometheus.NewRegistry(),
		institution: institution, sealing: sealing,
		web: web.Config{Institution: provider, PublicURL: c.PublicURL, TrustedOrigins: c.TrustedOrigins, TrustProxy: c.TrustProxy, MetricsToken: c.MetricsToken},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, running.stop()) }()
	if c.MetricsListen != "" {
		address, stop, err := aside("--metrics-listen", c.MetricsListen, running.server.MetricsHandler())
		if err != nil {
			return err
		}
		defer stop()
		fmt.Fprintf(streams.Out, "Metrics: http://%s/metrics\n", address)
	}
	fmt.Fprintf(streams.Out, "ABN Studio answers on http://%s\n", listener.Addr())
	if err := tellWayIn(ctx, streams.Out, running.service, cmp.Or(c.PublicURL, "http://"+reachable(listener.Addr()))); err != nil {
		return err
	}
	return whileCurrent(ctx, s, func(ctx context.Context) error { return running.server.Serve(ctx, listener) })
}

// tellWayIn says how the first admin is made, where nobody can administer the studio.
func tellWayIn(ctx context.Context, out io.Writer, service *annotator.Service, address string) error {
	key, err := service.NewSetupLink(ctx, annotator.System)
	if err != nil {
		return fmt.Errorf("making the link for the first admin: %w", err)
	}
	if key != "" {
		_, err = fmt.Fprintf(out, "Nobody can sign in yet. This link makes the first admin, once, within %d hours: %s%s?key=%s\n",
			int(annotator.SetupLinkLasts.Hours()), strings.TrimRight(address, "/"), web.SetupPath, key)
		return err
	}
	people, err := service.Users(ctx, annotator.System)
	if err != nil {
		return err
	}
	if !hasAdmin(people) {
		_, err = fmt.Fprintln(out, "Nobody can administer this studio. Add an admin: studio user add --email you@example.org --name You --role admin")
	}
	return err
}

// reachable returns an address that a browser on this machine can open. An address that stands for all of the machine's, such as 0.0.0.0,
// becomes localhost.
func reachable(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return address.String()
}

func hasAdmin(people []annotator.User) bool {
	for _, u := range people {
		if u.Role == annotator.RoleAdmin && !u.Disabled && !u.Generator {
			return true
		}
	}
	return false
}

// studioConfig is what a running studio is made of besides its storage.
type studioConfig struct {
	log     *slog.Logger
	worker  bool
	threads int
	web     web.Config

	sealing     sealed.Key             // under which secrets of authenticator apps are kept
	institution *annotator.Institution // whose people web.Institution signs in; nil: there is none

	maxModelBytes  int64 // largest size of an uploaded model; 0: annotator.DefaultMaxModelBytes
	maxImportBytes int64 // bound of all files of an import that is sent; 0: jobs.DefaultMaxImportBytes
	sources        jobs.Sources
	featureBytes   int64 // bound of the worker's cache of features on disk
	pictureBytes   int64 // bound of the pictures as they are shown; 0: inference.DefaultPictureBytes
	webhooks       *webhook.Sender
	metrics        web.Registry // where figures are registered; nil: nowhere
}

// studio is a server and, in the same process, perhaps a worker.
type studio struct {
	service *annotator.Service
	server  *web.Server
	worker  *jobs.Worker
	scorer  *inference.LiveScorer
	clicks  *inference.Segmenters
	staging *jobs.Staging
	machine *space.Machine
	leave   context.CancelFunc // ends looking at the queues
}

// startStudio connects the parts: the service with the store, the server with the service, and perhaps a worker.
func startStudio(ctx context.Context, s *storage, c studioConfig) (*studio, error) {
	if err := ort.Init(""); err != nil {
		return nil, err
	}
	pictures := inference.NewPictures(s.Blobs, filepath.Join(s.Data, "cache", "pictures"), c.pictureBytes, c.log)
	if err := errors.Join(jobs.SweepIncoming(s.Data, s.Blobs), pictures.Sweep()); err != nil {
		c.log.WarnContext(ctx, "what killed uploads left behind is not swept", "err", err)
	}
	networks := network.NewStore(s.Blobs.Path, 0)
	r := &studio{scorer: inference.NewLiveScorer(networks, s.Blobs, inference.LiveScorerOptions{}), clicks: inference.NewSegmenters(s.Blobs, s.Blobs.Path)}
	staging, err := jobs.NewStaging(s.Blobs, jobs.StagingFolder(s.Data), c.maxImportBytes, c.sources, c.log)
	if err != nil {
		return nil, errors.Join(err, r.scorer.Close())
	}
	r.staging, r.machine = staging, space.NewMachine(onMachine(s, c))
	r.service = annotator.NewService(annotator.ServiceConfig{
		Store: s.Store, Blobs: s.Blobs, Links: s.Blobs, Scorer: r.scorer, ActivationMaps: r.scorer, Likener: r.scorer, Describer: r.scorer, Segmenting: r.clicks, Logger: c.log,
		Pictures: pictures, Starts: jobs.NewCatalog(s.Blobs, networks, 1), Checking: jobs.NewCatalog(s.Blobs, networks, 1), Models: jobs.NewModels(s.Blobs, jobs.IncomingFolder(s.Data), c.maxModelBytes),
		Staging: staging, Rows: roundrows.Reader{}, Agreement: agreement.Measures{}, Institution: c.institution, Sealing: c.sealing, Machine: r.machine,
	})
	looking, leave := context.WithCancel(context.WithoutCancel(ctx))
	r.leave = leave
	if c.web.Queues, err = jobs.QueuePage(looking, s.Store, web.QueuesPath, c.log); err != nil {
		return nil, errors.Join(err, r.scorer.Close())
	}
	c.web.Tracer = s.Tracer
	disks := s.disks(c.log)
	c.web.MaxModelBytes = c.maxModelBytes
	c.web.Service, c.web.SessionStore, c.web.Logger, c.web.Ready = r.service, s.Store.Sessions(), c.log, s.ready(disks)
	c.web.Disk, c.web.Metrics = disks.Err, c.metrics
	var figures prometheus.Registerer
	if c.metrics != nil {
		figures = c.metrics
		watchRuns(registerProcess(figures, s, c.web.Ready), s.Tracer)
	}
	if r.server, err = web.NewServer(c.web); err != nil {
		return nil, errors.Join(err, r.scorer.Close())
	}
	if c.worker {
		if r.worker, err = jobs.NewWorker(jobs.Config{
			Store: s.Store, Blobs: s.Blobs, Data: s.Data, Networks: networks, Threads: c.threads, FeatureBytes: c.featureBytes, Webhooks: c.webhooks, Logger: c.log, Metrics: figures, Tracer: s.Tracer,
		}); err == nil {
			err = r.worker.Start(ctx)
		}
		if err != nil {
			return nil, errors.Join(err, r.scorer.Close())
		}
	}
	return r, nil
}

// stopWithin is how long running jobs may take to reach a point from which they can be resumed.
const stopWithin = 30 * time.Second

// stop ends the worker and frees the models.
func (r *studio) stop() error {
	var err error
	r.leave()
	r.machine.Close()
	r.staging.Close() // what it imports goes on with the same import
	if r.worker != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
		defer cancel()
		err = r.worker.Stop(ctx)
	}
	return errors.Join(err, r.scorer.Close(), r.clicks.Close())
}

// listen listens on the address of a flag; the error says what to do if the address is in use.
func listen(flag, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another program: choose another with %s HOST:PORT", address, flag)
	}
	return listener, err
}

// aside serves a handler on an address of its own, as for metrics, until stop is called.
func aside(flag, address string, handler http.Handler) (bound net.Addr, stop func(), err error) {
	listener, err := listen(flag, address)
	if err != nil {
		return nil, nil, err
	}
	server := &http.Server{Handler: web.OnLoopback(listener.Addr(), nil, handler),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() { _ = server.Serve(listener) }()
	return listener.Addr(), func() { _ = server.Close() }, nil
}

// loopback reports whether only this machine can reach an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
