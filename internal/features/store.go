package features

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/abn-studio/studio/internal/bounded"
)

// Precision is how a Store keeps numbers.
type Precision uint32

// Float16 halves the space and the reading time; docs/training.md has its effect on accuracy. An entry with a value that float16
// cannot hold (65520 and more) is kept as float32.
const (
	Float32 Precision = 32
	Float16 Precision = 16
)

// Options configures a Store. Zero fields have defaults.
type Options struct {
	MaxBytes  int64         // bound on the folder's size; default DefaultBytes
	Precision Precision     // default Float16
	Keep      time.Duration // an entry used more recently is never evicted; default 10 minutes
	Logger    *slog.Logger  // for warnings that the folder cannot be read or written, one a minute at most; default slog.Default()
	Now       func() time.Time
}

// DefaultBytes is the default bound on disk: as float16, ResNet-50's features of 50,000 pictures of 224 pixels.
const DefaultBytes = 20 << 30

// Store keeps features on disk, one checksummed file an entry, named by the digest of its key. Files appear by rename, so that
// any number of processes may share the folder and a crash leaves at most a temporary file; they are not synced, since an
// incomplete one fails its checksum, is removed and computed again. It is safe for concurrent use.
//
// Nothing depends on it: features that cannot be read or written are computed, with a warning in the log.
type Store struct {
	dir       string
	precision Precision
	folder    *bounded.Folder
	log       *slog.Logger
	now       func() time.Time

	mu    sync.Mutex
	stats Stats
	views map[*View]struct{} // that have used entries, which therefore stay
	rest  time.Time          // no writing before then, since the last try failed
	told  time.Time          // when a failure was last logged
}

// Stats counts what a Store did since it was opened.
type Stats struct {
	Hits, Misses int64
	Corrupt      int64 // entries that failed their checksum and were removed
	Written      int64
	Refused      int64 // not kept: everything in the store is in use, or it cannot be written
	Failed       int64 // reads and writes that failed in the file system
	Evicted      int64
	Bytes        int64 // size of the folder as far as this process knows
	MaxBytes     int64
}

// Open opens (and makes) a store in a folder.
func Open(dir string, o Options) (*Store, error) {
	o.MaxBytes, o.Precision, o.Keep = cmp.Or(o.MaxBytes, DefaultBytes), cmp.Or(o.Precision, Float16), cmp.Or(o.Keep, 10*time.Minute)
	if o.Precision != Float16 && o.Precision != Float32 {
		return nil, fmt.Errorf("feature store %s: precision of %d bits, want 16 or 32", dir, o.Precision)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("feature store: %w", err)
	}
	s := &Store{dir: dir, precision: o.Precision, log: o.Logger, now: o.Now, views: map[*View]struct{}{}}
	s.folder = bounded.New(dir, bounded.Options{
		Limit: o.MaxBytes, Keep: o.Keep, TouchAfter: o.Keep / 2, Held: s.isHeld, Temporary: tempPrefix, Now: o.Now,
		Files: func(name string) bool { return filepath.Ext(name) == entrySuffix },
	})
	return s, nil
}

// Stats returns the counters so far.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	out := s.stats
	s.mu.Unlock()
	out.Bytes, out.Evicted = s.folder.Stats()
	out.MaxBytes = s.folder.Limit()
	return out
}

// Count finds the size of the folder, for Stats. Otherwise the first write does.
func (s *Store) Count() error { return s.folder.Count() }

func (s *Store) count(n *int64) {
	s.mu.Lock()
	*n++
	s.mu.Unlock()
}

// rests is how long nothing is written after a write failed: on a full disk, trying costs as much as writing.
const rests = time.Minute

// failed counts a failure of the file system, and logs it at most once a minute.
func (s *Store) failed(doing string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Failed++
	if now := s.now(); now.Sub(s.told) > time.Minute {
		s.told = now
		s.log.Warn("features are computed anew instead of being kept", "while", doing, "err", err)
	}
}

func (s *Store) isHeld(path string) bool {
	name, err := hex.DecodeString(strings.TrimSuffix(filepath.Base(path), entrySuffix))
	if err != nil || len(name) != sha256.Size {
		return false // no entry of a view
	}
	digest := [sha256.Size]byte(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.views {
		if v.holds(digest) {
			return true
		}
	}
	return false
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
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errCorruptEntry = errors.New("corrupt feature entry")

// path is the path of an entry: a folder for each origin, with subfolders by the first letters of the digest.
func (s *Store) path(k Key, digest [sha256.Size]byte) string {
	name := hex.EncodeToString(digest[:])
	return filepath.Join(s.dir, k.folder(), name[:2], name+entrySuffix)
}

// buffers are byte slices for reads and writes, reused.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func borrow(n int) *[]byte {
	b := buffers.Get().(*[]byte)
	if cap(*b) < n {
		*b = make([]byte, n)
	}
	*b = (*b)[:n]
	return b
}

// get reads an entry into dst [C, h, w] and reports whether there was one. An entry that is incomplete, altered or of other dims
// is removed and counts as absent.
func (s *Store) get(path string, digest [sha256.Size]byte, dims [3]int, dst []float32) bool {
	err := s.read(path, digest, dims, dst)
	switch {
	case err == nil:
		s.count(&s.stats.Hits)
		return true
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, errCorruptEntry):
		s.count(&s.stats.Corrupt)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.failed("removing a damaged entry", err)
		}
	default:
		s.failed("reading", err)
	}
	s.count(&s.stats.Misses)
	return false
}

// has reports whether there is an entry, and marks it as used so that it stays. It does not check the contents; get does.
func (s *Store) has(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	s.folder.Touch(path, info.ModTime())
	return true
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
	s.folder.Touch(path, info.ModTime())
	return nil
}

func checksum(entry []byte) uint32 {
	return crc32.Update(crc32.Checksum(entry[:56], castagnoli), castagnoli, entry[entryHeader:])
}

// Round rounds values as storing and reading them back does, so that a run sees the same numbers whether or not an entry could be
// stored.
func (s *Store) Round(values []float32) {
	if s.precision != Float16 {
		return
	}
	b := borrow(2 * len(values))
	defer buffers.Put(b)
	if encodeFloat16(*b, values) {
		decodeFloat16(values, *b)
	}
}

// put stores values [C, h, w] and reports whether it could. If the store is full, it evicts the least recently used entries that
// are not in use.
func (s *Store) put(path string, digest [sha256.Size]byte, dims [3]int, values []float32) bool {
	b := borrow(entryHeader + 4*len(values))
	defer buffers.Put(b)
	data := s.encode(*b, digest, dims, values)
	if s.resting() {
		s.count(&s.stats.Refused)
		return false
	}
	room, err := s.folder.Reserve(int64(len(data)))
	if err == nil && room {
		if err = s.write(path, data); err != nil {
			s.folder.Return(int64(len(data)))
		}
	}
	switch {
	case err != nil:
		s.failed("writing", err)
		s.mu.Lock()
		s.rest = s.now().Add(rests)
		s.mu.Unlock()
		return false
	case !room:
		s.count(&s.stats.Refused)
		return false
	}
	s.count(&s.stats.Written)
	return true
}

// full reports whether an entry of this many values cannot be stored now.
func (s *Store) full(values int) bool {
	return s.resting() || s.folder.Full(int64(entryHeader+values*int(s.precision)/8))
}

func (s *Store) resting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Before(s.rest)
}

// encode makes a file of values, in buffer.
func (s *Store) encode(buffer []byte, digest [sha256.Size]byte, dims [3]int, values []float32) []byte {
	data, precision := buffer, s.precision
	if precision == Float16 && encodeFloat16(data[entryHeader:], values) {
		data = data[:entryHeader+2*len(values)]
	} else {
		precision = Float32
		for i, v := range values {
			binary.LittleEndian.PutUint32(data[entryHeader+4*i:], math.Float32bits(v))
		}
	}
	copy(data, entryMagic)
	binary.LittleEndian.PutUint32(data[8:], uint32(precision))
	for i, d := range dims {
		binary.LittleEndian.PutUint32(data[12+4*i:], uint32(d))
	}
	copy(data[24:], digest[:])
	binary.LittleEndian.PutUint32(data[56:], checksum(data))
	return data
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
		now := s.now()
		err = errors.Join(os.Chtimes(f.Name(), now, now), os.Rename(f.Name(), path))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
