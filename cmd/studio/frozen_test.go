package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/embedded"
	"github.com/abn-studio/studio/internal/postgres/embedded/embeddedtest"
)

// A worker is frozen in a round until another one has taken the round over and trains; then it wakes up. The round finishes once, no
// error is shown, and the frozen worker gives the round up and takes the next job.
func TestRoundSurvivesAFrozenWorker(t *testing.T) {
	t.Parallel()
	p := openAviary(t, onSharedDatabase(t), 4)
	defer p.Close()
	round := startRound(t, p, 16)
	frozen := p.worker(t)
	eventually(t, "a checkpoint is written", func() bool {
		found, _ := filepath.Glob(filepath.Join(p.Data, "rounds", fmt.Sprint(round.ID), "*.checkpoint"))
		return len(found) > 0
	})
	send(t, frozen, syscall.SIGSTOP)
	other := p.worker(t)
	query := func(sql string, args ...any) (n int) {
		t.Helper()
		if err := p.Store.Pool().QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	eventually(t, "another worker takes the round over, with its checkpoint", func() bool {
		if r, err := p.Store.Round(t.Context(), round.ID); err != nil || r.State == annotator.RoundFailed {
			t.Fatalf("the round %s: %s %v", r.State, r.Error, err)
		}
		return strings.Contains(other.log(), "goes on from a checkpoint")
	})
	send(t, frozen, syscall.SIGCONT)
	finishedOnce(t, p, round.ID)
	eventually(t, "the one that was frozen lets go", func() bool { return strings.Contains(frozen.log(), "taken over by another worker") })
	eventually(t, "the round's job is completed, once", func() bool {
		return query(`SELECT count(*) FROM river_job WHERE kind = 'round' AND state = 'completed'`) == 1 &&
			query(`SELECT count(*) FROM river_job WHERE kind = 'round' AND state = 'running'`) == 0
	})
	for name, w := range map[string]*process{"frozen": frozen, "other": other} {
		if log := withoutHousekeeping(w.log()); strings.Contains(log, "level=ERROR") || strings.Contains(log, "is at work in this folder") {
			t.Errorf("the %s worker shows a fault:\n%s", name, log)
		}
	}
	stop(t, other)
	job, err := p.Store.EnqueueEvaluate(t.Context(), p.version.ID)
	if err != nil {
		t.Fatal(err)
	}
	p.finished(t, job.ID)
	eventually(t, "nothing is left", func() bool {
		entries, err := os.ReadDir(filepath.Join(p.Data, "rounds"))
		return err == nil && len(entries) == 0
	})
}

// withoutHousekeeping is a log without what River says of its own housekeeping that was cut short. A worker that was leader when it was
// frozen, or was asking for jobs, wakes in the middle of it, past the time it had, or on a connection whose transaction stood still and was
// ended by PostgreSQL; River does the same work again a moment later.
func withoutHousekeeping(log string) string {
	lines := strings.Split(log, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool {
		return housekeeping.MatchString(line) && wokenLate.MatchString(line)
	}), "\n")
}

// housekeeping begins what River's services say that are no jobs of ours.
var housekeeping = regexp.MustCompile(`Failed to send job insert notification|(JobRescuer|JobCleaner|JobScheduler|QueueCleaner|Reindexer|PeriodicJobEnqueuer|Elector): Error |producer: Error fetching jobs`)

// wokenLate is in what they say when they wake too late.
var wokenLate = regexp.MustCompile(`context canceled|context deadline exceeded|broken pipe|connection reset|unexpected EOF|SQLSTATE 25P03|conn closed`)

// The database stops during a round until the worker has nothing left to compute. When it is back the round finishes, at its first
// attempt or a later one of the same worker, and no error is shown.
func TestRoundSurvivesAnOutage(t *testing.T) {
	t.Parallel()
	config := embedded.Config{DataDir: embeddedtest.Folder(t), BinDir: os.Getenv("STUDIO_PG_BIN"), NoSync: true, Logger: slog.New(slog.DiscardHandler)}
	server, err := embedded.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { server.Stop() }()
	p := openAviary(t, storageFlags{DatabaseURL: server.DSN(), DataDir: t.TempDir()}, 4)
	defer p.Close()
	round := startRound(t, p, 4)
	workers := []*process{p.worker(t), p.worker(t)}
	eventually(t, "training begins", func() bool {
		r, err := p.Store.Round(t.Context(), round.ID)
		return err == nil && r.Progress.Step > 0
	})
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a worker waits for the database", func() bool {
		return strings.Contains(workers[0].log()+workers[1].log(), "job waits for the database")
	})
	if server, err = embedded.Start(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	finishedOnce(t, p, round.ID)
	for _, w := range workers {
		if log := w.log(); strings.Contains(log, "job failed") || strings.Contains(log, "fell silent") {
			t.Errorf("a worker shows a fault, or took over what nobody had lost:\n%s", log)
		}
	}
}

// finishedOnce waits for a round to finish, and fails if it failed or made more than one version.
func finishedOnce(t *testing.T, p *aviaryProject, id int64) {
	t.Helper()
	eventually(t, "the round finishes", func() bool {
		conn, err := pgx.Connect(t.Context(), p.DSN)
		if err != nil {
			return false // not back yet
		}
		conn.Close(context.WithoutCancel(t.Context()))
		r, err := p.Store.Round(t.Context(), id)
		if err == nil && r.State.Over() && r.State != annotator.RoundFinished {
			t.Fatalf("the round %s: %s", r.State, r.Error)
		}
		return err == nil && r.State == annotator.RoundFinished
	})
	versions, err := p.Store.Versions(t.Context(), p.project.ID)
	if err != nil || len(versions) != 2 {
		t.Errorf("%d versions after the round, %v; want the imported one and its candidate", len(versions), err)
	}
}

func send(t *testing.T, p *process, s syscall.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
