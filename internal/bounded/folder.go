// Package bounded keeps a folder of files that can be made again within so many bytes: what was not used for longest goes first.
// When a file was last used is its modification time, so that processes that share the folder agree without talking.
//
// Three folders are bounded: features (internal/features), rendered pictures (inference) and files of a bucket (internal/blob).
package bounded

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options say what a Folder holds and for how long.
type Options struct {
	Limit int64                  // bytes; more than 0
	Files func(name string) bool // which files count, by their base name; others are left alone

	// Keep protects a file from removal for this long after its last use. Without it, a reader that goes over more files than
	// fit again and again would find each one removed just before its turn. 0 protects none.
	Keep time.Duration
	// Held reports files that must not be removed; nil: there are none. It must not call the Folder.
	Held func(path string) bool
	// TouchAfter is how old a file's time of last use must be before Touch updates it. It spares the disk a write at every use.
	TouchAfter time.Duration
	// Temporary is how the names of unfinished files begin. One that was not written to for an hour was left by a process that
	// died, and is removed. "": unfinished files are none of the Folder's business.
	Temporary string
	Now       func() time.Time // default time.Now
}

// staleAfter is the time since its last write after which a temporary file counts as left behind by a dead process.
const staleAfter = time.Hour

// lookAgain is how long Reserve waits before it searches a full folder in which nothing could be removed once more: a search lists
// the whole folder.
const lookAgain = time.Minute

// Folder is a folder with a bound. It is safe for concurrent use, and other processes may have one of their own for it.
type Folder struct {
	dir     string
	options Options

	mu       sync.Mutex
	counted  bool  // used holds the folder's size
	used     int64 // bytes, as far as this process knows
	removed  int64
	nextLook time.Time // when to search for files to remove again; the last search found none
}

// New bounds a folder, which need not exist yet.
func New(dir string, o Options) *Folder {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Folder{dir: dir, options: o}
}

// Limit is the bound in bytes.
func (f *Folder) Limit() int64 { return f.options.Limit }

// Stats are the bytes that the folder holds, as far as this process knows, and how many files this process has removed.
func (f *Folder) Stats() (used, removed int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used, f.removed
}

// Count looks how many bytes the folder holds.
func (f *Folder) Count() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.count()
	return err
}

// Touch marks a file as used now. before is its modification time, which says when it was last used.
func (f *Folder) Touch(path string, before time.Time) {
	if now := f.options.Now(); now.Sub(before) > f.options.TouchAfter {
		_ = os.Chtimes(path, now, now) // it may be gone already, which is no harm
	}
}

// Full reports whether Reserve would refuse size bytes at once, without a search of the folder.
func (f *Folder) Full(size int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.full(size)
}

func (f *Folder) full(size int64) bool {
	return f.counted && f.used+size > f.options.Limit && f.options.Now().Before(f.nextLook)
}

// Reserve makes room for a file of size bytes that is to be written, and counts it as held. It reports false where no room can be
// made. A caller that then does not write the file gives the bytes back with Return.
func (f *Folder) Reserve(size int64) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full(size) {
		return false, nil
	}
	if !f.counted || f.used+size > f.options.Limit {
		if err := f.makeRoom(size, ""); err != nil {
			return false, err
		}
		if f.used+size > f.options.Limit {
			f.nextLook = f.options.Now().Add(lookAgain)
			return false, nil
		}
	}
	f.used += size
	return true, nil
}

// Return gives back what was reserved for a file that was not written.
func (f *Folder) Return(size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used -= size
}

// Added counts a file that has been written. If the folder is then beyond its bound, other files are removed.
func (f *Folder) Added(path string, size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used += size
	if f.counted && f.used <= f.options.Limit {
		return nil
	}
	return f.makeRoom(0, path)
}

// file is one that counts.
type file struct {
	path string
	size int64
	used time.Time
}

// makeRoom counts the folder and, if size more bytes do not fit, removes files but spared, the longest unused first, down to nine
// tenths of the bound. f.mu is held.
func (f *Folder) makeRoom(size int64, spared string) error {
	files, err := f.count()
	if err != nil || f.used+size <= f.options.Limit {
		return err
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.path, b.path)) })
	now := f.options.Now()
	for _, one := range files {
		if f.used+size <= f.options.Limit/10*9 || now.Sub(one.used) < f.options.Keep {
			break
		}
		if one.path == spared || f.options.Held != nil && f.options.Held(one.path) {
			continue
		}
		if err := ignoreAbsent(os.Remove(one.path)); err != nil {
			return err
		}
		f.used -= one.size
		f.removed++
	}
	return nil
}

// count lists the files that count and adds up their sizes: other processes write here too. Temporary files that are stale are
// removed on the way. f.mu is held.
func (f *Folder) count() ([]file, error) {
	var files []file
	var total int64
	now := f.options.Now()
	err := filepath.WalkDir(f.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreAbsent(err)
		}
		temporary := f.options.Temporary != "" && strings.HasPrefix(entry.Name(), f.options.Temporary)
		if !temporary && !f.options.Files(entry.Name()) {
			return nil
		}
		info, err := entry.Info()
		switch {
		case err != nil:
			return ignoreAbsent(err) // removed by another process meanwhile
		case !temporary:
			files = append(files, file{path, info.Size(), info.ModTime()})
			total += info.Size()
		case now.Sub(info.ModTime()) > staleAfter:
			return ignoreAbsent(os.Remove(path))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f.counted, f.used = true, total
	return files, nil
}

// ignoreAbsent drops the error of a file that another process has removed.
func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
