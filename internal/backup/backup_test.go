package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// s3Query ends the addresses of buckets on the S3 server of the tests.
var s3Query string

func TestMain(m *testing.M) {
	backend := s3mem.New()
	server := httptest.NewServer(gofakes3.New(backend).Server())
	if err := backend.CreateBucket("backups"); err != nil {
		panic(err)
	}
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B", "AWS_MAX_ATTEMPTS": "1"} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	s3Query = "?region=us-east-1&use_path_style=true&endpoint=" + server.URL
	code := pgtest.Main(m)
	server.Close()
	os.Exit(code)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ok[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var quiet = slog.New(slog.DiscardHandler)

// studio is a studio in which people did everything that leaves something.
type studio struct {
	*pgtest.Studio
	dsn string
}

func newStudio(t testing.TB) *studio {
	t.Helper()
	s := &studio{Studio: pgtest.NewStudio(t)}
	s.Work(t)
	s.dsn = s.Store.Pool().Config().ConnString()
	ctx := t.Context()
	project := ok(s.Store.ProjectBySlug(ctx, "flock"))
	version := ok(s.Store.Versions(ctx, project.ID))[0]
	encoder, decoder := s.Put(t, "an encoder"), s.Put(t, "a decoder")
	must(t, s.Store.SaveSegmenter(ctx, annotator.Segmenter{Name: "sam", Kind: "sam", Pixels: annotator.PixelsUnit, EncoderHash: encoder, EncoderBytes: 10, DecoderHash: decoder, DecoderBytes: 9, AddedAt: s.Clock.Now()}))
	ok(s.Store.InsertUpload(ctx, annotator.Upload{ProjectID: project.ID, Name: "sent.onnx", ModelHash: s.Put(t, "a sent network"), Bytes: 14}, s.Admin))
	ok(s.Store.InsertToken(ctx, annotator.Token{UserID: s.Ada.ID, Name: "script\t\\N \"é\"\n", Scopes: []annotator.Scope{annotator.ScopeRead}, CreatedAt: s.Clock.Now(), ExpiresAt: s.Clock.Now().Add(time.Hour)}, bytes.Repeat([]byte{0, '\n', 0xff, '\\'}, 8)))
	must(t, s.Store.SetForecast(ctx, annotator.Forecast{VersionID: version.ID, Edits: []int64{1}}, []forecast.RowInPlace{}))
	ok(s.Store.BeginImport(ctx, project.ID, 3))
	ok(s.Store.EnqueueEvaluate(ctx, version.ID))
	ok(s.Service.StartRound(ctx, s.Admin, "flock", ok(s.Store.Rounds(ctx, project.ID))[0].Settings, "waits"))
	must(t, s.Store.Heartbeat(ctx, annotator.Worker{ID: "worker-1", Host: "here", PID: 1}))
	must(t, s.Store.SetBlobSpace(ctx, annotator.BlobSpace{CountedAt: s.Clock.Now(), Files: 30, Bytes: 300, Referred: 200}))
	ok(s.Service.BeginSession(ctx, s.Ada, annotator.Client{Browser: "Firefox", Address: "203.0.113.7"}))
	must(t, s.Store.InsertIdentity(ctx, annotator.Identity{UserID: s.Ada.ID, Issuer: "https://login.example.org", Subject: "ada", LinkedAt: time.Now()}))
	must(t, s.Store.SaveFactor(ctx, annotator.Factor{UserID: s.Ada.ID, Secret: []byte("\x00a secret"), BegunAt: time.Now()}))
	must(t, s.Store.ReplaceRecoveryCodes(ctx, s.Ada.ID, [][]byte{make([]byte, 32)}))
	ok(s.Service.AddPasskey(ctx, s.Ada, annotator.Passkey{Handle: []byte("handle"), Credential: []byte(`{"id": "aGFuZGxl"}`), Name: "phone"}))
	_, _, err := s.Service.AddWebhook(ctx, s.Admin, "flock", annotator.NewWebhook{URL: "https://ci.example.org/hook"})
	must(t, err)
	_, _, err = s.Service.InviteTo(ctx, s.Admin, "flock", "invited@example.org", annotator.RoleReviewer) // a line that is to be sent
	must(t, err)
	ok(s.Store.Pool().Exec(ctx, `INSERT INTO sessions (token, data, expiry) VALUES ('secret of a browser', '\x00', now() + interval '1 day')`))
	ok(s.Store.Pool().Exec(ctx, `INSERT INTO river_queue (name, updated_at) VALUES ('light', now())`))
	ok(s.Store.Pool().Exec(ctx, `
		INSERT INTO reserve (version_id, image_id, project_id, label, confidence)
		SELECT p.version_id, i.id, i.project_id, i.label, p.confidence FROM predictions p JOIN images i ON i.id = p.image_id
		WHERE i.label IS NOT NULL AND NOT EXISTS (SELECT FROM reserve WHERE image_id = i.id) LIMIT 1`))
	return s
}

func (s *studio) options(keys Keys) Options {
	return Options{DSN: s.dsn, Blobs: s.Blobs, Keys: keys, Release: "test", work: 4}
}

// state is all that a studio holds: every row of every table as text, the sequences, and the files with their bytes.
type state struct {
	Rows      map[string][]string
	Sequences map[string]string
	Files     map[string]string
}

func stateOf(t testing.TB, dsn string, blobs *blob.Store) state {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn := ok(pgx.Connect(ctx, dsn))
	defer conn.Close(ctx)
	s := state{map[string][]string{}, map[string]string{}, map[string]string{}}
	names := ok(pgx.CollectRows(ok(conn.Query(ctx, `SELECT relkind::text || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')`)), pgx.RowTo[string]))
	for _, name := range names {
		kind, name := name[0], name[1:]
		if kind == 'S' {
			s.Sequences[name] = ok(pgx.CollectExactlyOneRow(ok(conn.Query(ctx, `SELECT last_value || ' ' || is_called FROM `+name)), pgx.RowTo[string]))
			continue
		}
		s.Rows[name] = ok(pgx.CollectRows(ok(conn.Query(ctx, `SELECT t::text FROM `+name+` t ORDER BY 1`)), pgx.RowTo[string]))
	}
	for _, f := range ok(blobs.List(ctx)) {
		file := ok(blobs.Open(ctx, f.Hash))
		s.Files[f.Hash] = string(ok(io.ReadAll(file)))
		file.Close()
	}
	return s
}

// withoutLeftOut is the state without what a backup does not have.
func (s state) withoutLeftOut() state {
	for table := range postgres.LeftOut {
		delete(s.Rows, table)
	}
	for name := range s.Sequences {
		if strings.HasPrefix(name, "goose_") || strings.HasPrefix(name, "river_notification") || strings.HasPrefix(name, "user_sessions_") {
			delete(s.Sequences, name)
		}
	}
	return s
}

func emptyBlobs(t testing.TB) *blob.Store {
	t.Helper()
	return ok(blob.Open(t.Context(), t.TempDir(), blob.Options{}))
}

func keyPair() (age.Recipient, age.Identity) {
	identity := ok(age.GenerateX25519Identity())
	return identity.Recipient(), identity
}

// The drill: a studio in use is backed up and restored elsewhere, and every row of every table, every sequence and every file's bytes are what
// they were; the trail goes on behind the last number. In a folder and in a bucket, plain, to a public key, with a passphrase.
func TestDrill(t *testing.T) {
	t.Parallel()
	recipient, identity := keyPair()
	for name, c := range map[string]struct {
		address     string
		write, read Keys
		bucket      bool // the studio's own files are in one, too
	}{
		"folder":             {address: filepath.Join(t.TempDir(), "backups")},
		"folder, key":        {filepath.Join(t.TempDir(), "backups"), Keys{Recipients: []age.Recipient{recipient}}, Keys{Identities: []age.Identity{identity}}, false},
		"folder, passphrase": {filepath.Join(t.TempDir(), "backups"), Keys{Passphrase: "four words and one"}, Keys{Passphrase: "four words and one"}, false},
		"bucket":             {address: "s3://backups/plain" + s3Query, bucket: true},
		"bucket, key":        {"s3://backups/sealed/deep" + s3Query, Keys{Recipients: []age.Recipient{recipient}}, Keys{Identities: []age.Identity{identity}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			s := newStudio(t)
			place := ok(OpenPlace(ctx, c.address))
			defer place.Close()
			made, err := Make(ctx, place, s.options(c.write))
			must(t, err)
			if made.New != made.About.Objects || made.New < 25 || made.Contents.Rows() < 200 || len(made.Contents.Lost) != 13 {
				t.Errorf("%d of %d files are new, %d rows, %d lost", made.New, made.About.Objects, made.Contents.Rows(), len(made.Contents.Lost))
			}
			for _, table := range made.Contents.Tables {
				if table.Rows == 0 && !slices.Contains([]string{"scan_chunks"}, table.Name) {
					t.Errorf("the test makes no row of %s", table.Name)
				}
			}
			b, err := Open(ctx, place, "", c.read)
			must(t, err)
			if v, err := b.Verify(ctx, nil); err != nil || len(v.Damaged) > 0 || v.Objects != made.About.Objects || !v.Opened {
				t.Errorf("verified: %+v, %v", v, err)
			}
			dsn, blobs := pgtest.EmptyDSN(t), emptyBlobs(t)
			restored, err := b.Restore(ctx, Target{DSN: dsn, Blobs: blobs, Log: quiet})
			must(t, err)
			if restored.Files != made.About.Objects || len(restored.Foreign) > 0 {
				t.Errorf("restored %+v", restored)
			}
			was, is := stateOf(t, s.dsn, s.Blobs).withoutLeftOut(), stateOf(t, dsn, blobs)
			delete(was.Files, s.Put(t, "picture 6")) // no row refers to it
			if n := len(is.Rows["sessions"]) + len(is.Rows["user_sessions"]) + len(is.Rows["setup_link"]); n > 0 {
				t.Error("somebody is signed in")
			}
			if diff := cmp.Diff(was, is.withoutLeftOut()); diff != "" {
				t.Errorf("what was, and is (+):\n%s", diff)
			}
			goesOn(t, dsn, blobs)
			if c.bucket {
				fromBucket(t, place, b, was)
			}

			// A second backup copies what is new, and nothing twice.
			s.Put(t, "nobody refers to this")
			project := ok(s.Store.ProjectBySlug(ctx, "flock"))
			ok(s.Store.AddImages(ctx, project.ID, []annotator.NewImage{{Name: "late.png", Split: annotator.SplitPool, Hash: s.Put(t, "late"), Width: 1, Height: 1}}))
			again, err := Make(ctx, place, s.options(c.write))
			must(t, err)
			if again.New != 1 || again.About.Objects != made.About.Objects+1 || again.Name <= made.Name {
				t.Errorf("the second backup copied %d files of %d", again.New, again.About.Objects)
			}
			for _, l := range ok(Backups(ctx, place)) {
				if v, err := ok(Open(ctx, place, l.Name, c.read)).Verify(ctx, nil); err != nil || len(v.Damaged) > 0 {
					t.Errorf("%s: %+v, %v", l.Name, v, err)
				}
			}
			// What nobody may read says nothing.
			if c.write.Passphrase != "" || len(c.write.Recipients) > 0 {
				must(t, place.List(ctx, "", func(name string, _ int64, _ time.Time) error {
					text := ok(readAll(ctx, place, name, 1<<20))
					for _, secret := range []string{"Grace", "flock", "picture 1", s.hashOf(t, "late"), "four words"} {
						if strings.Contains(name, secret) || bytes.Contains(text, []byte(secret)) {
							t.Errorf("%s has %q", name, secret)
						}
					}
					return nil
				}))
			}
		})
	}
}

// fromBucket restores a backup into a studio whose files are in a bucket, backs that up in its turn, and restores it: nothing has changed.
func fromBucket(t *testing.T, place Place, b *Backup, was state) {
	t.Helper()
	ctx := t.Context()
	blobs := ok(blob.Open(ctx, "s3://backups"+s3Query+"&prefix=studio/", blob.Options{CacheDir: t.TempDir()}))
	defer blobs.Close()
	dsn := pgtest.EmptyDSN(t)
	ok(b.Restore(ctx, Target{DSN: dsn, Blobs: blobs, Log: quiet}))
	again := ok(Make(ctx, place, Options{DSN: dsn, Blobs: blobs, Release: "test"}))
	if again.New != 0 || again.About.Objects != b.About.Objects {
		t.Errorf("of the restored studio's files %d of %d are new", again.New, again.About.Objects)
	}
	other := ok(OpenPlace(ctx, filepath.Join(t.TempDir(), "other")))
	ok(Make(ctx, other, Options{DSN: dsn, Blobs: blobs, Release: "test"}))
	third, files := pgtest.EmptyDSN(t), emptyBlobs(t)
	ok(ok(Open(ctx, other, "", Keys{})).Restore(ctx, Target{DSN: third, Blobs: files, Log: quiet}))
	if diff := cmp.Diff(was, stateOf(t, third, files).withoutLeftOut()); diff != "" {
		t.Errorf("what was, and is after two restores (+):\n%s", diff)
	}
}

func (s *studio) hashOf(t testing.TB, content string) string { return s.Put(t, content) }

// goesOn works in a studio that was restored.
func goesOn(t *testing.T, dsn string, blobs *blob.Store) {
	t.Helper()
	ctx := t.Context()
	store := ok(postgres.Open(ctx, postgres.Config{DSN: dsn, Logger: quiet}))
	defer store.Close()
	service := annotator.NewService(annotator.ServiceConfig{Store: store, Blobs: blobs})
	ok(service.CreateProject(ctx, annotator.System, "after", "After", ""))
	project := ok(store.ProjectBySlug(ctx, "flock"))
	ok(store.AddImages(ctx, project.ID, []annotator.NewImage{{Name: "new.png", Split: annotator.SplitPool, Hash: pgtest.Hash(7), Width: 1, Height: 1}}))
	if _, err := store.Pool().Exec(ctx, `DELETE FROM audit`); err == nil {
		t.Error("the trail's trigger is off")
	}
	if _, err := store.Pool().Exec(ctx, `INSERT INTO tokens (user_id, name, hash, scopes, expires_at) VALUES (999, 'x', '\x00', '{read}', now())`); err == nil {
		t.Error("a token of nobody is taken: foreign keys are gone")
	}
}

// hooked is a place that tells of every file that is about to be written, and may refuse it.
type hooked struct {
	Place
	writing func(name string) error
	dead    atomic.Bool // a killed process removes nothing
}

func (h *hooked) Write(ctx context.Context, name string, write func(io.Writer) error) error {
	if err := h.writing(name); err != nil {
		return err
	}
	return h.Place.Write(ctx, name, write)
}

func (h *hooked) Remove(ctx context.Context, name string) error {
	if h.dead.Load() {
		return errors.New("killed")
	}
	return h.Place.Remove(ctx, name)
}

// While a backup is made people go on: it has what there was at one moment, and the files of that moment, also those that were purged or
// would have been swept meanwhile.
func TestWritersGoOn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newStudio(t)
	project := ok(s.Store.ProjectBySlug(ctx, "flock"))
	images := ok(s.Store.Images(ctx, project.ID))
	purged := images[0]
	forgotten := ok(s.Store.InsertUpload(ctx, annotator.Upload{ProjectID: project.ID, Name: "old.onnx", ModelHash: s.Put(t, "an old network"), Bytes: 14}, s.Admin))
	worker := ok(jobs.NewWorker(jobs.Config{Store: s.Store, Blobs: s.Blobs, Data: t.TempDir(), Logger: quiet}))
	ok(s.Store.Pool().Exec(ctx, `UPDATE jobs SET state = 'failed', finished_at = now() WHERE kind = 'import'`)) // while one runs, nothing is swept at all
	ok(s.Service.CancelRound(ctx, s.Admin, ok(s.Store.Rounds(ctx, project.ID))[0].ID))
	wrote := 0
	place := &hooked{Place: ok(OpenPlace(ctx, filepath.Join(t.TempDir(), "b")))}
	place.writing = func(name string) error {
		if !strings.HasPrefix(name, backupsIn) && !strings.HasPrefix(name, plainBlobs) {
			return nil
		}
		if wrote == 0 {
			ok(s.Service.DeleteImages(ctx, s.Admin, "flock", []int64{purged.ID}))
			ok(s.Service.PurgeImages(ctx, s.Admin, "flock", []int64{purged.ID}))
			ok(s.Store.Pool().Exec(ctx, `DELETE FROM uploads WHERE id = $1`, forgotten.ID))
			must(t, worker.Tidy(ctx, -time.Hour))
		}
		wrote++
		ok(s.Store.AddImages(ctx, project.ID, []annotator.NewImage{{Name: fmt.Sprintf("meanwhile %d.png", wrote), Split: annotator.SplitPool, Hash: s.Put(t, fmt.Sprint("meanwhile ", wrote)), Width: 1, Height: 1}}))
		return nil
	}
	place.Place = serial{place.Place}
	before := stateOf(t, s.dsn, s.Blobs).withoutLeftOut()
	made, err := Make(ctx, place, s.options(Keys{}))
	must(t, err)
	if wrote < 20 {
		t.Errorf("people wrote %d times meanwhile", wrote)
	}
	dsn, blobs := pgtest.EmptyDSN(t), emptyBlobs(t)
	_, err = ok(Open(ctx, place, made.Name, Keys{})).Restore(ctx, Target{DSN: dsn, Blobs: blobs, Log: quiet})
	must(t, err)
	is := stateOf(t, dsn, blobs).withoutLeftOut()
	if diff := cmp.Diff(before.Rows, is.Rows); diff != "" {
		t.Errorf("what was when the backup began, and is (+):\n%s", diff)
	}
	for _, hash := range []string{purged.Hash, forgotten.ModelHash} {
		if is.Files[hash] == "" {
			t.Errorf("file %s, which was removed meanwhile, is not there", hash)
		}
	}
	must(t, worker.Tidy(ctx, -time.Hour)) // the backup is over
	if there := ok(s.Blobs.Exists(ctx, purged.Hash)); there {
		t.Error("what was purged is still there after the backup")
	}
}

// serial is a place of which one file is written at a time.
type serial struct{ Place }

func (serial) Parallel() int { return 1 }

// One changed byte anywhere is found, by the name of the part. Nothing of such a backup gets into a database.
func TestOneByte(t *testing.T) {
	t.Parallel()
	recipient, identity := keyPair()
	for name, keys := range map[string][2]Keys{
		"plain":  {},
		"sealed": {{Recipients: []age.Recipient{recipient}}, {Identities: []age.Identity{identity}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			s := newStudio(t)
			dir := filepath.Join(t.TempDir(), "b")
			place := ok(OpenPlace(ctx, dir))
			made, err := Make(ctx, place, s.options(keys[0]))
			must(t, err)
			var names []string
			must(t, place.List(ctx, "", func(name string, _ int64, _ time.Time) error { names = append(names, name); return nil }))
			if len(names) < 50 {
				t.Fatalf("%d files: %v", len(names), names)
			}
			check := func(keys Keys) string {
				b, err := Open(ctx, place, made.Name, keys)
				if err != nil {
					return err.Error()
				}
				v, err := b.Verify(ctx, nil)
				if err != nil {
					return err.Error()
				}
				return strings.Join(v.Damaged, "\n")
			}
			dsn := pgtest.EmptyDSN(t)
			restores := 0
			for i, name := range names {
				path := filepath.Join(dir, filepath.FromSlash(name))
				was := ok(os.ReadFile(path))
				for _, at := range []int{0, len(was) / 2, len(was) - 1} {
					changed := bytes.Clone(was)
					changed[at] ^= 1
					must(t, os.WriteFile(path, changed, 0o600))
					if said := check(keys[1]); !strings.Contains(said, name) {
						t.Errorf("byte %d of %s changed: %q", at, name, said)
					}
					if said := check(Keys{}); name != markName && !strings.Contains(said, name) {
						t.Errorf("byte %d of %s changed, checked without the key: %q", at, name, said)
					}
				}
				must(t, os.WriteFile(path, was[:len(was)-1], 0o600))
				if said := check(keys[1]); !strings.Contains(said, name) {
					t.Errorf("%s cut off: %q", name, said)
				}
				if i%13 == 0 || strings.Contains(name, "users") {
					restores++
					changed := bytes.Clone(was)
					changed[len(was)/2] ^= 0x10
					must(t, os.WriteFile(path, changed, 0o600))
					b, err := Open(ctx, place, "", keys[1])
					if err == nil {
						_, err = b.Restore(ctx, Target{DSN: dsn, Blobs: emptyBlobs(t), Log: quiet})
					}
					if err == nil || !strings.Contains(err.Error(), name) && !strings.Contains(err.Error(), "no backup") {
						t.Errorf("a byte of %s changed, restored: %v", name, err)
					}
				}
				must(t, os.Remove(path))
				if said := check(keys[1]); said == "" {
					t.Errorf("%s is gone, and nothing is said", name)
				}
				must(t, os.WriteFile(path, was, 0o600))
			}
			if said := check(keys[1]); said != "" || restores < 5 {
				t.Errorf("put back: %s (%d restores)", said, restores)
			}
			conn := ok(pgx.Connect(ctx, dsn))
			defer conn.Close(ctx)
			if left := ok(pgx.CollectExactlyOneRow(ok(conn.Query(ctx, `SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace) + (SELECT count(*) FROM pg_namespace WHERE nspname = 'studio_restoring')`)), pgx.RowTo[int])); left > 0 {
				t.Errorf("%d things are left in the database", left)
			}
			if _, err := ok(Open(ctx, place, "", keys[1])).Restore(ctx, Target{DSN: dsn, Blobs: emptyBlobs(t), Log: quiet}); err != nil {
				t.Errorf("the whole one: %v", err)
			}
		})
	}
}

// Wherever a backup is interrupted, by a kill, a full disk or somebody, it is not taken for whole, the one before stays, and the next one
// succeeds.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newStudio(t)
	inner := ok(OpenPlace(ctx, filepath.Join(t.TempDir(), "b")))
	place := &hooked{Place: inner, writing: func(string) error { return nil }}
	killed := errors.New("killed")
	// Tables are written first, and then files that the backups before have not copied.
	tables := len(ok(Make(ctx, ok(OpenPlace(ctx, filepath.Join(t.TempDir(), "whole"))), s.options(Keys{}))).Contents.Tables)
	for round, stop := range []int{0, 1, 2, 9, tables + 3, tables + 6, tables + 13, tables + 1, tables + 2, tables} {
		full := round%2 == 1
		var n atomic.Int64
		place.dead.Store(!full)
		place.writing = func(string) error {
			if n.Add(1)-1 < int64(stop) {
				return nil
			}
			if full {
				return fmt.Errorf("writing: %w", syscall.ENOSPC)
			}
			return killed
		}
		o := s.options(Keys{})
		o.Now = func() time.Time { return time.Date(2026, 11, 30, 7, round, 0, 0, time.UTC) }
		_, err := Make(ctx, place, o)
		switch {
		case err == nil:
			t.Fatalf("stopped at file %d, and it succeeded", stop)
		case full && (!errors.Is(err, annotator.ErrFull) || !strings.Contains(err.Error(), "make room")), !full && !errors.Is(err, killed):
			t.Errorf("stopped at file %d: %v", stop, err)
		}
		if _, err := Open(ctx, inner, "", Keys{}); err == nil {
			t.Errorf("stopped at file %d, there is a backup", stop)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	place.dead.Store(false)
	place.writing = func(name string) error {
		if strings.Contains(name, "versions") {
			cancel(errors.New("enough"))
		}
		return nil
	}
	if _, err := Make(ctx, place, s.options(Keys{})); err == nil || !strings.Contains(err.Error(), "enough") && !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	ctx = t.Context()
	made, err := Make(ctx, inner, s.options(Keys{}))
	must(t, err)
	if made.New >= made.About.Objects {
		t.Errorf("%d of %d files were copied again", made.New, made.About.Objects)
	}
	if v, err := ok(Open(ctx, inner, "", Keys{})).Verify(ctx, nil); err != nil || len(v.Damaged) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	var half *HalfError
	for _, l := range ok(Backups(ctx, inner)) {
		if l.Name != made.Name && !errors.As(l.Err, &half) {
			t.Errorf("%s: %v", l.Name, l.Err)
		}
	}
	if _, err := Open(ctx, inner, "20261130T0702", Keys{}); !errors.As(err, &half) {
		t.Errorf("the first one: %v", err)
	}
}

// What was cut short in the place, since it was written or in a backup that did not end, is written again, encrypted or not.
func TestCutShort(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newStudio(t)
	recipient, identity := keyPair()
	for name, keys := range map[string][2]Keys{"plain": {}, "encrypted": {{Recipients: []age.Recipient{recipient}}, {Identities: []age.Identity{identity}}}} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "b")
			place := ok(OpenPlace(ctx, folder))
			made := ok(Make(ctx, place, s.options(keys[0])))
			for _, ended := range []bool{true, false} {
				objects := ok(filepath.Glob(filepath.Join(folder, "blobs*", "*", strings.Repeat("?", 64))))
				objects = append(objects, ok(filepath.Glob(filepath.Join(folder, "blobs*", strings.Repeat("?", 64))))...)
				if len(objects) < 3 {
					t.Fatalf("%d files in %s", len(objects), folder)
				}
				if !ended {
					must(t, os.RemoveAll(filepath.Join(folder, "backups")))
				}
				for _, object := range objects[:2] {
					must(t, os.Truncate(object, ok(os.Stat(object)).Size()*2/3))
				}
				o := s.options(keys[0])
				o.Now = func() time.Time { return made.About.At.Add(time.Hour) }
				again, err := Make(ctx, place, o)
				must(t, err)
				if again.New != 2 {
					t.Errorf("ended %t: %d files were written again, want 2", ended, again.New)
				}
				if v, err := ok(Open(ctx, place, again.Name, keys[1])).Verify(ctx, nil); err != nil || len(v.Damaged) > 0 {
					t.Errorf("ended %t: %+v, %v", ended, v, err)
				}
				made = again
			}
		})
	}
}

// Of older backups as many stay as were asked for, and of the files those that they need; a backup that another process may be writing stops
// that until it is old.
func TestKeep(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newStudio(t)
	dir := filepath.Join(t.TempDir(), "b")
	place := ok(OpenPlace(ctx, dir))
	recipient, _ := keyPair()
	o := s.options(Keys{Recipients: []age.Recipient{recipient}}) // the secret key is elsewhere
	o.Keep = 2
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return at }
	project := ok(s.Store.ProjectBySlug(ctx, "flock"))
	model := ok(s.Store.InsertUpload(ctx, annotator.Upload{ProjectID: project.ID, Name: "soon gone", ModelHash: s.Put(t, "soon gone"), Bytes: 9}, s.Admin))
	first := ok(Make(ctx, place, o))
	ok(s.Store.Pool().Exec(ctx, `DELETE FROM uploads WHERE id = $1`, model.ID))
	at = at.Add(time.Hour)
	second := ok(Make(ctx, place, o))
	if second.Pruned != (Pruned{}) || second.About.Objects != first.About.Objects-1 {
		t.Errorf("the second: %+v", second.Pruned)
	}
	must(t, os.MkdirAll(filepath.Join(dir, "backups", at.Add(time.Minute).Format(timeLayout), "tables"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "backups", at.Add(time.Minute).Format(timeLayout), "tables", "users.zst"), nil, 0o600))
	at = at.Add(time.Hour)
	third := ok(Make(ctx, place, o))
	if third.Pruned != (Pruned{Backups: 1, Waits: true}) {
		t.Errorf("the third, beside one that is being written: %+v", third.Pruned)
	}
	at = at.Add(unfinished)
	fourth := ok(Make(ctx, place, o))
	if fourth.Pruned.Backups != 2 || fourth.Pruned.Objects != 1 || fourth.Pruned.Waits {
		t.Errorf("the fourth: %+v", fourth.Pruned)
	}
	var left []string
	for _, l := range ok(Backups(ctx, place)) {
		left = append(left, l.Name)
		if v, err := ok(Open(ctx, place, l.Name, Keys{})).Verify(ctx, nil); err != nil || len(v.Damaged) > 0 || v.Opened {
			t.Errorf("%+v, %v", v, err)
		}
	}
	if want := []string{fourth.Name, third.Name}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}

// A wrong key, another passphrase and none are said to be that, before anything is written.
func TestKeys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newStudio(t)
	recipient, identity := keyPair()
	_, other := keyPair()
	place := ok(OpenPlace(ctx, filepath.Join(t.TempDir(), "b")))
	ok(Make(ctx, place, s.options(Keys{Recipients: []age.Recipient{recipient}})))
	dsn, blobs := pgtest.EmptyDSN(t), emptyBlobs(t)
	restore := func(keys Keys) error {
		b, err := Open(ctx, place, "", keys)
		if err != nil {
			return err
		}
		_, err = b.Restore(ctx, Target{DSN: dsn, Blobs: blobs, Log: quiet})
		return err
	}
	public := ok(publicKeys([]age.Recipient{recipient}))[0]
	for what, c := range map[string]struct {
		keys Keys
		want string
	}{
		"another key":  {Keys{Identities: []age.Identity{other}}, "encrypted to " + public},
		"a passphrase": {Keys{Passphrase: "x"}, "--identity"},
		"none":         {Keys{}, "--identity"},
	} {
		if err := restore(c.keys); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if b, err := Open(ctx, place, "", Keys{Identities: []age.Identity{other}}); err != nil {
		t.Error(err)
	} else if _, err := b.Verify(ctx, nil); !errors.Is(err, ErrKey) {
		t.Errorf("checked with another key: %v", err)
	}
	must(t, restore(Keys{Identities: []age.Identity{other, identity}}))

	place = ok(OpenPlace(ctx, filepath.Join(t.TempDir(), "b")))
	ok(Make(ctx, place, s.options(Keys{Passphrase: "right"})))
	if _, err := Make(ctx, place, s.options(Keys{Passphrase: "wrong"})); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "a folder of its own") {
		t.Errorf("another passphrase: %v", err)
	}
	if err := restore(Keys{Passphrase: "wrong"}); !errors.Is(err, ErrKey) {
		t.Errorf("restored with another passphrase: %v", err)
	}
	// The key that a passphrase opens is part of every backup, also for who checks them without the passphrase, and none takes its place.
	keyFiles := ok(filepath.Glob(filepath.Join(place.String(), "keys", "*.age")))
	key := ok(os.ReadFile(keyFiles[0]))
	damaged := func(what string) {
		t.Helper()
		if v, err := ok(Open(ctx, place, "", Keys{})).Verify(ctx, nil); err != nil || len(v.Damaged) != 1 || !strings.Contains(v.Damaged[0], "keys/") {
			t.Errorf("%s: %q, %v", what, v.Damaged, err)
		}
	}
	must(t, os.WriteFile(keyFiles[0], append(slices.Clone(key[:len(key)-1]), key[len(key)-1]^1), 0o600))
	damaged("a byte of the key is another")
	must(t, os.Remove(keyFiles[0]))
	damaged("the key is gone")
	if _, err := Make(ctx, place, s.options(Keys{Passphrase: "right"})); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("a backup without the others' key: %v", err)
	}
	must(t, os.WriteFile(keyFiles[0], key, 0o600))
	if v, err := ok(Open(ctx, place, "", Keys{})).Verify(ctx, nil); err != nil || len(v.Damaged) > 0 {
		t.Errorf("the key is back: %q, %v", v.Damaged, err)
	}
	secret, _, err := Generate(time.Unix(0, 0))
	must(t, err)
	if all, err := ParseIdentities(bytes.NewReader(secret)); err != nil || len(all) != 1 {
		t.Errorf("a generated key: %v", err)
	}
	if _, err := ParseRecipients(strings.NewReader("hello")); err == nil || !strings.Contains(err.Error(), "keygen") {
		t.Errorf("no key: %v", err)
	}
}

// What another release wrote is refused by that release's name, and so is what would overwrite something.
func TestRefusals(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newStudio(t)
	dir := filepath.Join(t.TempDir(), "b")
	place := ok(OpenPlace(ctx, dir))
	made := ok(Make(ctx, place, s.options(Keys{})))
	path := filepath.Join(dir, backupsIn, made.Name, aboutName)
	was := ok(os.ReadFile(path))
	change := func(change func(*About)) {
		a := made.About
		change(&a)
		must(t, os.WriteFile(path, ok(seal(a)), 0o600))
	}
	restore := func(dsn string, blobs *blob.Store) error {
		b, err := Open(ctx, place, "", Keys{})
		if err != nil {
			return err
		}
		_, err = b.Restore(ctx, Target{DSN: dsn, Blobs: blobs, Log: quiet})
		return err
	}
	expect := func(what string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %q", what, err, want)
		}
	}
	change(func(a *About) { a.Version, a.Release = Version+1, "9.1" })
	expect("a newer format", restore(pgtest.EmptyDSN(t), emptyBlobs(t)), "written by studio 9.1 in format 2")
	change(func(a *About) { a.Schema.Studio, a.Release = postgres.SchemaVersion()+1, "9.2" })
	expect("a newer schema", restore(pgtest.EmptyDSN(t), emptyBlobs(t)), "written by studio 9.2")
	must(t, os.WriteFile(path, was, 0o600))
	expect("a studio in use", restore(pgtest.Store(t).Pool().Config().ConnString(), emptyBlobs(t)), "a studio is connected to the database")
	used := pgtest.DSN(t)
	conn := ok(pgx.Connect(ctx, used))
	ok(conn.Exec(ctx, `INSERT INTO projects (slug, name) VALUES ('a', 'A')`))
	expect("a database in use", restore(used, emptyBlobs(t)), "projects: 1")
	ok(conn.Exec(ctx, `DELETE FROM projects`))
	blobs := emptyBlobs(t)
	must(t, blobs.Claim(ctx, "another"))
	expect("a blob store of another studio", restore(used, blobs), "belongs to another studio")
	// Tables that are there and empty do no harm, nor does what a killed restore left.
	ok(conn.Exec(ctx, `CREATE SCHEMA studio_restoring; CREATE TABLE studio_restoring.users (name text); CREATE TABLE notes (text text)`))
	must(t, restore(used, emptyBlobs(t)))
	ok(conn.Exec(ctx, `DROP TABLE notes`)) // somebody else's, which stays
	if diff := cmp.Diff(stateOf(t, s.dsn, s.Blobs).withoutLeftOut().Rows, stateOf(t, used, s.Blobs).withoutLeftOut().Rows); diff != "" {
		t.Errorf("what was, and is (+):\n%s", diff)
	}
	foreign := pgtest.EmptyDSN(t)
	of := ok(pgx.Connect(ctx, foreign))
	ok(of.Exec(ctx, `CREATE TABLE users (name text)`))
	expect("somebody else's table", restore(foreign, emptyBlobs(t)), "table users that is not a studio's")

	stranger := pgtest.Open(t)
	ok(stranger.Exec(ctx, `UPDATE installation SET id = gen_random_uuid()`)) // tests' databases have one id
	expect("another studio's backups", second(Make(ctx, place, Options{DSN: stranger.Config().ConnString(), Blobs: s.Blobs})), "backups of another studio")
	other := t.TempDir()
	must(t, os.WriteFile(filepath.Join(other, "thesis.tex"), nil, 0o600))
	expect("a folder of other files", second(Make(ctx, ok(OpenPlace(ctx, other)), s.options(Keys{}))), "has other files")
	_, err := Open(ctx, ok(OpenPlace(ctx, other)), "", Keys{})
	expect("no backups", err, "has no backups")
	_, err = Open(ctx, place, "2001", Keys{})
	expect("no such backup", err, "has no backup 2001")
	expect("no database", second(Make(ctx, place, Options{DSN: pgtest.EmptyDSN(t), Blobs: s.Blobs})), "no studio's tables")
	_, err = OpenPlace(ctx, "s3://nowhere"+s3Query)
	expect("no bucket", err, "no such bucket")
	ok(conn.Exec(ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`))
	expect("a newer database", second(Make(ctx, place, Options{DSN: used, Blobs: s.Blobs})), "a newer studio has migrated it")
}

func second[T any](_ T, err error) error { return err }

// A studio finds its lost files again in its backup, and none that it gave up.
func TestPutBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newStudio(t)
	place := ok(OpenPlace(ctx, filepath.Join(t.TempDir(), "b")))
	ok(Make(ctx, place, s.options(Keys{})))
	images := ok(s.Store.Images(ctx, ok(s.Store.ProjectBySlug(ctx, "flock")).ID))
	must(t, s.Blobs.Remove(ctx, images[0].Hash))
	must(t, s.Blobs.Remove(ctx, images[1].Hash))
	used := ok(s.Store.ReferencedBlobs(ctx))
	delete(used, images[1].Hash)
	n, bytes, err := ok(Open(ctx, place, "", Keys{})).PutBack(ctx, Target{Blobs: s.Blobs}, used)
	if err != nil || n != 1 || bytes != int64(len("picture 0")) || !ok(s.Blobs.Exists(ctx, images[0].Hash)) || ok(s.Blobs.Exists(ctx, images[1].Hash)) {
		t.Errorf("%d files of %d bytes were put back, %v", n, bytes, err)
	}
}

// The database of every release can be backed up as it is, and its backup is restored and migrated.
func TestEveryRelease(t *testing.T) {
	t.Parallel()
	dumps, err := filepath.Glob("../postgres/testdata/schema-*.sql")
	if err != nil || len(dumps) == 0 {
		t.Fatalf("no dumps of releases: %v", err)
	}
	for _, dump := range dumps {
		t.Run(filepath.Base(dump), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			old := pgtest.EmptyDSN(t)
			conn := ok(pgx.Connect(ctx, old))
			ok(conn.Exec(ctx, string(ok(os.ReadFile(dump))), pgx.QueryExecModeSimpleProtocol))
			must(t, conn.Close(ctx))
			blobs := emptyBlobs(t)
			place := ok(OpenPlace(ctx, filepath.Join(t.TempDir(), "b")))
			made, err := Make(ctx, place, Options{DSN: old, Blobs: blobs, Release: "test"})
			must(t, err)
			if made.About.Schema.Studio >= postgres.SchemaVersion() || made.Contents.Rows() < 80 {
				t.Errorf("schema %d, %d rows", made.About.Schema.Studio, made.Contents.Rows())
			}
			dsn := pgtest.EmptyDSN(t)
			restored, err := ok(Open(ctx, place, "", Keys{})).Restore(ctx, Target{DSN: dsn, Blobs: emptyBlobs(t), Log: quiet})
			must(t, err)
			if restored.From != made.About.Schema.Studio || restored.To != postgres.SchemaVersion() {
				t.Errorf("restored from %d to %d", restored.From, restored.To)
			}
			must(t, postgres.Migrate(ctx, old, quiet))
			for _, dsn := range []string{old, dsn} { // a migration draws these
				conn := ok(pgx.Connect(ctx, dsn))
				ok(conn.Exec(ctx, `UPDATE tasks SET chance = 0; UPDATE reserve SET chance = 0; ALTER TABLE projects DROP COLUMN sampling_seed`, pgx.QueryExecModeSimpleProtocol))
				must(t, conn.Close(ctx))
			}
			if diff := cmp.Diff(stateOf(t, old, blobs).withoutLeftOut(), stateOf(t, dsn, blobs).withoutLeftOut()); diff != "" {
				t.Errorf("what the old database is after its migration, and the restored one (+):\n%s", diff)
			}
		})
	}
}

// A description is refused whichever of its bytes is another, and a name says nothing of what is in a sealed file.
func TestSeal(t *testing.T) {
	t.Parallel()
	text := ok(seal(About{Format: Format, Version: Version, Release: "1.2 \"x\"", Parts: []Part{{"a", 1, "b"}}}))
	var a About
	if err := unseal(text, &a); err != nil || a.Release != "1.2 \"x\"" || !json.Valid(text) {
		t.Fatalf("%+v, %v", a, err)
	}
	for i := range text {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		if err := unseal(changed, &a); err == nil && a.Version == Version {
			t.Errorf("byte %d, %q: %+v", i, text[i], a)
		}
	}
	if err := unseal([]byte(`{"format": "abn-studio-backup", "version": 1}`), &a); err == nil {
		t.Error("a description without a hash is taken")
	}
}
