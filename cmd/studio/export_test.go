package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// mapped is the world of pgtest with an approved map of each of its first three images; where are the flags of its database.
func mapped(t *testing.T) (w *pgtest.World, where []string) {
	t.Helper()
	w = pgtest.NewWorld(t)
	var edits []annotator.SeedEdit
	for i := range 3 {
		edits = append(edits, annotator.SeedEdit{ImageID: w.Images[i].ID, Map: pgtest.Map(float32(i) / 3)})
	}
	if n, err := w.Service.SeedEdits(t.Context(), annotator.System, w.Version.ID, "Masks", "Checker", edits); err != nil || n != 3 {
		t.Fatalf("%d edits, %v", n, err)
	}
	return w, []string{"--database", w.Store.Pool().Config().ConnString(), "--data", t.TempDir()}
}

func TestExport(t *testing.T) {
	t.Parallel()
	_, where := mapped(t)
	dir := t.TempDir()
	export := func(args ...string) (int, string, string) {
		t.Helper()
		return runStudio(t, append(append([]string{"export", "--project", "birds"}, where...), args...)...)
	}
	for _, out := range []string{"maps.npz", "maps.zip", "folder"} {
		format := map[string]string{"maps.npz": "npz", "maps.zip": "png16", "folder": "npy"}[out]
		code, said, complaint := export("--format", format, "--out", filepath.Join(dir, out))
		if code != exitOK || !strings.Contains(said, "3 maps") {
			t.Fatalf("%s: %d, %s%s", out, code, said, complaint)
		}
	}
	for _, out := range []string{"maps.npz", "folder"} { // finetune reads them
		set, err := dataset.Maps(filepath.Join(dir, out))
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range set.Maps {
			if want := []string{"train/0.png", "train/1.png", "train/2.png"}[i]; m.Key != want || !m.Map.Equal(pgtest.Map(float32(i)/3)) {
				t.Errorf("%s: %s is %v", out, m.Key, m.Map)
			}
		}
	}
	code, said, complaint := export("--what", "tasks", "--format", "jsonl", "--out", filepath.Join(dir, "tasks.jsonl"), "--state", "open", "--json")
	var summary exportSummary
	if code != exitOK || json.Unmarshal([]byte(said), &summary) != nil || summary.Records != 5 {
		t.Errorf("tasks: %d, %s%s", code, said, complaint)
	}
	code, said, _ = export("--what", "audit", "--format", "csv", "--out", "-")
	if code != exitOK || !strings.HasPrefix(said, "id,at,actor,action,subject,detail\n") {
		t.Errorf("the trail: %d, %s", code, said)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"a full folder":  {[]string{"--format", "npy", "--out", filepath.Join(dir, "folder")}, "has files already"},
		"no such format": {[]string{"--what", "audit", "--format", "npz", "--out", filepath.Join(dir, "x")}, "want jsonl, csv, parquet"},
		"no such date":   {[]string{"--format", "csv", "--out", filepath.Join(dir, "x"), "--since", "yesterday"}, "2026-11-28"},
		"no project":     {[]string{"--project", "bees", "--format", "csv", "--out", filepath.Join(dir, "x")}, "studio project create bees"},
		"no such state":  {[]string{"--format", "csv", "--out", filepath.Join(dir, "x"), "--state", "open"}, "want draft, submitted, approved, rejected"},
	} {
		if code, _, complaint := export(c.args...); code != exitFailure || !strings.Contains(complaint, c.says) {
			t.Errorf("%s: %d, %s", name, code, complaint)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "x")); err == nil {
		t.Error("a refused export left a file")
	}
}

func TestPredictionsOfAProject(t *testing.T) {
	t.Parallel()
	_, where := mapped(t)
	dir := t.TempDir()
	predict := func(args ...string) (int, string, string) {
		t.Helper()
		return runStudio(t, append(append([]string{"predict", "--project", "birds"}, where...), args...)...)
	}
	code, said, complaint := predict("--out", filepath.Join(dir, "all.npz"), "--json")
	var summary predictSummary
	if err := json.Unmarshal([]byte(said), &summary); code != exitOK || err != nil || summary.Images != 12 || *summary.Top1 != 4.0/12 {
		t.Fatalf("%d, %s%s", code, said, complaint)
	}
	code, said, complaint = predict("--model", "1", "--split", "test", "--scores", "probabilities", "--out", filepath.Join(dir, "test.jsonl"))
	lines, err := os.ReadFile(filepath.Join(dir, "test.jsonl"))
	if code != exitOK || err != nil || strings.Count(string(lines), "\n") != 4 || !strings.Contains(string(lines), `"probabilities":[`) || !strings.Contains(string(lines), `"correct":true`) {
		t.Errorf("%d, %s%s%s", code, said, complaint, lines)
	}
	for says, args := range map[string][]string{"no version 7": {"--model", "7"}, "number of a version": {"--model", "abn.onnx"}, "no logits": {"--scores", "logits"}, "no split": {"--split", "holdout"}} {
		if code, _, complaint := predict(append(args, "--out", filepath.Join(dir, "x.jsonl"))...); code != exitFailure || !strings.Contains(complaint, says) {
			t.Errorf("%v: %d, %s", args, code, complaint)
		}
	}
	if code, _, complaint := runStudio(t, "predict", "--out", "x.npz"); code != exitUsage || !strings.Contains(complaint, "--project SLUG") {
		t.Errorf("of nothing: %d, %s", code, complaint)
	}
}

func TestImportMaps(t *testing.T) {
	t.Parallel()
	w, where := mapped(t)
	file := filepath.Join(t.TempDir(), "maps.npz")
	if code, _, complaint := runStudio(t, append([]string{"export", "--project", "birds", "--format", "npz", "--out", file}, where...)...); code != exitOK {
		t.Fatal(complaint)
	}
	w.AnotherProject(t, "others")
	bring := func(args ...string) (int, string, string) {
		t.Helper()
		return runStudio(t, append(append([]string{"import-maps", file, "--project", "others"}, where...), args...)...)
	}
	if code, _, complaint := bring(); code != exitFailure || !strings.Contains(complaint, "--author") {
		t.Errorf("by nobody: %d, %s", code, complaint)
	}
	if code, said, complaint := bring("--author", "Zoë", "--dry-run"); code != exitOK || !strings.Contains(said, "3 would be added") {
		t.Errorf("looking: %d, %s%s", code, said, complaint)
	}
	code, said, complaint := bring("--author", "Zoë", "--state", "approved", "--json")
	var report annotator.BringReport
	if err := json.Unmarshal([]byte(said), &report); code != exitOK || err != nil || report.Added != 3 {
		t.Errorf("%d, %s%s", code, said, complaint)
	}
	if code, said, _ := bring("--author", "Zoë", "--state", "approved"); code != exitOK || !strings.Contains(said, "0 added, 3 there already") {
		t.Errorf("again: %d, %s", code, said)
	}
}
