package features

import (
	"crypto/sha256"
	"sync"
)

// View is one scan's or one training's use of a Store, for the features of one network. What it has read or written is not
// evicted before Close, even if the store is full. A training that goes over more images than fit thus finds some of them in
// every epoch; if the latest were kept instead, it would find none. Processes that share the folder do not know each other's
// views; of their entries, those used within Options.Keep stay. It is safe for concurrent use.
type View struct {
	store  *Store
	origin Origin
	dims   [3]int

	mu   sync.Mutex
	held map[[sha256.Size]byte]struct{} // digests of entries, a fifth of their paths
}

// View opens the store's features of one network, each of dims C, h, w.
func (s *Store) View(origin Origin, dims [3]int) *View {
	return &View{store: s, origin: origin, dims: dims, held: map[[sha256.Size]byte]struct{}{}}
}

// Close allows eviction of what the view has used. The view may be used again.
func (v *View) Close() {
	v.store.mu.Lock()
	delete(v.store.views, v)
	v.store.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.held)
}

// Get reads the features of an image, by its hash, into dst [C, h, w] and reports whether they are there.
func (v *View) Get(image string, dst []float32) bool { return v.get(image, false, dst) }

// Put keeps the features [C, h, w] of an image, by its hash, if there is room.
func (v *View) Put(image string, values []float32) { v.put(image, false, values) }

func (v *View) get(image string, mirrored bool, dst []float32) bool {
	path, digest := v.at(image, mirrored)
	if !v.store.get(path, digest, v.dims, dst) {
		return false
	}
	v.hold(digest)
	return true
}

func (v *View) has(image string, mirrored bool) bool {
	path, digest := v.at(image, mirrored)
	if !v.store.has(path) {
		return false
	}
	v.hold(digest)
	return true
}

func (v *View) put(image string, mirrored bool, values []float32) bool {
	path, digest := v.at(image, mirrored)
	if !v.store.put(path, digest, v.dims, values) {
		return false
	}
	v.hold(digest)
	return true
}

// full reports whether nothing can be stored now.
func (v *View) full() bool { return v.store.full(v.dims[0] * v.dims[1] * v.dims[2]) }

// at is the path of an image's features.
func (v *View) at(image string, mirrored bool) (path string, digest [sha256.Size]byte) {
	key := Key{Origin: v.origin, Image: image, Mirrored: mirrored}
	digest = key.digest()
	return v.store.path(key, digest), digest
}

func (v *View) hold(digest [sha256.Size]byte) {
	v.mu.Lock()
	first := len(v.held) == 0
	v.held[digest] = struct{}{}
	v.mu.Unlock()
	if first {
		v.store.mu.Lock()
		v.store.views[v] = struct{}{}
		v.store.mu.Unlock()
	}
}

func (v *View) holds(digest [sha256.Size]byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, held := v.held[digest]
	return held
}
