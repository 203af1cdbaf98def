package blob

import (
	"context"
	"errors"
	"fmt"
	"io"

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
	for objects := s.bucket.List(nil); ; {
		object, err := objects.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, fmt.Errorf("listing the blob store: %w: %w", annotator.ErrUnavailable, err)
		}
		if valid(object.Key) {
			all = append(all, Stored{object.Key, object.Size})
		}
	}
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
