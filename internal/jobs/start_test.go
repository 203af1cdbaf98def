package jobs

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// The masks and clicks of an import become the maps that painters begin with.
func TestStartingMaps(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	blobs, err := blob.Open(ctx, t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	catalog := NewCatalog(blobs, nil, 1)
	s := annotator.NewService(annotator.ServiceConfig{Store: w.Store, Blobs: blobs, Starts: catalog, Clock: w.Clock.Now, Logger: slog.New(slog.DiscardHandler)})

	most := attention.Start{Method: attention.StartMaximum, Radius: 1}
	var invalid *annotator.ValidationError
	for _, start := range []attention.Start{most, {Method: attention.StartClicks, Radius: 1}, {Method: attention.StartArea}} {
		if _, err := s.SetStart(ctx, w.Admin, "birds", start); !errors.As(err, &invalid) || invalid.Field != "method" || !strings.Contains(invalid.Message, "none of the 8 images") {
			t.Errorf("%s without masks and clicks: %v", start, err)
		}
	}

	// One white pixel of 64×48, in cell (1,0) of the world's grid of 2×3.
	mask := image.NewGray(image.Rect(0, 0, 64, 48))
	mask.Pix[30*mask.Stride+10] = 255
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, mask); err != nil {
		t.Fatal(err)
	}
	maskHash, _, err := blobs.Put(ctx, &encoded)
	if err != nil {
		t.Fatal(err)
	}
	added := []annotator.NewImage{
		{Name: "masked.png", Split: annotator.SplitPool, Class: "class-0", Hash: pgtest.Hash(101), MaskHash: maskHash, Width: 64, Height: 48},
		{Name: "clicked.png", Split: annotator.SplitPool, Class: "class-0", Hash: pgtest.Hash(102), Clicks: [][2]float64{{0.5, 0.25}}, Width: 64, Height: 48},
		{Name: "lost.png", Split: annotator.SplitPool, Class: "class-0", Hash: pgtest.Hash(103), MaskHash: pgtest.Hash(500), Width: 64, Height: 48},
		{Name: "outside.png", Split: annotator.SplitTest, Class: "class-0", Hash: pgtest.Hash(104), MaskHash: maskHash, Width: 64, Height: 48},
	}
	if n, err := w.Store.AddImages(ctx, w.Project.ID, added); err != nil || n != 4 {
		t.Fatalf("%d added, %v", n, err)
	}
	if err := w.Scan(ctx, w.Version.ID); err != nil {
		t.Fatal(err)
	}
	project, err := s.SetStart(ctx, w.Admin, "birds", most)
	if err != nil || project.Start != most {
		t.Fatalf("%+v, %v", project.Start, err)
	}
	if summary, err := s.Project(ctx, w.Ada, "birds"); err != nil || summary.Start != most {
		t.Errorf("%+v, %v", summary.Start, err)
	}

	claim := func(name string) annotator.TaskDetail {
		t.Helper()
		page, err := s.Tasks(ctx, w.Ada, annotator.TaskFilter{Project: "birds", Search: name})
		if err != nil || len(page.Tasks) != 1 {
			t.Fatalf("%s: %d tasks, %v", name, len(page.Tasks), err)
		}
		d, err := s.ClaimTask(ctx, w.Ada, page.Tasks[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	masked := claim("masked")
	want := attention.Map{Height: 2, Width: 3, Values: []float32{1, 0, 0, 1, 1, 0}}
	if masked.Start == nil || masked.Start.Map == nil || !masked.Start.Map.Equal(want) || masked.Start.Start != most {
		t.Errorf("the masked image begins with %+v", masked.Start)
	}
	if d, err := s.Task(ctx, w.Bob, masked.ID); err != nil || d.Start != nil {
		t.Errorf("somebody else begins with %+v, %v", d.Start, err)
	}
	if _, err := s.SaveDraft(ctx, w.Ada, masked.ID, annotator.Draft{Source: annotator.SourcePainted, Map: pgtest.Map(0.25)}); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Task(ctx, w.Ada, masked.ID); err != nil || d.Start != nil {
		t.Errorf("a painted task begins with %+v, %v", d.Start, err)
	}
	for name, says := range map[string]string{"clicked": "no mask is known", "lost": "cannot be read", "train/0": "no mask is known"} {
		if d := claim(name); d.Start == nil || d.Start.Map != nil || !strings.Contains(d.Start.Problem, says) {
			t.Errorf("%s begins with %+v", name, d.Start)
		}
	}

	// Clicks also come to an image that is there, if its file is the same.
	again := []annotator.NewImage{
		{Name: w.Images[0].Name, Split: annotator.SplitTrain, Class: "class-0", Hash: w.Images[0].Hash, Clicks: [][2]float64{{0.5, 0.75}}, Width: 64, Height: 48},
		{Name: w.Images[1].Name, Split: annotator.SplitTrain, Class: "class-1", Hash: pgtest.Hash(777), Clicks: [][2]float64{{0.5, 0.75}}, Width: 64, Height: 48},
	}
	if n, err := w.Store.AddImages(ctx, w.Project.ID, again); err != nil || n != 0 {
		t.Fatalf("%d added, %v", n, err)
	}
	preview, err := s.PreviewStarts(ctx, w.Admin, "birds", nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := preview.Sources, (annotator.StartSources{Images: 11, Masks: 2, Clicks: 2}); got != want {
		t.Errorf("sources %+v, want %+v", got, want)
	}
	byName := map[string]annotator.StartExample{}
	for _, e := range preview.Examples {
		byName[e.Image.Name] = e
	}
	if len(byName) != 4 {
		t.Fatalf("%d examples: %+v", len(byName), byName)
	}
	e := byName["masked.png"]
	if e.Known.Map == nil || e.Known.Map.Height != 16 || e.Known.Map.At(10, 3) != 1 || e.Known.Map.At(0, 0) != 0 {
		t.Errorf("the mask is shown as %+v", e.Known)
	}
	if e.Maps[0].Map == nil || !e.Maps[0].Map.Equal(pgtest.Map(0.5)) || !e.Maps[2].Map.Equal(want) || e.Maps[3].Map != nil {
		t.Errorf("masked: %+v", e.Maps)
	}
	if area := e.Maps[1].Map.At(1, 0); area < 1.9e-3 || area > 2e-3 { // of 21⅓ × 24 pixels
		t.Errorf("by area %v", area)
	}
	clicked := byName["clicked.png"].Maps[3]
	if want := attention.DensityOfClicks(added[1].Clicks, attention.Whole, 2, 3, 1); clicked.Map == nil || !clicked.Map.Equal(want) || clicked.Map.At(0, 1) != 1 {
		t.Errorf("clicked: %+v", clicked)
	}
	wide := 2.0
	if preview, err = s.PreviewStarts(ctx, w.Admin, "birds", &wide, 1); err != nil || len(preview.Examples) != 1 || preview.Examples[0].Maps[2].Radius != 2 || preview.Examples[0].Maps[1].Radius != 0 {
		t.Errorf("radius 2: %+v, %v", preview, err)
	}
	wide = 9
	if _, err = s.PreviewStarts(ctx, w.Admin, "birds", &wide, 1); !errors.As(err, &invalid) || invalid.Field != "radius" {
		t.Errorf("radius 9: %v", err)
	}
	if _, err := s.SetStart(ctx, w.Admin, "birds", attention.Start{Method: attention.StartArea, Radius: 1}); !errors.As(err, &invalid) || invalid.Field != "radius" {
		t.Errorf("an area with a radius: %v", err)
	}
	if _, err := s.CreateProject(ctx, w.Admin, "empty", "Empty", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PreviewStarts(ctx, w.Admin, "empty", nil, 1); !errors.Is(err, annotator.ErrConflict) {
		t.Errorf("a project without a model: %v", err)
	}
}

// The clicks of CUB-200-2011 come in as shares of the picture, the same in a second import, and change with the source.
func TestImportedClicks(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	blobs, err := blob.Open(ctx, t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.CreateProject(ctx, w.Admin, "cub", "CUB", ""); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, content, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 30, 10))); err != nil {
		t.Fatal(err)
	}
	write("images/001.A/1.png", picture.Bytes())
	write("images/002.B/2.png", smallPNG(t, 2))
	for name, content := range map[string]string{
		"images.txt": "1 001.A/1.png\n2 002.B/2.png\n", "train_test_split.txt": "1 1\n2 1\n", "classes.txt": "1 001.A\n2 002.B\n",
		"image_class_labels.txt": "1 1\n2 2\n", "parts/parts.txt": "1 back\n2 beak\n",
		"parts/part_locs.txt":       "1 1 1.0 1.0 1\n2 1 4.0 2.0 1\n",
		"parts/part_click_locs.txt": "1 1 10.0 5.0 1 0.5\n1 2 20.0 2.0 1 0.5\n1 1 3.0 3.0 0 0.5\n",
	} {
		write(name, []byte(content))
	}
	bring := func(o ImportOptions) annotator.ImportReport {
		t.Helper()
		d, err := dataset.Open(dataset.Auto, dir)
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.Service.ImportImages(ctx, w.Admin, "cub", ImageImport(blobs, "cub", d, o), nil)
		if err != nil {
			t.Fatal(err)
		}
		return out.ImportReport
	}
	project, err := w.Store.ProjectBySlug(ctx, "cub")
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, want ...[][2]float64) {
		t.Helper()
		images, err := w.Store.Images(ctx, project.ID)
		if err != nil || len(images) != len(want) {
			t.Fatalf("%s: %d images, %v", what, len(images), err)
		}
		slices.SortFunc(images, func(a, b annotator.Image) int { return strings.Compare(a.Name, b.Name) })
		for i, image := range images {
			got, err := w.Store.Clicks(ctx, image.ID)
			if diff := cmp.Diff(want[i], got, cmpopts.EquateApprox(0, 1e-6)); err != nil || diff != "" {
				t.Errorf("%s, %s: %v %s", what, image.Name, err, diff)
			}
		}
	}
	if report := bring(ImportOptions{}); report.Added != 2 {
		t.Errorf("%+v", report)
	}
	parts := [][2]float64{{0.5, 0.25}} // of 8×8 pixels, for want of clicks
	check("at first", [][2]float64{{1. / 3, 0.5}, {2. / 3, 0.2}}, parts)
	if report := bring(ImportOptions{Update: true}); report.Known != 2 || report.Changed != 0 {
		t.Errorf("the same again: %+v", report)
	}
	write("parts/part_click_locs.txt", []byte("1 1 15.0 5.0 1 0.5\n"))
	if report := bring(ImportOptions{}); report.Changed != 1 || report.Changes[annotator.DiffersClicks] != 1 || report.Updated != 0 {
		t.Errorf("moved at the source: %+v", report)
	}
	check("told", [][2]float64{{1. / 3, 0.5}, {2. / 3, 0.2}}, parts)
	if report := bring(ImportOptions{Update: true}); report.Updated != 1 {
		t.Errorf("taken over: %+v", report)
	}
	check("taken over", [][2]float64{{0.5, 0.5}}, parts)
}
