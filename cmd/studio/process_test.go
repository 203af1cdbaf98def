package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/postgres/embedded/embeddedtest"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/trainer/architecture"
)

// asProgram is a variable that makes the test binary the studio itself, so that these tests can kill a real process.
const asProgram = "STUDIO_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	jobs.Inspect()
	if os.Getenv(asProgram) != "" {
		limitFiles()
		parkAtFault()
		followClock()
		main()
		return
	}
	if address := os.Getenv(asBucket); address != "" {
		serveBucket(address)
		return
	}
	pagePatience *= 10
	code := pgtest.Main(m)
	for _, folder := range drawn.folders {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

// process is a studio that runs beside the test.
type process struct {
	*exec.Cmd
	lines chan string // what it printed, line by line; closed once it has ended and all of its log is here
	err   error       // how it ended; valid once lines is closed
	mu    sync.Mutex
	said  bytes.Buffer // what it logged
}

// ended waits until the studio has ended and all of its log is here, and returns what went wrong.
func (p *process) ended() error {
	for range p.lines {
	}
	return p.err
}

// Write gathers the log.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// launch starts the studio with arguments; it is killed when the test ends.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	return launchWith(t, nil, "", args...)
}

// launchIn launches a studio in a working directory.
func launchIn(t *testing.T, folder string, args ...string) *process {
	t.Helper()
	return launchWith(t, nil, folder, args...)
}

// launchWith launches a studio in a working directory, with further environment variables.
func launchWith(t *testing.T, environment []string, folder string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...), lines: make(chan string, 100)}
	p.Env = append(os.Environ(), asProgram+"=1", "DATABASE_URL=", "STUDIO_DATA=", "STUDIO_BLOBS=")
	p.Env = append(p.Env, environment...)
	p.Stderr, p.Dir = p, folder
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
		p.err = p.Wait()
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.ended()
		if t.Failed() {
			t.Logf("studio %s:\n%s", strings.Join(args, " "), p.log())
		}
	})
	return p
}

// until waits for a line that holds a text and returns it.
func (p *process) until(t *testing.T, text string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line, open := <-p.lines:
			if !open {
				t.Fatalf("the studio ended before it printed %q:\n%s", text, p.log())
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-deadline:
			t.Fatalf("the studio did not print %q:\n%s", text, p.log())
		}
	}
}

// kill is kill -9.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// patience is how long a test waits for another process. The longest wait, for a round of a few epochs after its worker was missed, takes
// less than a tenth of that on an idle machine with two cores.
const patience = 5 * time.Minute

// eventually waits for something another process does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v", what, patience)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// aviaryProject is a small project of real pictures with an untrained network, which gets most of them wrong.
type aviaryProject struct {
	*storage
	service *annotator.Service
	flags   []string // that lead a studio to it
	project annotator.Project
	version annotator.Version
	images  int
}

// drawn are the folders of pictures that several tests import, by how many training pictures of each bird are in them. They are drawn
// once, since drawing takes most of the time of a test that imports them; TestMain removes them.
var drawn struct {
	sync.Mutex
	folders map[int]string
}

// birds draws a folder of pictures, or gives the one that was drawn. Nothing may be changed in it.
func birds(perBird int) (string, error) {
	drawn.Lock()
	defer drawn.Unlock()
	if folder, ok := drawn.folders[perBird]; ok {
		return folder, nil
	}
	folder, err := os.MkdirTemp("", "abn-studio-birds-")
	if err != nil {
		return "", err
	}
	options := aviary.Options{Seed: 1, Train: perBird, Validation: 4, Test: 4, HomePercent: 95}
	if err := aviary.Generate(context.Background(), folder, options, nil); err != nil {
		return "", errors.Join(err, os.RemoveAll(folder))
	}
	if drawn.folders == nil {
		drawn.folders = map[int]string{}
	}
	drawn.folders[perBird] = folder
	return folder, nil
}

// openAviary makes the project on the storage of flags. perBird is how many training pictures there are of each of 14 birds.
func openAviary(t *testing.T, at storageFlags, perBird int) *aviaryProject {
	t.Helper()
	ctx := t.Context()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	s, err := at.open(ctx, discard(), false)
	if err != nil {
		t.Fatal(err)
	}
	p := &aviaryProject{storage: s, flags: []string{"--data", at.DataDir}}
	if at.DatabaseURL != "" {
		p.flags = append(p.flags, "--database", at.DatabaseURL)
	}
	if at.BlobURL != "" {
		p.flags = append(p.flags, "--blobs", at.BlobURL)
	}
	p.service = s.service(discard())
	if p.project, err = p.service.CreateProject(ctx, annotator.System, "aviary", "Aviary", ""); err != nil {
		t.Fatal(err)
	}
	file := untrained(t, 1)
	folder, err := birds(perBird)
	if err != nil {
		t.Fatal(err)
	}
	data, err := dataset.Open("folder", folder)
	if err != nil {
		t.Fatal(err)
	}
	manifest := manifest.Manifest{Crop: [2]int{112, 112}, Interpolation: "bilinear", Channels: "RGB", Classes: data.Classes}
	beside, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.service.ImportImages(ctx, annotator.System, "aviary", jobs.ImageImport(s.Blobs, "folder", data, jobs.ImportOptions{}), nil); err != nil {
		t.Fatal(err)
	}
	if p.version, err = p.service.AddModel(ctx, annotator.System, "aviary", annotator.ModelToAdd{Name: "tiny.onnx", File: file, Manifest: beside, NoScan: true}); err != nil {
		t.Fatal(err)
	}
	p.images = data.Len()
	return p
}

// untrained is a small network of 14 classes with the weights of a seed, as an ONNX file.
func untrained(t *testing.T, seed int64) []byte {
	t.Helper()
	tiny, err := architecture.Named("tiny")
	if err != nil {
		t.Fatal(err)
	}
	model, err := tiny.Build(14, seed)
	if err != nil {
		t.Fatal(err)
	}
	file, err := model.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// scanned runs a worker until every image is predicted.
func (p *aviaryProject) scanned(t *testing.T) {
	t.Helper()
	job, err := p.Store.EnqueueScan(t.Context(), p.version.ID)
	if err != nil {
		t.Fatal(err)
	}
	w := p.worker(t)
	p.finished(t, job.ID)
	stop(t, w)
}

func (p *aviaryProject) worker(t *testing.T) *process {
	t.Helper()
	w := launch(t, append([]string{"worker", "--threads", "1"}, p.flags...)...)
	w.until(t, "worker is ready")
	return w
}

func (p *aviaryProject) finished(t *testing.T, job int64) {
	t.Helper()
	eventually(t, "the job ends", func() bool {
		j, err := p.Store.Job(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if j.State == "failed" {
			t.Fatalf("the job failed: %s", j.Message)
		}
		return j.State == "finished"
	})
}

// stop ends a studio as Ctrl+C does.
func stop(t *testing.T, p *process) {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = p.ended()
}

// onSharedDatabase returns the flags of a database that several processes can use.
func onSharedDatabase(t *testing.T) storageFlags {
	t.Helper()
	return storageFlags{DatabaseURL: pgtest.DSN(t), DataDir: t.TempDir()}
}

// Two workers share a scan and one of them is killed: every image is predicted exactly once.
func TestScanSurvivesAKilledWorker(t *testing.T) {
	t.Parallel()
	p := openAviary(t, onSharedDatabase(t), 24)
	defer p.Close()
	job, err := p.Store.EnqueueScan(t.Context(), p.version.ID)
	if err != nil {
		t.Fatal(err)
	}
	doomed := p.worker(t)
	eventually(t, "the first worker begins", func() bool {
		j, err := p.Store.Job(t.Context(), job.ID)
		return err == nil && j.State == "running"
	})
	doomed.kill(t)
	p.worker(t)
	p.finished(t, job.ID)
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
}

// startRound queues a round that takes a few seconds, on a project with approved edits that it makes.
func startRound(t *testing.T, p *aviaryProject, epochs int) annotator.Round {
	t.Helper()
	seedRoundEdits(t, p)
	return queueRound(t, p, epochs, "once")
}

func seedRoundEdits(t *testing.T, p *aviaryProject) {
	t.Helper()
	p.scanned(t)
	d := &demo{storage: p.storage, service: p.service, options: aviary.DefaultOptions(), edits: 6, meter: progress.NewMeter(nil)}
	if err := d.seedEdits(t.Context(), p.version); err != nil {
		t.Fatal(err)
	}
}

func queueRound(t *testing.T, p *aviaryProject, epochs int, key string) annotator.Round {
	t.Helper()
	service := annotator.NewService(annotator.ServiceConfig{Store: p.Store, Blobs: p.Blobs})
	settings, edits, err := service.RoundDefaults(t.Context(), annotator.System, "aviary")
	if err != nil || edits != 6 {
		t.Fatalf("%d edits to learn from, %v", edits, err)
	}
	settings.Epochs = epochs
	round, err := service.StartRound(t.Context(), annotator.System, "aviary", settings, key)
	if err != nil {
		t.Fatal(err)
	}
	return round
}

// After a worker is killed in a round, another one continues from the checkpoint, and one new version is made.
func TestRoundSurvivesAKilledWorker(t *testing.T) {
	t.Parallel()
	p := openAviary(t, onSharedDatabase(t), 4)
	defer p.Close()
	round := startRound(t, p, 8)
	doomed := p.worker(t)
	folder := filepath.Join(p.Data, "rounds", fmt.Sprint(round.ID))
	eventually(t, "a checkpoint is written", func() bool {
		found, err := filepath.Glob(filepath.Join(folder, string(arms.Candidate)+"-*.checkpoint"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found) > 0
	})
	doomed.kill(t)
	second := p.worker(t)
	p.roundFinished(t, round.ID)
	if log := second.log(); !strings.Contains(log, "goes on from a checkpoint") {
		t.Errorf("the second worker began anew:\n%s", log)
	}
	versions, err := p.Store.Versions(t.Context(), p.project.ID)
	if err != nil || len(versions) != 2 {
		t.Errorf("%d versions after the round, %v; want the imported one and its candidate", len(versions), err)
	}
	eventually(t, "its folder goes", func() bool { // after the version is stored
		_, err := os.Stat(folder)
		return os.IsNotExist(err)
	})
}

// roundFinished waits for the end of a round, and fails unless it finished.
func (p *aviaryProject) roundFinished(t *testing.T, id int64) {
	t.Helper()
	eventually(t, "the round finishes", func() bool {
		r, err := p.Store.Round(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if r.State.Over() && r.State != annotator.RoundFinished {
			t.Fatalf("the round %s: %s", r.State, r.Error)
		}
		return r.State == annotator.RoundFinished
	})
}

// A round that cannot write its checkpoint fails. The next one with the same settings continues from the last checkpoint.
func TestFailedRoundIsGoneOnWith(t *testing.T) {
	t.Parallel()
	const epochs = 4
	p := openAviary(t, onSharedDatabase(t), 4)
	defer p.Close()
	folder := func(name string) string { return filepath.Join(p.Data, "rounds", name) }
	left := fmt.Sprintf("left-by-project-%d", p.project.ID)
	// Checkpoints alternate between two files. A folder with something in it, in the place of the second, cannot be replaced by
	// a file. A round starts with the folder that the project's last one left: here it holds the obstacle alone.
	obstacle := "candidate-1.checkpoint"
	if err := os.MkdirAll(filepath.Join(folder(left), obstacle, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	round := startRound(t, p, epochs)
	w := p.worker(t)
	var failed annotator.Round
	eventually(t, "the round fails", func() bool {
		var err error
		if failed, err = p.Store.Round(t.Context(), round.ID); err != nil {
			t.Fatal(err)
		}
		return failed.State.Over()
	})
	if failed.State != annotator.RoundFailed || !strings.Contains(failed.Error, "checkpoint") || !strings.Contains(failed.Error, "continues from them") {
		t.Fatalf("the round %s: %s", failed.State, failed.Error)
	}
	if _, err := os.Stat(folder(fmt.Sprint(round.ID))); !os.IsNotExist(err) {
		t.Errorf("its folder is still there: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(folder(left), obstacle)); err != nil {
		t.Fatal(err)
	}
	again := queueRound(t, p, epochs, "twice")
	p.roundFinished(t, again.ID)
	if log := w.log(); !strings.Contains(log, "goes on from a checkpoint") {
		t.Errorf("it began anew:\n%s", log)
	}
	points := func(id int64) (steps []int) {
		events, err := p.Store.WaitRoundEvents(t.Context(), id, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Point != nil && e.Point.Arm == arms.Candidate {
				steps = append(steps, e.Point.Step)
			}
		}
		return steps
	}
	first, second := points(round.ID), points(again.ID)
	slices.Sort(second)
	if len(first) == 0 || len(second) <= len(first) || !slices.Contains(second, slices.Min(first)) {
		t.Errorf("the curve of the round that went on has steps %v; the one that failed had %v", second, first)
	}
	eventually(t, "nothing is left", func() bool {
		entries, err := os.ReadDir(folder(""))
		return err == nil && len(entries) == 0
	})
}

// A round leaves out a training image whose file was damaged after its scan, and reports which and why.
func TestRoundListsWhatItCouldNotRead(t *testing.T) {
	t.Parallel()
	p := openAviary(t, onSharedDatabase(t), 2)
	defer p.Close()
	seedRoundEdits(t, p)
	images, err := p.Store.Images(t.Context(), p.project.ID, annotator.SplitTrain)
	if err != nil {
		t.Fatal(err)
	}
	damaged := images[len(images)-1]
	found, err := filepath.Glob(filepath.Join(p.Data, "blobs", "*", damaged.Hash))
	if err != nil || len(found) != 1 {
		t.Fatalf("its file: %v, %v", found, err)
	}
	// With the features that the scan cached the round would not read the file; another machine would not have them.
	if err := os.RemoveAll(filepath.Join(p.Data, "cache", "features")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(found[0], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(found[0], 100); err != nil {
		t.Fatal(err)
	}
	round := queueRound(t, p, 1, "once")
	p.worker(t)
	eventually(t, "the round finishes", func() bool {
		if round, err = p.Store.Round(t.Context(), round.ID); err != nil {
			t.Fatal(err)
		}
		return round.State.Over()
	})
	if round.State != annotator.RoundFinished || round.Unreadable == nil || round.Unreadable.Count != 1 {
		t.Fatalf("the round %s (%s), and could not read %+v", round.State, round.Error, round.Unreadable)
	}
	got := round.Unreadable.Images[0]
	if got.ID != damaged.ID || got.Name != damaged.Name || got.Split != annotator.SplitTrain || got.Reason == "" {
		t.Errorf("it names %+v, want %s and a reason", got, damaged.Name)
	}
	if last := round.Progress; last.Fraction != 1 || len(last.Phases) != 6 || last.Phase != last.Phases[5] {
		t.Errorf("it ended at %+v", last)
	}
}

// A cancelled round leaves no version, no checkpoint and no file behind.
func TestCancelledRoundLeavesNothing(t *testing.T) {
	t.Parallel()
	p := openAviary(t, onSharedDatabase(t), 8)
	defer p.Close()
	round := startRound(t, p, 500)
	before := blobCount(t, p.Data)
	p.worker(t)
	eventually(t, "training begins", func() bool {
		r, err := p.Store.Round(t.Context(), round.ID)
		return err == nil && r.Progress.Phase == string(progress.Candidate) && r.Progress.Step > 0
	})
	service := annotator.NewService(annotator.ServiceConfig{Store: p.Store, Blobs: p.Blobs})
	if _, err := service.CancelRound(t.Context(), annotator.System, round.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the round stops", func() bool {
		r, err := p.Store.Round(t.Context(), round.ID)
		return err == nil && r.State == annotator.RoundCancelled
	})
	folder := filepath.Join(p.Data, "rounds", fmt.Sprint(round.ID))
	eventually(t, "its folder goes", func() bool {
		_, err := os.Stat(folder)
		return os.IsNotExist(err)
	})
	versions, err := p.Store.Versions(t.Context(), p.project.ID)
	if err != nil || len(versions) != 1 {
		t.Errorf("%d versions, %v; want the imported one alone", len(versions), err)
	}
	if after := blobCount(t, p.Data); after != before {
		t.Errorf("%d blobs before the round, %d after", before, after)
	}
}

func blobCount(t *testing.T, data string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(data, "blobs"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != "owner" { // whose the store is, which a worker writes down when it tidies
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A server that is killed while a person paints loses no stroke that it has confirmed.
func TestKilledServerLosesNoStroke(t *testing.T) {
	t.Parallel()
	at := storageFlags{DataDir: embeddedtest.Folder(t)}
	p := openAviary(t, at, 1)
	task := paintableTask(t, p)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	serve := func() (*process, *client) {
		s := launch(t, "serve", "--data", at.DataDir, "--listen", "127.0.0.1:0", "--no-worker")
		line := s.until(t, "answers on ")
		return s, signIn(t, line[strings.Index(line, "http://"):])
	}
	server, c := serve()
	acknowledged := 0
	killed := make(chan struct{})
	for revision := 0; ; revision++ {
		if revision == 5 { // the kill may come at any moment from here on
			go func() { defer close(killed); server.kill(t) }()
		}
		if !c.draft(task, revision, float32(revision+1)/1000) {
			break
		}
		acknowledged = revision + 1
	}
	<-killed
	if acknowledged < 5 {
		t.Fatalf("only %d strokes were saved before the kill", acknowledged)
	}
	_, c = serve()
	detail := c.task(t, task)
	if detail.Edit == nil || detail.Edit.Revision < acknowledged {
		t.Fatalf("revision %d was acknowledged, and after the kill there is %+v", acknowledged, detail.Edit)
	}
	if got, want := detail.Edit.Map.Values[0], float32(detail.Edit.Revision)/1000; got != want {
		t.Errorf("revision %d holds %v, want %v", detail.Edit.Revision, got, want)
	}
}

// paintableTask stores predictions as a scan would, of which one is wrong, and returns that image's task.
func paintableTask(t *testing.T, p *aviaryProject) int64 {
	t.Helper()
	p.inProcessScan(t)
	service := annotator.NewService(annotator.ServiceConfig{Store: p.Store, Blobs: p.Blobs})
	if _, err := service.CreateUser(t.Context(), annotator.System, annotator.NewUser{Email: painter.email, Name: "Painter", Password: painter.password, Role: annotator.RoleAnnotator}); err != nil {
		t.Fatal(err)
	}
	page, err := service.Tasks(t.Context(), annotator.System, annotator.TaskFilter{Project: "aviary"})
	if err != nil || len(page.Tasks) == 0 {
		t.Fatalf("no task to paint: %v", err)
	}
	return page.Tasks[0].ID
}

// inProcessScan scans with a worker of this process.
func (p *aviaryProject) inProcessScan(t *testing.T) {
	t.Helper()
	w, err := jobs.NewWorker(jobs.Config{Store: p.Store, Blobs: p.Blobs, Data: p.Data, Threads: 1, Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	job, err := p.Store.EnqueueScan(t.Context(), p.version.ID)
	if err != nil {
		t.Fatal(err)
	}
	p.finished(t, job.ID)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

var painter = struct{ email, password string }{"painter@example.org", "a long enough one"}

// client speaks the JSON API as a browser does.
type client struct {
	http.Client
	base   string
	failed func() // called by insist after each request that failed; nil: nothing is
}

func signIn(t *testing.T, base string) *client { return signInAs(t, base, painter) }

func signInAs(t *testing.T, base string, who struct{ email, password string }) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{Client: http.Client{Jar: jar, Timeout: patience}, base: base + "/api/v1"}
	if status, body := c.send(http.MethodPost, "/session", map[string]string{"email": who.email, "password": who.password}); status != http.StatusOK {
		t.Fatalf("signing in: %d %s", status, body)
	}
	return c
}

// send sends a request and returns the answer's status, 0 where there is none, and its body. headers are names and values in turn.
func (c *client) send(method, path string, body any, headers ...string) (int, []byte) {
	return c.sendIn(context.Background(), method, path, body, headers...)
}

// sendIn is send until ctx ends.
func (c *client) sendIn(ctx context.Context, method, path string, body any, headers ...string) (int, []byte) {
	text, _ := json.Marshal(body)
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.Do(request)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer response.Body.Close()
	var out bytes.Buffer
	if _, err := out.ReadFrom(response.Body); err != nil {
		return 0, []byte(err.Error())
	}
	return response.StatusCode, out.Bytes()
}

func (c *client) task(t *testing.T, id int64) annotator.TaskDetail {
	t.Helper()
	status, body := c.send(http.MethodGet, fmt.Sprintf("/tasks/%d", id), nil)
	var detail annotator.TaskDetail
	if err := json.Unmarshal(body, &detail); status != http.StatusOK || err != nil {
		t.Fatalf("task %d: %d %s", id, status, body)
	}
	return detail
}

// draft saves a map with one value everywhere and reports whether the server confirmed it.
func (c *client) draft(task int64, base int, value float32) bool {
	if base == 0 {
		if status, _ := c.send(http.MethodPost, fmt.Sprintf("/tasks/%d/claim", task), nil); status != http.StatusOK {
			return false
		}
	}
	return c.status(http.MethodPut, draftPath(task), draftOf(base, value)) == http.StatusOK
}

// status is send without the answer's body.
func (c *client) status(method, path string, body any, headers ...string) int {
	status, _ := c.send(method, path, body, headers...)
	return status
}

func draftPath(task int64) string { return fmt.Sprintf("/tasks/%d/draft", task) }

// draftOf is a draft on a revision: a map with one value everywhere.
func draftOf(base int, value float32) map[string]any {
	return map[string]any{"base_revision": base, "source": "painted", "values": slices.Repeat([]float32{value}, 14*14)}
}
