package network

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/abn-studio/studio/internal/flight"
	"github.com/abn-studio/studio/internal/lru"
	"github.com/abn-studio/studio/internal/manifest"
)

// DefaultStoreBytes bounds the files of the networks that a Store keeps: ResNet-152 with both branches has 320 MB.
const DefaultStoreBytes = 512 << 20

// Store opens networks by the hash of their file and keeps the most recently used. It is safe for concurrent use.
type Store struct {
	path    func(ctx context.Context, hash string) (string, error)
	cache   *lru.Cache[string, opened]
	flights flight.Group[string, *Network]
}

// opened is a network with the size of its file.
type opened struct {
	network *Network
	bytes   int64
}

// NewStore finds files by path (blob.Store.Path) and keeps networks whose files have at most so many bytes together (0:
// DefaultStoreBytes). A network that is larger is opened each time.
func NewStore(path func(ctx context.Context, hash string) (string, error), most int64) *Store {
	return &Store{path: path, cache: lru.New[string](cmp.Or(most, DefaultStoreBytes), func(o opened) int64 { return o.bytes })}
}

// Open returns the network of a file's hash with its stored manifest, opening it if needed: once, even if several callers ask at
// the same time. The manifest must fit the network.
func (s *Store) Open(ctx context.Context, hash string, stored json.RawMessage) (*Network, error) {
	key := hash + " " + string(stored)
	if kept, ok := s.cache.Get(key); ok {
		return kept.network, nil
	}
	return s.flights.Finish(ctx, key, func(ctx context.Context) (*Network, error) {
		if kept, ok := s.cache.Get(key); ok {
			return kept.network, nil
		}
		n, size, err := s.open(ctx, hash, stored)
		if err != nil {
			return nil, err
		}
		s.cache.Put(key, opened{n, size})
		return n, nil
	})
}

func (s *Store) open(ctx context.Context, hash string, stored json.RawMessage) (*Network, int64, error) {
	m, err := manifest.Stored(stored)
	if err != nil {
		return nil, 0, err
	}
	path, err := s.path(ctx, hash)
	if err != nil {
		return nil, 0, fmt.Errorf("fetching the model: %w", err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, fmt.Errorf("read model: %w", err)
	}
	n, err := Read(ctx, file, m)
	if err != nil {
		return nil, 0, err
	}
	return n, int64(len(file)), n.Fits()
}
