package web

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Throttle bounds how often passwords can be guessed. A try takes a token from three buckets before the password is
// looked at, and gets them back where the password was right.
type Throttle struct {
	PerPair    int           // tries of one account from one address at once, 10
	PerAccount int           // tries of one account at once, wherever they come from, 50
	PerAddress int           // tries from one address at once, whosever account, 100: many people may stand behind one proxy
	Refill     time.Duration // how long until a pair or an account has one more, 10 s; an address has ten more by then
}

// WithDefaults returns t with its empty fields filled in.
func (t Throttle) WithDefaults() Throttle {
	t.PerPair = cmp.Or(t.PerPair, 10)
	t.PerAccount = cmp.Or(t.PerAccount, 50)
	t.PerAddress = cmp.Or(t.PerAddress, 100)
	t.Refill = cmp.Or(t.Refill, 10*time.Second)
	return t
}

// throttle is the three sets of buckets. Where a pair of account and address is out of tokens, the
// buckets of the account and of the address are left alone: guessing at one account locks no other user out.
type throttle struct {
	mu                         sync.Mutex
	pairs, accounts, addresses *buckets
}

func newThrottle(t Throttle) *throttle {
	return &throttle{
		pairs:     newBuckets(t.PerPair, t.Refill),
		accounts:  newBuckets(t.PerAccount, t.Refill),
		addresses: newBuckets(t.PerAddress, t.Refill/10),
	}
}

// take takes a token for one try, or says how long to wait for the next. giveBack is for a try that was right, or that
// was not judged at all.
func (t *throttle) take(account, address string) (giveBack func(), wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	type place struct {
		*buckets
		key string
	}
	places := []place{{t.pairs, account + "\x00" + address}, {t.accounts, account}, {t.addresses, address}}
	for _, p := range places {
		wait = max(wait, p.wait(p.key, now))
	}
	if wait > 0 {
		return nil, wait
	}
	for _, p := range places {
		p.take(p.key, now)
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, p := range places {
			p.giveBack(p.key)
		}
	}, 0
}

// buckets are token buckets by key. Of each only the time is kept at which it will be full again, and of a full one
// nothing. Their number is bounded: where it is reached, those go that are the nearest to full, so that made-up keys push
// out one another and never the bucket of what is under attack.
type buckets struct {
	burst  int
	refill time.Duration
	most   int
	fullAt map[string]time.Time
}

// maxBuckets bounds the memory of a set of buckets to a few MiB.
const maxBuckets = 16 << 10

func newBuckets(burst int, refill time.Duration) *buckets {
	return &buckets{burst: burst, refill: refill, most: maxBuckets, fullAt: map[string]time.Time{}}
}

// wait says how long until key has a token; 0: it has one.
func (b *buckets) wait(key string, now time.Time) time.Duration {
	missing := max(0, b.fullAt[key].Sub(now)) // of the tokens, in time
	return max(0, missing+b.refill-time.Duration(b.burst)*b.refill)
}

func (b *buckets) take(key string, now time.Time) {
	full, there := b.fullAt[key]
	if !there && len(b.fullAt) >= b.most {
		b.shed(now)
	}
	if full.Before(now) {
		full = now
	}
	b.fullAt[key] = full.Add(b.refill)
}

func (b *buckets) giveBack(key string) {
	if full, there := b.fullAt[key]; there {
		b.fullAt[key] = full.Add(-b.refill)
	}
}

// shed makes room: first the full buckets go, then an eighth of all, the fullest first.
func (b *buckets) shed(now time.Time) {
	type bucket struct {
		key  string
		full time.Time
	}
	var left []bucket
	for key, full := range b.fullAt {
		if full.After(now) {
			left = append(left, bucket{key, full})
		} else {
			delete(b.fullAt, key)
		}
	}
	room := b.most/8 + 1
	if surplus := len(left) + room - b.most; surplus > 0 {
		slices.SortFunc(left, func(x, y bucket) int { return x.full.Compare(y.full) })
		for _, x := range left[:surplus] {
			delete(b.fullAt, x.key)
		}
	}
}

// addressKey is an address as the throttle counts it: an IPv6 network counts as one, since one
// machine has 2⁶⁴ addresses in it.
func addressKey(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap().WithZone("")
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
	return key[:min(len(key), 254)] // no account has a longer one
}
