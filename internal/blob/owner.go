package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gocloud.dev/gcerrors"

	"github.com/abn-studio/studio/internal/disk"
)

// ownerName is the file in which a store names its owner; no hash has that name.
const ownerName = "owner"

// ErrOwned is returned for a store that belongs to another studio, whose database refers to its files.
var ErrOwned = errors.New("the blob store belongs to another studio")

// Claim makes a studio the owner of a store that has none; ErrOwned if another studio owns it. Only the owner may sweep a store,
// since only its database tells which files are still referred to.
func (s *Store) Claim(ctx context.Context, owner string) error {
	found, err := s.owner(ctx)
	if err == nil && found == "" {
		if err = s.setOwner(ctx, owner); err == nil {
			found, err = s.owner(ctx) // two may have claimed it at once
		}
	}
	if err != nil {
		return fmt.Errorf("claiming the blob store: %w", err)
	}
	if found != owner {
		return fmt.Errorf("%w (%s, this one is %s): give each studio a store, or an s3 prefix, of its own", ErrOwned, found, owner)
	}
	return nil
}

func (s *Store) owner(ctx context.Context) (string, error) {
	if s.bucket != nil {
		var data []byte
		err := s.bucket.within(ctx, func(ctx context.Context) (err error) {
			data, err = s.bucket.ReadAll(ctx, ownerName)
			return err
		})
		if gcerrors.Code(err) == gcerrors.NotFound {
			return "", nil
		}
		return strings.TrimSpace(string(data)), err
	}
	data, err := os.ReadFile(filepath.Join(s.files.dir, ownerName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

func (s *Store) setOwner(ctx context.Context, owner string) error {
	if s.bucket != nil {
		return s.bucket.write(ctx, ownerName, owner+"\n")
	}
	file, err := os.OpenFile(filepath.Join(s.files.dir, ownerName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return disk.Full(err)
	}
	_, err = file.WriteString(owner + "\n")
	return disk.Full(errors.Join(err, file.Close()))
}
