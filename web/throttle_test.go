package web

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/abn-studio/studio/annotator"
)

// guess sends a sign-in as a proxy forwards it, and returns the status.
func (s *studio) guess(address, email, word string) int {
	form := url.Values{"email": {email}, "password": {word}}.Encode()
	return s.nobody().do(http.MethodPost, "/signin", strings.NewReader(form),
		"Content-Type", "application/x-www-form-urlencoded", "X-Forwarded-For", address).StatusCode
}

// person adds an annotator whose password costs what its hash says.
func (s *studio) person(email, hash string) {
	s.t.Helper()
	_, err := s.store.InsertUser(s.t.Context(), annotator.User{Email: email, Name: email, Role: annotator.RoleAnnotator, CreatedAt: time.Now()}, hash)
	must(s.t, err)
}

func behindProxy(c *Config) {
	c.TrustProxy = true
	c.SignIn.Refill = time.Hour
}

// Guesses that come all at once are counted before their passwords are checked. Hashing takes so long that all would otherwise be accepted
// before the first one is refused.
func TestParallelGuessesAreNotAllJudged(t *testing.T) {
	t.Parallel()
	s := newStudio(t, behindProxy)
	slow, err := argon2id.CreateHash(password, &argon2id.Params{Memory: 8 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	must(t, err)
	s.person("ada@example.org", slow)
	for name, try := range map[string]func(word string) int{
		"form": func(word string) int { return s.guess("192.0.2.1", "ada@example.org", word) },
		"API": func(word string) int {
			return s.nobody().api(http.MethodPost, "/session", map[string]string{"email": " Ada@Example.org", "password": word}, "X-Forwarded-For", "192.0.2.2").StatusCode
		},
	} {
		var group sync.WaitGroup
		var mu sync.Mutex
		counts, start := map[int]int{}, make(chan struct{})
		for i := range 60 {
			group.Go(func() {
				<-start
				status := try(fmt.Sprint("guess ", i))
				mu.Lock()
				defer mu.Unlock()
				counts[status]++
			})
		}
		close(start)
		group.Wait()
		if counts[http.StatusUnauthorized] != 10 || counts[http.StatusTooManyRequests] != 50 {
			t.Errorf("%s: of 60 guesses at once the answers are %v, want 10 judged (401) and 50 not (429)", name, counts)
		}
	}
}

func TestWrongTriesLockNobodyElseOut(t *testing.T) {
	t.Parallel()
	s := newStudio(t, behindProxy)
	for i := range 5 {
		s.person(fmt.Sprint("colleague-", i, "@example.org"), passwordHash())
	}
	for i := range 34 + 10 { // somebody behind the office's proxy tries accounts, one of them until it is closed to them
		email := "reviewer@example.org"
		if i >= 10 {
			email = fmt.Sprint("colleague-", i/10, "@example.org")
		}
		if status := s.guess("192.0.2.1", email, "guess"); status != http.StatusUnauthorized {
			t.Fatalf("try %d: %d", i, status)
		}
	}
	if status := s.guess("192.0.2.1", "annotator@example.org", password); status != http.StatusSeeOther {
		t.Errorf("a colleague behind the same proxy signs in: %d", status)
	}
	if status := s.guess("192.0.2.1", "reviewer@example.org", password); status != http.StatusTooManyRequests {
		t.Errorf("the account that was tried, from where it was tried: %d, want 429", status)
	}
	if status := s.guess("192.0.2.77", "reviewer@example.org", password); status != http.StatusSeeOther {
		t.Errorf("its owner from elsewhere: %d", status)
	}
}

// The looser buckets hold where a pair's does not: one account from many addresses, many accounts from one address.
func TestLooserBucketsHoldToo(t *testing.T) {
	t.Parallel()
	s := newStudio(t, behindProxy, func(c *Config) { c.SignIn.PerPair, c.SignIn.PerAccount, c.SignIn.PerAddress = 2, 5, 3 })
	for i := range 5 {
		if status := s.guess(fmt.Sprint("192.0.2.", i), "admin@example.org", "guess"); status != http.StatusUnauthorized {
			t.Errorf("try %d of an account: %d", i, status)
		}
	}
	if status := s.guess("192.0.2.9", "ADMIN@example.org", "guess"); status != http.StatusTooManyRequests {
		t.Errorf("a sixth address tries the account: %d, want 429", status)
	}
	for i := range 4 {
		s.person(fmt.Sprint(i, "@example.org"), passwordHash())
	}
	for i := range 3 { // addresses of one IPv6 network
		if status := s.guess(fmt.Sprintf("2001:db8:1:2::%x", i+1), fmt.Sprint(i, "@example.org"), "guess"); status != http.StatusUnauthorized {
			t.Errorf("try %d from a network: %d", i, status)
		}
	}
	if status := s.guess("2001:db8:1:2:ffff::1", "3@example.org", "guess"); status != http.StatusTooManyRequests {
		t.Errorf("a fourth try from the network: %d, want 429", status)
	}
	if status := s.guess("2001:db8:1:3::1", "3@example.org", "guess"); status != http.StatusUnauthorized {
		t.Errorf("another network: %d", status)
	}
}

func TestARightPasswordCostsNothing(t *testing.T) {
	t.Parallel()
	s := newStudio(t, behindProxy, func(c *Config) { c.SignIn.PerPair, c.SignIn.PerAccount, c.SignIn.PerAddress = 2, 2, 2 })
	for range 5 {
		if status := s.guess("192.0.2.1", "admin@example.org", password); status != http.StatusSeeOther {
			t.Fatalf("signing in again: %d", status)
		}
	}
	s.guess("192.0.2.1", "admin@example.org", "guess")
	if status := s.guess("192.0.2.1", "admin@example.org", password); status != http.StatusSeeOther {
		t.Errorf("after one wrong try of two: %d", status)
	}
}

// Made-up accounts and addresses neither fill the memory nor push out the bucket of an account under attack.
func TestThrottleBoundsItsMemory(t *testing.T) {
	t.Parallel()
	th := newThrottle(Throttle{Refill: time.Hour}.WithDefaults())
	for _, b := range []*buckets{th.pairs, th.accounts, th.addresses} {
		b.most = 100
	}
	fail := func(account, address string) bool {
		_, wait := th.take(account, address)
		return wait == 0
	}
	for fail("ada@example.org", "192.0.2.1") {
	}
	for i := range 10_000 {
		fail(fmt.Sprint("account-", i), fmt.Sprint("address-", i))
		fail(fmt.Sprint("account-", i), "192.0.2.1")
	}
	for name, b := range map[string]*buckets{"pairs": th.pairs, "accounts": th.accounts, "addresses": th.addresses} {
		if n := len(b.fullAt); n > 100 {
			t.Errorf("%d %s are kept, want at most 100", n, name)
		}
	}
	if fail("ada@example.org", "192.0.2.1") {
		t.Error("20,000 made-up tries free an account that was out of tries")
	}
	if fail("somebody@example.org", "192.0.2.1") {
		t.Error("and the address they came from")
	}
}

func TestBucketsRefill(t *testing.T) {
	t.Parallel()
	b, now := newBuckets(3, time.Minute), time.Now()
	for range 3 {
		if b.wait("a", now) != 0 {
			t.Fatal("a full bucket has three tokens")
		}
		b.take("a", now)
	}
	if wait := b.wait("a", now); wait != time.Minute {
		t.Errorf("an empty bucket has a token in %v, want a minute", wait)
	}
	if wait := b.wait("a", now.Add(45*time.Second)); wait != 15*time.Second {
		t.Errorf("and after 45 s in %v", wait)
	}
	b.giveBack("a")
	if b.wait("a", now) != 0 {
		t.Error("what was given back cannot be taken")
	}
	b.take("a", now)
	for range 5 { // more than was taken
		b.giveBack("a")
	}
	for range 3 {
		b.take("a", now)
	}
	if b.wait("a", now) == 0 {
		t.Error("a bucket holds more than it may")
	}
}

func TestKeysOfTheThrottle(t *testing.T) {
	t.Parallel()
	for _, same := range [][2]string{
		{addressKey("2001:db8:1:2:3:4:5:6"), addressKey("2001:db8:1:2:ffff::1")},
		{addressKey("::ffff:192.0.2.1"), addressKey("192.0.2.1")},
		{addressKey("fe80::1%eth0"), addressKey("fe80::2%eth1")},
		{accountKey("Ada@Example.ORG"), accountKey("\u00a0ada@example.org\t")},
	} {
		if same[0] != same[1] {
			t.Errorf("one counts as two: %s and %s", same[0], same[1])
		}
	}
	if n := len(accountKey(strings.Repeat("a", 1<<20))); n > 254 {
		t.Errorf("a key has %d bytes", n)
	}
}

// The last entry of the last X-Forwarded-For line is the proxy's own. An entry that is no address is ignored.
func TestAddressOfARequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		trust bool
		lines []string
		want  string
	}{
		{false, []string{"203.0.113.9"}, "192.0.2.7"},
		{true, nil, "192.0.2.7"},
		{true, []string{"203.0.113.9"}, "203.0.113.9"},
		{true, []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{true, []string{"198.51.100.1", "203.0.113.9"}, "203.0.113.9"},
		{true, []string{"198.51.100.1, 198.51.100.2", "198.51.100.3,2001:db8::9 "}, "2001:db8::9"},
		{true, []string{"198.51.100.1", ""}, "192.0.2.7"},
		{true, []string{"198.51.100.1, unknown"}, "192.0.2.7"},
		{true, []string{"198.51.100.1, " + strings.Repeat("x", 5000)}, "192.0.2.7"},
		{true, []string{"198.51.100.1,"}, "192.0.2.7"},
	} {
		sessions := newSessions(Config{TrustProxy: c.trust}.WithDefaults(), nil)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "192.0.2.7:1234"
		r.Header["X-Forwarded-For"] = c.lines
		if got := sessions.address(r); got != c.want {
			t.Errorf("trusted %v, %.60q: %s, want %s", c.trust, c.lines, got, c.want)
		}
	}
}

// logged is a log that a test reads.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) into(c *Config) { c.Logger = slog.New(slog.NewTextHandler(l, nil)) }

func TestAnUntrustedProxyIsWarnedOf(t *testing.T) {
	t.Parallel()
	const advice = "STUDIO_TRUST_PROXY=true"
	var log logged
	s := newStudio(t, log.into)
	s.nobody().get("/signin")
	if strings.Contains(log.String(), advice) {
		t.Error("it warns before any proxy is seen")
	}
	for range 3 {
		s.nobody().do(http.MethodGet, "/signin", nil, "X-Forwarded-For", "203.0.113.9")
	}
	if n := strings.Count(log.String(), advice); n != 1 {
		t.Errorf("%d warnings of an untrusted proxy, want 1:\n%s", n, log.String())
	}
	var start, trusted logged
	newStudio(t, start.into, func(c *Config) { c.PublicURL = "https://studio.example.org" })
	if !strings.Contains(start.String(), advice) {
		t.Error("a start behind https without a trusted proxy says nothing")
	}
	s = newStudio(t, trusted.into, behindProxy, func(c *Config) { c.PublicURL = "https://studio.example.org" })
	s.nobody().do(http.MethodGet, "/signin", nil, "X-Forwarded-For", "203.0.113.9")
	if strings.Contains(trusted.String(), advice) {
		t.Error("a trusted proxy is warned of")
	}
}

// If the queue for hashing is full, the answer is a 503 that says when to try again, and the log has a warning and not an error.
func TestABusySignInIsToldToComeBack(t *testing.T) {
	t.Parallel()
	var log logged
	s := newStudio(t, log.into)
	busy := fmt.Errorf("signing in: %w", annotator.ErrBusy)
	for _, path := range []string{"/signin", apiPrefix + "/session"} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, path, nil)
		s.server.fail(w, r, busy)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d, Retry-After %q", path, w.Code, w.Header().Get("Retry-After"))
		}
	}
	problem := (&api{server: s.server}).problem(t.Context(), busy, nil)
	if problem.Status != http.StatusServiceUnavailable || problem.GetHeaders().Get("Retry-After") == "" {
		t.Errorf("an operation answers %+v", problem)
	}
	if strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("the log:\n%s", log.String())
	}
}
