package main

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// zipFolder packs a folder.
func zipFolder(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "birds.zip")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(out)
	if err := errors.Join(archive.AddFS(os.DirFS(dir)), archive.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// After an import is killed while it writes, its job ends, its temporary folder is removed, and the same command continues.
func TestImportKilledHalfway(t *testing.T) {
	t.Parallel()
	at := onSharedDatabase(t)
	s, err := at.open(t.Context(), discard(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	service := s.service(discard())
	if _, err := service.CreateProject(t.Context(), annotator.System, "birds", "Birds", ""); err != nil {
		t.Fatal(err)
	}
	pictures, temporary := t.TempDir(), t.TempDir()
	for i, c := range []string{"jay", "wren"} {
		drawPicture(t, filepath.Join(pictures, "train", c, "one.png"), uint8(80*i))
	}
	importing := []string{"import", zipFolder(t, pictures), "--project", "birds", "--database", at.DatabaseURL, "--data", at.DataDir}
	environment := []string{"TMPDIR=" + temporary}
	left := func() []string {
		found, err := filepath.Glob(filepath.Join(temporary, "studio-dataset-*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	release := holdInserts(t, s, "images")
	doomed := launchWith(t, environment, "", importing...)
	waitsForInsert(t, s, doomed)
	doomed.kill(t)
	_ = doomed.ended()
	release()
	if len(left()) != 2 { // a folder and its lock
		t.Errorf("the killed import left %q", left())
	}
	long := time.Now().Add(-time.Hour)
	for _, path := range left() {
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Store.Pool().Exec(t.Context(), `UPDATE jobs SET reported_at = now() - interval '3 minutes' WHERE state = 'running'`); err != nil {
		t.Fatal(err)
	}
	if err := launchWith(t, environment, "", importing...).ended(); err != nil {
		t.Fatalf("the import, again: %v", err)
	}
	if len(left()) != 0 {
		t.Errorf("in the folder for temporary files are %q", left())
	}
	jobs, err := service.Jobs(t.Context(), annotator.System, "birds")
	if err != nil || len(jobs) != 2 || jobs[0].State != annotator.JobFinished || jobs[0].Report.Added != 2 ||
		jobs[1].State != annotator.JobFailed || !strings.Contains(jobs[1].Message, "it was stopped or killed") {
		t.Errorf("the jobs %+v, %v", jobs, err)
	}
}

// The report of a second import has counts, names and what to do, in JSON, on the terminal and in a file.
func TestImportSaysWhatDiffers(t *testing.T) {
	t.Parallel()
	at := onSharedDatabase(t)
	s, err := at.open(t.Context(), discard(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.service(discard()).CreateProject(t.Context(), annotator.System, "birds", "Birds", ""); err != nil {
		t.Fatal(err)
	}
	pictures := t.TempDir()
	draw := func(name string, shade uint8) { drawPicture(t, filepath.Join(pictures, "train", name), shade) }
	draw("jay/one.png", 10)
	draw("jay/two.png", 20)
	report := filepath.Join(t.TempDir(), "report.csv")
	run := func(args ...string) string {
		t.Helper()
		args = append([]string{"import", "folder", pictures, "--project", "birds", "--database", at.DatabaseURL, "--data", at.DataDir}, args...)
		code, out, said := runStudio(t, args...)
		if code != 0 {
			t.Fatalf("studio %s: %s", strings.Join(args, " "), said)
		}
		return out
	}
	read := func(out string) (s importSummary) {
		t.Helper()
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		return s
	}
	run()
	draw("jay/one.png", 90)
	draw("wren/three.png", 30)
	if err := os.Remove(filepath.Join(pictures, "train", "jay", "two.png")); err != nil {
		t.Fatal(err)
	}
	if got := read(run("--dry-run", "--json", "--update", "--prune")); got.Added != 1 || got.Updated != 1 || got.Retired != 1 || !got.DryRun || len(got.Advice) != 0 {
		t.Errorf("a look ahead: %+v", got)
	}
	if got := read(run("--json", "--report", report)); got.Added != 1 || got.Changed != 1 || got.Updated != 0 || got.Gone != 1 || len(got.Advice) != 2 ||
		!strings.Contains(got.Advice[0], "--update") || !strings.Contains(got.Advice[1], "--prune") {
		t.Errorf("a plain import: %+v", got)
	}
	file, err := os.Open(report)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil || len(lines) != 4 || lines[1][0] != "bytes" || lines[2][1] != "train/wren/three.png" || lines[3][0] != "gone" {
		text, _ := io.ReadAll(file)
		t.Errorf("the report %q, %v %s", lines, err, text)
	}
	said := run("--update", "--prune")
	for _, want := range []string{"source main: 0 added, 1 the same; 1 updated; 1 taken out", "another picture: 1", "train/jay/one.png"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in:\n%s", want, said)
		}
	}
}

// A mask that cannot be read is counted once, as one that is left out: by a look ahead without a project as by one with it and by the import.
func TestImportCountsTheMasksItReads(t *testing.T) {
	t.Parallel()
	at := onSharedDatabase(t)
	s, err := at.open(t.Context(), discard(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.service(discard()).CreateProject(t.Context(), annotator.System, "masked", "Masked", ""); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i, name := range []string{"a.png", "b.png", "mask-a.png", "mask-b.png"} {
		drawPicture(t, filepath.Join(dir, name), uint8(40*i))
	}
	table := "file,class,split,mask\na.png,jay,train,mask-a.png\nb.png,jay,train,mask-b.png\n"
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "images.csv"), []byte(table), 0o600), os.Truncate(filepath.Join(dir, "mask-b.png"), 50)); err != nil {
		t.Fatal(err)
	}
	inProject := []string{"--project", "masked", "--database", at.DatabaseURL, "--data", at.DataDir}
	for _, args := range [][]string{{"--dry-run"}, append([]string{"--dry-run"}, inProject...), inProject} {
		code, out, said := runStudio(t, append([]string{"import", "csv", dir, "--mask-object", "80,255", "--json"}, args...)...)
		var got importSummary
		if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
			t.Fatalf("%v: %d, %v, %s", args, code, err, said)
		}
		if got.Masks != 1 || got.Unmasked != 1 || !strings.HasPrefix(got.FirstMask, "b.png: ") {
			t.Errorf("%v: %d masks, %d that cannot be read, the first %q", args, got.Masks, got.Unmasked, got.FirstMask)
		}
	}
}

// A report that the disk does not take whole ends in a line that says so; the import goes on, and the command says which of both is done.
func TestReportOnAFullDisk(t *testing.T) {
	t.Parallel()
	at := onSharedDatabase(t)
	s, err := at.open(t.Context(), discard(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.service(discard()).CreateProject(t.Context(), annotator.System, "long", "Long", ""); err != nil {
		t.Fatal(err)
	}
	const images, limit = 80, 6000
	pictures := t.TempDir()
	importing := []string{"import", "folder", pictures, "--project", "long", "--database", at.DatabaseURL, "--data", at.DataDir}
	for i := range images {
		if i == 1 { // what comes after a first import differs from the project
			if code, _, said := runStudio(t, importing...); code != 0 {
				t.Fatal(said)
			}
		}
		drawPicture(t, filepath.Join(pictures, "train", "jay", fmt.Sprintf("%s%d.png", strings.Repeat("long", 30), i)), uint8(i))
	}
	report := filepath.Join(t.TempDir(), "report.csv")
	p := launchWith(t, []string{fmt.Sprintf("%s=%d", fileLimit, limit)}, "", append(importing, "--report", report)...)
	p.until(t, "79 added")
	if err := p.ended(); err == nil || !strings.Contains(p.log(), "the report is cut short") || !strings.Contains(p.log(), "the import itself is done") {
		t.Errorf("%v: %s", err, p.log())
	}
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil || len(lines) < 10 || len(lines) >= images || lines[len(lines)-1][0] != "cut short" {
		t.Fatalf("%d lines, %v, the last %q", len(lines), err, data[max(0, len(data)-200):])
	}
	for _, line := range lines[1 : len(lines)-1] {
		if line[0] != "new" || !strings.HasSuffix(line[1], ".png") {
			t.Errorf("a line in part: %q", line)
		}
	}
	if code, _, said := runStudio(t, append(importing, "--report", "/dev/full")...); runtime.GOOS == "linux" && (code == 0 || !strings.Contains(said, "--report")) {
		t.Errorf("into a full disk from the start: %d, %s", code, said)
	}
}

// A list of fewer than no images is refused, and not taken for all.
func TestLeakageRefusesNegativeLimits(t *testing.T) {
	t.Parallel()
	for _, limit := range []string{"--limit=-1", "--limit=1001"} {
		if code, _, said := runStudio(t, "project", "leakage", "birds", limit); code == 0 || !strings.Contains(said, "--limit") {
			t.Errorf("%s: %d, %s", limit, code, said)
		}
	}
}
