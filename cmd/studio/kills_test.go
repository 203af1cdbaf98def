package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
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
	p.staff(t)
	flags := []string{"--data", at.DataDir, "--database", over}
	first := launch(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--no-worker"}, flags...)...)
	address := first.until(t, "answers on ")
	address = strings.TrimSpace(address[strings.Index(address, "http://"):])
	stop(t, first) // its port is the servers' to come
	running, shut := context.WithCancel(context.WithoutCancel(t.Context()))
	server := supervise(running, studioCommand(append([]string{"serve", "--listen", strings.TrimPrefix(address, "http://"), "--no-worker"}, flags...)...))
	worker := supervise(running, studioCommand(append([]string{"worker", "--threads", "1"}, flags...)...))
	t.Cleanup(func() {
		shut()
		for name, s := range map[string]*supervised{"server": server, "worker": worker} {
			if <-s.ended; t.Failed() {
				t.Logf("the last %s:\n%s", name, s.lastLog())
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

	l := newLedger()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var people sync.WaitGroup
	for i, email := range []string{painter.email, secondPainter} {
		c := signInAs(t, address, struct{ email, password string }{email, painter.password})
		mine := rand.New(rand.NewPCG(seed, uint64(i)+1))
		people.Go(func() { l.paints(ctx, c, email, mine) })
	}
	lead := signInAs(t, address, judge)
	mine := rand.New(rand.NewPCG(seed, 10))
	people.Go(func() { l.judges(ctx, lead, mine) })
	people.Go(func() { l.begins(ctx, lead) })

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
