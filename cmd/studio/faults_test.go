package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/fault"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/manifest"
)

// atFault is a variable that parks the program of the tests at a point of package fault, the first time that a function of a name is among
// its callers: "before-commit SaveDraft".
const atFault = "STUDIO_TEST_FAULT"

// parkAtFault makes the program stand still at its fault, after it has printed so, until it is killed.
func parkAtFault() {
	point, within, armed := strings.Cut(os.Getenv(atFault), " ")
	if !armed {
		return
	}
	fault.Park(func(p fault.Point) {
		if string(p) != point || !calledBy(within) {
			return
		}
		fmt.Printf("parked at %s of %s\n", point, within)
		select {}
	})
}

// calledBy reports whether a function or method of a name is among the callers.
func calledBy(name string) bool {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers[:])])
	for {
		frame, more := frames.Next()
		if function := frame.Function[strings.LastIndexByte(frame.Function, '/')+1:]; strings.HasSuffix(function, "."+name) || strings.Contains(function, "."+name+".") {
			return true
		}
		if !more {
			return false
		}
	}
}

// at is the environment that arms a fault.
func at(p fault.Point, within string) []string {
	return []string{atFault + "=" + string(p) + " " + within}
}

// parkedThenKilled waits until a program stands at its fault, and kills it there.
func parkedThenKilled(t *testing.T, p *process) {
	t.Helper()
	p.until(t, "parked at ")
	p.kill(t)
	_ = p.ended()
}

// A server is killed before and after each of its commits of a task's way from the claim to the round. Whoever asked sends the request again,
// as the editor does: what was answered is there, nothing is there twice.
func TestServerIsKilledAtEachCommit(t *testing.T) {
	t.Parallel()
	p := openAviary(t, onSharedDatabase(t), 2)
	defer p.Close()
	paintableTask(t, p)
	if _, err := p.service.CreateUser(t.Context(), annotator.System, annotator.NewUser{Email: judge.email, Name: "Judge", Password: judge.password, Role: annotator.RoleAdmin}); err != nil {
		t.Fatal(err)
	}
	tasks, err := p.service.Tasks(t.Context(), annotator.System, annotator.TaskFilter{Project: "aviary"})
	if err != nil || len(tasks.Tasks) < 2 {
		t.Fatalf("%d tasks, %v", len(tasks.Tasks), err)
	}
	serve := func(environment []string) (*process, *client, *client) {
		s := launchWith(t, environment, "", append([]string{"serve", "--listen", "127.0.0.1:0", "--no-worker"}, p.flags...)...)
		line := s.until(t, "answers on ")
		address := line[strings.Index(line, "http://"):]
		return s, signIn(t, address), signInAs(t, address, judge)
	}
	for i, point := range []fault.Point{fault.BeforeCommit, fault.AfterCommit} {
		task := tasks.Tasks[i].ID
		detail := func(paints *client) annotator.TaskDetail { return paints.task(t, task) }
		edit := func(paints *client) int64 { return detail(paints).Edit.ID }
		round := fmt.Sprintf("round-%d", i)
		for _, step := range []struct {
			within string
			send   func(paints, judges *client) int
			holds  func(paints *client) bool
		}{
			{"ClaimTask", func(paints, _ *client) int {
				return paints.status(http.MethodPost, fmt.Sprintf("/tasks/%d/claim", task), nil)
			},
				func(paints *client) bool {
					d := detail(paints)
					return d.State == annotator.TaskLeased && d.Lease != nil && d.Lease.Mine
				}},
			{"SaveDraft", func(paints, _ *client) int { return paints.status(http.MethodPut, draftPath(task), draftOf(0, 0.25)) },
				func(paints *client) bool {
					d := detail(paints)
					return d.Edit != nil && d.Edit.Revision == 1 && d.Edit.Map.Values[0] == 0.25
				}},
			{"Submit", func(paints, _ *client) int {
				return paints.status(http.MethodPost, fmt.Sprintf("/tasks/%d/submit", task), map[string]any{"revision": 1})
			}, func(paints *client) bool { return detail(paints).State == annotator.TaskSubmitted }},
			{"Judge", func(paints, judges *client) int {
				return judges.status(http.MethodPost, fmt.Sprintf("/edits/%d/review", edit(paints)), map[string]any{"verdict": "approve"})
			}, func(paints *client) bool {
				d := detail(paints)
				return d.State == annotator.TaskApproved && len(d.Reviews) == 1
			}},
			{"StartRound", func(_, judges *client) int {
				return judges.status(http.MethodPost, "/projects/aviary/rounds", map[string]any{}, "Idempotency-Key", round)
			}, func(*client) bool {
				rounds, err := p.Store.Rounds(t.Context(), p.project.ID)
				return err == nil && len(rounds) == i+1
			}},
		} {
			doomed, paints, judges := serve(at(point, step.within))
			answered := make(chan int, 1)
			go func() { answered <- step.send(paints, judges) }()
			parkedThenKilled(t, doomed)
			if status := <-answered; status != 0 {
				t.Errorf("%s of %s: answered %d before it was killed", point, step.within, status)
			}
			s, paints, judges := serve(nil)
			held := step.holds(paints) // before it is sent again
			if want := point == fault.AfterCommit; held != want {
				t.Errorf("%s of %s: it holds: %t", point, step.within, held)
			}
			// A verdict that is there is told as such; all else is the same again.
			if status := step.send(paints, judges); status >= 300 && (status != http.StatusConflict || step.within != "Judge" || !held) {
				t.Errorf("%s of %s: sent again: %d", point, step.within, status)
			}
			if !step.holds(paints) {
				t.Errorf("%s of %s: sent again, it does not hold", point, step.within)
			}
			stop(t, s)
		}
		begun, err := p.Store.RoundByKey(t.Context(), p.project.ID, round)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.service.CancelRound(t.Context(), annotator.System, begun.ID); err != nil { // one runs at a time
			t.Fatal(err)
		}
	}
}

var judge = struct{ email, password string }{"judge@example.org", "a long enough one"}

// Workers are killed one after the other in a scan: after a chunk was claimed, before its results are committed, and after. Each image is
// predicted once.
func TestWorkersAreKilledInAScan(t *testing.T) {
	t.Parallel()
	p := openAviary(t, onSharedDatabase(t), 4)
	defer p.Close()
	job, err := p.Store.EnqueueScan(t.Context(), p.version.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, environment := range [][]string{at(fault.AfterCommit, "ClaimChunk"), at(fault.BeforeCommit, "CompleteChunk"), at(fault.AfterCommit, "CompleteChunk")} {
		doomed := p.workerWith(t, environment)
		parkedThenKilled(t, doomed)
	}
	p.worker(t)
	p.finished(t, job.ID)
	p.holds(t, 1)
}

// Workers are killed one after the other in a round: in the middle of a checkpoint, with the candidate's file stored and no row of it, before
// the round's end is committed, and after. One version is made, and nothing is left over.
func TestWorkersAreKilledInARound(t *testing.T) {
	t.Parallel()
	p := openAviary(t, onSharedDatabase(t), 2)
	defer p.Close()
	round := startRound(t, p, 4)
	for _, environment := range [][]string{at(fault.HalfWritten, "save"), at(fault.BlobStored, "finish"), at(fault.BeforeCommit, "FinishRound"), at(fault.AfterCommit, "FinishRound")} {
		doomed := p.workerWith(t, environment)
		parkedThenKilled(t, doomed)
	}
	p.roundFinished(t, round.ID)
	p.worker(t)
	p.holds(t, 2)
	if left, err := filepath.Glob(filepath.Join(p.Data, "rounds", fmt.Sprint(round.ID), "."+string(arms.Candidate)+"*")); err != nil || len(left) > 0 {
		t.Errorf("half a checkpoint is left: %v, %v", left, err)
	}
}

// What brings pictures and models in is killed between file and row, and before the commit, and run again: everything is there once.
func TestImportsAreKilled(t *testing.T) {
	t.Parallel()
	p := openAviary(t, onSharedDatabase(t), 2)
	defer p.Close()
	folder, err := birds(4)
	if err != nil {
		t.Fatal(err)
	}
	if p.project, err = p.Store.ProjectBySlug(t.Context(), "aviary"); err != nil {
		t.Fatal(err)
	}
	images := append([]string{"import", folder, "--project", "aviary", "--source", "second"}, p.flags...)
	file := untrained(t, 2)
	network := filepath.Join(t.TempDir(), "second.onnx")
	var classes []string
	for _, c := range p.project.Classes {
		classes = append(classes, c.Name)
	}
	beside, err := json.Marshal(manifest.Manifest{Crop: [2]int{112, 112}, Interpolation: "bilinear", Channels: "RGB", Mean: []float32{0, 0, 0}, Std: []float32{1, 1, 1}, Classes: classes})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{network: file, strings.TrimSuffix(network, ".onnx") + ".json": beside} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	add := append([]string{"model", "add", network, "--project", "aviary"}, p.flags...)
	for _, run := range []struct {
		command     []string
		environment []string
	}{
		{images, at(fault.BlobStored, "read")}, {images, at(fault.BeforeCommit, "ImportImages")}, {images, at(fault.AfterCommit, "ImportImages")},
		{add, at(fault.BlobStored, "AddModel")}, {add, at(fault.BeforeCommit, "AddModel")},
	} {
		parkedThenKilled(t, launchWith(t, run.environment, "", run.command...))
	}
	for _, command := range [][]string{images, add} {
		if err := launch(t, command...).ended(); err != nil {
			t.Errorf("studio %s, again: %v", command[0], err)
		}
	}
	all, err := p.Store.Images(t.Context(), p.project.ID)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, image := range all {
		names[image.Source+"/"+image.Name]++
	}
	if len(names) != len(all) || len(all) <= 2*p.images {
		t.Errorf("%d images under %d names; %d in the first source", len(all), len(names), p.images)
	}
	p.worker(t)
	eventually(t, "the scan ends", func() bool {
		versions, err := p.Store.Versions(t.Context(), p.project.ID)
		return err == nil && len(versions) == 2
	})
	p.kept(t)
}

func (p *aviaryProject) workerWith(t *testing.T, environment []string) *process {
	t.Helper()
	return launchWith(t, environment, "", append([]string{"worker", "--threads", "1"}, p.flags...)...)
}

// holds checks what must hold after any fault: each image is predicted once by each version that was scanned, there are as many versions as
// said, and files and rows agree.
func (p *aviaryProject) holds(t *testing.T, versions int) {
	t.Helper()
	predictions, err := p.Store.Predictions(t.Context(), p.version.ID)
	if err != nil {
		t.Fatal(err)
	}
	version, err := p.Store.Version(t.Context(), p.version.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(predictions) != p.images || version.Scanned != p.images {
		t.Errorf("%d predictions, counted as %d, of %d images", len(predictions), version.Scanned, p.images)
	}
	all, err := p.Store.Versions(t.Context(), p.project.ID)
	if err != nil || len(all) != versions {
		t.Errorf("%d versions, %v, want %d", len(all), err, versions)
	}
	p.kept(t)
}

// kept checks that every file that a row names is there and whole, and that no other stays once a worker has tidied.
func (p *aviaryProject) kept(t *testing.T) {
	t.Helper()
	w, err := jobs.NewWorker(jobs.Config{Store: p.Store, Blobs: p.Blobs, Data: p.Data, Threads: 1, Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Tidy(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	report, err := verifyBlobs(t.Context(), p.storage, newProgressLine(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Missing)+len(report.Damaged)+len(report.Unreadable)+report.Orphaned > 0 || report.Files == 0 {
		t.Errorf("files and rows differ: %+v", report)
	}
}
