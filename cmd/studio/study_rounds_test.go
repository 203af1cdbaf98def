package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/lock"
	"github.com/abn-studio/studio/internal/study"
	"github.com/abn-studio/studio/trainer/measure"
)

// A study of rounds on pictures of each seed's own: every arm is judged, the figures follow from the rows, and a second call finds all
// of it done.
func TestStudyRounds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for seed, test := range map[string]string{"1": "4", "2": "8"} {
		if code, _, log := runStudio(t, "aviary", "--out", filepath.Join(dir, "birds-"+seed), "--train", "4", "--validation", "4", "--test", test, "--pool", "4"); code != exitOK {
			t.Fatal(log)
		}
	}
	out := filepath.Join(dir, "out")
	arguments := []string{"study", "rounds", shippedModel(t, dir), "--images", filepath.Join(dir, "birds-{seed}"), "--edits", "12", "--seeds", "2", "--orders", "confident,random", "--epochs", "1", "--out", out}
	code, table, log := runStudio(t, arguments...)
	if code != exitOK {
		t.Fatal(log)
	}
	for _, k := range arms.Kinds() {
		if n := strings.Count(table, "\n| "+k.Label+" |") + strings.Count(table, "\n| "+k.Label+" ("); n != 4 && k.Arm != arms.MapAtTest {
			t.Errorf("%s has %d rows in\n%s", k.Label, n, table)
		}
	}
	if !strings.Contains(table, "2 seeds, none failed") {
		t.Error(table)
	}
	code, again, log := runStudio(t, append(arguments, "--json")...)
	var report struct{ Cells []study.Cell }
	if err := json.Unmarshal([]byte(again), &report); code != exitOK || log != "" || err != nil || len(report.Cells) != 2 {
		t.Fatalf("again: exit %d, %v, log %q\n%s", code, err, log, again)
	}
	rounds, err := study.ReadRounds(out)
	if err != nil || len(rounds) != 4 {
		t.Fatalf("%d rounds, %v", len(rounds), err)
	}
	want, images := 0., 0          // the candidate's accuracy, a mean over seeds
	for _, p := range rounds[:2] { // the first cell's
		rows, err := study.ReadRows(out, p)
		if err != nil {
			t.Fatal(err)
		}
		right, all := 0, 0
		for _, r := range rows {
			if r.Arm == arms.Candidate && r.Set == measure.OfTest {
				all++
				if r.Correct() {
					right++
				}
			}
		}
		want, images = want+float64(right)/float64(all)/2, images+all
		if p.Used != 12 || p.Settings == nil || p.Settings.Seed != p.Seed || p.Runs["candidate"] <= 0 {
			t.Errorf("%+v", p)
		}
	}
	for _, a := range report.Cells[0].Arms {
		if a.Arm == arms.Candidate && (a.Seeds != 2 || a.Images != images || math.Abs(a.Accuracy-want) > 1e-9) {
			t.Errorf("the rows say %v of %d: %+v", want, images, a)
		}
	}
	if code, _, log := runStudio(t, append(arguments, "--within", "nowhere")...); code != exitFailure || !strings.Contains(log, `no held-out image is in the group "nowhere"`) {
		t.Errorf("a group that is not there: exit %d, %s", code, log)
	}
	if code, _, log := runStudio(t, append(arguments, "--seeds", "3")...); code != exitFailure || !strings.Contains(log, "birds-3") {
		t.Errorf("pictures that are not there: exit %d, %s", code, log)
	}
	for what, other := range map[string]string{"--gamma=3": "other settings", "--limit=9": "other settings", "--arms=none": "other settings", "--images=" + filepath.Join(dir, "birds-1"): "other pictures (seed 2)"} {
		if code, _, log := runStudio(t, append(arguments, what)...); code != exitFailure || !strings.Contains(log, other) {
			t.Errorf("%s: exit %d, %s", what, code, log)
		}
	}
	outcomes := filepath.Join(out, study.OutcomesFile)
	text, err := os.ReadFile(outcomes)
	if err != nil {
		t.Fatal(err)
	}
	for what, damaged := range map[string]string{"a line that was cut off": string(text) + `{"network":"avi`, "a round twice": string(text) + string(text)} {
		if err := os.WriteFile(outcomes, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, same, log := runStudio(t, arguments...); code != exitOK || same != table || log != "" {
			t.Errorf("%s: exit %d, log %q, the table\n%s", what, code, log, same)
		}
	}
	published := filepath.Join(dir, "published")
	if code, said, log := runStudio(t, "study", "publish", out, "--out", published); code != exitOK || !strings.Contains(said, "4 rounds in "+published) {
		t.Errorf("publishing: exit %d, %s%s", code, said, log)
	}
	if code, _, log := runStudio(t, "study", "publish", out, "--out", out); code != exitFailure || !strings.Contains(log, "is the study itself") {
		t.Errorf("publishing to itself: exit %d, %s", code, log)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(out, link); err != nil {
		t.Fatal(err)
	}
	if code, _, log := runStudio(t, "study", "publish", out, "--out", link); code != exitFailure || !strings.Contains(log, "is the study itself") {
		t.Errorf("publishing to itself by a link: exit %d, %s", code, log)
	}
	if code, _, log := runStudio(t, "study", "publish", published, "--out", out); code != exitFailure || !strings.Contains(log, "has the rows of a study") {
		t.Errorf("publishing over a study: exit %d, %s", code, log)
	}
	for i, a := range arguments {
		if a == out {
			arguments[i] = published
		}
	}
	if code, same, log := runStudio(t, arguments...); code != exitOK || same != table || log != "" {
		t.Errorf("the published study: exit %d, log %q, the table\n%s\nwant\n%s", code, log, same, table)
	}
	for i, a := range arguments {
		if a == published {
			arguments[i] = out
		}
	}
	held, err := lock.Open(filepath.Join(out, "lock"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, log := runStudio(t, arguments...); code != exitFailure || !strings.Contains(log, "another process is at work in "+out) {
		t.Errorf("a folder at work: exit %d, %s", code, log)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, rounds[0].Rows), []byte("no rows"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, log := runStudio(t, arguments...); code != exitFailure || !strings.Contains(log, rounds[0].Rows) {
		t.Errorf("rows that are damaged: exit %d, %s", code, log)
	}
}

// A classifier whose attention branch has a body without normalisation gets γ = 2 with M·g, and 1 with (1+M)·g, where none is given.
func TestStudyRoundsChooseGamma(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	images, out := filepath.Join(dir, "images"), filepath.Join(dir, "out")
	if code, _, log := runStudio(t, "aviary", "--out", images, "--train", "4", "--validation", "4", "--test", "4", "--pool", "4"); code != exitOK {
		t.Fatal(log)
	}
	classifier := filepath.Join(dir, "classifier.onnx")
	writeClassifier(t, classifier)
	manifest := `{"resize": 32, "crop": [32, 32], "interpolation": "bilinear", "channels": "RGB", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "classes": ["a", "b", "c", "d"]}`
	if err := os.WriteFile(filepath.Join(dir, "classifier.json"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	arguments := []string{"study", "rounds", classifier, "--images", images, "--edits", "2", "--limit", "20", "--training", "1", "--epochs", "1", "--arms", "none", "--seeds", "1", "--out", out}
	if code, _, log := runStudio(t, arguments...); code != exitOK {
		t.Fatal(log)
	}
	rounds, err := study.ReadRounds(out)
	if err != nil || len(rounds) != 2 {
		t.Fatalf("%d rounds, %v", len(rounds), err)
	}
	for _, p := range rounds {
		want := map[string]float64{"M": 2, "1+M": 1}[p.Gain]
		if p.Error == "" && (p.Settings.Gamma != want || p.Settings.LearningRate != 0.005) {
			t.Errorf("%s: γ %v and a rate of %v, want %v and 0.005", p.Gain, p.Settings.Gamma, p.Settings.LearningRate, want)
		}
	}
}
