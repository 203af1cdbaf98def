// Package lru keeps in memory what was used last, within a bound: features of live scores, opened networks, and what runs on the
// runtime.
//
// It is ours, and not a library's, for two reasons. What is bounded by weight and admits by how often something was used
// (otter's W-TinyLFU, Caffeine's) may turn away what has just come: with features of 12 MB and five people whose next three pictures
// are computed beforehand, otter 2.4 computed 468 pictures where this computes 135, 20 of them in the middle of a stroke. Here the
// latest is what will be asked for next, by design. And what is evicted may have to be closed by whoever knows how, at once and with
// its error; Put hands it out. Having several callers wait for one computation is not this package's: who leaves, and what then
// becomes of it, differs (features.Memory, network.Store).
package lru

import (
	"container/list"
	"sync"
)

// Cache keeps values by key, at most so much of them; the least recently used go first. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	most  int64
	weigh func(V) int64

	mu      sync.Mutex
	weight  int64
	order   *list.List // of *entry[K, V], most recently used in front
	entries map[K]*list.Element
	hits    int64
	misses  int64
}

type entry[K comparable, V any] struct {
	key    K
	value  V
	weight int64
}

// New makes a cache of values that weigh at most so much together; nil: each weighs 1.
func New[K comparable, V any](most int64, weigh func(V) int64) *Cache[K, V] {
	if weigh == nil {
		weigh = func(V) int64 { return 1 }
	}
	return &Cache[K, V]{most: most, weigh: weigh, order: list.New(), entries: map[K]*list.Element{}}
}

// Get returns the value under key, if it is there.
func (c *Cache[K, V]) Get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		c.misses++
		var none V
		return none, false
	}
	c.hits++
	c.order.MoveToFront(e)
	return e.Value.(*entry[K, V]).value, true
}

// Put keeps a value under key and returns those that made way for it: what stood there before, what no longer fits, or the value
// itself where it alone weighs too much.
func (c *Cache[K, V]) Put(key K, value V) (evicted []V) {
	weight := c.weigh(value)
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok {
		evicted = append(evicted, c.remove(e))
	}
	if weight > c.most {
		return append(evicted, value)
	}
	for c.weight+weight > c.most {
		evicted = append(evicted, c.remove(c.order.Back()))
	}
	c.weight += weight
	c.entries[key] = c.order.PushFront(&entry[K, V]{key, value, weight})
	return evicted
}

// Clear empties the cache and returns what was in it, the most recently used first.
func (c *Cache[K, V]) Clear() (evicted []V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.order.Len() > 0 {
		evicted = append(evicted, c.remove(c.order.Front()))
	}
	return evicted
}

// remove takes an element out; c.mu is held.
func (c *Cache[K, V]) remove(e *list.Element) V {
	out := c.order.Remove(e).(*entry[K, V])
	delete(c.entries, out.key)
	c.weight -= out.weight
	return out.value
}

// Stats counts what a Cache holds and did.
type Stats struct {
	Entries, Weight, Hits, Misses int64
}

// Stats returns the counters so far.
func (c *Cache[K, V]) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{Entries: int64(len(c.entries)), Weight: c.weight, Hits: c.hits, Misses: c.misses}
}
