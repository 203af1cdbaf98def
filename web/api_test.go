package web

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
)

// take leases the next task to the annotator through the API.
func (b *browser) take() nextTask {
	b.s.t.Helper()
	return into[nextTask](b.api(http.MethodPost, "/projects/birds/tasks/next", nil).want(http.StatusOK))
}

// painted is a map on the task's grid, half attention everywhere.
func painted(t nextTask) attention.Map {
	m := attention.New(t.Version.GridHeight, t.Version.GridWidth)
	for i := range m.Values {
		m.Values[i] = 0.5
	}
	return m
}

// submit has the annotator paint and submit a task.
func (s *studio) submit() annotator.TaskDetail {
	s.t.Helper()
	b := s.as(annotator.RoleAnnotator)
	task := b.take()
	path := fmt.Sprintf("/tasks/%d", task.ID)
	b.api(http.MethodPut, path+"/draft", map[string]any{"base_revision": 0, "map": painted(task)}).want(http.StatusOK)
	return into[annotator.TaskDetail](b.api(http.MethodPost, path+"/submit", map[string]any{"revision": 1}).want(http.StatusOK))
}

func TestLoopThroughTheAPI(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleAnnotator)
	task := b.take()
	if task.Task.ID == 0 || task.Label == nil || task.Map.Height != task.Version.GridHeight || !task.Lease.Mine {
		t.Fatalf("the next task is %+v", task.Task)
	}
	path := fmt.Sprintf("/tasks/%d", task.ID)

	scores := into[annotator.Scores](b.api(http.MethodPost, path+"/score", map[string]any{"values": painted(task).Values}).want(http.StatusOK))
	if len(scores.Probabilities) != len(task.Project.Classes) || len(scores.Top) == 0 {
		t.Errorf("a score has %d probabilities for %d classes", len(scores.Probabilities), len(task.Project.Classes))
	}
	edit := into[annotator.Edit](b.api(http.MethodPut, path+"/draft", map[string]any{
		"base_revision": 0, "source": "painted", "map": painted(task), "history": []int{1, 2}, "provenance": map[string]int{"strokes": 3}}).want(http.StatusOK))
	if edit.Revision != 1 || !edit.Map.Equal(painted(task)) {
		t.Errorf("the draft came back as revision %d, map equal: %v", edit.Revision, edit.Map.Equal(painted(task)))
	}
	again := into[annotator.TaskDetail](b.api(http.MethodGet, path, nil).want(http.StatusOK))
	if again.Edit == nil || string(again.Edit.History) != "[1, 2]" && string(again.Edit.History) != "[1,2]" {
		t.Errorf("the history did not come back: %+v", again.Edit)
	}
	b.api(http.MethodPost, path+"/lease", nil).want(http.StatusOK)
	submitted := into[annotator.TaskDetail](b.api(http.MethodPost, path+"/submit", map[string]any{"revision": 1}).want(http.StatusOK))

	reviewer := s.as(annotator.RoleReviewer)
	waiting := into[annotator.TaskDetail](reviewer.api(http.MethodPost, "/projects/birds/reviews/next", nil).want(http.StatusOK))
	if waiting.ID != submitted.ID {
		t.Errorf("task %d waits for review, want %d", waiting.ID, submitted.ID)
	}
	verdict := into[annotator.TaskDetail](reviewer.api(http.MethodPost, fmt.Sprintf("/edits/%d/review", waiting.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusOK))
	if verdict.State != annotator.TaskApproved {
		t.Errorf("after approval the task is %s", verdict.State)
	}
	reviewer.api(http.MethodPost, "/projects/birds/reviews/next", nil).want(http.StatusNoContent)
	if list := into[revisionList](b.api(http.MethodGet, path+"/revisions", nil).want(http.StatusOK)); len(list.Revisions) != 1 {
		t.Errorf("%d revisions", len(list.Revisions))
	}
	picture := b.api(http.MethodGet, fmt.Sprintf("/images/%d/picture?kind=thumb&v=1", task.ImageID), nil).want(http.StatusOK)
	if picture.Header.Get("Content-Type") != "image/jpeg" || !strings.Contains(picture.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("a thumbnail is %s, %s", picture.Header.Get("Content-Type"), picture.Header.Get("Cache-Control"))
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleAnnotator)
	task := b.take()
	path := fmt.Sprintf("/tasks/%d", task.ID)
	m := painted(task)
	b.api(http.MethodPut, path+"/draft", map[string]any{"base_revision": 0, "map": m}).want(http.StatusOK)

	problem := func(r *response, status int, location string) Problem {
		t.Helper()
		r.want(status)
		if media := r.Header.Get("Content-Type"); media != "application/problem+json" {
			t.Errorf("%s: an error of type %s", r.Request.URL.Path, media)
		}
		p := into[Problem](r)
		if p.Status != status || p.Title == "" || p.Request == "" {
			t.Errorf("%s: the problem is %s", r.Request.URL.Path, r.body)
		}
		if location != "" && (len(p.Errors) == 0 || p.Errors[0].Location != location) {
			t.Errorf("%s: the problem names no %s: %s", r.Request.URL.Path, location, r.body)
		}
		return p
	}
	other := m.Clone()
	other.Values[0] = 1
	stale := problem(b.api(http.MethodPut, path+"/draft", map[string]any{"base_revision": 0, "map": other}), http.StatusConflict, "body.base_revision")
	if stale.Current == nil || stale.Current.Revision != 1 || !stale.Current.Map.Equal(m) {
		t.Errorf("a stale save is told of %+v", stale.Current)
	}
	m.Values[3] = 1.5
	problem(b.api(http.MethodPut, path+"/draft", map[string]any{"base_revision": 1, "map": m}), http.StatusUnprocessableEntity, "body.map.values[3]")
	problem(b.api(http.MethodPost, path+"/score", map[string]any{"map": attention.New(2, 3)}), http.StatusUnprocessableEntity, "body.map")
	problem(b.api(http.MethodPost, path+"/score", map[string]any{}), http.StatusUnprocessableEntity, "body.map")
	problem(b.do(http.MethodPost, apiPrefix+path+"/score", strings.NewReader(`{"values":[NaN]}`), "Content-Type", "application/json"), http.StatusBadRequest, "")
	problem(b.api(http.MethodPost, path+"/submit", map[string]any{"revision": 0}), http.StatusUnprocessableEntity, "body.revision")
	problem(b.api(http.MethodPut, path+"/draft", map[string]any{"base_revision": 1, "colour": "red"}), http.StatusUnprocessableEntity, "body.colour")
	problem(b.api(http.MethodGet, "/tasks/987654", nil), http.StatusNotFound, "")
	problem(b.api(http.MethodGet, "/tasks?project=birds&state=lost", nil), http.StatusUnprocessableEntity, "query.state[0]")
	problem(b.api(http.MethodGet, "/no/such/thing", nil), http.StatusNotFound, "")
	problem(s.as(annotator.RoleReviewer).api(http.MethodPost, path+"/claim", nil), http.StatusConflict, "")
	problem(b.api(http.MethodPost, "/projects/birds/rounds", map[string]any{}), http.StatusForbidden, "")
	problem(s.nobody().api(http.MethodGet, "/projects", nil), http.StatusUnauthorized, "")
	problem(s.as(annotator.RoleAdmin).api(http.MethodPost, "/projects/birds/rounds", map[string]any{}), http.StatusUnprocessableEntity, "body.edits")
	problem(s.as(annotator.RoleAdmin).api(http.MethodPost, "/projects/birds/rounds", map[string]any{"gamma": -1}), http.StatusUnprocessableEntity, "body.gamma")
	problem(s.as(annotator.RoleAdmin).api(http.MethodPost, "/projects/birds/rounds", map[string]any{"optimizer": "adamw"}), http.StatusUnprocessableEntity, "body.learning_rate")
}

func TestNobodyReviewsTheirOwn(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleReviewer)
	task := b.take()
	path := fmt.Sprintf("/tasks/%d", task.ID)
	b.api(http.MethodPut, path+"/draft", map[string]any{"base_revision": 0, "map": painted(task)}).want(http.StatusOK)
	d := into[annotator.TaskDetail](b.api(http.MethodPost, path+"/submit", map[string]any{"revision": 1}).want(http.StatusOK))
	b.api(http.MethodPost, fmt.Sprintf("/edits/%d/review", d.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusForbidden)
	b.get("/projects/birds/review").want(http.StatusOK).has(".notice", "None of them is for you now")
	b.get(fmt.Sprintf("/projects/birds/review/%d", task.ID)).want(http.StatusOK).hasNot("form[data-verdict]")
}

func TestRoundThroughTheAPI(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	task := s.submit()
	s.as(annotator.RoleReviewer).api(http.MethodPost, fmt.Sprintf("/edits/%d/review", task.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusOK)
	admin := s.as(annotator.RoleAdmin)
	start := func(key string) roundMade {
		return into[roundMade](admin.api(http.MethodPost, "/projects/birds/rounds", map[string]any{"strategy": "attention", "gamma": 2.5, "epochs": 3}, "Idempotency-Key", key).want(http.StatusCreated))
	}
	first := start("monday")
	if first.Round.Settings.Gamma != 2.5 || first.Round.Settings.Momentum != recipe.Defaults().Momentum || first.Round.Edits != 1 {
		t.Errorf("the round's settings are %+v, edits %d", first.Round.Settings, first.Round.Edits)
	}
	if again := start("monday"); again.Round.ID != first.Round.ID {
		t.Errorf("the same key started rounds %d and %d", first.Round.ID, again.Round.ID)
	}
	admin.api(http.MethodPost, "/projects/birds/rounds", map[string]any{}, "Idempotency-Key", "tuesday").want(http.StatusConflict)
	page := admin.get(fmt.Sprintf("/projects/birds/rounds/%d", first.Round.ID)).want(http.StatusOK)
	page.has(".round[data-state=queued] [data-round-progress]", "waiting for a worker")
	page.has("form[data-confirm] button", "Cancel round")

	// The stream tells of the cancellation and ends; a client that comes back is not told twice.
	path := fmt.Sprintf("/rounds/%d/events", first.Round.ID)
	admin.api(http.MethodPost, fmt.Sprintf("/rounds/%d/cancel", first.Round.ID), nil).want(http.StatusOK)
	stream := admin.api(http.MethodGet, path, nil).want(http.StatusOK)
	if media := stream.Header.Get("Content-Type"); media != "text/event-stream" {
		t.Errorf("the stream is %s", media)
	}
	last, rounds, ended := "", 0, false
	lines := bufio.NewScanner(strings.NewReader(string(stream.body)))
	for event := ""; lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "id: "):
			last = line[4:]
		case strings.HasPrefix(line, "event: "):
			event = line[7:]
			ended = event == "end"
		case strings.HasPrefix(line, "data: ") && event == "round":
			rounds++
			var r annotator.Round
			must(t, json.Unmarshal([]byte(line[6:]), &r))
			if r.ID != first.Round.ID {
				t.Errorf("an event of round %d", r.ID)
			}
		}
	}
	if rounds == 0 || !ended {
		t.Errorf("%d events of the round, ended: %v\n%s", rounds, ended, stream.body)
	}
	rest := admin.api(http.MethodGet, path, nil, "Last-Event-ID", last).want(http.StatusOK)
	if strings.Contains(string(rest.body), "event: round") {
		t.Errorf("resuming after event %s tells again:\n%s", last, rest.body)
	}
	admin.get(fmt.Sprintf("/projects/birds/rounds/%d", first.Round.ID)).has(".notice", "Cancelled")
}

func TestBearerToken(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	made := into[tokenMade](s.as(annotator.RoleReviewer).api(http.MethodPost, "/tokens", map[string]any{"name": "script", "scopes": []string{"read", "review"}, "current_password": password}).want(http.StatusCreated))
	script := s.nobody()
	who := into[signedIn](script.api(http.MethodGet, "/session", nil, "Authorization", "Bearer "+made.Token).want(http.StatusOK))
	if who.Role != annotator.RoleReviewer {
		t.Errorf("the token is %s's", who.Role)
	}
	script.api(http.MethodGet, "/session", nil, "Authorization", "Bearer x"+made.Token).want(http.StatusUnauthorized)
	if made.Details.ExpiresAt.Sub(made.Details.CreatedAt).Hours() != 24*annotator.DefaultTokenDays {
		t.Errorf("the token lasts from %v to %v", made.Details.CreatedAt, made.Details.ExpiresAt)
	}
	script.api(http.MethodGet, "/users", nil, "Authorization", "Bearer "+made.Token).want(http.StatusForbidden)
}
