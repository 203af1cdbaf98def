package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/abn-studio/studio/internal/bounded"
	"github.com/abn-studio/studio/internal/disk"
)

// folder keeps files as DIR/ab/abcd…, so that no folder holds more files than a file system is fast at.
type folder struct {
	dir   string
	cache *bounded.Folder // bounds dir, where that is a cache; nil: everything is kept
}

// openFolder opens a folder as a store, or, with a limit in bytes, as a cache.
func openFolder(dir string, limit int64) (*folder, error) {
	if err := os.MkdirAll(filepath.Join(dir, "incoming"), 0o700); err != nil {
		return nil, disk.Full(err)
	}
	f := &folder{dir: dir}
	if limit > 0 {
		f.cache = bounded.New(dir, bounded.Options{Limit: limit, Files: valid})
	}
	return f, nil
}

func (f *folder) path(hash string) string { return filepath.Join(f.dir, hash[:2], hash) }

// incoming is the folder of files that are still being received.
func (f *folder) incoming() string { return filepath.Join(f.dir, "incoming") }

// received is a complete file that has no name in the store yet. It stays locked until close, so that SweepIncoming leaves it alone.
type received struct {
	file *os.File
	hash string
	size int64
}

// close unlocks the file and removes it, unless keep gave it its name.
func (r *received) close() {
	r.file.Close()
	os.Remove(r.file.Name())
}

// receive writes r to a temporary file on the same file system and hashes its bytes.
func (f *folder) receive(r io.Reader) (*received, error) {
	file, err := disk.Temporary(f.incoming())
	if err != nil {
		return nil, err
	}
	in, sum := &received{file: file}, sha256.New()
	in.size, err = io.Copy(io.MultiWriter(file, sum), r)
	if err == nil {
		err = file.Chmod(0o444)
	}
	if err != nil {
		in.close()
		return nil, disk.Full(err)
	}
	in.hash = hex.EncodeToString(sum.Sum(nil))
	return in, nil
}

// keep gives a received file its name in the store.
func (f *folder) keep(in *received) error {
	path := f.path(in.hash)
	if _, err := os.Stat(path); err == nil {
		// Young again, so that a sweep under way does not take it for forgotten.
		now := time.Now()
		return os.Chtimes(path, now, now)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return disk.Full(err)
	}
	if err := in.file.Sync(); err != nil { // a name never stands for half a file, not even after a power cut
		return disk.Full(err)
	}
	if err := os.Rename(in.file.Name(), path); err != nil {
		return disk.Full(err)
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		dir.Sync() // the name itself; not every file system can
		dir.Close()
	}
	if f.cache == nil {
		return nil
	}
	return f.cache.Added(path, in.size)
}

// touch marks a cached file as used.
func (f *folder) touch(path string) {
	if f.cache != nil {
		f.cache.Touch(path, time.Time{})
	}
}

// stored is a file of the folder.
type stored struct {
	hash, path string
	size       int64
	used       time.Time
}

func (f *folder) list() (files []stored, total int64, err error) {
	err = filepath.WalkDir(f.dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed by another process meanwhile
		}
		if err != nil || entry.IsDir() || !valid(entry.Name()) {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		files = append(files, stored{hash: entry.Name(), path: path, size: info.Size(), used: info.ModTime()})
		total += info.Size()
		return nil
	})
	return files, total, err
}
