package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/embedded"
	"github.com/abn-studio/studio/internal/postgres/embedded/embeddedtest"
)

// killsWanted and killsSeed are the variables that say how many faults TestRandomKills makes, and which. `make kills` sets them.
const (
	killsWanted = "STUDIO_RANDOM_KILLS"
	killsSeed   = "STUDIO_RANDOM_KILLS_SEED"
)

// line is the network between the studio and its database: a socket in a folder of its own, which leads to the database's.
type line struct {
	to       string // socket
	listener net.Listener
	mu       sync.Mutex
	cutUntil time.Time
	open     map[net.Conn]bool
}

func newLine(t *testing.T, folder, to string) *line {
	t.Helper()
	listener, err := net.Listen("unix", filepath.Join(folder, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	l := &line{to: to, listener: listener, open: map[net.Conn]bool{}}
	t.Cleanup(func() { listener.Close(); l.cut(0) })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(c)
		}
	}()
	return l
}

func (l *line) carry(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("unix", l.to)
	if err != nil {
		return
	}
	defer to.Close()
	l.mu.Lock()
	if time.Now().Before(l.cutUntil) {
		l.mu.Unlock()
		return
	}
	l.open[from], l.open[to] = true, true
	l.mu.Unlock()
	go func() { _, _ = io.Copy(to, from); to.Close(); from.Close() }()
	_, _ = io.Copy(from, to)
	l.mu.Lock()
	delete(l.open, from)
	delete(l.open, to)
	l.mu.Unlock()
}

// cut breaks every connection, and new ones for some time.
func (l *line) cut(most time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cutUntil = time.Now().Add(most)
	for c := range l.open {
		c.Close()
	}
}

// supervised is a studio that is started again whenever it ends, as a service is.
type supervised struct {
	mu      sync.Mutex
	current *exec.Cmd
	log     bytes.Buffer // of the one that runs
	ended   chan struct{}
}

// supervise runs the studio with arguments until ctx ends.
func supervise(ctx context.Context, args ...string) *supervised {
	s := &supervised{ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		for ctx.Err() == nil {
			s.mu.Lock()
			s.log.Reset()
			s.current = exec.CommandContext(ctx, os.Args[0], args...)
			s.current.Env = append(os.Environ(), asProgram+"=1", "DATABASE_URL=", "STUDIO_DATA=", "STUDIO_BLOBS=")
			s.current.Stderr = &s.log
			err := s.current.Start()
			s.mu.Unlock()
			if err != nil {
				return
			}
			_ = s.current.Wait()
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return s
}

// kill is kill -9.
func (s *supervised) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.current.Process != nil {
		_ = s.current.Process.Kill() // it may have ended by itself
	}
}

// ledger is what people were told. Everything in it must be there in the end.
type ledger struct {
	mu       sync.Mutex
	saves    map[int64]saved  // task → the last revision that was answered
	verdicts map[int64]string // edit → its verdict
	holders  map[int64]string // task → who was told that they hold it
	counts   map[string]int   // what was answered, by what
	broken   []string         // what must never be
}

type saved struct {
	revision int
	value    float32
}

func (l *ledger) note(what string, change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[what]++
	change()
}

// hold notes that somebody was told that a task is theirs until they are told that it is not.
func (l *ledger) hold(task int64, who string) {
	l.note("claims", func() {
		if other := l.holders[task]; other != "" && other != who {
			l.broken = append(l.broken, fmt.Sprintf("task %d is given to %s and %s", task, other, who))
		}
		l.holders[task] = who
	})
}

func (l *ledger) free(task int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.holders, task)
}

// insist sends a request again and again, as the pages do, until the studio answers it with something that is not a fault of its own.
func (c *client) insist(ctx context.Context, method, path string, body any, headers ...string) (int, []byte) {
	for ctx.Err() == nil {
		if status, answer := c.sendIn(ctx, method, path, body, headers...); status != 0 && status < 500 {
			return status, answer
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return 0, nil
}

// paints takes task after task, saves and submits.
func (l *ledger) paints(ctx context.Context, c *client, who string, random *rand.Rand) {
	for ctx.Err() == nil {
		status, answer := c.insist(ctx, http.MethodPost, "/projects/aviary/tasks/next", map[string]any{})
		var task annotator.TaskDetail
		if status != http.StatusOK || json.Unmarshal(answer, &task) != nil {
			continue
		}
		l.hold(task.ID, who)
		revision := 0
		if task.Edit != nil {
			revision = task.Edit.Revision
		}
		mine := true
		for range 1 + random.IntN(3) {
			value := float32(random.IntN(1000)) / 1000
			if status, _ := c.insist(ctx, http.MethodPut, draftPath(task.ID), draftOf(revision, value)); status != http.StatusOK {
				mine = false
				break
			}
			revision++
			l.note("saves", func() { l.saves[task.ID] = saved{revision, value} })
		}
		if mine {
			if status, _ := c.insist(ctx, http.MethodPost, fmt.Sprintf("/tasks/%d/submit", task.ID), map[string]any{"revision": revision}); status == http.StatusOK {
				l.note("submissions", func() {})
			}
		} else if ctx.Err() == nil {
			l.note("tasks lost to somebody else", func() {})
		}
		l.free(task.ID)
	}
}

// judges gives verdict after verdict. Maps go back, so that there is always something to paint; some are approved first, and that is taken back.
func (l *ledger) judges(ctx context.Context, c *client, random *rand.Rand) {
	for ctx.Err() == nil {
		status, answer := c.insist(ctx, http.MethodPost, "/projects/aviary/reviews/next", map[string]any{})
		var task annotator.TaskDetail
		if status != http.StatusOK || json.Unmarshal(answer, &task) != nil || task.Edit == nil {
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		verdict := map[string]any{"verdict": "reject", "comment": "again"}
		if random.IntN(20) == 0 {
			verdict = map[string]any{"verdict": "approve"}
		}
		if status, _ := c.insist(ctx, http.MethodPost, fmt.Sprintf("/edits/%d/review", task.Edit.ID), verdict); status == http.StatusOK {
			l.note("verdicts", func() { l.verdicts[task.Edit.ID] = verdict["verdict"].(string) })
		}
		if verdict["verdict"] == "approve" {
			l.note("verdicts taken back", func() { delete(l.verdicts, task.Edit.ID) }) // also where the answer is lost, and it is there already when it is sent again
			c.insist(ctx, http.MethodPost, fmt.Sprintf("/edits/%d/review/retract", task.Edit.ID), map[string]any{})
		}
	}
}

// Server, worker, database and the line between them are killed at random while people paint and judge and rounds run. In the end everything
// is there that anybody was told, and nothing twice. `make kills` does it a thousand times; docs/reliability.md has its last result.
func TestRandomKills(t *testing.T) {
	t.Parallel()
	kills, seed := 8, uint64(1)
	for name, set := range map[string]func(n int){killsWanted: func(n int) { kills = n }, killsSeed: func(n int) { seed = uint64(n) }} {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			set(n)
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	database, err := embedded.Start(t.Context(), embedded.Config{DataDir: embeddedtest.Folder(t), BinDir: os.Getenv("STUDIO_PG_BIN"), NoSync: true, Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Stop() })
	direct, err := pgx.ParseConfig(database.DSN())
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "line-") // short: the names of sockets are
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	network := newLine(t, folder, filepath.Join(direct.Host, ".s.PGSQL.5432"))
	over := strings.Replace(database.DSN(), direct.Host, folder, 1)

	at := storageFlags{DatabaseURL: database.DSN(), DataDir: t.TempDir()}
	p := openAviary(t, at, 8)
	defer p.Close()
	seedRoundEdits(t, p)
	for _, who := range []struct {
		email, name string
		role        annotator.Role
	}{{painter.email, "Painter", annotator.RoleAnnotator}, {"second@example.org", "Second", annotator.RoleAnnotator}, {judge.email, "Judge", annotator.RoleAdmin}} {
		if _, err := p.service.CreateUser(t.Context(), annotator.System, annotator.NewUser{Email: who.email, Name: who.name, Password: painter.password, Role: who.role}); err != nil {
			t.Fatal(err)
		}
	}
	flags := []string{"--data", at.DataDir, "--database", over}
	first := launch(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--no-worker"}, flags...)...)
	address := first.until(t, "answers on ")
	address = strings.TrimSpace(address[strings.Index(address, "http://"):])
	stop(t, first) // its port is the servers' to come
	running, shut := context.WithCancel(context.WithoutCancel(t.Context()))
	server := supervise(running, append([]string{"serve", "--listen", strings.TrimPrefix(address, "http://"), "--no-worker"}, flags...)...)
	worker := supervise(running, append([]string{"worker", "--threads", "1"}, flags...)...)
	t.Cleanup(func() {
		shut()
		for name, s := range map[string]*supervised{"server": server, "worker": worker} {
			if <-s.ended; t.Failed() {
				t.Logf("the last %s:\n%s", name, s.log.String())
			}
		}
	})
	eventually(t, "the server answers", func() bool {
		response, err := http.Get(address + "/healthz")
		if err == nil {
			response.Body.Close()
		}
		return err == nil && response.StatusCode == http.StatusOK
	})

	l := &ledger{saves: map[int64]saved{}, verdicts: map[int64]string{}, holders: map[int64]string{}, counts: map[string]int{}}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var people sync.WaitGroup
	for i, email := range []string{painter.email, "second@example.org"} {
		c := signInAs(t, address, struct{ email, password string }{email, painter.password})
		mine := rand.New(rand.NewPCG(seed, uint64(i)+1))
		people.Go(func() { l.paints(ctx, c, email, mine) })
	}
	lead := signInAs(t, address, judge)
	mine := rand.New(rand.NewPCG(seed, 10))
	people.Go(func() { l.judges(ctx, lead, mine) })
	people.Go(func() { // a round begins whenever none runs
		for n := 0; ctx.Err() == nil; n++ {
			status, _ := lead.insist(ctx, http.MethodPost, "/projects/aviary/rounds", map[string]any{"epochs": 1}, "Idempotency-Key", fmt.Sprint("round-", n))
			if status == http.StatusCreated {
				l.note("rounds begun", func() {})
			}
			select {
			case <-ctx.Done():
			case <-time.After(2 * time.Second):
			}
		}
	})

	begun := time.Now()
	done := map[string]int{}
	turns := []string{"server", "server", "worker", "database", "network"}
	if kills > 20 { // a round goes on 15 s after its worker died: with a worker killed every few seconds none would end
		turns = slices.Concat(slices.Repeat([]string{"server"}, 10), slices.Repeat([]string{"database", "network"}, 5), []string{"worker"})
	}
	for n := range kills {
		select { // people go on for a random while
		case <-t.Context().Done():
			t.Fatal(context.Cause(t.Context()))
		case <-time.After(time.Duration(random.IntN(2500)) * time.Millisecond): // mostly what was killed is there again
		}
		if n%len(turns) == 0 {
			random.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
		}
		what := turns[n%len(turns)]
		switch what {
		case "server":
			server.kill()
		case "worker":
			worker.kill()
		case "database":
			if pid := database.PID(); pid != 0 {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
					t.Fatal(err)
				}
			}
		case "network":
			network.cut(time.Duration(random.IntN(1000)) * time.Millisecond)
		}
		if done[what]++; (n+1)%50 == 0 {
			l.mu.Lock()
			t.Logf("%d kills in %s: %v; answered: %v", n+1, time.Since(begun).Round(time.Second), done, l.counts)
			l.mu.Unlock()
		}
	}
	end()
	people.Wait()
	eventually(t, "the database answers", func() bool { _, err := p.Store.Versions(t.Context(), p.project.ID); return err == nil })
	eventually(t, "rounds and scans end", func() bool {
		rounds, err := p.Store.Rounds(t.Context(), p.project.ID)
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(rounds, func(r annotator.Round) bool { return !r.State.Over() })
	})
	l.check(t, p)
	t.Logf("seed %d: %d kills in %s (%s). Answered: %s.", seed, kills, time.Since(begun).Round(time.Second), counted(done), counted(l.counts))
}

func counted(counts map[string]int) string {
	var list []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%s %d", what, counts[what]))
	}
	return strings.Join(list, ", ")
}

// check compares the studio with what people were told.
func (l *ledger) check(t *testing.T, p *aviaryProject) {
	t.Helper()
	ctx := t.Context()
	for _, broken := range l.broken {
		t.Error(broken)
	}
	for task, told := range l.saves {
		edit, err := p.Store.LatestEdit(ctx, task)
		if err != nil {
			t.Errorf("task %d: revision %d was answered: %v", task, told.revision, err)
			continue
		}
		if edit.Revision < told.revision || edit.Revision == told.revision && edit.Map.Values[0] != told.value {
			t.Errorf("task %d: revision %d with %v was answered, and there is revision %d with %v", task, told.revision, told.value, edit.Revision, edit.Map.Values[0])
		}
	}
	for id, told := range l.verdicts {
		edit, err := p.Store.Edit(ctx, id)
		if want := map[string]annotator.EditState{"approve": annotator.EditApproved, "reject": annotator.EditRejected}[told]; err != nil || edit.State != want {
			t.Errorf("edit %d: %s was answered, and it is %s, %v", id, told, edit.State, err)
		}
	}
	rounds, err := p.Store.Rounds(ctx, p.project.ID)
	if err != nil {
		t.Fatal(err)
	}
	finished := 0
	for _, r := range rounds {
		switch r.State {
		case annotator.RoundFinished:
			finished++
		case annotator.RoundFailed:
			t.Errorf("round %d failed: %s", r.Number, r.Error)
		}
	}
	l.counts["rounds finished"] = finished
	p.holds(t, 1+finished)
}
