package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"os/user"
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
)

// The variables by which .ci/partitions says how often TestPartitions makes each of its faults, by which seed, how long the pauses of its end
// take, and which kinds it makes: words of their names with commas between, all where there are none.
const (
	partitionsWanted = "STUDIO_PARTITIONS"
	partitionsSeed   = "STUDIO_PARTITIONS_SEED"
	partitionsLong   = "STUDIO_PARTITIONS_LONG"
	partitionsOnly   = "STUDIO_PARTITIONS_ONLY"
)

const (
	answersWithin  = 15 * time.Second // an answer of a server that runs and can be reached
	recoversWithin = time.Minute      // all is well again after a fault
	tellsWithin    = 12 * time.Second // until /readyz names what is away: a look takes up to three seconds, and holds for five
)

// kind is a kind of fault.
type kind struct {
	name  string
	lasts [2]int                                                          // seconds, at least and at most
	begin func(r *ordeal, random *rand.Rand) (on []*machine, heal func()) // on: the machines that it is about
	says  string                                                          // what /readyz of a server or worker says of it meanwhile; "": nothing
	which func(r *ordeal, on []*machine) []*machine                       // whose /readyz says so
	deaf  bool                                                            // the machines that it is about answer nobody
}

// ordeal is one run of TestPartitions.
type ordeal struct {
	t                *testing.T
	net              *lan
	servers, workers []*machine
	db, s3           *machine
	direct           string // the database's socket, which no fault of the network is in the way of
	ledger           *ledger

	mu         sync.Mutex
	kind       string // of the fault that there is now
	obstructed map[*machine][]span
	tallies    map[string]*tally
	told       map[*machine]readiness // the last of /readyz
	saidSince  map[*machine]string    // all answers of /readyz since the fault began
	images     map[string]bool        // imported, by name
	seen       map[int64][]int64      // round → the points that its watcher was told of, in order
}

// readiness is an answer of /readyz, with when it was asked for.
type readiness struct {
	asked time.Time
	text  string
}

// span is a time in which a server could not answer.
type span struct{ from, to time.Time }

// tally counts what came of a kind of fault.
type tally struct {
	faults           int
	lasted           time.Duration
	answered, sorry  int           // 2xx to 4xx; 503 and 507
	longest, recover time.Duration // the longest answer of a server that could; the longest time until all was well
}

func (r *ordeal) broken(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.t.Logf("BROKEN: %s", text)
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	r.ledger.broken = append(r.ledger.broken, text)
}

func one(r *ordeal, among []*machine, random *rand.Rand) *machine {
	return among[random.IntN(len(among))]
}

// apart loses everything between two groups, both ways.
func (r *ordeal) apart(some, others []*machine) func() {
	var heal []func()
	for _, a := range some {
		for _, b := range others {
			if a != b {
				heal = append(heal, r.net.lose(a, b), r.net.lose(b, a))
			}
		}
	}
	return all(heal)
}

func all(heal []func()) func() {
	return func() {
		for _, h := range heal {
			h()
		}
	}
}

// studios are the servers and the workers.
func (r *ordeal) studios() []*machine { return slices.Concat(r.servers, r.workers) }

// kinds are the faults that TestPartitions makes in turn.
func kinds() []kind {
	studios := func(r *ordeal, _ []*machine) []*machine { return r.studios() }
	themselves := func(_ *ordeal, on []*machine) []*machine { return on }
	const database, blobs = "[-] the database", "[-] the blob store"
	onOne := func(of func(r *ordeal) []*machine, do func(r *ordeal, m *machine) func()) func(*ordeal, *rand.Rand) ([]*machine, func()) {
		return func(r *ordeal, random *rand.Rand) ([]*machine, func()) {
			m := one(r, of(r), random)
			return []*machine{m}, do(r, m)
		}
	}
	servers, workers := func(r *ordeal) []*machine { return r.servers }, func(r *ordeal) []*machine { return r.workers }
	everything := func(r *ordeal) []*machine { return r.studios() }
	away := func(of func(r *ordeal) *machine) func(*ordeal, *rand.Rand) ([]*machine, func()) {
		return func(r *ordeal, _ *rand.Rand) ([]*machine, func()) {
			return nil, r.apart([]*machine{of(r)}, r.studios())
		}
	}
	lost := func(from, to func(r *ordeal) []*machine) func(*ordeal, *rand.Rand) ([]*machine, func()) {
		return func(r *ordeal, _ *rand.Rand) ([]*machine, func()) {
			var heal []func()
			for _, a := range from(r) {
				for _, b := range to(r) {
					heal = append(heal, r.net.lose(a, b))
				}
			}
			return nil, all(heal)
		}
	}
	db, s3 := func(r *ordeal) *machine { return r.db }, func(r *ordeal) *machine { return r.s3 }
	only := func(of func(r *ordeal) *machine) func(*ordeal) []*machine {
		return func(r *ordeal) []*machine { return []*machine{of(r)} }
	}
	paused := func(of func(r *ordeal) *machine) func(*ordeal, *rand.Rand) ([]*machine, func()) {
		return func(r *ordeal, _ *rand.Rand) ([]*machine, func()) { return nil, of(r).pause() }
	}
	list := []kind{
		{name: "network: a server and the database", lasts: [2]int{13, 30}, says: database, which: themselves, begin: onOne(servers, func(r *ordeal, m *machine) func() { return r.apart([]*machine{m}, []*machine{r.db}) })},
		{name: "network: a server and all else", lasts: [2]int{5, 30}, deaf: true, begin: onOne(servers, func(r *ordeal, m *machine) func() { return r.apart([]*machine{m}, r.net.machines) })},
		{name: "network: a worker and all else", lasts: [2]int{5, 30}, begin: onOne(workers, func(r *ordeal, m *machine) func() { return r.apart([]*machine{m}, r.net.machines) })},
		{name: "network: the database and all else", lasts: [2]int{13, 30}, says: database, which: studios, begin: away(db)},
		{name: "network: to the database, one way", lasts: [2]int{13, 30}, says: database, which: studios, begin: lost(everything, only(db))},
		{name: "network: from the database, one way", lasts: [2]int{13, 30}, says: database, which: studios, begin: lost(only(db), everything)},
		{name: "network: the bucket and all else", lasts: [2]int{16, 30}, says: blobs, which: studios, begin: away(s3)},
		{name: "network: from the bucket, one way", lasts: [2]int{16, 30}, says: blobs, which: studios, begin: lost(only(s3), everything)},
		{name: "pause of 18 s: a server", lasts: [2]int{18, 18}, deaf: true, begin: onOne(servers, func(_ *ordeal, m *machine) func() { return m.pause() })},
		{name: "pause of 18 s: a worker", lasts: [2]int{18, 18}, begin: onOne(workers, func(_ *ordeal, m *machine) func() { return m.pause() })},
		{name: "pause of 18 s: the database", lasts: [2]int{18, 18}, says: database, which: studios, begin: paused(db)},
		{name: "pause of 18 s: the bucket", lasts: [2]int{18, 18}, says: blobs, which: studios, begin: paused(s3)},
		{name: "disk full: a server's", lasts: [2]int{13, 20}, says: "[-] the data folder", which: themselves, begin: onOne(servers, func(r *ordeal, m *machine) func() { return m.fill(r.t) })},
		{name: "disk full: a worker's", lasts: [2]int{13, 20}, says: "[-] the data folder", which: themselves, begin: onOne(workers, func(r *ordeal, m *machine) func() { return m.fill(r.t) })},
		{name: "disk full: the database's", lasts: [2]int{13, 20}, begin: func(r *ordeal, _ *rand.Rand) ([]*machine, func()) { return nil, r.db.fill(r.t) }},
	}
	if clockShifts {
		for name, of := range map[string]func(*ordeal) []*machine{"a server's": servers, "a worker's": workers} {
			list = append(list, kind{name: "clock a minute off: " + name, lasts: [2]int{10, 30}, begin: func(r *ordeal, random *rand.Rand) ([]*machine, func()) {
				m := one(r, of(r), random)
				return nil, m.shift(r.t, []int{-60, 60}[random.IntN(2)])
			}})
		}
	}
	slices.SortFunc(list, func(a, b kind) int { return strings.Compare(a.name, b.name) })
	return list
}

// long are the faults of the end of a run, which take minutes.
func long(lasts time.Duration) []kind {
	seconds := [2]int{int(lasts.Seconds()), int(lasts.Seconds())}
	return []kind{
		{name: fmt.Sprintf("pause of %v: a server, and a worker in a round", lasts), lasts: seconds, deaf: true, begin: func(r *ordeal, random *rand.Rand) ([]*machine, func()) {
			s, w := one(r, r.servers, random), r.inRound(random)
			return []*machine{s}, all([]func(){s.pause(), w.pause()})
		}},
		{name: fmt.Sprintf("pause of %v: the database", lasts), lasts: seconds, says: "[-] the database", which: func(r *ordeal, _ []*machine) []*machine { return r.studios() }, begin: func(r *ordeal, _ *rand.Rand) ([]*machine, func()) { return nil, r.db.pause() }},
		{name: fmt.Sprintf("network for %v: a server and the database, a worker and all else", lasts), lasts: seconds, says: "[-] the database", which: func(_ *ordeal, on []*machine) []*machine { return on }, begin: func(r *ordeal, random *rand.Rand) ([]*machine, func()) {
			s, w := one(r, r.servers, random), r.inRound(random)
			return []*machine{s}, all([]func(){r.apart([]*machine{s}, []*machine{r.db}), r.apart([]*machine{w}, r.net.machines)})
		}},
	}
}

// inRound is the worker that trains, or another one where none does within half a minute.
func (r *ordeal) inRound(random *rand.Rand) *machine {
	for range 300 {
		pid := r.number(`SELECT coalesce((SELECT w.pid FROM river_job j JOIN workers w ON w.id = j.attempted_by[array_upper(j.attempted_by, 1)] WHERE j.state = 'running' AND j.kind = 'round' LIMIT 1), 0)`)
		for _, w := range r.workers {
			if pid != 0 && w.runs.pid() == pid {
				return w
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return one(r, r.workers, random)
}

// number asks the database for one, by its socket; -1 where it does not answer.
func (r *ordeal) number(sql string) int {
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, r.direct)
	if err != nil {
		return -1
	}
	defer conn.Close(ctx)
	n := -1
	if err := conn.QueryRow(ctx, sql).Scan(&n); err != nil {
		return -1
	}
	return n
}

// way is how a person reaches the studio: by one of its servers and, once that fails, by the other.
type way struct {
	run     *ordeal
	servers []*machine
	through []*http.Transport

	mu sync.Mutex
	at int
}

func (r *ordeal) newWay(servers ...*machine) *way {
	w := &way{run: r, servers: servers}
	for range servers {
		w.through = append(w.through, &http.Transport{MaxIdleConnsPerHost: 2})
	}
	return w
}

func (w *way) turn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = (w.at + 1) % len(w.servers)
}

// RoundTrip sends a request to the server of the moment, and watches how it ends.
func (w *way) RoundTrip(request *http.Request) (*http.Response, error) {
	w.mu.Lock()
	server, through := w.servers[w.at], w.through[w.at]
	w.mu.Unlock()
	request = request.Clone(request.Context())
	request.URL.Host = server.at(8080)
	begun := time.Now()
	response, err := through.RoundTrip(request)
	w.run.watch(server, request, begun, response, err)
	return response, err
}

// watch holds an answer to what is promised: it comes in time from a server that can be reached, and a refusal says when to come again.
func (r *ordeal) watch(server *machine, request *http.Request, begun time.Time, response *http.Response, err error) {
	now := time.Now()
	r.mu.Lock()
	t := r.tallies[r.kind]
	could := !slices.ContainsFunc(r.obstructed[server], func(s span) bool { return s.from.Before(now) && (s.to.IsZero() || s.to.After(begun)) })
	took := now.Sub(begun)
	if t != nil && could {
		t.longest = max(t.longest, took)
	}
	kind := r.kind
	what := fmt.Sprintf("%s %s of %s, in %q", request.Method, request.URL.Path, server, kind)
	if t != nil && response != nil {
		if response.StatusCode < 500 {
			t.answered++
		} else {
			t.sorry++
		}
	}
	r.mu.Unlock()
	switch {
	case could && took > answersWithin:
		r.broken("%s took %v: %v", what, took.Round(time.Millisecond), err)
	case response == nil:
	case response.StatusCode == http.StatusServiceUnavailable && response.Header.Get("Retry-After") == "":
		r.broken("%s: 503 without Retry-After", what)
	case response.StatusCode >= 500 && response.StatusCode != http.StatusServiceUnavailable && response.StatusCode != http.StatusInsufficientStorage:
		text, _ := io.ReadAll(response.Body)
		r.broken("%s: %d %s", what, response.StatusCode, text)
		response.Body = io.NopCloser(bytes.NewReader(text))
	}
}

// signIn signs somebody in, who then goes by a way.
func (r *ordeal) signIn(w *way, email, password string) *client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	c := &client{Client: http.Client{Jar: jar, Transport: w, Timeout: answersWithin + 5*time.Second}, base: "http://studio:8080/api/v1", failed: w.turn}
	eventually(r.t, email+" is signed in", func() bool {
		status, _ := c.send(http.MethodPost, "/session", map[string]string{"email": email, "password": password})
		return status == http.StatusOK
	})
	return c
}

// listens follows the events of round after round, and notes the points that it is told of. It goes on by the other server where nothing
// comes for a while: a stream without news says every five seconds that it is still there.
func (r *ordeal) listens(ctx context.Context, c *client) {
	for ctx.Err() == nil {
		var list struct{ Rounds []annotator.Round }
		status, answer := c.insist(ctx, http.MethodGet, "/projects/aviary/rounds", nil)
		if status != http.StatusOK || json.Unmarshal(answer, &list) != nil {
			r.broken("the rounds: %d %s", status, answer)
			return
		}
		var id int64
		for _, round := range list.Rounds {
			if _, known := r.seen[round.ID]; !known && (id == 0 || round.ID < id) {
				id = round.ID
			}
		}
		if id == 0 {
			time.Sleep(time.Second)
			continue
		}
		r.mu.Lock()
		r.seen[id] = []int64{}
		r.mu.Unlock()
		for last := int64(0); ctx.Err() == nil; {
			over, told := r.follow(ctx, c, id, last)
			last = told
			if over {
				break
			}
			c.failed()
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// follow reads a round's events after an id until the stream ends or is silent, and returns whether the round is over and the last id.
func (r *ordeal) follow(ctx context.Context, c *client, round, last int64) (over bool, told int64) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/rounds/%d/events", c.base, round), nil)
	if err != nil {
		return false, last
	}
	request.Header.Set("Last-Event-ID", strconv.FormatInt(last, 10))
	silence := time.AfterFunc(answersWithin, cancel)
	streaming := http.Client{Jar: c.Jar, Transport: c.Transport}
	response, err := streaming.Do(request)
	if err != nil {
		return false, last
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return false, last
	}
	var id int64
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		silence.Reset(answersWithin)
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case name == "id":
			id, _ = strconv.ParseInt(value, 10, 64)
		case name == "event" && value == "end":
			return true, last
		case name == "event":
			if last = id; value == "point" {
				r.mu.Lock()
				r.seen[round] = append(r.seen[round], id)
				r.mu.Unlock()
			}
		}
	}
	return false, last
}

// brings imports a picture every few seconds, by one server and then by the other: what is sent lies on the server that took it.
func (r *ordeal) brings(ctx context.Context, clients []*client, class string, random *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		c, name := clients[n%len(clients)], fmt.Sprintf("sent-%d.png", n)
		picture := image.NewRGBA(image.Rect(0, 0, 112, 112))
		for i := range picture.Pix {
			picture.Pix[i] = uint8(random.UintN(256))
		}
		picture.Set(0, 0, color.White)
		var file bytes.Buffer
		if err := png.Encode(&file, picture); err != nil {
			r.t.Error(err)
			return
		}
		staged := func(status int, answer []byte) (s annotator.StagedImport) {
			if status/100 == 2 {
				_ = json.Unmarshal(answer, &s)
			}
			return s
		}
		given := annotator.StagedFile{Path: "train/" + class + "/" + name, Bytes: int64(file.Len())}
		status, answer := c.insist(ctx, http.MethodPost, "/projects/aviary/imports", map[string]any{"name": name, "files": []annotator.StagedFile{given}})
		s := staged(status, answer)
		if s.ID == "" {
			if ctx.Err() == nil {
				if !bytes.Contains(answer, []byte("has to make room")) {
					r.broken("an import is not begun: %d %s", status, answer)
				}
				time.Sleep(3 * time.Second)
			}
			continue
		}
		for ctx.Err() == nil && s.State != annotator.StagedImported {
			switch s.State {
			case annotator.StagedReceiving:
				request, err := http.NewRequestWithContext(ctx, http.MethodPut, fmt.Sprintf("%s/imports/%s/bytes?offset=%d", c.base, s.ID, s.Received), bytes.NewReader(file.Bytes()[s.Received:]))
				if err != nil {
					r.t.Error(err)
					return
				}
				request.Header.Set("Content-Type", "application/octet-stream")
				if response, err := c.Do(request); err == nil {
					_, _ = io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
			case annotator.StagedReceived, annotator.StagedLooked:
				c.insist(ctx, http.MethodPost, "/imports/"+s.ID+"/start", map[string]any{"source": "sent"})
			}
			time.Sleep(300 * time.Millisecond)
			if status, answer = c.insist(ctx, http.MethodGet, "/imports/"+s.ID, nil); status == http.StatusOK {
				s = staged(status, answer)
			}
		}
		if s.State == annotator.StagedImported {
			r.ledger.note("pictures imported", func() { r.images[name] = true })
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
	}
}

// looks asks /readyz of a machine again and again.
func (r *ordeal) looks(ctx context.Context, m *machine) {
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for ctx.Err() == nil {
		asked, said := time.Now(), "no answer"
		if response, err := c.Get("http://" + m.ready + "/readyz"); err == nil {
			text, _ := io.ReadAll(response.Body)
			response.Body.Close()
			said = fmt.Sprintf("%d %s", response.StatusCode, text)
		}
		r.mu.Lock()
		r.told[m] = readiness{asked, said}
		r.saidSince[m] += time.Now().Format(time.TimeOnly) + " " + said + "\n"
		r.mu.Unlock()
		time.Sleep(500 * time.Millisecond)
	}
}

// well says what is not as it is without faults, of all that was seen since a time; "": nothing.
func (r *ordeal) well(since time.Time) string {
	r.mu.Lock()
	for _, m := range r.studios() {
		if told := r.told[m]; !strings.HasPrefix(told.text, "200 ") || told.asked.Before(since) {
			defer r.mu.Unlock()
			return fmt.Sprintf("/readyz of %s: %s", m, told.text)
		}
	}
	r.mu.Unlock()
	if n := r.number(fmt.Sprintf(`SELECT count(*) FROM workers WHERE heartbeat_at > now() - make_interval(secs => %f)`, min(time.Since(since), 5*time.Second).Seconds())); n < len(r.workers) {
		return fmt.Sprintf("%d workers report", n)
	}
	return ""
}

// suffers makes a fault, waits for its end and until all is well, and holds what was said meanwhile to what is promised.
func (r *ordeal) suffers(k kind, random *rand.Rand) {
	lasts := time.Duration(k.lasts[0]+random.IntN(1+k.lasts[1]-k.lasts[0])) * time.Second
	r.mu.Lock()
	if r.kind = k.name; r.tallies[k.name] == nil {
		r.tallies[k.name] = &tally{}
	}
	clear(r.saidSince)
	r.mu.Unlock()
	begun := time.Now()
	on, heal := k.begin(r, random)
	names := make([]string, len(on))
	for i, m := range on {
		names[i] = m.name
	}
	r.t.Logf("%s %s %s for %v", begun.Format(time.TimeOnly), k.name, strings.Join(names, " "), lasts)
	if k.deaf {
		r.mu.Lock()
		for _, m := range on {
			r.obstructed[m] = append(r.obstructed[m], span{from: begun})
		}
		r.mu.Unlock()
	}
	time.Sleep(lasts)
	r.mu.Lock()
	if k.says != "" {
		for _, m := range k.which(r, on) {
			if !strings.Contains(r.saidSince[m], k.says) {
				text := r.saidSince[m]
				defer r.broken("%q of %v: /readyz of %s does not say %q, but:\n%s", k.name, lasts, m, k.says, text)
			}
		}
	}
	r.mu.Unlock()
	heal()
	healed := time.Now()
	if k.deaf {
		r.mu.Lock()
		for _, m := range on { // what was sent meanwhile is sent again later and later, by TCP's rule: at the latest after as long again
			spans := r.obstructed[m]
			spans[len(spans)-1].to = healed.Add(min(time.Since(begun), recoversWithin))
		}
		r.mu.Unlock()
	}
	wrong := r.well(healed)
	for ; wrong != "" && time.Since(healed) < recoversWithin; wrong = r.well(healed) {
		time.Sleep(200 * time.Millisecond)
	}
	took := time.Since(healed)
	r.mu.Lock()
	t := r.tallies[k.name]
	t.faults, t.lasted, t.recover = t.faults+1, t.lasted+lasts, max(t.recover, took)
	r.mu.Unlock()
	if wrong != "" {
		r.broken("%v after %q: %s", recoversWithin, k.name, wrong)
	}
	r.t.Logf("    well %v after it", took.Round(100*time.Millisecond))
	time.Sleep(time.Duration(2+random.IntN(6)) * time.Second)
	r.mu.Lock()
	r.kind = "between faults"
	r.mu.Unlock()
}

// postgres starts a database on a machine.
func (r *ordeal) postgres(ctx context.Context) {
	t := r.t
	bin := os.Getenv("STUDIO_PG_BIN")
	if bin == "" {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
		if len(found) == 0 {
			t.Skip("SKIPPED: there is no PostgreSQL in /usr/lib/postgresql; set STUDIO_PG_BIN")
		}
		bin = found[len(found)-1]
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		t.Skip("SKIPPED: PostgreSQL refuses root, and there is no user postgres")
	}
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	as := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	sockets, data := filepath.Join(machinesFolder, "sockets"), filepath.Join(r.db.data, "pg")
	for _, folder := range []string{sockets, data} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(folder, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = &syscall.SysProcAttr{Credential: as}, data
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte("local all all trust\nhost all all 10.93.0.0/24 trust\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.net.run(ctx, r.db, nil, as, filepath.Join(bin, "postgres"), "-D", data, "-c", "listen_addresses="+r.db.address(), "-c", "unix_socket_directories="+sockets,
		"-c", "max_wal_size=64MB", "-c", "min_wal_size=32MB", "-c", "log_line_prefix=%m [%p] ", "-c", "shared_buffers=64MB")
	r.direct = "host=" + sockets + " user=postgres dbname=postgres"
	eventually(t, "the database answers", func() bool { return r.number(`SELECT 1`) == 1 })
}

// Two servers, three workers, a database and a bucket are machines on one network. It is parted, machines stand still, clocks are wrong and
// disks are full, one after the other, while people paint, judge and bring pictures, and rounds run. In the end everything is there that
// anybody was told, and nothing twice. `make partitions` runs it; docs/reliability.md has its last result.
func TestPartitions(t *testing.T) {
	times, err := strconv.Atoi(os.Getenv(partitionsWanted))
	if err != nil {
		t.Skip("SKIPPED: it takes half an hour: make partitions")
	}
	if !inNamespaces(t) {
		return
	}
	seed := uint64(1)
	if text := os.Getenv(partitionsSeed); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", partitionsSeed, err)
		}
	}
	var lasts time.Duration
	if text := os.Getenv(partitionsLong); text != "" {
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", partitionsLong, err)
		}
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "A")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "B")
	r := &ordeal{t: t, ledger: newLedger(), obstructed: map[*machine][]span{}, tallies: map[string]*tally{}, told: map[*machine]readiness{}, saidSince: map[*machine]string{},
		images: map[string]bool{}, seen: map[int64][]int64{}, kind: "between faults"}
	r.tallies[r.kind] = &tally{}
	r.net = newLAN(t, 1500, "server-a", "server-b", "worker-1", "worker-2", "worker-3", "database", "bucket")
	machines := r.net.machines
	r.servers, r.workers, r.db, r.s3 = machines[1:3], machines[3:6], machines[6], machines[7]
	running, shut := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(func() {
		shut()
		for _, m := range machines {
			if m.runs == nil {
				continue
			}
			signalTree(m.runs.pid(), syscall.SIGKILL)
			<-m.runs.ended
			if t.Failed() {
				r.keep(m)
			}
		}
	})
	r.postgres(running)
	r.net.run(running, r.s3, []string{asBucket + "=" + r.s3.at(9000)}, nil, os.Args[0])
	eventually(t, "the bucket answers", func() bool {
		response, err := http.Get("http://" + r.s3.at(9000) + "/studio")
		if err == nil {
			response.Body.Close()
		}
		return err == nil
	})

	at := storageFlags{
		DatabaseURL: "postgres://postgres@" + r.db.at(5432) + "/postgres", DataDir: filepath.Join(machinesFolder, "people"),
		BlobURL: "s3://studio?prefix=abn/&region=us-east-1&use_path_style=true&endpoint=http://" + r.s3.at(9000),
	}
	p := openAviary(t, at, 8)
	defer p.Close()
	seedRoundEdits(t, p)
	p.staff(t)
	if p.project, err = p.Store.ProjectBySlug(t.Context(), "aviary"); err != nil { // with the classes
		t.Fatal(err)
	}
	for _, m := range r.studios() {
		flags := []string{"--data", filepath.Join(m.data, "studio"), "--database", at.DatabaseURL, "--blobs", at.BlobURL}
		if slices.Contains(r.servers, m) {
			m.ready = m.at(8080)
			r.net.run(running, m, []string{asProgram + "=1"}, nil, os.Args[0], append([]string{"serve", "--listen", m.ready, "--public-url", "http://studio:8080", "--no-worker"}, flags...)...)
		} else {
			m.ready = m.at(8081)
			r.net.run(running, m, []string{asProgram + "=1"}, nil, os.Args[0], append([]string{"worker", "--threads", "1", "--health-listen", m.ready}, flags...)...)
		}
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var people, onlookers sync.WaitGroup
	looking, stopLooking := context.WithCancel(t.Context())
	defer stopLooking()
	for _, m := range r.studios() {
		onlookers.Go(func() { r.looks(looking, m) })
	}
	eventually(t, "all is well", func() bool { return r.well(time.Now().Add(-5*time.Second)) == "" })

	l := r.ledger
	for i, email := range []string{painter.email, secondPainter} {
		c := r.signIn(r.newWay(r.servers[i], r.servers[1-i]), email, painter.password)
		mine := rand.New(rand.NewPCG(seed, uint64(i)+1))
		people.Go(func() { l.paints(ctx, c, email, mine) })
	}
	judges := func(servers ...*machine) *client { return r.signIn(r.newWay(servers...), judge.email, judge.password) }
	both := judges(r.servers...)
	mine := rand.New(rand.NewPCG(seed, 10))
	people.Go(func() { l.judges(ctx, both, mine) })
	begins := judges(r.servers...)
	people.Go(func() { l.begins(ctx, begins) })
	listens := judges(r.servers[1], r.servers[0])
	onlookers.Go(func() { r.listens(looking, listens) })
	sticky := []*client{judges(r.servers[0]), judges(r.servers[1])}
	pictures := rand.New(rand.NewPCG(seed, 11))
	people.Go(func() { r.brings(ctx, sticky, p.project.Classes[0].Name, pictures) })

	begun := time.Now()
	random := rand.New(rand.NewPCG(seed, 0))
	some := func(list []kind) []kind {
		only := os.Getenv(partitionsOnly)
		return slices.DeleteFunc(list, func(k kind) bool {
			return only != "" && !slices.ContainsFunc(strings.Split(only, ","), func(word string) bool { return strings.Contains(k.name, word) })
		})
	}
	for range times {
		list := some(kinds())
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		for _, k := range list {
			r.suffers(k, random)
		}
	}
	if lasts > 0 {
		for _, k := range some(long(lasts)) {
			r.suffers(k, random)
		}
	}
	end()
	people.Wait()
	eventually(t, "rounds and scans end", func() bool {
		return r.number(`SELECT count(*) FROM jobs WHERE finished_at IS NULL`) == 0 && r.number(`SELECT count(*) FROM rounds WHERE finished_at IS NULL`) == 0
	})
	time.Sleep(2 * time.Second) // the last events
	stopLooking()
	onlookers.Wait()
	r.check(p)
	r.print(seed, time.Since(begun))
}

// keep shows the end of what a machine said, and leaves all of it in the folder that the run was started with.
func (r *ordeal) keep(m *machine) {
	text, err := os.ReadFile(m.file())
	if err != nil {
		r.t.Error(err)
		return
	}
	if folder := os.Getenv("STUDIO_PARTITIONS_LOGS"); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, m.name+".log"), text, 0o644); err != nil {
			r.t.Error(err)
		}
		return
	}
	r.t.Logf("the last of %s:\n%s", m.name, text[max(0, len(text)-4000):])
}

// check compares the studio with what people were told.
func (r *ordeal) check(p *aviaryProject) {
	t, ctx := r.t, r.t.Context()
	images, err := p.Store.Images(ctx, p.project.ID)
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string]int{}
	for _, i := range images {
		if i.Source == "sent" {
			sent[filepath.Base(i.Name)]++
		}
	}
	for name := range r.images {
		if sent[name] != 1 {
			t.Errorf("%s was imported, and is there %d times", name, sent[name])
		}
	}
	p.images = len(images)
	// An import that finds no room says so, and whoever sends it tries again.
	if n := r.number(`SELECT count(*) FROM jobs WHERE state = 'failed' AND kind NOT IN ('round', 'import')`); n != 0 {
		t.Errorf("%d jobs failed", n)
	}
	if n := r.number(`SELECT count(*) FROM river_job WHERE state IN ('running', 'retryable') AND attempted_at < now() - interval '1 minute'`); n != 0 {
		t.Errorf("%d parts of jobs are stuck", n)
	}
	r.ledger.check(t, p)
	for round, told := range r.seen {
		r.ledger.counts["points of rounds told"] += len(told)
		if !slices.IsSorted(told) || len(slices.Compact(slices.Clone(told))) != len(told) {
			t.Errorf("the points of round %d came out of order, or twice: %v", round, told)
		}
		if there := r.number(fmt.Sprintf(`SELECT count(*) FROM round_events WHERE kind = 'point' AND round_id = %d`, round)); there > len(told) {
			t.Errorf("round %d has %d points, and who followed it was told of %d", round, there, len(told))
		}
	}
}

// print writes the table of docs/reliability.md.
func (r *ordeal) print(seed uint64, took time.Duration) {
	var out strings.Builder
	fmt.Fprintf(&out, "seed %d, %s. Answered: %s.\n\n| fault | times | seconds | answered | 503, 507 | longest answer | well again within |\n|---|---|---|---|---|---|---|\n", seed, took.Round(time.Second), counted(r.ledger.counts))
	for _, name := range slices.Sorted(maps.Keys(r.tallies)) {
		v := r.tallies[name]
		if v.faults == 0 {
			continue
		}
		fmt.Fprintf(&out, "| %s | %d | %d | %d | %d | %.1f s | %.1f s |\n", name, v.faults, int(v.lasted.Seconds()), v.answered, v.sorry, v.longest.Seconds(), v.recover.Seconds())
	}
	fmt.Println(out.String())
}
