package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// clock goes as the database's does. Servers and workers on several machines then agree on when a lease ends, whatever their own clocks
// say. It is set by asking the database, and from then on goes by the process's monotonic clock, which nobody sets.
type clock struct {
	store *Store

	mu      sync.Mutex
	then    time.Time // the database's time …
	at      time.Time // … when it was this here
	setting bool
}

// setAgain is how long the clock goes by itself. leapt is by how much the machine's clock may have moved meanwhile: then it was set anew, or
// the machine slept, which the monotonic clock does not count.
const (
	setAgain = time.Minute
	leapt    = time.Second
)

// Now implements annotator.Store. It waits for nothing: where it is time to ask the database again, that is done meanwhile.
func (s *Store) Now() time.Time { return s.clock.now() }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	gone := now.Sub(c.at)
	byWall := now.Round(0).Sub(c.at.Round(0))
	if !c.setting && (gone > setAgain || (byWall-gone).Abs() > leapt) {
		c.setting = true
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), c.store.patience)
			defer cancel()
			if err := c.set(ctx); err != nil {
				c.store.log.WarnContext(ctx, "the database was not asked for the time", "err", err)
			}
		}()
	}
	return c.then.Add(gone)
}

// set asks the database for the time.
func (c *clock) set(ctx context.Context) error {
	then, err := one(ctx, c.store, pgx.RowTo[time.Time], `SELECT clock_timestamp()`)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setting = false
	if err == nil {
		c.then, c.at = then, time.Now()
	}
	return err
}
