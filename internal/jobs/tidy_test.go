package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"
)

// birds is an empty project, on a schema and a folder of its own.
func birds(t *testing.T) (*postgres.Store, *blob.Store, annotator.Project) {
	t.Helper()
	store := pgtest.Store(t)
	blobs, err := blob.Open(t.Context(), t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	project, err := store.InsertProject(t.Context(), annotator.Project{Slug: "birds", Name: "Birds"})
	if err != nil {
		t.Fatal(err)
	}
	return store, blobs, project
}

// Blobs that no row refers to are removed; images, models, uploads that may yet be added, and young files stay.
func TestTidyRemovesWhatNothingRefersTo(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, blobs, project := birds(t)
	w, err := NewWorker(Config{Store: store, Blobs: blobs, Data: t.TempDir(), Threads: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	put := func(text string) string {
		hash, _, err := blobs.Put(ctx, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	picture, mask, orphan, waiting, forgotten := put("a picture"), put("a mask"), put("nobody's"), put("a model"), put("a forgotten model")
	if _, err := store.AddImages(ctx, project.ID, []annotator.NewImage{{Name: "a", Split: annotator.SplitTrain, Hash: picture, MaskHash: mask, Width: 1, Height: 1}}); err != nil {
		t.Fatal(err)
	}
	upload := func(hash string) annotator.Upload {
		u, err := store.InsertUpload(ctx, annotator.Upload{ProjectID: project.ID, Name: "m.onnx", ModelHash: hash, Bytes: 1}, annotator.System)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	old := upload(forgotten)
	upload(waiting)
	age(t, store.Pool(), `UPDATE uploads SET created_at = now() - interval '2 days' WHERE id = $1`, old.ID)

	if err := w.Tidy(ctx, forgottenAfter); err != nil {
		t.Fatal(err)
	}
	for name, hash := range map[string]string{"a young file": orphan, "the forgotten model, young too": forgotten} {
		if there, _ := blobs.Exists(ctx, hash); !there {
			t.Errorf("%s is gone", name)
		}
	}
	if _, err := store.Upload(ctx, old.ID); !errors.Is(err, annotator.ErrNotFound) {
		t.Errorf("the upload of two days ago: %v, want ErrNotFound", err)
	}
	if err := w.Tidy(ctx, 0); err != nil {
		t.Fatal(err)
	}
	for hash, want := range map[string]bool{picture: true, mask: true, orphan: false, forgotten: false} {
		if there, _ := blobs.Exists(ctx, hash); there != want {
			t.Errorf("%s is there: %v, want %v", hash[:6], there, want)
		}
	}

	// A studio on another database knows none of these files: it leaves them alone.
	elsewhere := pgtest.Store(t)
	if _, err := elsewhere.Pool().Exec(ctx, `UPDATE installation SET id = gen_random_uuid()`); err != nil { // test databases are copies of one
		t.Fatal(err)
	}
	other, err := NewWorker(Config{Store: elsewhere, Blobs: blobs, Data: t.TempDir(), Threads: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Tidy(ctx, 0); !errors.Is(err, blob.ErrOwned) {
		t.Errorf("another studio's tidying: %v, want ErrOwned", err)
	}
	if there, _ := blobs.Exists(ctx, picture); !there {
		t.Error("another studio swept this one's picture")
	}
}

// The files of an upload whose process was killed are swept, by the tidying and by the next upload; those of a running upload are
// not, however slow it is.
func TestKilledUploadsAreSwept(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, blobs, _ := birds(t)
	data := t.TempDir()
	incoming := filepath.Join(data, "cache", "incoming")
	if err := os.MkdirAll(incoming, 0o700); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	leave := func() string { // what a killed process leaves: nobody holds it
		t.Helper()
		path := filepath.Join(incoming, "left")
		if err := os.WriteFile(path, []byte("half a model"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
		return path
	}
	models := NewModels(blobs, incoming, 0)
	reading, sending := io.Pipe()
	slow := make(chan error)
	go func() {
		_, err := models.Receive(ctx, sentAs(annotator.SentFile{Kind: annotator.SentModel, Name: "m.onnx", Reader: reading}))
		slow <- err
	}()
	if _, err := sending.Write([]byte("the first bytes")); err != nil {
		t.Fatal(err)
	}
	under, err := filepath.Glob(filepath.Join(incoming, "*"))
	if err != nil || len(under) != 1 {
		t.Fatalf("%v is under way, %v", under, err)
	}
	if err := os.Chtimes(under[0], long, long); err != nil {
		t.Fatal(err)
	}
	w, err := NewWorker(Config{Store: store, Blobs: blobs, Data: data, Threads: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for name, sweep := range map[string]func() error{
		"the tidying": func() error { return w.Tidy(ctx, forgottenAfter) },
		"the next upload": func() error {
			if _, err := models.Receive(ctx, sentAs(annotator.SentFile{Kind: annotator.SentModel, Name: "m.onnx", Reader: strings.NewReader("")})); err == nil {
				return errors.New("an empty model was taken")
			}
			return nil
		},
	} {
		left := leave()
		if err := sweep(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s leaves what a killed process left: %v", name, err)
		}
		if _, err := os.Stat(under[0]); err != nil {
			t.Errorf("%s takes the upload that is under way: %v", name, err)
		}
	}
	sending.CloseWithError(errors.New("the line broke"))
	var invalid *annotator.ValidationError
	if err := <-slow; !errors.As(err, &invalid) {
		t.Errorf("the slow upload: %v", err)
	}
}

func age(t *testing.T, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, sql string, id int64) {
	t.Helper()
	if err := db.QueryRow(t.Context(), sql+" RETURNING id", id).Scan(&id); err != nil {
		t.Fatal(err)
	}
}

// A version records what each engine can train of it, also one that was added before this was recorded; a round is not started on
// an engine that cannot train the version.
func TestVersionsKnowWhatCanBeTrained(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	store, blobs, project := birds(t)
	model, manifest := tinyABN(t)
	file, err := model.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	beside, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	service := annotator.NewService(annotator.ServiceConfig{Store: store, Blobs: blobs, Models: NewModels(blobs, t.TempDir(), 0)})
	version, err := service.AddModel(ctx, annotator.System, project.Slug, annotator.ModelToAdd{Name: "m.onnx", File: file, Manifest: beside})
	if err != nil {
		t.Fatal(err)
	}
	asked, known := annotator.TrainabilityOf(version.Training, "ort", "both", "batch")
	if !known || !asked.OK() || len(version.Training) != 8 {
		t.Fatalf("a new version's training: %+v", version.Training)
	}
	if err := store.SetTraining(ctx, version.ID, nil); err != nil {
		t.Fatal(err)
	}
	w, err := NewWorker(Config{Store: store, Blobs: blobs, Data: t.TempDir(), Threads: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.askEngines(ctx); err != nil {
		t.Fatal(err)
	}
	if version, err = store.Version(ctx, version.ID); err != nil || len(version.Training) != 8 {
		t.Fatalf("after asking again: %+v, %v", version.Training, err)
	}

	obstacle := annotator.Obstacle{Node: "/att/Softsign", Op: "Softsign", Why: "no gradient is known of it"}
	for i := range version.Training {
		if version.Training[i].Engine == "gorgonia" {
			version.Training[i].Obstacles = []annotator.Obstacle{obstacle}
		} else {
			version.Training[i].Obstacles = nil
		}
	}
	if err := store.SetTraining(ctx, version.ID, version.Training); err != nil {
		t.Fatal(err)
	}
	service = annotator.NewService(annotator.ServiceConfig{Store: store, Models: NewModels(blobs, t.TempDir(), 0)})
	settings := recipe.Defaults()
	settings.Engine = "gorgonia"
	var invalid *annotator.ValidationError
	if _, err := service.StartRound(ctx, annotator.System, "birds", settings, ""); !errors.As(err, &invalid) || invalid.Field != "engine" ||
		!strings.Contains(invalid.Message, "/att/Softsign (Softsign): no gradient") {
		t.Errorf("a round on an engine that cannot: %v", err)
	}
	settings.Engine = "ort"
	if _, err := service.StartRound(ctx, annotator.System, "birds", settings, ""); !errors.As(err, &invalid) || invalid.Field != "edits" {
		t.Errorf("on one that can: %v, want nothing said against the engine", err)
	}

	// The same file sent as an upload is reported alike, and a truncated file is no model.
	found, err := NewModels(blobs, t.TempDir(), 0).Receive(ctx, sentAs(annotator.SentFile{Kind: annotator.SentModel, Name: "m.onnx", Reader: bytes.NewReader(file)}))
	if err != nil || found.Hash != version.ModelHash || found.Report.ManifestProblem == nil || found.Report.GridHeight != version.GridHeight {
		t.Errorf("received: %+v, %v", found, err)
	}
	if _, err := NewModels(blobs, t.TempDir(), int64(len(file)-1)).Receive(ctx, sentAs(annotator.SentFile{Kind: annotator.SentModel, Name: "m.onnx", Reader: bytes.NewReader(file)})); !errors.Is(err, annotator.ErrTooLarge) {
		t.Errorf("a file beyond the limit: %v, want ErrTooLarge", err)
	}
}
