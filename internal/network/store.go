package network

import (
	"container/list"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sync/singleflight"

	"github.com/abn-studio/studio/internal/manifest"
)

// DefaultStoreBytes bounds the files of the networks that a Store keeps: ResNet-152 with both branches has 320 MB.
const DefaultStoreBytes = 512 << 20

// Store opens networks by the hash of their file and keeps those used last. It is safe for concurrent use.
type Store struct {
	path    func(ctx context.Context, hash string) (string, error)
	most    int64 // bytes of files
	flights singleflight.Group

	mu      sync.Mutex
	bytes   int64
	order   *list.List // of *storeEntry, most recently used in front
	entries map[string]*list.Element
}

type storeEntry struct {
	key     string
	network *Network
	bytes   int64
}

// NewStore finds files by path (blob.Store.Path) and keeps networks of at most so many bytes together (0: DefaultStoreBytes); a
// larger one is opened anew each time.
func NewStore(path func(ctx context.Context, hash string) (string, error), most int64) *Store {
	if most == 0 {
		most = DefaultStoreBytes
	}
	return &Store{path: path, most: most, order: list.New(), entries: map[string]*list.Element{}}
}

// Open returns the network of a file's hash with its stored manifest, opening it if need be, once however many ask at the same
// time. The manifest must fit the network.
func (s *Store) Open(ctx context.Context, hash string, stored json.RawMessage) (*Network, error) {
	key := hash + " " + string(stored)
	if n := s.lookup(key); n != nil {
		return n, nil
	}
	// Whoever asks first opens it for all: their leaving must not fail the others.
	detached := context.WithoutCancel(ctx)
	opened := s.flights.DoChan(key, func() (any, error) {
		if n := s.lookup(key); n != nil {
			return n, nil
		}
		n, size, err := s.open(detached, hash, stored)
		if err == nil {
			s.keep(key, n, size)
		}
		return n, err
	})
	select {
	case r := <-opened:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*Network), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
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

func (s *Store) lookup(key string) *Network {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[key]
	if !ok {
		return nil
	}
	s.order.MoveToFront(e)
	return e.Value.(*storeEntry).network
}

// keep adds a network and lets go of those that no longer fit.
func (s *Store) keep(key string, n *Network, size int64) {
	if size > s.most {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[key] = s.order.PushFront(&storeEntry{key, n, size})
	for s.bytes += size; s.bytes > s.most; {
		old := s.order.Remove(s.order.Back()).(*storeEntry)
		delete(s.entries, old.key)
		s.bytes -= old.bytes
	}
}
