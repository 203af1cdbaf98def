package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/abn-studio/studio/annotator"
)

// Stored is a file of the store.
type Stored struct {
	Hash string
	Size int64
}

// List returns every file of the store; of a bucket, its objects and not the local copies.
func (s *Store) List(ctx context.Context) ([]Stored, error) {
	var all []Stored
	if s.bucket == nil {
		files, _, err := s.files.list()
		for _, f := range files {
			all = append(all, Stored{f.hash, f.size})
		}
		if err != nil {
			err = fmt.Errorf("listing the blob store: %w", err)
		}
		return all, err
	}
	err := s.bucket.each(ctx, func(object *bucketObject) error {
		if valid(object.Key) {
			all = append(all, Stored{object.Key, object.Size})
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("listing the blob store: %w", err)
	}
	return all, err
}

// Verify reads a file to its end and keeps no copy: nil, annotator.ErrDamaged, ErrMissing, or why it could not be read.
func (s *Store) Verify(ctx context.Context, hash string) error {
	if s.bucket == nil {
		file, err := openChecked(ctx, s.files.path(hash), hash)
		if err != nil {
			return err
		}
		return file.Close()
	}
	reader, err := s.bucket.open(ctx, hash)
	if err != nil {
		return fmt.Errorf("file %s: %w", hash, err)
	}
	defer reader.Close()
	return checked(ctx, reader, hash)
}

// Stream opens a file to be read once from its beginning, and keeps no copy. Its last Read gives annotator.ErrDamaged in place of io.EOF
// where the bytes were not those of the hash: what was read is good only once io.EOF has come.
func (s *Store) Stream(ctx context.Context, hash string) (io.ReadCloser, error) {
	if !valid(hash) {
		return nil, fmt.Errorf("file %q: %w: that is no SHA-256 in lower-case hex", hash, annotator.ErrMissing)
	}
	var file io.ReadCloser
	var err error
	if s.bucket == nil {
		if file, err = os.Open(s.files.path(hash)); errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%w%s", annotator.ErrMissing, remedy)
		}
	} else {
		file, err = s.bucket.open(ctx, hash)
	}
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", hash, err)
	}
	return &stream{file: file, from: readerWithContext{ctx, file}, sum: sha256.New(), hash: hash}, nil
}

// stream hashes what is read of a file.
type stream struct {
	file io.Closer
	from io.Reader
	sum  hash.Hash
	hash string
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	s.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && hex.EncodeToString(s.sum.Sum(nil)) != s.hash {
		err = damaged(s.hash)
	}
	return n, err
}

func (s *stream) Close() error { return s.file.Close() }
