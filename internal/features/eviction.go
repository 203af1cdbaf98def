package features

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// reserve makes room for size more bytes and counts them. It reports false where there is none to
// be had.
func (s *Store) reserve(size int64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.measured || s.bytes+size > s.options.MaxBytes && !s.options.Now().Before(s.nextEvict) {
		if err := s.evict(size); err != nil {
			return false, fmt.Errorf("feature store %s: %w", s.dir, err)
		}
	}
	if s.bytes+size > s.options.MaxBytes {
		s.stats.Refused++
		return false, nil
	}
	s.bytes += size
	return true, nil
}

// evict measures the folder (other processes write to it too) and, if size more bytes do not fit,
// removes entries, the least recently used first, down to nine tenths of the bound. Entries used
// within Keep stay: a run that goes round and round over more images than fit would otherwise evict
// each just before it comes to it. s.mu is held.
func (s *Store) evict(size int64) error {
	type entry struct {
		path string
		size int64
		used time.Time
	}
	var entries []entry
	var total int64
	now := s.options.Now()
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreAbsent(err)
		}
		info, err := d.Info()
		if err != nil {
			return ignoreAbsent(err) // evicted by another process meanwhile
		}
		switch {
		case strings.HasSuffix(path, entrySuffix):
			entries = append(entries, entry{path, info.Size(), info.ModTime()})
			total += info.Size()
		case strings.HasPrefix(d.Name(), tempPrefix) && now.Sub(info.ModTime()) > staleTemp:
			return ignoreAbsent(os.Remove(path))
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.measured, s.bytes = true, total
	if total+size <= s.options.MaxBytes {
		return nil
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.path, b.path)) })
	for _, e := range entries {
		if s.bytes+size <= s.options.MaxBytes/10*9 || now.Sub(e.used) < s.options.Keep {
			break
		}
		if err := ignoreAbsent(os.Remove(e.path)); err != nil {
			return err
		}
		s.bytes -= e.size
		s.stats.Evicted++
	}
	if s.bytes+size > s.options.MaxBytes {
		s.nextEvict = now.Add(s.options.Keep / 10)
	}
	return nil
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
