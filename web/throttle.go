package web

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Throttle bounds how often passwords can be guessed. Each try takes a token from three buckets before the password is checked. If the
// password is right, they are given back.
type Throttle struct {
	PerPair    int           // tries of one account from one address at once, 10
	PerAccount int           // tries of one account at once, from all addresses together, 50
	PerAddress int           // tries from one address at once, of all accounts together, 100: many people may share a proxy
	Refill     time.Duration // how long until a pair or an account gets one more, 10 s; an address gets ten more in that time
}

// WithDefaults returns t with its empty fields filled in.
func (t Throttle) WithDefaults() Throttle {
	t.PerPair = cmp.Or(t.PerPair, 10)
	t.PerAccount = cmp.Or(t.PerAccount, 50)
	t.PerAddress = cmp.Or(t.PerAddress, 100)
	t.Refill = cmp.Or(t.Refill, 10*time.Second)
	return t
}

// throttle has three sets of buckets. If a pair of account and address has no token left, the buckets of the account and of the address
// are not touched, so that guessing at one account locks out no other user.
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

// take takes the tokens for one try, or returns how long to wait for the next ones. Call giveBack if the password was right or was not
// checked.
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

// buckets are token buckets by key. For each, only the time is stored at which it will be full again; for a full one nothing is. Their
// number is bounded. At the bound the fullest are dropped: made-up keys then push out one another, and not the bucket of an account
// under attack, which is nearly empty.
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

// wait returns how long it takes until key has a token; 0: it has one.
func (b *buckets) wait(key string, now time.Time) time.Duration {
	missing := max(0, b.fullAt[key].Sub(now)) // the missing tokens, as the time to refill them
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

// shed makes room for an eighth of the bound: it drops the full buckets, then, if that is not enough, the fullest ones.
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

// addressKey returns the key of an address. A whole IPv6 network (/64) has one key, since one machine has 2⁶⁴ addresses in it.
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

// accountKey returns the key of an account, the same for all ways of writing its email address.
func accountKey(email string) string {
	key := strings.ToLower(strings.TrimSpace(email))
	return key[:min(len(key), 254)] // no account's address is longer
}
