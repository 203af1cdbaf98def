package web

import (
	"cmp"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Throttle bounds how often passwords can be guessed. Only failed attempts count.
type Throttle struct {
	PerAddress int           // failures one address may make at once, 30
	PerAccount int           // failures one account may see at once, 10
	Refill     time.Duration // how long until one more failure is allowed, 10 s
}

// WithDefaults returns t with its empty fields filled in.
func (t Throttle) WithDefaults() Throttle {
	t.PerAddress = cmp.Or(t.PerAddress, 30)
	t.PerAccount = cmp.Or(t.PerAccount, 10)
	t.Refill = cmp.Or(t.Refill, 10*time.Second)
	return t
}

// throttle counts failures by key. Its memory is bounded: it keeps at most two generations of
// maxKeys limiters, and a generation that fills up replaces the older one.
type throttle struct {
	mu      sync.Mutex
	burst   int
	refill  time.Duration
	maxKeys int
	young   map[string]*rate.Limiter
	old     map[string]*rate.Limiter
}

func newThrottle(burst int, refill time.Duration) *throttle {
	return &throttle{burst: burst, refill: refill, maxKeys: 10_000, young: map[string]*rate.Limiter{}}
}

func (t *throttle) limiter(key string) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.young[key]; l != nil {
		return l
	}
	l := t.old[key]
	if l == nil {
		l = rate.NewLimiter(rate.Every(t.refill), t.burst)
	}
	if len(t.young) >= t.maxKeys {
		t.old, t.young = t.young, map[string]*rate.Limiter{}
	}
	t.young[key] = l
	return l
}

// wait says how long key has to wait before it may try again; 0: it may now.
func (t *throttle) wait(key string) time.Duration {
	missing := 1 - t.limiter(key).Tokens()
	if missing <= 0 {
		return 0
	}
	return max(time.Second, time.Duration(missing*float64(t.refill)))
}

// failed counts one failure of key.
func (t *throttle) failed(key string) { t.limiter(key).Allow() }

// addressKey is an address as the throttle counts it: an IPv6 network counts as one, since one
// machine has 2⁶⁴ addresses in it.
func addressKey(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// accountKey is an account as the throttle counts it, whatever way its address is written.
func accountKey(email string) string {
	key := strings.ToLower(strings.TrimSpace(email))
	return key[:min(len(key), 200)]
}
