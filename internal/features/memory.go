package features

import (
	"context"

	"github.com/abn-studio/studio/internal/lru"
)

// Memory keeps features [C, h, w] in memory, for live scores; bounded by bytes, the least recently used go first.
// It is safe for concurrent use. Slices are shared: nobody may change one.
type Memory struct {
	cache   *lru.Cache[Key, []float32]
	flights flights[Key, []float32]
}

// NewMemory keeps at most maxBytes of features (4 bytes a value).
func NewMemory(maxBytes int64) *Memory {
	return &Memory{cache: lru.New[Key](maxBytes, func(features []float32) int64 { return 4 * int64(len(features)) })}
}

// Load returns the features under key, computing them if they are not here: once, however many ask at the same time. Whoever
// leaves does not fail the others; when the last one has left, compute is told to stop.
func (m *Memory) Load(ctx context.Context, key Key, compute func(context.Context) ([]float32, error)) ([]float32, error) {
	if features, ok := m.cache.Get(key); ok {
		return features, nil
	}
	return m.flights.do(ctx, key, func(ctx context.Context) ([]float32, error) {
		features, err := compute(ctx)
		if err == nil {
			m.cache.Put(key, features)
		}
		return features, err
	})
}

// Stats counts what the memory holds, its weight in bytes, and how often it served.
func (m *Memory) Stats() lru.Stats { return m.cache.Stats() }
