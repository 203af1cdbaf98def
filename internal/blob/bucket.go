package blob

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // registers s3://
	"gocloud.dev/gcerrors"

	"github.com/abn-studio/studio/annotator"
)

// bucket keeps files under their hashes in an object store.
type bucket struct{ *blob.Bucket }

func openBucket(ctx context.Context, address string) (*bucket, error) {
	b, err := blob.OpenBucket(ctx, address)
	if err != nil {
		return nil, err
	}
	ok, err := b.IsAccessible(ctx)
	if err == nil && !ok {
		err = fmt.Errorf("there is no such bucket, or the credentials do not reach it")
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return &bucket{b}, nil
}

func (b *bucket) exists(ctx context.Context, hash string) (bool, error) { return b.Exists(ctx, hash) }

func (b *bucket) open(ctx context.Context, hash string) (io.ReadCloser, error) {
	r, err := b.NewReader(ctx, hash, nil)
	switch {
	case err == nil:
		return r, nil
	case gcerrors.Code(err) == gcerrors.NotFound:
		return nil, fmt.Errorf("%w%s", annotator.ErrMissing, remedy)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	default:
		return nil, fmt.Errorf("%w: the blob store: %w", annotator.ErrUnavailable, err)
	}
}

// young is the age below which an object is not uploaded again. Sweeps leave objects alone until they are a day old, so that the row
// that refers to a young one is written long before.
const young = time.Hour

// upload sends a local file, unless a young one is there. Object stores show a file when it is complete, and not before.
func (b *bucket) upload(ctx context.Context, hash, path string) error {
	there, err := b.Attributes(ctx, hash)
	switch {
	case err == nil && time.Since(there.ModTime) < young:
		return nil
	case err != nil && gcerrors.Code(err) != gcerrors.NotFound:
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return b.Upload(ctx, hash, file, &blob.WriterOptions{ContentType: "application/octet-stream"})
}
