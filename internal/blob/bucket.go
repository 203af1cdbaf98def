package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aws/smithy-go"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // registers s3://
	"gocloud.dev/gcerrors"

	"github.com/abn-studio/studio/annotator"
)

// bucket keeps files under their hashes in an object store.
type bucket struct {
	*blob.Bucket
	patience time.Duration // how long it may take to begin an answer, whatever the client's own retries, and then to send more of it
	stall    time.Duration // how long it may take nothing of what is sent
}

func openBucket(ctx context.Context, address string) (*bucket, error) {
	b, err := blob.OpenBucket(ctx, address)
	if err != nil {
		return nil, err
	}
	opened := &bucket{b, answerWithin, stallsAfter}
	if err := opened.ping(ctx); err != nil {
		b.Close()
		return nil, err
	}
	return opened, nil
}

// bucketObject is an object as a list has it.
type bucketObject = blob.ListObject

// answerWithin is the patience that a studio has with its bucket.
const answerWithin = 10 * time.Second

// stallsAfter is how long an upload may stand still. The client reads up to five parts of 5 MiB ahead, which a slow line takes a while to carry.
const stallsAfter = 2 * time.Minute

// within asks the bucket something small. An error is ErrBlobsAway unless it is the caller's context's, or says that there is no such object
// (gcerrors.NotFound).
func (b *bucket) within(ctx context.Context, ask func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, b.patience)
	defer cancel()
	return away(ctx, ask(bounded))
}

// away is the error of a bucket for who asked under ctx.
func away(ctx context.Context, err error) error {
	switch {
	case err == nil, gcerrors.Code(err) == gcerrors.NotFound:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return fmt.Errorf("%w: %w", annotator.ErrBlobsAway, Said(err))
	}
}

// Said is what a bucket's server says where it refuses something, such as SignatureDoesNotMatch, in place of the client's long account of what it asked.
func Said(err error) error {
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return err
	}
	return fmt.Errorf("the server says %s: %s", refused.ErrorCode(), refused.ErrorMessage())
}

// ping asks whether the bucket is there.
func (b *bucket) ping(ctx context.Context) error {
	return b.within(ctx, func(ctx context.Context) error {
		ok, err := b.IsAccessible(ctx)
		if err == nil && !ok {
			err = errors.New("there is no such bucket, or the credentials do not reach it")
		}
		return err
	})
}

func (b *bucket) exists(ctx context.Context, hash string) (there bool, err error) {
	err = b.within(ctx, func(ctx context.Context) (err error) {
		there, err = b.Exists(ctx, hash)
		return err
	})
	return there, err
}

// each calls f with every object, until f fails.
func (b *bucket) each(ctx context.Context, f func(*bucketObject) error) error {
	for objects := b.List(nil); ; {
		var object *bucketObject
		err := b.within(ctx, func(ctx context.Context) (err error) {
			if object, err = objects.Next(ctx); err == io.EOF { //nolint:errorlint // a connection that broke wraps io.EOF: that is not the list's end
				object, err = nil, nil
			}
			return err
		})
		if err != nil || object == nil {
			return err
		}
		if err := f(object); err != nil {
			return err
		}
	}
}

// write keeps a small object that is no file of anybody's.
func (b *bucket) write(ctx context.Context, name, text string) error {
	return b.within(ctx, func(ctx context.Context) error { return b.WriteAll(ctx, name, []byte(text), nil) })
}

// remove removes an object, if there is one.
func (b *bucket) remove(ctx context.Context, name string) error {
	err := b.within(ctx, func(ctx context.Context) error { return b.Delete(ctx, name) })
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return err
}

// open begins to read an object. The answer has to begin within the bucket's patience, and more of it to come within that each time; all
// of it takes as long as it takes.
func (b *bucket) open(ctx context.Context, hash string) (io.ReadCloser, error) {
	reading, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(b.patience, cancel)
	r, err := b.NewReader(reading, hash, nil)
	if err == nil && !late.Stop() { // it ends just now
		err = errors.Join(context.DeadlineExceeded, r.Close())
	}
	if err = away(ctx, err); err != nil {
		cancel()
		if gcerrors.Code(err) == gcerrors.NotFound {
			err = fmt.Errorf("%w%s", annotator.ErrMissing, remedy)
		}
		return nil, err
	}
	return &object{r, ctx, cancel, late, b.patience}, nil
}

// object is an object that is being read. A connection that breaks, or brings nothing any more, is a bucket that is away.
type object struct {
	io.ReadCloser
	ctx      context.Context //nolint:containedctx // of who reads it
	cancel   context.CancelFunc
	late     *time.Timer // ends a read that waits too long
	patience time.Duration
}

func (o *object) Read(p []byte) (int, error) {
	o.late.Reset(o.patience)
	n, err := o.ReadCloser.Read(p)
	o.late.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = away(o.ctx, err)
	}
	return n, err
}

func (o *object) Close() error {
	defer o.cancel()
	return o.ReadCloser.Close()
}

// young is the age below which an object is not uploaded again. Sweeps leave objects alone until they are a day old, so that the row
// that refers to a young one is written long before.
const young = time.Hour

// upload sends a local file, unless a young one is there. Object stores show a file when it is complete, and not before.
func (b *bucket) upload(ctx context.Context, hash, path string) error {
	var there *blob.Attributes
	err := b.within(ctx, func(ctx context.Context) (err error) {
		there, err = b.Attributes(ctx, hash)
		return err
	})
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
	sending, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(b.stall, cancel)
	defer late.Stop()
	return away(ctx, b.Upload(sending, hash, &moving{file, late, b.stall}, &blob.WriterOptions{ContentType: "application/octet-stream"}))
}

// moving is a file that is being sent: each time that some of it is taken, the bucket has time again.
type moving struct {
	file  io.Reader
	late  *time.Timer
	stall time.Duration
}

func (m *moving) Read(p []byte) (int, error) {
	m.late.Reset(m.stall)
	return m.file.Read(p)
}
