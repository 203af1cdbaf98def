package inference

import (
	"container/list"
	"sync"
)

// FeatureKey says what features are of: an extractor, how pixels become its input, and an image.
type FeatureKey struct {
	Extractor     string // SHA-256 of the extractor (annotator.Version.ExtractorHash)
	Preprocessing string // any text that is equal only for equal preprocessing
	Image         string // SHA-256 of the picture's file
}

// FeatureCache keeps features [C, h, w] in memory, bounded by bytes; the least recently used go first.
// It is safe for concurrent use. Slices are shared: nobody may change one.
type FeatureCache struct {
	mu       sync.Mutex
	maxBytes int64
	bytes    int64
	order    *list.List // of *cached, most recently used in front
	entries  map[FeatureKey]*list.Element
	hits     int64
	misses   int64
}

type cached struct {
	key      FeatureKey
	features []float32
}

// NewFeatureCache makes a cache of at most maxBytes of features (4 bytes a value).
func NewFeatureCache(maxBytes int64) *FeatureCache {
	return &FeatureCache{maxBytes: maxBytes, order: list.New(), entries: map[FeatureKey]*list.Element{}}
}

// Get returns the features under key, if they are here.
func (c *FeatureCache) Get(key FeatureKey) ([]float32, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		c.misses++
		return nil, false
	}
	c.hits++
	c.order.MoveToFront(e)
	return e.Value.(*cached).features, true
}

// Put keeps features under key. What is larger than the whole cache is not kept.
func (c *FeatureCache) Put(key FeatureKey, features []float32) {
	size := 4 * int64(len(features))
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok {
		c.remove(e)
	}
	if size > c.maxBytes {
		return
	}
	for c.bytes+size > c.maxBytes {
		c.remove(c.order.Back())
	}
	c.bytes += size
	c.entries[key] = c.order.PushFront(&cached{key, features})
}

// remove drops an element; c.mu is held.
func (c *FeatureCache) remove(e *list.Element) {
	entry := c.order.Remove(e).(*cached)
	delete(c.entries, entry.key)
	c.bytes -= 4 * int64(len(entry.features))
}

// CacheStats counts what a FeatureCache did.
type CacheStats struct {
	Entries, Bytes, Hits, Misses int64
}

// Stats returns the counters so far.
func (c *FeatureCache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CacheStats{Entries: int64(len(c.entries)), Bytes: c.bytes, Hits: c.hits, Misses: c.misses}
}
