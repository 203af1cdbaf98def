package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/internal/postgres"
)

// Serve times the pages of a running studio while people paint in it.
type Serve struct {
	Address  string        // of the studio, such as http://127.0.0.1:8080
	Project  string        // slug
	Painters []Account     // each paints map after map
	Admin    Account       // opens the pages, one after the other
	For      time.Duration // how long they work
	Think    time.Duration // how long a painter looks at a map, on average, before each action
	Seed     uint64        // of what is painted and how long they look

	Round *FollowedRound // is started, and followed by many; nil: none is

	// Running lists what the database runs, for the slowest queries; nil: they are not asked for.
	Running func(ctx context.Context) ([]postgres.RunningQuery, error)
}

// Account is somebody who can sign in.
type Account struct{ Email, Password string }

// ServeResult says how long pages and actions took.
type ServeResult struct {
	Address   string       `json:"address"`
	Project   string       `json:"project"`
	People    int          `json:"painters"`
	Followers int          `json:"followers"` // of a round
	Seconds   float64      `json:"seconds"`
	Load      string       `json:"load"` // average of the machine over a minute, at the end; "" where it is not known
	Maps      int          `json:"maps"` // submitted
	Actions   []Action     `json:"actions"`
	Pages     []Action     `json:"pages"`
	Queries   []SlowQuery  `json:"queries"`
	Failed    []FailedCall `json:"failed"`
}

// Action is what one kind of request took, in milliseconds.
type Action struct {
	Name  string  `json:"name"`
	Times int     `json:"times"`
	P50   float64 `json:"p50_ms"`
	P95   float64 `json:"p95_ms"`
	Max   float64 `json:"max_ms"`
}

// SlowQuery is a statement that was found running, and how long it ran at most as far as was seen, in milliseconds. Share is its part of
// all the time that statements were found running.
type SlowQuery struct {
	Text  string  `json:"text"`
	Max   float64 `json:"max_ms"`
	Share float64 `json:"share"`
}

// FailedCall is a kind of request that was refused, how often, and what the last answer was.
type FailedCall struct {
	Name   string `json:"name"`
	Times  int    `json:"times"`
	Answer string `json:"answer"`
}

// servePages are the pages of a project that are timed, below its address.
var servePages = []struct{ name, path string }{
	{"queue", "/queue"},
	{"queue, a class", "/queue?label=1"},
	{"queue, a confusion", "/queue?label=1&predicted=2"},
	{"queue, confident", "/queue?from=9&to=10"},
	{"queue, a search", "/queue?q=0000123"},
	{"images", "/images"},
	{"images, a search", "/images?q=grown/"},
	{"review", "/review"},
	{"rounds", "/rounds"},
	{"new round", "/rounds/new"},
	{"versions", "/versions"},
	{"people", "/people"},
	{"agreement", "/agreement"},
	{"labels", "/labels"},
	{"activity", "/activity"},
	{"settings", "/settings"},
	{"export", "/export"},
}

// Measure lets people paint and opens the pages meanwhile.
func (b Serve) Measure(ctx context.Context) (result *ServeResult, failed error) {
	ledger := &ledger{took: map[string][]time.Duration{}, failed: map[string]*FailedCall{}}
	admin, err := b.signIn(ctx, b.Admin, ledger)
	if err != nil {
		return nil, err
	}
	painters := make([]*visitor, len(b.Painters))
	for i, account := range b.Painters {
		if painters[i], err = b.signIn(ctx, account, ledger); err != nil {
			return nil, err
		}
	}
	ledger.clear() // signing in is not what is timed
	var round int64
	var claimed ClaimedRound
	if b.Round != nil {
		var end func() error
		if round, claimed, end, err = b.startRound(ctx, admin, painters[0]); err != nil {
			return nil, err
		}
		defer func() { failed = errors.Join(failed, end()) }()
	}
	result = &ServeResult{Address: b.Address, Project: b.Project, People: len(painters)}
	begun := time.Now()
	timed, stop := context.WithTimeout(ctx, b.For)
	defer stop()
	work, during := errgroup.WithContext(timed)
	for i, p := range painters {
		random := rand.New(rand.NewPCG(b.Seed, uint64(i)))
		work.Go(func() error { return b.paint(during, p, random) })
	}
	work.Go(func() error { return b.visit(during, admin) })
	if b.Round != nil {
		result.Followers = b.Round.Streams
		work.Go(func() error { return b.beFollowed(during, admin, round, claimed) })
	}
	queries := map[string]*SlowQuery{}
	if b.Running != nil {
		work.Go(func() error { return b.watch(during, queries) })
	}
	if err := work.Wait(); err != nil && timed.Err() == nil || ctx.Err() != nil { // when the time is over, requests are cut off
		return nil, errors.Join(err, ctx.Err())
	}
	result.Seconds, result.Load = time.Since(begun).Seconds(), load()
	for name, took := range ledger.took {
		action := Action{name, len(took), milliseconds(quantile(took, 0.5)), milliseconds(quantile(took, 0.95)), milliseconds(slices.Max(took))}
		if page, is := strings.CutPrefix(name, pagePrefix); is {
			action.Name = page
			result.Pages = append(result.Pages, action)
		} else {
			result.Actions = append(result.Actions, action)
		}
		if name == "submit" {
			result.Maps = len(took)
		}
	}
	for _, all := range [][]Action{result.Actions, result.Pages} {
		slices.SortFunc(all, func(a, b Action) int { return cmp.Compare(b.P95, a.P95) })
	}
	for _, failed := range ledger.failed {
		result.Failed = append(result.Failed, *failed)
	}
	all := 0.0
	for _, q := range queries {
		all += q.Share
		result.Queries = append(result.Queries, *q)
	}
	for i := range result.Queries {
		result.Queries[i].Share /= all
	}
	slices.SortFunc(result.Queries, func(a, b SlowQuery) int { return cmp.Compare(b.Max, a.Max) })
	result.Queries = result.Queries[:min(10, len(result.Queries))]
	return result, nil
}

const pagePrefix = "page "

// visit opens the pages one after the other, again and again, without a pause.
func (b Serve) visit(ctx context.Context, admin *visitor) error {
	for ctx.Err() == nil {
		for _, page := range servePages {
			if _, err := admin.call(ctx, pagePrefix+page.name, http.MethodGet, "/projects/"+b.Project+page.path, nil, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// paint takes a task, saves two strokes, submits, and takes the next one.
func (b Serve) paint(ctx context.Context, p *visitor, random *rand.Rand) error {
	look := func() bool {
		timer := time.NewTimer(time.Duration(float64(b.Think) * (0.5 + random.Float64())))
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		}
	}
	for look() {
		if _, err := b.paintOne(ctx, p, random, look); err != nil {
			return err
		}
	}
	return nil
}

// paintOne takes a task, saves two strokes and submits them; between them it looks, which says whether there is time left. It returns the edit, 0 where
// it was not submitted.
func (b Serve) paintOne(ctx context.Context, p *visitor, random *rand.Rand, look func() bool) (submitted int64, err error) {
	type edit struct {
		ID       int64 `json:"id"`
		Revision int   `json:"revision"`
	}
	var task struct {
		ID         int64 `json:"id"`
		Prediction struct {
			Map struct {
				H int `json:"h"`
				W int `json:"w"`
			} `json:"map"`
		} `json:"prediction"`
		Edit *edit `json:"edit"`
	}
	status, err := p.call(ctx, "next", http.MethodPost, "/api/v1/projects/"+b.Project+"/tasks/next", nil, &task)
	if err != nil || status != http.StatusOK {
		return 0, err
	}
	var made edit
	if task.Edit != nil {
		made = *task.Edit
	}
	at := fmt.Sprintf("/api/v1/tasks/%d", task.ID)
	for range 2 {
		if !look() {
			return 0, nil
		}
		cells := random.Perm(task.Prediction.Map.H * task.Prediction.Map.W)[:4]
		slices.Sort(cells)
		values := []float64{random.Float64(), random.Float64(), random.Float64(), random.Float64()}
		status, err := p.call(ctx, "save", http.MethodPut, at+"/draft", map[string]any{"base_revision": made.Revision, "changes": map[string]any{"cells": cells, "values": values}}, &made)
		if err != nil || status != http.StatusOK {
			return 0, err
		}
	}
	if !look() {
		return 0, nil
	}
	status, err = p.call(ctx, "submit", http.MethodPost, at+"/submit", map[string]any{"revision": made.Revision}, nil)
	if err != nil || status != http.StatusOK {
		return 0, err
	}
	return made.ID, nil
}

// watch looks often at what the database runs.
func (b Serve) watch(ctx context.Context, into map[string]*SlowQuery) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		running, err := b.Running(ctx)
		if err != nil {
			return err
		}
		for _, q := range running {
			words := strings.Join(strings.Fields(q.Query), " ")
			slow, there := into[words]
			if !there {
				slow = &SlowQuery{Text: words}
				into[words] = slow
			}
			slow.Max = max(slow.Max, milliseconds(q.For))
			slow.Share++ // how often it was found, until all are
		}
	}
}

// ledger keeps how long requests took.
type ledger struct {
	mu     sync.Mutex
	took   map[string][]time.Duration
	failed map[string]*FailedCall
}

func (l *ledger) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.took)
}

func (l *ledger) add(name string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took[name] = append(l.took[name], took)
}

func (l *ledger) fail(name, answer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, there := l.failed[name]
	if !there {
		f = &FailedCall{Name: name}
		l.failed[name] = f
	}
	f.Times++
	f.Answer = answer
}

// visitor is somebody who is signed in.
type visitor struct {
	client  *http.Client
	address string
	ledger  *ledger
}

func (b Serve) signIn(ctx context.Context, a Account, l *ledger) (*visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	v := &visitor{&http.Client{Jar: jar, Timeout: 5 * time.Minute}, strings.TrimSuffix(b.Address, "/"), l}
	status, err := v.call(ctx, "sign in", http.MethodPost, "/api/v1/session", map[string]string{"email": a.Email, "password": a.Password}, nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK && status != http.StatusCreated {
		return nil, fmt.Errorf("signing in as %s at %s: status %d: is that the studio of this database?", a.Email, b.Address, status)
	}
	return v, nil
}

// call sends a request and reads all of the answer, into out where it is JSON that is wanted. A refusal is written down and no error; an
// error is that nobody answers, or that the time is over.
func (v *visitor) call(ctx context.Context, name, method, path string, body, out any) (status int, err error) {
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		sent = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, v.address+path, sent)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	begun := time.Now()
	answer, err := v.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	took := time.Since(begun)
	if answer.StatusCode >= http.StatusBadRequest {
		v.ledger.fail(name, fmt.Sprintf("%d %.300s", answer.StatusCode, raw))
		return answer.StatusCode, nil
	}
	v.ledger.add(name, took)
	if out == nil || answer.StatusCode == http.StatusNoContent {
		return answer.StatusCode, nil
	}
	return answer.StatusCode, json.Unmarshal(raw, out)
}

// Print writes tables.
func (r *ServeResult) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s, project %s: %d people painted %d maps in %.0f s, %d followed a round; load of the machine %s\n\n", r.Address, r.Project, r.People, r.Maps, r.Seconds, r.Followers, r.Load)
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	for _, part := range []struct {
		head string
		all  []Action
	}{{"ACTION", r.Actions}, {"PAGE", r.Pages}} {
		fmt.Fprintf(table, "%s\tTIMES\tP50 MS\tP95 MS\tMAX MS\t\n", part.head)
		for _, a := range part.all {
			fmt.Fprintf(table, "%s\t%d\t%.0f\t%.0f\t%.0f\t\n", a.Name, a.Times, a.P50, a.P95, a.Max)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(r.Queries) > 0 {
		fmt.Fprintln(w, "\nThe slowest statements, as they were found running (at most so long, share of all the database's work):")
		for _, q := range r.Queries {
			fmt.Fprintf(w, "%8.0f ms %3.0f %%  %.240s\n", q.Max, 100*q.Share, q.Text)
		}
	}
	for _, f := range r.Failed {
		fmt.Fprintf(w, "\n%s was refused %d times, at last with %s\n", f.Name, f.Times, f.Answer)
	}
	return nil
}
