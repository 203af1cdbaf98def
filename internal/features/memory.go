package features

import (
	"container/list"
	"context"
	"sync"
)

// Memory keeps features [C, h, w] in memory, for live scores; bounded by bytes, the least recently used go first.
// It is safe for concurrent use. Slices are shared: nobody may change one.
type Memory struct {
	flights flights[Key, []float32]

	mu       sync.Mutex
	maxBytes int64
	bytes    int64
	order    *list.List // of *cached, most recently used in front
	entries  map[Key]*list.Element
	hits     int64
	misses   int64
}

type cached struct {
	key      Key
	features []float32
}

// NewMemory keeps at most maxBytes of features (4 bytes a value).
func NewMemory(maxBytes int64) *Memory {
	return &Memory{maxBytes: maxBytes, order: list.New(), entries: map[Key]*list.Element{}}
}

// Load returns the features under key, computing them if they are not here: once, however many ask at the same time. Whoever
// leaves does not fail the others; when the last one has left, compute is told to stop.
func (m *Memory) Load(ctx context.Context, key Key, compute func(context.Context) ([]float32, error)) ([]float32, error) {
	if features, ok := m.get(key); ok {
		return features, nil
	}
	return m.flights.do(ctx, key, func(ctx context.Context) ([]float32, error) {
		features, err := compute(ctx)
		if err == nil {
			m.put(key, features)
		}
		return features, err
	})
}

func (m *Memory) get(key Key) ([]float32, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[key]
	if !ok {
		m.misses++
		return nil, false
	}
	m.hits++
	m.order.MoveToFront(e)
	return e.Value.(*cached).features, true
}

// put keeps features under key. What is larger than the whole memory is not kept.
func (m *Memory) put(key Key, features []float32) {
	size := 4 * int64(len(features))
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.entries[key]; ok {
		m.remove(e)
	}
	if size > m.maxBytes {
		return
	}
	for m.bytes+size > m.maxBytes {
		m.remove(m.order.Back())
	}
	m.bytes += size
	m.entries[key] = m.order.PushFront(&cached{key, features})
}

// remove drops an element; m.mu is held.
func (m *Memory) remove(e *list.Element) {
	entry := m.order.Remove(e).(*cached)
	delete(m.entries, entry.key)
	m.bytes -= 4 * int64(len(entry.features))
}

// MemoryStats counts what a Memory did.
type MemoryStats struct {
	Entries, Bytes, Hits, Misses int64
}

// Stats returns the counters so far.
func (m *Memory) Stats() MemoryStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return MemoryStats{Entries: int64(len(m.entries)), Bytes: m.bytes, Hits: m.hits, Misses: m.misses}
}
