// Package lru keeps the most recently used values in memory, within a bound: features for live scores, opened networks, and
// sessions of ONNX Runtime.
//
// It is our own and not a library for two reasons. First, libraries that admit a value by how often it was used (W-TinyLFU, in otter
// and Caffeine) may refuse the one that has just come, and here the latest value is the one that is asked for next. With features of
// 12 MB and five people whose next three pictures are computed ahead, otter 2.4 computed 468 pictures where this package computes
// 135; 20 of the 468 were computed in the middle of a stroke. Second, an evicted value may have to be closed at once by its owner,
// who also wants the error; Put returns what it evicts. Several callers that wait for one computation are not this package's
// subject: what happens when one of them leaves differs between its users (package flight).
package lru

import (
	"container/list"
	"sync"
)

// Cache keeps values by key, within a bound on their total weight; it evicts the least recently used first. It is safe for
// concurrent use.
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

// New makes a cache whose values weigh at most most together. weigh gives a value's weight; nil: each weighs 1.
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

// Put keeps a value under key and returns the values it evicted: the one that had this key, those that no longer fit, or value
// itself if it alone weighs more than the bound.
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
