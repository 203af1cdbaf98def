package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// A project's forecast is made by a worker as soon as ten maps are approved, and again when enough of them are others; each figure and each
// answer is that of studio study edits on the same maps, exported from the project.
func TestAProjectsForecastIsThatOfStudyEdits(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p := openAviary(t, storageFlags{DatabaseURL: pgtest.DSN(t), DataDir: t.TempDir()}, 4)
	p.inProcessScan(t)
	page, err := p.service.Tasks(ctx, annotator.System, annotator.TaskFilter{Project: "aviary", Limit: 30})
	if err != nil || len(page.Tasks) < 16 {
		t.Fatalf("%d tasks: %v", len(page.Tasks), err)
	}
	seed := func(from, to int) {
		t.Helper()
		var edits []annotator.SeedEdit
		for i, task := range page.Tasks[from:to] {
			m := attention.New(p.version.GridHeight, p.version.GridWidth)
			for j := range m.Values {
				m.Values[j] = float32((j*(i+3)+from)%11) / 10
			}
			if i%3 == 0 {
				marks := []byte(strings.Repeat(".", len(m.Values)))
				marks[i], marks[i+1] = '?', 'x'
				m.Marks = attention.Marks(marks)
			}
			edits = append(edits, annotator.SeedEdit{ImageID: task.Image.ID, Map: m})
		}
		if n, err := p.service.SeedEdits(ctx, annotator.System, p.version.ID, "Masks", "Checker", edits); err != nil || n != to-from {
			t.Fatalf("%d edits: %v", n, err)
		}
	}
	said := func() annotator.ProjectForecast {
		t.Helper()
		f, err := p.service.ForecastOf(ctx, annotator.System, "aviary")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	seed(0, 9)
	if f := said(); f.Missing != 1 || f.Approved != 9 || f.Job != nil || f.Forecast != nil {
		t.Errorf("with nine: %+v", f)
	}
	seed(9, 11)
	if f := said(); f.Missing != 0 || f.Approved != 11 || f.Job == nil || f.Job.State != annotator.JobQueued {
		t.Errorf("with eleven: %+v", f)
	}
	seed(11, 12) // while one waits there is no second
	w, err := jobs.NewWorker(jobs.Config{Store: p.Store, Blobs: p.Blobs, Data: p.Data, Threads: 1, Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	made := func(edits int) annotator.ProjectForecast {
		t.Helper()
		eventually(t, "the forecast", func() bool {
			f := said()
			if f.Job != nil && f.Job.State == annotator.JobFailed {
				t.Fatal(f.Job.Message)
			}
			return f.Job == nil && f.MadeOf == edits
		})
		return said()
	}
	first := made(12)
	if first.Forecast.Images != 12 || first.Changed != 0 || first.Version != 1 || first.MadeAt == nil {
		t.Errorf("the first: %+v", first)
	}
	seed(12, 16)
	if f := said(); f.Changed != 4 || f.Job != nil || f.MadeOf != 12 {
		t.Errorf("four more are not enough: %+v", f)
	}
	if _, err := p.service.StartForecast(ctx, annotator.System, "aviary"); err != nil {
		t.Fatal(err)
	}
	second := made(16)

	dir := t.TempDir()
	folder, err := birds(4)
	if err != nil {
		t.Fatal(err)
	}
	at, exported, rows := filepath.Join(dir, "tiny.onnx"), filepath.Join(dir, "maps"), filepath.Join(dir, "rows.jsonl")
	path, err := p.Blobs.Path(ctx, p.version.ModelHash)
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.version.ReadManifest()
	if err != nil {
		t.Fatal(err)
	}
	m.Mean, m.Std = []float32{0, 0, 0}, []float32{1, 1, 1} // what it means without them, spelled out as a file has it
	beside, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	model, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(at, model, 0o644)
	}
	if err == nil {
		err = os.WriteFile(manifestPath(at), beside, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := runStudio(t, append([]string{"export", "--project", "aviary", "--format", "npy", "--state", "approved", "--out", exported}, p.flags...)...); code != exitOK {
		t.Fatal(stderr)
	}
	report := decodeJSON[studyEditsReport](t, evaluated(t, "study", "edits", "--model", at, "--images", folder, "--maps", exported, "--threads", "1", "--cache", filepath.Join(dir, "cache"), "--rows", rows, "--json"))
	if diff := gocmp.Diff(report.MapsInPlace, *second.Forecast); diff != "" {
		t.Errorf("the project's forecast is another than the command's:\n%s", diff)
	}
	ofProject, err := p.service.ForecastRows(ctx, annotator.System, "aviary")
	if err != nil {
		t.Fatal(err)
	}
	for i := range ofProject {
		ofProject[i].ImageID = 0
	}
	file, err := os.Open(rows)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var ofCommand []forecast.RowInPlace
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var r forecast.RowInPlace
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		ofCommand = append(ofCommand, r)
	}
	if diff := gocmp.Diff(ofCommand, ofProject); diff != "" {
		t.Errorf("the project's rows are others than the command's:\n%s", diff)
	}
	classes := map[int]bool{}
	for _, r := range ofProject {
		classes[r.Edited.Predicted], classes[r.Own.Predicted] = true, true
	}
	if report.Images != 16 || len(classes) < 2 {
		t.Errorf("%d images, answers %v: does the test compare anything?", report.Images, slices.SortedFunc(maps.Keys(classes), cmp.Compare[int]))
	}
}
