package inference

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultPictureBytes bounds the renderings kept on disk: some 20,000 views of 1024 pixels with their thumbnails.
const DefaultPictureBytes = 4 << 30

// pictureCache bounds a folder of renderings: the longest unused ones go. When one was used is its file's modification
// time, so that processes that share the folder agree.
type pictureCache struct {
	dir   string
	limit int64

	mu      sync.Mutex
	counted bool
	used    int64 // bytes, as far as this process knows
}

// touchAfter spares the disk a write at every look at a picture.
const touchAfter = time.Hour

// touch marks a rendering as used.
func (c *pictureCache) touch(f *os.File) {
	info, err := f.Stat()
	if now := time.Now(); err == nil && now.Sub(info.ModTime()) > touchAfter {
		_ = os.Chtimes(f.Name(), now, now) // another process may have removed it: it is open all the same
	}
}

// add counts a new rendering and, beyond the limit, removes the longest unused ones down to nine tenths of it.
func (c *pictureCache) add(size int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used += size
	if c.counted && c.used <= c.limit {
		return nil
	}
	type rendering struct {
		path string
		size int64
		used time.Time
	}
	var all []rendering
	var total int64
	err := filepath.WalkDir(c.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".jpg") {
			return ignoreGone(err)
		}
		info, err := entry.Info()
		if err != nil {
			return ignoreGone(err)
		}
		all = append(all, rendering{path, info.Size(), info.ModTime()})
		total += info.Size()
		return nil
	})
	if err != nil {
		return err
	}
	c.counted, c.used = true, total
	if total <= c.limit {
		return nil
	}
	slices.SortFunc(all, func(a, b rendering) int { return a.used.Compare(b.used) })
	for _, r := range all {
		if c.used <= c.limit/10*9 {
			break
		}
		if err := os.Remove(r.path); ignoreGone(err) != nil {
			return err
		}
		c.used -= r.size
	}
	return nil
}

// ignoreGone drops the error of a file that another process has removed.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
