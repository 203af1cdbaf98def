package features

import (
	"context"

	"github.com/abn-studio/studio/internal/flight"
	"github.com/abn-studio/studio/internal/lru"
)

// Memory keeps features [C, h, w] in memory, for live scores, within a bound in bytes; the least recently used go first. It is
// safe for concurrent use. The slices are shared and must not be changed.
type Memory struct {
	cache   *lru.Cache[Key, []float32]
	flights flight.Group[Key, []float32]
}

// NewMemory keeps at most maxBytes of features (4 bytes a value).
func NewMemory(maxBytes int64) *Memory {
	return &Memory{cache: lru.New[Key](maxBytes, func(features []float32) int64 { return 4 * int64(len(features)) })}
}

// Load returns the features under key, computing them if needed: once, even if several callers ask at the same time. If a
// caller's context ends, the others still get them; when the last one has left, the context of compute ends.
func (m *Memory) Load(ctx context.Context, key Key, compute func(context.Context) ([]float32, error)) ([]float32, error) {
	if features, ok := m.cache.Get(key); ok {
		return features, nil
	}
	return m.flights.Do(ctx, key, func(ctx context.Context) ([]float32, error) {
		features, err := compute(ctx)
		if err == nil {
			m.cache.Put(key, features)
		}
		return features, err
	})
}

// Stats counts the entries, their bytes, hits and misses.
func (m *Memory) Stats() lru.Stats { return m.cache.Stats() }
