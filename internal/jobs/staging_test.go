package jobs

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/progress"
)

// newTestStaging is a Staging on a folder, which a second one may take over.
func newTestStaging(t *testing.T, dir string, most int64) *Staging {
	t.Helper()
	blobs, err := blob.Open(t.Context(), t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewStaging(blobs, dir, most, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// pictureFile is a small PNG.
func pictureFile(t *testing.T, side int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Chunks may end anywhere, in the midst of a file or of the connection; the files that come out are those that were sent. A process
// that comes after finds what the one before had.
func TestAStreamOfFilesIsPutTogetherFromItsChunks(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := t.TempDir()
	contents := []string{"the first", "", "2nd", strings.Repeat("large ", 100_000), ""}
	names := []string{"a/one.png", "a/empty.txt", "b/c/two.png", "large.bin", "z/last.txt"}
	var files []annotator.StagedFile
	for i, name := range names {
		files = append(files, annotator.StagedFile{Path: name, Bytes: int64(len(contents[i]))})
	}
	stream := strings.Join(contents, "")
	s := newTestStaging(t, dir, 0)
	begun, resumed, err := s.Begin(ctx, 1, "Ada", "birds", files)
	if err != nil || resumed || begun.State != annotator.StagedReceiving || begun.Bytes != int64(len(stream)) {
		t.Fatalf("Begin = %+v, %t, %v", begun, resumed, err)
	}
	if other, resumed, err := s.Begin(ctx, 2, "Ada", "birds", files); err != nil || resumed || other.ID == begun.ID {
		t.Errorf("the same files for another project: %+v, %t, %v", other, resumed, err)
	}
	at := begun
	for _, size := range []int{0, 4, 5, 2, 1000} {
		if at, err = s.Receive(ctx, begun.ID, at.Received, strings.NewReader(stream[at.Received:][:size])); err != nil {
			t.Fatal(err)
		}
	}
	if at.Received != 1011 {
		t.Fatalf("received %d bytes, want 1011", at.Received)
	}
	if _, err := s.Receive(ctx, begun.ID, 4, strings.NewReader("x")); !errors.Is(err, annotator.ErrConflict) || !strings.Contains(err.Error(), "begins at byte 1011") {
		t.Errorf("a chunk from elsewhere: %v", err)
	}
	broken := io.MultiReader(strings.NewReader(stream[1011:1511]), iotest.ErrReader(errors.New("the line is dead")))
	if at, err = s.Receive(ctx, begun.ID, 1011, broken); err == nil || at.Received != 1511 {
		t.Errorf("a chunk that broke off: %d bytes, %v", at.Received, err)
	}

	s = newTestStaging(t, dir, 0) // the studio was started again
	again, resumed, err := s.Begin(ctx, 1, "Ada", "birds", files)
	if err != nil || !resumed || again.ID != begun.ID || again.Received != 1511 {
		t.Fatalf("beginning once more = %+v, %t, %v", again, resumed, err)
	}
	if _, err := s.Receive(ctx, begun.ID, 1511, strings.NewReader(stream[1511:]+"x")); err == nil {
		t.Error("more bytes than the files have are taken")
	}
	at, err = s.Staged(begun.ID)
	if err != nil || at.Received != at.Bytes {
		t.Fatalf("after all bytes: %+v, %v", at, err)
	}
	for i, name := range names[:1] {
		got, err := os.ReadFile(filepath.Join(dir, begun.ID, "files", name))
		if err != nil || string(got) != contents[i] {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
	if at, err = s.Receive(ctx, begun.ID, at.Received, strings.NewReader("")); err != nil || at.State != annotator.StagedReceived {
		t.Fatalf("the end: %+v, %v", at, err)
	}
	for i, name := range names {
		got, err := os.ReadFile(filepath.Join(dir, begun.ID, "files", name))
		if err != nil || string(got) != contents[i] {
			t.Errorf("%s has %d bytes, %v, want %d", name, len(got), err, len(contents[i]))
		}
	}
	if err := s.Discard(begun.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, begun.ID)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder after it was discarded: %v", err)
	}
}

// What is more than the operator or the disk has room for is refused before a byte is sent.
func TestAnImportIsBounded(t *testing.T) {
	t.Parallel()
	s := newTestStaging(t, t.TempDir(), 100)
	var invalid *annotator.ValidationError
	if _, _, err := s.Begin(t.Context(), 1, "Ada", "birds", []annotator.StagedFile{{Path: "a", Bytes: 60}, {Path: "b", Bytes: 41}}); !errors.As(err, &invalid) || !strings.Contains(invalid.Message, "--max-import-gb") {
		t.Errorf("101 bytes of 100: %v", err)
	}
	s = newTestStaging(t, t.TempDir(), 1<<62)
	if _, _, err := s.Begin(t.Context(), 1, "Ada", "birds", []annotator.StagedFile{{Path: "a", Bytes: 1 << 61}}); !errors.As(err, &invalid) || !strings.Contains(invalid.Message, "disk has room") {
		t.Errorf("more than the disk has: %v", err)
	}
}

// An archive is looked at, which changes nothing, and imported; what cannot be read is named. Files are gone afterwards, the report stays.
func TestAStagedArchiveIsLookedAtAndImported(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := pgtest.Store(t)
	s := newTestStaging(t, t.TempDir(), 0)
	service := annotator.NewService(annotator.ServiceConfig{Store: store, Staging: s})
	if _, err := service.CreateProject(ctx, annotator.System, "birds", "Birds", ""); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for name, content := range map[string][]byte{
		"birds/train/auk/1.png": pictureFile(t, 20), "birds/train/owl/2.png": pictureFile(t, 21), "birds/test/owl/3.png": pictureFile(t, 22),
		"birds/train/owl/cut.png": pictureFile(t, 23)[:20],
	} {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	begun, _, err := service.BeginImport(ctx, annotator.System, "birds", "birds.zip", []annotator.StagedFile{{Path: "birds.zip", Bytes: int64(archive.Len())}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.LookAtImport(ctx, annotator.System, begun.ID, annotator.ImportChoices{}); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("looking at what is not here: %v", err)
	}
	if _, err := service.ReceiveImport(ctx, annotator.System, begun.ID, 0, &archive); err != nil {
		t.Fatal(err)
	}
	over := func() annotator.StagedImport {
		s.running.Wait()
		at, err := service.StagedImport(ctx, annotator.System, begun.ID)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	if _, err := service.LookAtImport(ctx, annotator.System, begun.ID, annotator.ImportChoices{Format: "coco"}); err != nil {
		t.Fatal(err)
	}
	if at := over(); at.State != annotator.StagedReceived || at.Problem == "" || strings.Contains(at.Problem, s.dir) {
		t.Errorf("read as what it is not: %s, %q", at.State, at.Problem)
	}
	if _, err := service.LookAtImport(ctx, annotator.System, begun.ID, annotator.ImportChoices{Format: "nothing"}); err == nil {
		t.Error("a format that is none is taken")
	}
	if _, err := service.LookAtImport(ctx, annotator.System, begun.ID, annotator.ImportChoices{}); err != nil {
		t.Fatal(err)
	}
	at := over()
	if at.State != annotator.StagedLooked || at.Report == nil {
		t.Fatalf("looked at: %+v", at)
	}
	r := at.Report
	if r.Format != "folder" || r.Sync.Images != 4 || r.Sync.Added != 4 || r.Sync.Broken != 1 || len(r.Counts) != 3 || len(r.Examples) != 3 {
		t.Errorf("the report is %+v", r)
	}
	if broken := r.Sync.Names(annotator.DiffersUnreadable); len(broken) != 1 || !strings.HasSuffix(broken[0], "train/owl/cut.png") {
		t.Errorf("unreadable are %q", broken)
	}
	example, err := service.ImportExample(ctx, annotator.System, begun.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := image.Decode(example); err != nil {
		t.Errorf("the first example: %v", err)
	}
	example.Close()
	if p, err := service.Project(ctx, annotator.System, "birds"); err != nil || p.Images != 0 {
		t.Errorf("looking has brought %d images: %v", p.Images, err)
	}
	if _, err := service.StartImport(ctx, annotator.System, begun.ID, annotator.ImportChoices{}); err != nil {
		t.Fatal(err)
	}
	if at = over(); at.State != annotator.StagedImported || at.Report.Sync.Added != 4 {
		t.Errorf("imported: %+v", at)
	}
	if p, err := service.Project(ctx, annotator.System, "birds"); err != nil || p.Images != 4 {
		t.Errorf("the project has %d images: %v", p.Images, err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, begun.ID, "files")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the files after the import: %v", err)
	}
	if _, err := service.StartImport(ctx, annotator.System, begun.ID, annotator.ImportChoices{}); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("importing it twice: %v", err)
	}
}

// A studio that stops in the midst of an import has what was sent afterwards, and says what to do.
func TestAnImportThatWasCutOffCanBeBegunAgain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := t.TempDir()
	s := newTestStaging(t, dir, 0)
	file := pictureFile(t, 9)
	begun, _, err := s.Begin(ctx, 1, "Ada", "birds", []annotator.StagedFile{{Path: "auk/1.png", Bytes: int64(len(file))}})
	if err == nil {
		_, err = s.Receive(ctx, begun.ID, 0, bytes.NewReader(file))
	}
	if err != nil {
		t.Fatal(err)
	}
	reading := make(chan struct{})
	_, err = s.Run(t.Context(), begun.ID, annotator.ImportChoices{}, annotator.StagedImported, func(ctx context.Context, _ annotator.ImageImport, _ func(progress.Progress)) (annotator.ImportReport, error) {
		close(reading)
		<-ctx.Done()
		return annotator.ImportReport{}, ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	<-reading
	if err := s.Discard(begun.ID); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("discarding what is being imported: %v", err)
	}
	s.Close()
	at, err := newTestStaging(t, dir, 0).Staged(begun.ID)
	if err != nil || at.State != annotator.StagedReceived || !strings.Contains(at.Problem, "stopped meanwhile") {
		t.Errorf("afterwards it is %+v, %v", at, err)
	}
}
