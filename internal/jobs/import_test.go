package jobs

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/recipe"

	"github.com/google/go-cmp/cmp"
)

// importWorld is a project that a table of pictures is imported into, again and again.
type importWorld struct {
	*pgtest.World
	t     *testing.T
	blobs *blob.Store
	dir   string
	rows  [][]string // file, class, split, group, mask
}

func newImportWorld(t *testing.T) *importWorld {
	w := &importWorld{World: pgtest.NewWorld(t), t: t, dir: t.TempDir()}
	var err error
	if w.blobs, err = blob.Open(t.Context(), t.TempDir(), blob.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.CreateProject(t.Context(), w.Admin, "p", "P", ""); err != nil {
		t.Fatal(err)
	}
	return w
}

// picture writes one of a shade.
func (w *importWorld) picture(name string, shade uint8) {
	w.t.Helper()
	m := image.NewGray(image.Rect(0, 0, 8, 6))
	for i := range m.Pix {
		m.Pix[i] = shade
	}
	m.SetGray(0, 0, color.Gray{Y: 255 - shade})
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	file, err := os.Create(path)
	if err == nil {
		err = errors.Join(png.Encode(file, m), file.Close())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// damage cuts a picture off in its header.
func (w *importWorld) damage(name string) {
	w.t.Helper()
	w.cut(name, 20)
}

// cut leaves the first bytes of a picture.
func (w *importWorld) cut(name string, bytes int64) {
	w.t.Helper()
	if err := os.Truncate(filepath.Join(w.dir, name), bytes); err != nil {
		w.t.Fatal(err)
	}
}

// read opens the table as it is now.
func (w *importWorld) read() *dataset.Dataset {
	w.t.Helper()
	file, err := os.Create(filepath.Join(w.dir, "images.csv"))
	if err != nil {
		w.t.Fatal(err)
	}
	lines := csv.NewWriter(file)
	_ = lines.Write([]string{"file", "class", "split", "group", "mask"})
	_ = lines.WriteAll(w.rows)
	if err := errors.Join(lines.Error(), file.Close()); err != nil {
		w.t.Fatal(err)
	}
	d, err := dataset.Open("csv", w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// brings imports, and compares the report with want; of names, those of each kind that want lists.
func (w *importWorld) brings(what string, o ImportOptions, want annotator.ImportReport) {
	w.t.Helper()
	in := ImageImport(w.blobs, "csv birds", w.read(), o)
	preview, err := w.Service.PreviewImport(w.t.Context(), w.Admin, "p", in, nil)
	if err != nil {
		w.t.Fatalf("%s: a look ahead: %v", what, err)
	}
	out, err := w.Service.ImportImages(w.t.Context(), w.Admin, "p", in, nil)
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
	if diff := cmp.Diff(preview, out.ImportReport); diff != "" {
		w.t.Errorf("%s: the look ahead, and what came (+):\n%s", what, diff)
	}
	got := out.ImportReport
	got.Source, got.Differences = "", nil
	if want.Changes == nil {
		want.Changes = map[annotator.Difference]int{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	if sum := got.Added + got.Known + got.Changed + got.Repaired + got.Returned; sum != got.Images {
		w.t.Errorf("%s: %d of %d images are counted", what, sum, got.Images)
	}
	if job := w.job(); job.Report == nil || job.Report.Added != got.Added || job.Report.Changed != got.Changed {
		w.t.Errorf("%s: the job keeps %+v", what, job.Report)
	}
}

func (w *importWorld) job() annotator.Job {
	w.t.Helper()
	jobs, err := w.Service.Jobs(w.t.Context(), w.Admin, "p")
	if err != nil || len(jobs) == 0 {
		w.t.Fatalf("%d jobs, %v", len(jobs), err)
	}
	for _, j := range jobs {
		if j.Kind == annotator.JobImport {
			return j
		}
	}
	return annotator.Job{}
}

// images are what is in use, a line for each.
func (w *importWorld) images() (lines []string) {
	w.t.Helper()
	project, err := w.Store.ProjectBySlug(w.t.Context(), "p")
	if err != nil {
		w.t.Fatal(err)
	}
	all, err := w.Store.Images(w.t.Context(), project.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, i := range all {
		class := "none"
		if i.Label != nil {
			class = project.Classes[*i.Label].Key
		}
		line := fmt.Sprintf("%s/%s %s %s", i.Source, i.Name, class, i.Split)
		if i.Group != "" {
			line += " " + i.Group
		}
		if i.MaskHash != "" {
			line += " masked"
		}
		if i.Broken != "" {
			line += " broken"
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

func (w *importWorld) has(what string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.images()); diff != "" {
		w.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Whatever changed about an image of a known name is reported. The image stays as it is, unless an update is asked for.
func TestSecondImport(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t)
	for i, name := range []string{"a.png", "b.png", "c.png", "d.png", "e.png", "f.png", "g.png"} {
		w.picture(name, uint8(20*i))
		w.rows = append(w.rows, []string{name, "red", "train", "", ""})
	}
	w.picture("mask.png", 255)
	w.damage("d.png")
	w.brings("the first import", ImportOptions{}, annotator.ImportReport{Images: 7, Added: 7, Broken: 1, Changes: map[annotator.Difference]int{"unreadable": 1}})
	w.brings("the same again", ImportOptions{Update: true, Prune: true}, annotator.ImportReport{Images: 7, Known: 7, Broken: 1, Changes: map[annotator.Difference]int{"unreadable": 1}})

	w.picture("a.png", 200) // another picture
	w.rows[1] = []string{"b.png", "green", "test", "", ""}
	w.rows[2] = []string{"c.png", "red", "train", "shore", "mask.png"}
	w.picture("d.png", 60) // repaired
	w.damage("e.png")      // broken now
	w.picture("h.png", 240)
	w.rows = append(w.rows[:6], []string{"h.png", "", "pool", "", ""}) // new, and g.png is gone
	before := []string{
		"main/a.png red train", "main/b.png red train", "main/c.png red train", "main/d.png red train",
		"main/e.png red train", "main/f.png red train", "main/g.png red train", "main/h.png none pool",
	}
	want := annotator.ImportReport{
		Images: 7, Added: 1, Known: 1, Changed: 4, Unreadable: 1, Repaired: 1, Gone: 1, Broken: 1,
		Changes: map[annotator.Difference]int{"new": 1, "bytes": 1, "label": 1, "split": 1, "group": 1, "mask": 1, "repaired": 1, "unreadable": 1, "gone": 1},
	}
	w.brings("a plain import", ImportOptions{}, want)
	w.has("after a plain import", before...)
	project, err := w.Store.ProjectBySlug(t.Context(), "p")
	if err != nil || len(project.Classes) != 1 {
		t.Errorf("classes %v, %v; want none that no image has", project.Classes, err)
	}
	if j := w.job(); !strings.Contains(j.Message, "another import takes over") || !slices.Equal(j.Report.Names("label"), []string{"b.png"}) {
		t.Errorf("the job says %q of %+v", j.Message, j.Report)
	}

	want = annotator.ImportReport{
		Images: 7, Known: 3, Changed: 4, Unreadable: 1, Updated: 3, Gone: 1, Broken: 1,
		Changes: map[annotator.Difference]int{"bytes": 1, "label": 1, "split": 1, "group": 1, "mask": 1, "unreadable": 1, "gone": 1},
	}
	w.brings("an update", ImportOptions{Update: true}, want)
	updated := []string{
		"main/a.png red train", "main/b.png green test", "main/c.png red train shore masked", "main/d.png red train",
		"main/e.png red train", "main/f.png red train", "main/g.png red train", "main/h.png none pool",
	}
	w.has("after an update", updated...)
	kept := annotator.ImportReport{Images: 7, Known: 6, Changed: 1, Unreadable: 1, Gone: 1, Retired: 1, Broken: 1, Changes: map[annotator.Difference]int{"unreadable": 1, "gone": 1}}
	w.brings("pruning", ImportOptions{Prune: true}, kept)
	w.has("after pruning", slices.Delete(slices.Clone(updated), 6, 7)...)

	w.rows = append(w.rows, []string{"g.png", "red", "train", "", ""})
	w.brings("it is back", ImportOptions{}, annotator.ImportReport{Images: 8, Known: 6, Changed: 1, Unreadable: 1, Returned: 1, Broken: 1, Changes: map[annotator.Difference]int{"unreadable": 1, "returned": 1}})
	w.has("after it is back", updated...)
	retired, err := w.Store.Pool().Query(t.Context(), `SELECT name, retired_why FROM images WHERE retired_at IS NOT NULL AND project_id = $1 ORDER BY name`, project.ID)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for retired.Next() {
		var name, why string
		if err := retired.Scan(&name, &why); err != nil {
			t.Fatal(err)
		}
		names = append(names, name+" "+why)
	}
	if diff := cmp.Diff([]string{"a.png replaced", "d.png replaced"}, names); diff != "" {
		t.Errorf("retired:\n%s", diff)
	}
}

// A file whose header is whole and whose pixels are not takes no picture's place, and mends none. Only what changed is decoded.
func TestATruncatedFileReplacesNothing(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t)
	for i, name := range []string{"a.png", "b.png", "c.png", "d.png"} {
		w.picture(name, uint8(20*i))
		w.rows = append(w.rows, []string{name, "red", "train", "", ""})
	}
	w.damage("b.png")
	decoded := make(chan string, 100)
	counted := func() annotator.ImageImport {
		in := ImageImport(w.blobs, "csv birds", w.read(), ImportOptions{Update: true})
		decode := in.Decode
		in.Decode = func(ctx context.Context, name string) error { decoded <- name; return decode(ctx, name) }
		return in
	}
	if _, err := w.Service.ImportImages(t.Context(), w.Admin, "p", counted(), nil); err != nil {
		t.Fatal(err)
	}
	if len(decoded) > 0 {
		t.Errorf("a first import decodes %d pictures", len(decoded))
	}
	project, err := w.Store.ProjectBySlug(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	before, err := w.Store.Images(t.Context(), project.ID)
	if err != nil {
		t.Fatal(err)
	}

	w.cut("a.png", 60)
	w.picture("b.png", 90)
	w.cut("b.png", 60)
	for _, update := range []bool{false, true} {
		w.brings("truncated files", ImportOptions{Update: update}, annotator.ImportReport{
			Images: 4, Known: 3, Changed: 1, Unreadable: 1, Broken: 2, Changes: map[annotator.Difference]int{"unreadable": 2},
		})
	}
	if j := w.job(); !strings.Contains(j.Message, "truncated") {
		t.Errorf("the job says %q", j.Message)
	}
	after, err := w.Store.Images(t.Context(), project.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("truncated files changed what the project has:\n%s", diff)
	}

	w.picture("c.png", 200) // whole, and another
	if _, err := w.Service.ImportImages(t.Context(), w.Admin, "p", counted(), nil); err != nil {
		t.Fatal(err)
	}
	close(decoded)
	var names []string
	for name := range decoded {
		names = append(names, name)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"a.png", "b.png", "c.png"}, names); diff != "" {
		t.Errorf("what changed is decoded once (-want +got):\n%s", diff)
	}
}

// A file that is there and is no picture any more is not gone: the image stays as it is, also with --prune, and the file is named.
func TestAFileThatIsNoPictureAnyMoreIsNotGone(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t)
	for i, name := range []string{"a.png", "b.png", "c.png", "d.png"} {
		w.picture(name, uint8(40*i))
		w.rows = append(w.rows, []string{name, "owl", "train", "", ""})
	}
	w.brings("at first", ImportOptions{}, annotator.ImportReport{Images: 4, Added: 4})
	w.cut("a.png", 0)
	if err := os.WriteFile(filepath.Join(w.dir, "b.png"), []byte("<html>not found</html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(w.dir, "c.png")); err != nil {
		t.Fatal(err)
	}
	w.brings("two are no pictures, one is gone", ImportOptions{Update: true, Prune: true, Part: 1}, annotator.ImportReport{
		Images: 3, Known: 1, Changed: 2, Unreadable: 2, Broken: 2, Gone: 1, Retired: 1, Changes: map[annotator.Difference]int{"unreadable": 2, "gone": 1},
	})
	w.picture("a.png", 0)
	w.brings("one is whole again", ImportOptions{Prune: true}, annotator.ImportReport{
		Images: 3, Known: 2, Changed: 1, Unreadable: 1, Broken: 1, Changes: map[annotator.Difference]int{"unreadable": 1},
	})
	if j := w.job(); !strings.Contains(j.Message, "b.png") || !strings.Contains(j.Message, "not a JPEG") {
		t.Errorf("the job says %q", j.Message)
	}
}

// Two data sets may have the same names.
func TestSourcesLiveTogether(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t)
	w.rows = [][]string{{"a.png", "red", "train", "", ""}}
	w.picture("a.png", 10)
	w.brings("one", ImportOptions{}, annotator.ImportReport{Images: 1, Added: 1})
	w.picture("a.png", 90)
	w.brings("another", ImportOptions{Source: "summer", Prune: true}, annotator.ImportReport{Images: 1, Added: 1})
	w.has("both", "main/a.png red train", "summer/a.png red train")
}

// A batch may have some of the classes; once a model has fixed them, a new one is refused before anything is read, with the remedy.
func TestBatchesOfClasses(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t)
	for i, class := range []string{"class-0", "class-2"} {
		w.picture("a.png", uint8(10+i))
		w.rows = [][]string{{"a.png", class, "train", "", ""}}
		w.brings("a batch of "+class, ImportOptions{Source: class}, annotator.ImportReport{Images: 1, Added: 1})
	}
	project, err := w.Store.ProjectBySlug(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.AddVersion(t.Context(), project.ID, pgtest.NewVersion(0)); err != nil {
		t.Fatal(err)
	}
	w.rows[0][1] = "class-1"
	w.brings("a class that the model knows", ImportOptions{Source: "later"}, annotator.ImportReport{Images: 1, Added: 1})
	w.rows[0][1] = "heron"
	in := ImageImport(w.blobs, "csv", w.read(), ImportOptions{Source: "last"})
	in.Read = nil
	var invalid *annotator.ValidationError
	if _, err := w.Service.ImportImages(t.Context(), w.Admin, "p", in, nil); !errors.As(err, &invalid) || !strings.Contains(err.Error(), `"heron" is none of the 3 classes`) {
		t.Errorf("a class that it does not: %v", err)
	}
	w.has("in the end", "class-0/a.png class-0 train", "class-2/a.png class-2 train", "later/a.png class-1 train")
}

// An interrupted import keeps what it has written, and the next one continues from there.
func TestImportGoesOn(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t)
	for i := range 7 {
		name := fmt.Sprintf("%d.png", i)
		w.picture(name, uint8(i))
		w.rows = append(w.rows, []string{name, "red", "train", "", ""})
	}
	in := ImageImport(w.blobs, "csv birds", w.read(), ImportOptions{Part: 2})
	read, parts := in.Read, 0
	in.Read = func(ctx context.Context, keep bool, tell func(int), next func([]annotator.NewImage) error) error {
		return read(ctx, keep, tell, func(images []annotator.NewImage) error {
			if parts++; parts == 4 { // three are written
				return errors.New("the disk is gone")
			}
			return next(images)
		})
	}
	if _, err := w.Service.ImportImages(t.Context(), w.Admin, "p", in, nil); err == nil || !strings.Contains(err.Error(), "goes on from there") {
		t.Fatalf("cut off: %v", err)
	}
	if n := len(w.images()); n != 6 || w.job().State != annotator.JobFailed {
		t.Errorf("%d images, %+v", n, w.job())
	}
	w.brings("the rest", ImportOptions{Part: 2}, annotator.ImportReport{Images: 7, Added: 1, Known: 6, Changes: map[annotator.Difference]int{"new": 1}})
	entries, err := w.Service.Audit(t.Context(), w.Admin, "p", 0)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range slices.Backward(entries) {
		if e.Action == "image.import" {
			lines = append(lines, e.Detail)
		}
	}
	want := []string{
		"main: images 1 to 2 of 7: 2 added, 0 the same", "main: images 3 to 4 of 7: 2 added, 0 the same",
		"main: images 5 to 6 of 7: 2 added, 0 the same", "main: 1 added, 6 the same",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("the trail:\n%s", diff)
	}
}

// While a round runs, an import does not change the images that it was started with.
func TestImportDuringARound(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t)
	ctx := t.Context()
	w.rows = [][]string{{"a.png", "class-0", "train", "", ""}, {"b.png", "class-1", "train", "", ""}}
	w.picture("a.png", 10)
	w.picture("b.png", 20)
	w.brings("the first", ImportOptions{}, annotator.ImportReport{Images: 2, Added: 2})
	kept := w.rows
	w.rows = kept[:1]
	w.brings("one goes", ImportOptions{Prune: true}, annotator.ImportReport{Images: 1, Known: 1, Gone: 1, Retired: 1, Changes: map[annotator.Difference]int{"gone": 1}})
	project, err := w.Store.ProjectBySlug(ctx, "p")
	if err != nil {
		t.Fatal(err)
	}
	version, err := w.Store.AddVersion(ctx, project.ID, pgtest.NewVersion(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Scan(ctx, version.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.SeedEdits(ctx, annotator.System, version.ID, "Generator", "Check", []annotator.SeedEdit{{ImageID: w.firstImage(project.ID), Map: pgtest.Map(1)}}); err != nil {
		t.Fatal(err)
	}
	round, err := w.Store.StartRound(ctx, annotator.RoundStart{ProjectID: project.ID, ParentVersion: version.ID, Settings: recipe.Defaults(), StartedBy: w.Admin})
	if err != nil {
		t.Fatal(err)
	}
	w.rows = append(slices.Clone(kept), []string{"c.png", "class-2", "train", "", ""})
	w.picture("a.png", 11)
	w.picture("c.png", 30)
	for _, o := range []ImportOptions{{Update: true}, {Prune: true}} {
		if _, err := w.Service.ImportImages(ctx, w.Admin, "p", ImageImport(w.blobs, "csv", w.read(), o), nil); !errors.Is(err, annotator.ErrConflict) || !strings.Contains(err.Error(), "wait or cancel it") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	w.brings("a plain import", ImportOptions{}, annotator.ImportReport{Images: 3, Added: 1, Changed: 1, Returned: 1, Waiting: 1, Painted: map[annotator.Difference]annotator.Painted{"bytes": {Images: 1, Approved: 1}}, Changes: map[annotator.Difference]int{"new": 1, "bytes": 1, "returned": 1}})
	if train := pgtest.TrainingImages(t, w.Store, round.ID); len(train) != 1 || train[0].Image.Name != "a.png" {
		t.Errorf("the round works on %+v", train)
	}
	if _, err := w.Service.CancelRound(ctx, w.Admin, round.ID); err != nil {
		t.Fatal(err)
	}
	w.brings("after it", ImportOptions{Update: true}, annotator.ImportReport{Images: 3, Known: 1, Changed: 1, Updated: 1, Returned: 1, Painted: map[annotator.Difference]annotator.Painted{"bytes": {Images: 1, Approved: 1}}, Changes: map[annotator.Difference]int{"bytes": 1, "returned": 1}})
	if n, err := w.Store.CountApproved(ctx, project.ID); err != nil || n != 0 {
		t.Errorf("%d edits are of pictures that are not there any more, %v", n, err)
	}
}

func (w *importWorld) firstImage(projectID int64) int64 {
	w.t.Helper()
	all, err := w.Store.Images(w.t.Context(), projectID)
	if err != nil {
		w.t.Fatal(err)
	}
	return all[0].ID
}

// lay makes the source anew: files of shades, "class" after a slash of the folder where there is one.
func (w *importWorld) lay(files map[string]uint8) {
	w.t.Helper()
	if err := os.RemoveAll(w.dir); err != nil {
		w.t.Fatal(err)
	}
	w.rows = nil
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w.picture(name, files[name])
		class := "red"
		if filepath.Dir(name) != "." {
			class = filepath.Dir(name)
		}
		w.rows = append(w.rows, []string{name, class, "train", "", ""})
	}
}

// ids are a source's images in use by name.
func (w *importWorld) ids(source string) map[string]int64 {
	w.t.Helper()
	project, err := w.Store.ProjectBySlug(w.t.Context(), "p")
	if err != nil {
		w.t.Fatal(err)
	}
	all, err := w.Store.Images(w.t.Context(), project.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	ids := map[string]int64{}
	for _, i := range all {
		if i.Source == source {
			ids[i.Name] = i.ID
		}
	}
	return ids
}

// A file that has another name or folder at its source is the image that it was, with all that people made of it, in whatever part of
// the import it comes: renamed, in the folder of another class, numbered anew, or with another picture under its old name.
func TestRenamedFilesStayTheImagesThatTheyAre(t *testing.T) {
	t.Parallel()
	type kinds = map[annotator.Difference]int
	before := map[string]uint8{"1.png": 10, "2.png": 20, "3.png": 30, "4.png": 40, "5.png": 50}
	cases := map[string]struct {
		after map[string]uint8
		want  annotator.ImportReport
	}{
		"renamed":            {map[string]uint8{"1.png": 10, "2.png": 20, "3.png": 30, "4.png": 40, "owl.png": 50}, annotator.ImportReport{Images: 5, Known: 4, Changed: 1, Renamed: 1, Changes: kinds{"renamed": 1}}},
		"another class":      {map[string]uint8{"1.png": 10, "2.png": 20, "3.png": 30, "4.png": 40, "green/5.png": 50}, annotator.ImportReport{Images: 5, Known: 4, Changed: 1, Renamed: 1, Changes: kinds{"renamed": 1, "label": 1}}},
		"swapped":            {map[string]uint8{"1.png": 50, "2.png": 20, "3.png": 30, "4.png": 40, "5.png": 10}, annotator.ImportReport{Images: 5, Known: 3, Changed: 2, Renamed: 2, Changes: kinds{"renamed": 2}}},
		"turned":             {map[string]uint8{"1.png": 20, "2.png": 30, "3.png": 40, "4.png": 50, "5.png": 10}, annotator.ImportReport{Images: 5, Changed: 5, Renamed: 5, Changes: kinds{"renamed": 5}}},
		"one less, numbered": {map[string]uint8{"1.png": 10, "2.png": 30, "3.png": 40, "4.png": 50}, annotator.ImportReport{Images: 4, Known: 1, Changed: 3, Renamed: 3, Changes: kinds{"renamed": 3, "bytes": 1}}},
		"one more, numbered": {map[string]uint8{"1.png": 10, "2.png": 15, "3.png": 20, "4.png": 30, "5.png": 40, "6.png": 50}, annotator.ImportReport{Images: 6, Known: 1, Changed: 5, Renamed: 4, Changes: kinds{"renamed": 4, "bytes": 1}}},
		"another in its place": {map[string]uint8{"1.png": 10, "2.png": 20, "3.png": 30, "4.png": 40, "5.png": 70, "old.png": 50},
			annotator.ImportReport{Images: 6, Known: 4, Changed: 2, Renamed: 1, Changes: kinds{"renamed": 1, "bytes": 1}}},
		"copied": {map[string]uint8{"1.png": 10, "2.png": 20, "3.png": 30, "4.png": 40, "5.png": 50, "6.png": 50}, annotator.ImportReport{Images: 6, Known: 5, Added: 1, Changes: kinds{"new": 1}}},
		"copied over another": {map[string]uint8{"1.png": 50, "2.png": 20, "3.png": 30, "4.png": 40, "5.png": 50},
			annotator.ImportReport{Images: 5, Known: 4, Changed: 1, Changes: kinds{"bytes": 1}}},
		"moved onto another": {map[string]uint8{"1.png": 50, "2.png": 20, "3.png": 30, "4.png": 40},
			annotator.ImportReport{Images: 4, Known: 3, Changed: 1, Renamed: 1, Changes: kinds{"renamed": 1, "bytes": 1}}},
	}
	for _, part := range []int{0, 1} { // all at once, and each by itself
		t.Run(fmt.Sprintf("in parts of %d", part), func(t *testing.T) {
			t.Parallel()
			w := newImportWorld(t)
			for name, c := range cases {
				update, plain := ImportOptions{Source: name, Update: true, Part: part}, ImportOptions{Source: name, Part: part}
				w.lay(before)
				w.brings(name+": the first import", plain, annotator.ImportReport{Images: 5, Added: 5})
				shades := map[uint8]int64{}
				for file, id := range w.ids(name) {
					shades[before[file]] = id
				}
				w.lay(c.after)
				w.brings(name+": a plain import", plain, c.want)
				if is := w.ids(name); len(is) != len(before)+c.want.Added {
					t.Errorf("%s: a plain import has %v", name, is)
				}
				updated := c.want // what was new is there
				updated.Known, updated.Added, updated.Updated, updated.Changes = updated.Known+updated.Added, 0, updated.Changed, maps.Clone(updated.Changes)
				delete(updated.Changes, "new")
				w.brings(name+": an update", update, updated)
				is, kept := w.ids(name), map[uint8]bool{}
				for file, shade := range c.after {
					kept[shade] = kept[shade] || is[file] == shades[shade]
				}
				for shade, id := range shades {
					if is, there := kept[shade]; there && !is {
						t.Errorf("%s: the picture %d is image %d no longer", name, shade, id)
					}
				}
				update.Prune = true
				w.brings(name+": the same again", update, annotator.ImportReport{Images: len(c.after), Known: len(c.after)})
			}
		})
	}
}

// What was taken out comes back under another name too, with what people made of it. What a person deleted or purged stays out under any.
func TestImagesComeBackUnderOtherNames(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t)
	w.Service = annotator.NewService(annotator.ServiceConfig{Store: w.Store, Blobs: w.blobs, Clock: w.Clock.Now})
	w.lay(map[string]uint8{"1.png": 10, "2.png": 20, "3.png": 30, "4.png": 40})
	w.brings("the first import", ImportOptions{}, annotator.ImportReport{Images: 4, Added: 4})
	was := w.ids(annotator.DefaultSource)
	w.lay(map[string]uint8{"3.png": 30, "4.png": 45})
	w.brings("pruned", ImportOptions{Update: true, Prune: true}, annotator.ImportReport{Images: 2, Known: 1, Changed: 1, Updated: 1, Gone: 2, Retired: 2, Changes: map[annotator.Difference]int{"bytes": 1, "gone": 2}})
	if _, err := w.Service.DeleteImages(t.Context(), w.Admin, "p", []int64{was["3.png"]}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.PurgeImages(t.Context(), w.Admin, "p", []int64{was["2.png"]}); err != nil {
		t.Fatal(err)
	}
	w.lay(map[string]uint8{"green/one.png": 10, "2.png": 20, "three.png": 30, "4.png": 40})
	w.brings("back", ImportOptions{}, annotator.ImportReport{Images: 4, Known: 2, Changed: 1, Returned: 1, Changes: map[annotator.Difference]int{"bytes": 1, "returned": 2, "deleted": 2}})
	w.brings("back, with update", ImportOptions{Update: true}, annotator.ImportReport{Images: 4, Known: 3, Changed: 1, Updated: 1, Changes: map[annotator.Difference]int{"bytes": 1, "returned": 1, "deleted": 2}})
	if is := w.ids(annotator.DefaultSource); len(is) != 2 || is["green/one.png"] != was["1.png"] || is["4.png"] != was["4.png"] {
		t.Errorf("in use are %v of %v", is, was)
	}
	w.has("with the class of their folder", "main/4.png red train", "main/green/one.png green train")
}
