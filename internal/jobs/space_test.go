package jobs

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// lies sums up the files below a folder of the data set, without its table.
func (w *importWorld) lies(below string) (bytes int64) {
	w.t.Helper()
	err := filepath.WalkDir(filepath.Join(w.dir, below), func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && filepath.Ext(entry.Name()) == ".png" {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				bytes += info.Size()
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return bytes
}

func (w *importWorld) space() annotator.ProjectSpace {
	w.t.Helper()
	space, err := w.Service.ProjectSpace(w.t.Context(), w.Admin, "p")
	if err != nil {
		w.t.Fatal(err)
	}
	return space
}

func (w *importWorld) quota(bytes int64) {
	w.t.Helper()
	if _, err := w.Service.SetQuota(w.t.Context(), w.Admin, "p", bytes); err != nil {
		w.t.Fatal(err)
	}
}

// fills imports, and says whether the quota let it.
func (w *importWorld) fills(what string, o ImportOptions, want bool) {
	w.t.Helper()
	// A look says so before, as far as it can be seen.
	look, looked := w.Service.PreviewImport(w.t.Context(), w.Admin, "p", ImageImport(w.blobs, "csv birds", w.read(), o), nil)
	if looked != nil {
		w.t.Fatalf("looking at %s: %v", what, looked)
	}
	if look.NoRoom != "" && want {
		w.t.Errorf("%s: a look says %q", what, look.NoRoom)
	}
	if !want && !strings.Contains(what, "mask") && !strings.Contains(look.NoRoom, "quota") { // of masks a look knows no size
		w.t.Errorf("%s: a look says %q of the quota", what, look.NoRoom)
	}
	_, err := w.Service.ImportImages(w.t.Context(), w.Admin, "p", ImageImport(w.blobs, "csv birds", w.read(), o), nil)
	var quota *annotator.QuotaError
	if err != nil && !errors.As(err, &quota) {
		w.t.Fatalf("%s: %v", what, err)
	}
	if (err == nil) != want {
		w.t.Errorf("%s: %v; imported %v, want %v", what, err, err == nil, want)
	}
}

// An import fits to the byte or is refused before anything of it is written. A full project takes what it has again, under other names too,
// and nothing more.
func TestAnImportFitsItsQuota(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t)
	w.picture("mask.png", 255)
	mask := w.lies("")
	for n := range 12 {
		w.picture(fmt.Sprintf("a/%d.png", n), uint8(n))
		w.rows = append(w.rows, []string{fmt.Sprintf("a/%d.png", n), "owl", "train", "", ""})
	}
	bytes := w.lies("a")
	w.quota(bytes - 1)
	w.fills("a byte too much", ImportOptions{Part: 2}, false)
	if space := w.space(); space.Images != 0 || space.Used() != 0 {
		t.Fatalf("a refused import left %+v", space)
	}
	if jobs, err := w.Service.Jobs(t.Context(), w.Admin, "p"); err != nil || len(jobs) > 0 {
		t.Errorf("a refused import left %d jobs, %v", len(jobs), err)
	}
	w.quota(bytes)
	w.fills("to the byte", ImportOptions{Part: 2}, true)
	if space := w.space(); space.ImageBytes != bytes || space.Images != 12 || space.Uncounted != 0 || !space.Use().Warns() {
		t.Errorf("it has %+v, want %d bytes in 12 images", space, bytes)
	}
	w.fills("the same again", ImportOptions{Part: 2, Update: true}, true)
	if err := os.Rename(filepath.Join(w.dir, "a"), filepath.Join(w.dir, "b")); err != nil {
		t.Fatal(err)
	}
	for n := range w.rows {
		w.rows[n][0] = fmt.Sprintf("b/%d.png", n)
	}
	w.fills("under other names", ImportOptions{Update: true}, true)
	w.picture("c.png", 99)
	w.rows = append(w.rows, []string{"c.png", "owl", "train", "", ""})
	w.fills("one more", ImportOptions{Part: 2}, false)
	w.rows = w.rows[:12]

	// What is not seen before: masks, which are made. The transaction that would be too much is not written.
	w.quota(bytes + mask/2)
	w.rows[0][4] = "mask.png"
	w.fills("a mask", ImportOptions{Update: true}, false)
	if space := w.space(); space.Masks != 0 || space.Used() != bytes {
		t.Errorf("a refused mask left %+v", space)
	}
	w.quota(0)
	w.fills("a mask without a quota", ImportOptions{Update: true}, true)
	if space := w.space(); space.Masks != 1 || space.MaskBytes == 0 || space.ImageBytes != bytes {
		t.Errorf("it has %+v", space)
	}

	// Purged images give their space back, deleted ones do not.
	ids := w.ids(annotator.DefaultSource)
	some := []int64{ids["b/0.png"], ids["b/1.png"]}
	if _, err := w.Service.DeleteImages(t.Context(), w.Admin, "p", some); err != nil {
		t.Fatal(err)
	}
	if space := w.space(); space.ImageBytes != bytes {
		t.Errorf("deleted images: %+v", space)
	}
	service := annotator.NewService(annotator.ServiceConfig{Store: w.Store, Blobs: w.blobs})
	if _, err := service.PurgeImages(t.Context(), w.Admin, "p", some); err != nil {
		t.Fatal(err)
	}
	if space := w.space(); space.Images != 10 || space.Masks != 0 || space.MaskBytes != 0 || space.ImageBytes >= bytes {
		t.Errorf("purged images: %+v", space)
	}
}

// Two imports at once never have more than the quota together, whatever they write in turn.
func TestImportsAtOnceShareTheQuota(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t)
	for n := range 20 {
		w.picture(fmt.Sprintf("%d.png", n), uint8(n))
		w.rows = append(w.rows, []string{fmt.Sprintf("%d.png", n), "owl", "train", "", ""})
	}
	one := w.lies("")
	w.quota(one + one/2)
	data := w.read()
	failed := make([]error, 3)
	var running sync.WaitGroup
	for n := range failed {
		running.Go(func() {
			_, failed[n] = w.Service.ImportImages(t.Context(), w.Admin, "p", ImageImport(w.blobs, "csv birds", data, ImportOptions{Source: fmt.Sprint("s", n), Part: 1}), nil)
		})
	}
	running.Wait()
	refused := 0
	for _, err := range failed {
		var quota *annotator.QuotaError
		if errors.As(err, &quota) {
			refused++
		} else if err != nil {
			t.Error(err)
		}
	}
	space := w.space()
	if space.Used() > space.Quota || refused < 2 {
		t.Errorf("%d of three were refused, and %d bytes are there of %d", refused, space.Used(), space.Quota)
	}
	counted, err := w.Store.Images(t.Context(), space.ID)
	if err != nil || len(counted) != space.Images {
		t.Errorf("%d images, counted %d, %v", len(counted), space.Images, err)
	}
}

// A worker finds the sizes that nobody wrote down, in closed projects too, and what is counted is what lies in the folder.
func TestTheWorkerCountsWhatLiesThere(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := newImportWorld(t)
	w.picture("mask.png", 255)
	for n := range 9 {
		w.picture(fmt.Sprintf("%d.png", n), uint8(n))
		w.rows = append(w.rows, []string{fmt.Sprintf("%d.png", n), "owl", "train", "", "mask.png"})
	}
	w.damage("3.png")
	w.fills("all", ImportOptions{}, true)
	was := w.space()
	if was.Images != 9 || was.Masks != 8 || was.Uncounted != 0 {
		t.Fatalf("%+v", was)
	}
	if _, err := w.Store.Pool().Exec(ctx, `UPDATE images SET bytes = NULL, mask_bytes = 0 WHERE project_id = $1 AND broken = ''`, was.ID); err != nil {
		t.Fatal(err)
	}
	if unknown := w.space(); unknown.Uncounted != 8 || unknown.Used() != 0 {
		t.Fatalf("%+v", unknown)
	}
	if _, err := w.Service.CloseProject(ctx, w.Admin, "p"); err != nil {
		t.Fatal(err)
	}
	worker, err := NewWorker(Config{Store: w.Store, Blobs: w.blobs, Data: t.TempDir(), Threads: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := worker.Count(ctx); err != nil {
			t.Fatal(err)
		}
	}
	is := w.space()
	is.State = was.State
	if is != was {
		t.Errorf("counted %+v, want %+v", is, was)
	}
	found, err := w.Store.BlobSpace(ctx)
	dir, _ := w.blobs.Folder()
	bytes, files := int64(0), 0
	walked := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			info, _ := entry.Info()
			bytes, files = bytes+info.Size(), files+1
		}
		return err
	})
	if err != nil || walked != nil || found == nil || found.Bytes != bytes || found.Files != files {
		t.Errorf("the blob store: %+v, %v; there are %d bytes in %d files, %v", found, err, bytes, files, walked)
	}
	// The masks are one file, which counts for each image that has it.
	if shared := is.MaskBytes / 8 * 7; bytes != is.ImageBytes+is.MaskBytes-shared {
		t.Errorf("%d bytes are there, and images have %d with masks of %d", bytes, is.ImageBytes, is.MaskBytes)
	}
}

// A round that may take more than is left does not begin, and painting goes on; what a running round may take is not given to others.
func TestARoundFitsItsQuota(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := pgtest.NewStudio(t)
	s.Work(t)
	project, err := s.Store.ProjectBySlug(ctx, "flock")
	if err != nil {
		t.Fatal(err)
	}
	rounds, err := s.Store.Rounds(ctx, project.ID)
	if err != nil {
		t.Fatal(err)
	}
	settings := rounds[0].Settings
	version, err := s.Store.ActiveVersion(ctx, project.ID)
	if err != nil {
		t.Fatal(err)
	}
	needs := annotator.RoundBytes(version, settings)
	was, err := s.Service.ProjectSpace(ctx, s.Admin, "flock")
	if err != nil || needs <= version.Bytes || was.RoundBytes != 0 {
		t.Fatalf("%+v, a round takes %d, %v", was, needs, err)
	}
	limit := func(bytes int64) {
		t.Helper()
		if _, err := s.Service.SetQuota(ctx, s.Admin, "flock", bytes); err != nil {
			t.Fatal(err)
		}
	}
	limit(was.Used() + needs - 1)
	var quota *annotator.QuotaError
	if _, err := s.Service.StartRound(ctx, s.Admin, "flock", settings, "one"); !errors.As(err, &quota) || quota.Adds != needs || quota.Use.Used != was.Used() {
		t.Errorf("a byte too much: %v", err)
	}
	if all, err := s.Store.Rounds(ctx, project.ID); err != nil || len(all) != len(rounds) {
		t.Errorf("a refused round is there: %d, %v", len(all), err)
	}
	limit(was.Used() + needs)
	round, err := s.Service.StartRound(ctx, s.Admin, "flock", settings, "one")
	if err != nil {
		t.Fatal(err)
	}
	if now, err := s.Service.ProjectSpace(ctx, s.Admin, "flock"); err != nil || now.Used() != now.Quota || now.RoundBytes != needs {
		t.Errorf("while it runs: %+v, %v", now, err)
	}
	if _, err := s.Service.CancelRound(ctx, s.Admin, round.ID); err != nil {
		t.Fatal(err)
	}
	if now, err := s.Service.ProjectSpace(ctx, s.Admin, "flock"); err != nil || now.Used() != was.Used() {
		t.Errorf("when it is over: %+v, %v", now, err)
	}
	limit(1)
	if _, err := s.Service.NextTask(ctx, s.Ada, annotator.TaskFilter{Project: "flock"}); err != nil {
		t.Errorf("painting in a full project: %v", err)
	}
}
