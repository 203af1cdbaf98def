package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// secondPainter paints beside painter, with the same password.
const secondPainter = "second@example.org"

// staff makes the accounts of two who paint and one who judges.
func (p *aviaryProject) staff(t *testing.T) {
	t.Helper()
	for _, who := range []struct {
		email, name string
		role        annotator.Role
	}{{painter.email, "Painter", annotator.RoleAnnotator}, {secondPainter, "Second", annotator.RoleAnnotator}, {judge.email, "Judge", annotator.RoleAdmin}} {
		if _, err := p.service.CreateUser(t.Context(), annotator.System, annotator.NewUser{Email: who.email, Name: who.name, Password: painter.password, Role: who.role}); err != nil {
			t.Fatal(err)
		}
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

func newLedger() *ledger {
	return &ledger{saves: map[int64]saved{}, verdicts: map[int64]string{}, holders: map[int64]string{}, counts: map[string]int{}}
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
		if c.failed != nil {
			c.failed()
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

// begins starts a round whenever none runs.
func (l *ledger) begins(ctx context.Context, c *client) {
	for n := 0; ctx.Err() == nil; n++ {
		status, _ := c.insist(ctx, http.MethodPost, "/projects/aviary/rounds", map[string]any{"epochs": 1}, "Idempotency-Key", fmt.Sprint("round-", n))
		if status == http.StatusCreated {
			l.note("rounds begun", func() {})
		}
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Second):
		}
	}
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
