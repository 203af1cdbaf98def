package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/agreement"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/health"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/embedded"
	"github.com/abn-studio/studio/internal/roundrows"
	"github.com/abn-studio/studio/internal/tracing"
)

// storageFlags say where the studio's state is. Every command that needs it embeds them.
type storageFlags struct {
	DatabaseURL string `name:"database" env:"DATABASE_URL" placeholder:"URL" help:"PostgreSQL's address. Without one the studio runs a server of its own in the data folder."`
	DataDir     string `name:"data" env:"STUDIO_DATA" type:"path" placeholder:"DIR" help:"Data folder (default: /var/lib/abn-studio for root, else ~/.local/share/abn-studio)."`
	BlobURL     string `name:"blobs" env:"STUDIO_BLOBS" placeholder:"URL" help:"Where pictures and models are kept: a folder or s3://BUCKET?region=R (default: blobs in the data folder)."`
	BlobCacheMB int64  `name:"blob-cache-mb" env:"STUDIO_BLOB_CACHE_MB" default:"${blob_cache_mb}" help:"Disk for copies of a bucket's files, in MiB. Beyond it the longest unused go. A folder needs none."`
	PGBin       string `name:"pg-bin" env:"STUDIO_PG_BIN" type:"path" placeholder:"DIR" help:"Folder of PostgreSQL's programs, for the studio's own server."`
}

// storage is the studio's open state: database and blobs.
type storage struct {
	Store *postgres.Store
	Blobs *blob.Store
	Data  string // the data folder
	DSN   string // the database's address, for processes beside this one

	Tracer *tracing.Tracer // nil: nothing is traced

	server *embedded.Server // the server of this process; nil: another one is used
	copies int64            // bound of the copies of a bucket's files, in bytes; 0: blob.DefaultCacheBytes
	leave  func() error     // leaves and removes the empty working directory; nil: the process works in the folder it was started in
}

// openToServe opens the storage for a server or a worker. It resolves every path, finds ONNX Runtime, and then makes an empty folder the
// working directory until the storage is closed.
func (f storageFlags) openToServe(ctx context.Context, log *slog.Logger, beside bool) (*storage, error) {
	if err := resolvePaths(); err != nil {
		return nil, err
	}
	if err := ort.Init(""); err != nil {
		return nil, err
	}
	tracer, err := openTracer(ctx, log)
	if err != nil {
		return nil, err
	}
	s, err := f.openTraced(ctx, log, beside, tracer)
	if err != nil {
		return nil, err
	}
	if s.leave, err = enterEmptyFolder(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open starts the database, migrates it and opens the blobs. If another studio runs on the data folder, its database server is used if
// beside is set; otherwise open fails, since a data folder has only one server of pages.
func (f storageFlags) open(ctx context.Context, log *slog.Logger, beside bool) (*storage, error) {
	return f.openTraced(ctx, log, beside, nil)
}

// openTraced is open with a tracer, which is the storage's to close.
func (f storageFlags) openTraced(ctx context.Context, log *slog.Logger, beside bool, tracer *tracing.Tracer) (*storage, error) {
	s, err := f.reach(ctx, log, beside)
	if err != nil {
		closeTracer(tracer)
		return nil, err
	}
	s.Tracer = tracer
	patience := time.Duration(0) // the store's own
	if !beside {
		patience = pagePatience
	}
	if err := s.connect(ctx, f.BlobURL, patience, log); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// reach starts the database, or finds the one that runs, as open does. It neither migrates nor opens anything.
func (f storageFlags) reach(ctx context.Context, log *slog.Logger, beside bool) (*storage, error) {
	s := &storage{DSN: f.DatabaseURL, copies: f.BlobCacheMB << 20}
	if f.BlobCacheMB < 0 {
		return nil, fmt.Errorf("--blob-cache-mb %d: want at least 1 MiB", f.BlobCacheMB)
	}
	var err error
	if s.Data, err = f.dataDir(); err != nil {
		return nil, err
	}
	if s.DSN == "" {
		config := embedded.Config{DataDir: s.Data, BinDir: f.PGBin, Logger: log}
		s.server, err = embedded.Start(ctx, config)
		switch {
		case err == nil:
			s.DSN = s.server.DSN()
		case errors.Is(err, embedded.ErrInUse) && beside:
			if s.DSN, err = embedded.Attach(ctx, config); err != nil {
				return nil, err
			}
		default:
			return nil, err
		}
	}
	return s, nil
}

// pagePatience is how long a page waits for a database that is away before it shows an error. A restart of the database goes unnoticed,
// and an answer comes within two seconds. Tests wait ten times as long where they work in their own process beside many others.
var pagePatience = 1300 * time.Millisecond

func (s *storage) connect(ctx context.Context, blobs string, patience time.Duration, log *slog.Logger) (err error) {
	if err = postgres.Migrate(ctx, s.DSN, log); err != nil {
		return err
	}
	if s.Store, err = postgres.Open(ctx, postgres.Config{DSN: s.DSN, Patience: patience, Logger: log, Tracer: s.Tracer}); err != nil {
		return err
	}
	return s.openBlobs(ctx, blobs)
}

// openBlobs opens the blob store of an address; "": the one in the data folder.
func (s *storage) openBlobs(ctx context.Context, blobs string) (err error) {
	if blobs == "" {
		blobs = filepath.Join(s.Data, "blobs")
	}
	s.Blobs, err = blob.Open(ctx, blobs, blob.Options{CacheDir: filepath.Join(s.Data, "cache", "blobs"), CacheBytes: s.copies})
	return err
}

// schemaLook is how often a running process checks whether a newer one has migrated its database.
const schemaLook = 5 * time.Second

// whileCurrent runs do until it returns. If a newer studio migrates the database meanwhile, do's context ends and the error says so:
// this program does not know the new schema and must not write to it.
func whileCurrent(ctx context.Context, s *storage, do func(ctx context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	var looking sync.WaitGroup
	looking.Go(func() {
		ticker := time.NewTicker(schemaLook)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			var newer *postgres.SchemaError
			if errors.As(s.Store.CheckSchema(ctx), &newer) {
				stop(newer)
			}
		}
	})
	err := do(ctx)
	var newer *postgres.SchemaError
	if errors.As(context.Cause(ctx), &newer) {
		err = errors.Join(newer, err)
	}
	stop(nil)
	looking.Wait()
	return err
}

// diskEvery is how long the result of a check of the disks is used.
const diskEvery = 5 * time.Second

// disks checks whether the folders that the studio writes to have room.
func (s *storage) disks(log *slog.Logger) *disk.Check {
	return disk.NewCheck(diskEvery, log,
		disk.Folder("the data folder", s.Data), disk.Place{Name: "the blob store", Writable: s.Blobs.Writable},
		disk.Folder("the cache folder", filepath.Join(s.Data, "cache")), disk.Place{Name: "the database's disk", Writable: s.Store.Writable})
}

// ready returns a function that looks at what the studio stands on: the places it writes to, and its database, at the same time, so that
// one that does not answer is not taken for both.
func (s *storage) ready(disks *disk.Check) health.Check {
	return func(ctx context.Context) []health.Part {
		var database health.Part
		var asked sync.WaitGroup
		asked.Go(func() { database = s.Store.Health(ctx) })
		places := disks.Parts(ctx)
		asked.Wait()
		return append(slices.Clone(places), database)
	}
}

func (f storageFlags) dataDir() (string, error) {
	dir := f.DataDir
	if dir == "" {
		var err error
		if dir, err = embedded.DefaultDataDir(os.Getenv("XDG_DATA_HOME")); err != nil {
			return "", err
		}
	}
	return filepath.Abs(dir)
}

// Close disconnects, and stops the database server if this process started it.
func (s *storage) Close() error {
	if s.Store != nil {
		s.Store.Close()
	}
	var err error
	if s.Blobs != nil {
		err = s.Blobs.Close()
	}
	if s.server != nil {
		err = errors.Join(err, s.server.Stop())
	}
	closeTracer(s.Tracer)
	if s.leave != nil {
		err = errors.Join(err, s.leave())
	}
	return err
}

// service returns the use cases for a command. All changes go through it; the store is only for reading, and for the parts of a running
// studio.
func (s *storage) service(log *slog.Logger) *annotator.Service {
	return annotator.NewService(annotator.ServiceConfig{Store: s.Store, Blobs: s.Blobs, Starts: jobs.NewCatalog(s.Blobs, nil, 1), Pictures: inference.NewPictures(s.Blobs, "", 0, log), Models: jobs.NewModels(s.Blobs, "", 0), Rows: roundrows.Reader{}, Agreement: agreement.Measures{}, Logger: log})
}

// projectNamed finds a project; the error says how to make it.
func projectNamed(ctx context.Context, service *annotator.Service, slug string) (annotator.ProjectSummary, error) {
	project, err := service.Project(ctx, annotator.System, slug)
	if errors.Is(err, annotator.ErrNotFound) {
		return project, fmt.Errorf("project %q: %w (make it with 'studio project create %s')", slug, annotator.ErrNotFound, slug)
	}
	return project, err
}

// withStore opens the state and runs a short command on it, as annotator.System.
func (f storageFlags) withStore(ctx context.Context, streams *stdio, do func(s *storage, service *annotator.Service) error) (err error) {
	log := warnings(streams.Err)
	s, err := f.open(ctx, log, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	err = do(s, s.service(log))
	var invalid *annotator.ValidationError
	if errors.As(err, &invalid) {
		return fmt.Errorf("%s: %s", invalid.Field, invalid.Message)
	}
	return err
}
