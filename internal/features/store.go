package features

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Precision is how a Store keeps numbers.
type Precision uint32

// Float16 halves the disk and the reading; what it costs in accuracy is measured in
// docs/training.md. An entry with a value that float16 cannot hold (65520 and more) is kept as float32.
const (
	Float32 Precision = 32
	Float16 Precision = 16
)

// Options configures a Store. Zero fields have defaults.
type Options struct {
	MaxBytes  int64         // bound on the folder's size; default 20 GiB
	Precision Precision     // default Float16
	Keep      time.Duration // an entry used more recently is never evicted; default 10 minutes
	Now       func() time.Time
}

// Store keeps features on disk, one checksummed file an entry, named by the digest of its
// key. Files appear by rename, so that any number of processes may share the folder and a crash
// leaves at most a temporary file; they are not synced, since a torn one fails its checksum, is
// removed and computed again. Safe for concurrent use.
type Store struct {
	dir     string
	options Options

	mu        sync.Mutex
	measured  bool // bytes holds the folder's size
	bytes     int64
	nextEvict time.Time // no eviction before: the last one found nothing to take
	stats     StoreStats
}

// StoreStats counts what a Store did since it was opened.
type StoreStats struct {
	Hits, Misses int64
	Corrupt      int64 // entries that failed their checksum and were removed
	Written      int64
	Refused      int64 // not kept, because everything in the store is in use
	Evicted      int64
	Bytes        int64 // size of the folder as far as this process knows
}

// Open opens (and makes) a store in a folder.
func Open(dir string, o Options) (*Store, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = 20 << 30
	}
	if o.Precision == 0 {
		o.Precision = Float16
	}
	if o.Precision != Float16 && o.Precision != Float32 {
		return nil, fmt.Errorf("feature store %s: precision of %d bits, want 16 or 32", dir, o.Precision)
	}
	if o.Keep == 0 {
		o.Keep = 10 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("feature store: %w", err)
	}
	return &Store{dir: dir, options: o}, nil
}

// Stats returns the counters so far.
func (s *Store) Stats() StoreStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats
	out.Bytes = s.bytes
	return out
}

func (s *Store) count(n *int64) {
	s.mu.Lock()
	*n++
	s.mu.Unlock()
}

// An entry is a header, then the values in row-major order, little-endian:
//
//	0   8  "ABNFEAT1"
//	8   4  precision: 16 or 32
//	12  12 C, h, w
//	24  32 digest of the key
//	56  4  CRC-32C of everything else
//	60     values
const (
	entryMagic  = "ABNFEAT1"
	entryHeader = 60
	entrySuffix = ".feat"
	tempPrefix  = "tmp-"
	staleTemp   = time.Hour // a temporary file this old belongs to a process that died
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errCorruptEntry = errors.New("corrupt feature entry")

// path is where an entry stands: a folder for each origin, fanned out by the digest.
func (s *Store) path(k Key, digest [sha256.Size]byte) string {
	name := hex.EncodeToString(digest[:])
	return filepath.Join(s.dir, k.folder(), name[:2], name+entrySuffix)
}

// buffers holds the byte slices of reads and writes under way.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func borrow(n int) *[]byte {
	b := buffers.Get().(*[]byte)
	if cap(*b) < n {
		*b = make([]byte, n)
	}
	*b = (*b)[:n]
	return b
}

// Get reads an entry into dst [C, h, w] and reports whether there was one. An entry that is torn,
// altered or of other dims is removed and counts as absent.
func (s *Store) Get(k Key, dims [3]int, dst []float32) (bool, error) {
	digest := k.digest()
	path := s.path(k, digest)
	err := s.read(path, digest, dims, dst)
	switch {
	case err == nil:
		s.count(&s.stats.Hits)
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		s.count(&s.stats.Misses)
		return false, nil
	case errors.Is(err, errCorruptEntry):
		s.count(&s.stats.Corrupt)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("remove corrupt feature entry: %w", err)
		}
		return false, nil
	}
	return false, fmt.Errorf("read features: %w", err)
}

// Has reports whether there is an entry for a key, and marks it as used so that it stays. It does not
// look inside: Get does.
func (s *Store) Has(k Key) bool {
	path := s.path(k, k.digest())
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	s.touch(path, info.ModTime())
	return true
}

// touch sets a file's time, which says when it was last used. Half of Keep is fine enough, and saves most writes.
func (s *Store) touch(path string, used time.Time) {
	if now := s.options.Now(); now.Sub(used) > s.options.Keep/2 {
		_ = os.Chtimes(path, now, now) // it may be gone already, which is no harm
	}
}

func (s *Store) read(path string, digest [sha256.Size]byte, dims [3]int, dst []float32) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	n := len(dst)
	size := info.Size()
	if size != int64(entryHeader+2*n) && size != int64(entryHeader+4*n) {
		return errCorruptEntry
	}
	b := borrow(int(size))
	defer buffers.Put(b)
	data := *b
	if _, err := io.ReadFull(f, data); err != nil {
		return err
	}
	precision := Precision(binary.LittleEndian.Uint32(data[8:]))
	switch {
	case string(data[:8]) != entryMagic,
		[sha256.Size]byte(data[24:56]) != digest,
		checksum(data) != binary.LittleEndian.Uint32(data[56:]),
		size != int64(entryHeader+n*int(precision)/8):
		return errCorruptEntry
	}
	for i, d := range dims {
		if binary.LittleEndian.Uint32(data[12+4*i:]) != uint32(d) {
			return errCorruptEntry
		}
	}
	if precision == Float16 {
		decodeFloat16(dst, data[entryHeader:])
	} else {
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[entryHeader+4*i:]))
		}
	}
	s.touch(path, info.ModTime())
	return nil
}

func checksum(entry []byte) uint32 {
	return crc32.Update(crc32.Checksum(entry[:56], castagnoli), castagnoli, entry[entryHeader:])
}

// Round does to values what storing and reading them back does, so that a run sees the same numbers
// whether or not an entry could be kept.
func (s *Store) Round(values []float32) {
	if s.options.Precision != Float16 {
		return
	}
	b := borrow(2 * len(values))
	defer buffers.Put(b)
	if encodeFloat16(*b, values) {
		decodeFloat16(values, *b)
	}
}

// Put keeps values [C, h, w] under a key. When the store is full it evicts the entries least
// recently used; when all are in use the values are silently not kept (see Stats).
func (s *Store) Put(k Key, dims [3]int, values []float32) error {
	if len(values) != dims[0]*dims[1]*dims[2] {
		return fmt.Errorf("keep features: %d values for %v", len(values), dims)
	}
	precision := s.options.Precision
	b := borrow(entryHeader + 4*len(values))
	defer buffers.Put(b)
	data := *b
	if precision == Float16 && encodeFloat16(data[entryHeader:], values) {
		data = data[:entryHeader+2*len(values)]
	} else {
		precision = Float32
		for i, v := range values {
			binary.LittleEndian.PutUint32(data[entryHeader+4*i:], math.Float32bits(v))
		}
	}
	digest := k.digest()
	copy(data, entryMagic)
	binary.LittleEndian.PutUint32(data[8:], uint32(precision))
	for i, d := range dims {
		binary.LittleEndian.PutUint32(data[12+4*i:], uint32(d))
	}
	copy(data[24:], digest[:])
	binary.LittleEndian.PutUint32(data[56:], checksum(data))

	room, err := s.reserve(int64(len(data)))
	if err != nil || !room {
		return err
	}
	if err := s.write(s.path(k, digest), data); err != nil {
		s.mu.Lock()
		s.bytes -= int64(len(data))
		s.mu.Unlock()
		return fmt.Errorf("keep features: %w", err)
	}
	s.count(&s.stats.Written)
	return nil
}

func (s *Store) write(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, tempPrefix)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		f, err = os.CreateTemp(dir, tempPrefix)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		now := s.options.Now()
		err = errors.Join(os.Chtimes(f.Name(), now, now), os.Rename(f.Name(), path))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
