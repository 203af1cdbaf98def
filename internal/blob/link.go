package blob

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
)

// The bounds of how long a link may work. Whoever has it can use it until then, also somebody who has left the project since.
const (
	MinLinkLasts = 10 * time.Second
	MaxLinkLasts = time.Hour
)

// GiveLinks lets Link give addresses that work for so long. It fails where the store is a folder and where the bucket's client cannot sign.
// It is called before the store is used by several.
func (s *Store) GiveLinks(ctx context.Context, lasts time.Duration) error {
	if lasts < MinLinkLasts || lasts > MaxLinkLasts {
		return fmt.Errorf("%v: want %v to %v", lasts, MinLinkLasts, MaxLinkLasts)
	}
	if s.bucket == nil {
		return errors.New("a folder of files has no links: they need a bucket")
	}
	if _, err := s.bucket.link(ctx, "a-link", "any", lasts); err != nil {
		return fmt.Errorf("signing a link: %w", err)
	}
	s.linkLasts = lasts
	return nil
}

// Link returns an address at which the bucket itself hands out a file, to be saved under a name, to whoever has the address and for as long as GiveLinks
// said; "" where that was not asked for. Whether the bucket has the file is not asked, and its bytes are not checked.
func (s *Store) Link(ctx context.Context, hash, name string) (string, error) {
	if s.linkLasts == 0 || !valid(hash) {
		return "", nil
	}
	link, err := s.bucket.link(ctx, hash, name, s.linkLasts)
	if err != nil {
		return "", fmt.Errorf("signing a link to file %s: %w", hash, err)
	}
	return link, nil
}

// link signs the address of an object. Signing asks nobody, but for credentials where they are a machine's role.
// Whatever the file is, a browser saves it: nothing that somebody imported is shown, or run, as a page of the bucket's origin.
func (b *bucket) link(ctx context.Context, key, name string, lasts time.Duration) (link string, err error) {
	saved := mime.FormatMediaType("attachment", map[string]string{"filename": name})
	err = b.within(ctx, func(ctx context.Context) (err error) {
		link, err = b.SignedURL(ctx, key, &blob.SignedURLOptions{Expiry: lasts, BeforeSign: func(as func(any) bool) error {
			var get *s3.GetObjectInput
			if !as(&get) {
				return errors.New("the store does not speak S3")
			}
			get.ResponseContentType, get.ResponseContentDisposition, get.ResponseCacheControl = aws.String("application/octet-stream"), aws.String(saved), aws.String("private, no-store")
			return nil
		}})
		return err
	})
	return link, err
}
