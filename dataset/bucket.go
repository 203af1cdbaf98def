package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // registers azblob://
	_ "gocloud.dev/blob/s3blob"    // registers s3://
	"gocloud.dev/gcerrors"
	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/text"
)

// ErrBucket is returned for a bucket that cannot be read.
var ErrBucket = errors.New("the bucket cannot be read")

// cloud is a kind of bucket, told by the scheme of its addresses.
type cloud struct {
	scheme  string
	example string
	remedy  string // where its credentials come from
}

var clouds = []cloud{
	{"s3", "s3://BUCKET/PREFIX?region=R", "credentials are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or those of AWS_PROFILE or of the machine's role; the region is AWS_REGION or ?region=…; " +
		"other servers are named with ?endpoint=https://…&use_path_style=true, and a public bucket is read with ?anonymous=true"},
	{"gs", "gs://BUCKET/PREFIX", "credentials are GOOGLE_APPLICATION_CREDENTIALS, those of 'gcloud auth application-default login' or of the machine's role; a public bucket is read with ?anonymous=true"},
	{"azblob", "azblob://CONTAINER/PREFIX", "the account is AZURE_STORAGE_ACCOUNT, its credentials AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or those of the machine's identity"},
}

// IsAddress reports whether given is the address of a bucket ("s3://bucket/prefix") and not a path.
func IsAddress(given string) bool {
	scheme, _, ok := strings.Cut(given, "://")
	return ok && scheme != "" && !strings.ContainsAny(scheme, `/\.`)
}

// BaseName returns the last part of a data set's path or address.
func BaseName(given string) string {
	if IsAddress(given) {
		given, _, _ = strings.Cut(given, "?")
		return path.Base(given)
	}
	return filepath.Base(filepath.Clean(given))
}

// resolve returns the folder or file that was given. The files of an address are first fetched into a temporary folder.
func (d *Dataset) resolve(given string) (string, error) {
	if !IsAddress(given) {
		return given, nil
	}
	u, err := url.Parse(given)
	if err != nil {
		return "", fmt.Errorf("%w: its address is malformed: want %s, with %s", ErrBucket, clouds[0].example, escapes)
	}
	if u.Scheme == "file" {
		if u.Host != "" && u.Host != "localhost" {
			return "", fmt.Errorf("%w: %q names another machine: want file:///PATH", ErrBucket, u.Host)
		}
		return filepath.FromSlash(u.Path), nil
	}
	at := slices.IndexFunc(clouds, func(c cloud) bool { return c.scheme == u.Scheme })
	switch {
	case at < 0:
		return "", fmt.Errorf("%w: %s:// is not read: want a path, %s, %s or %s", ErrBucket, text.Cut(u.Scheme, 20), clouds[0].example, clouds[1].example, clouds[2].example)
	case u.Host == "":
		return "", fmt.Errorf("%w: no bucket is named: want %s", ErrBucket, clouds[at].example)
	case strings.Contains(given, "#"):
		return "", fmt.Errorf("%w: what follows # in its address says nothing of files: write the prefix with %s", ErrBucket, escapes)
	}
	for setting, values := range u.Query() {
		if strings.Contains(setting, "/") || values[0] == "" {
			return "", fmt.Errorf("%w: what follows ? in its address are settings, such as region=R, and %q is none: write the prefix with %s", ErrBucket, text.Cut(setting, 100), escapes)
		}
	}
	ctx := d.options.Context
	if ctx == nil {
		ctx = context.Background()
	}
	fetched, err := d.fetch(ctx, u)
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrArchive) || errors.Is(err, ErrEmpty) || errors.Is(err, errNoRoom) {
		return fetched, err
	}
	why, refused := "", (*azcore.ResponseError)(nil)
	switch code := gcerrors.Code(err); {
	case code == gcerrors.NotFound:
		why = "it is not there, or not in this region or account: "
	case code == gcerrors.PermissionDenied, errors.As(err, &refused) && refused.StatusCode == http.StatusForbidden: // which the driver does not tell
		why = "these credentials may not read it: "
	}
	return "", fmt.Errorf("%w: %s, prefix %q: %s%s (%s)", ErrBucket, u.Host, strings.TrimPrefix(u.Path, "/"), why, text.Cut(oneLine(err), 300), clouds[at].remedy)
}

// escapes is how a prefix has the characters that mean something else in an address.
const escapes = "%, ? and # in it as %25, %3F and %23"

// oneLine returns a cloud client's message in one line, without the ruled lines in Azure's.
func oneLine(err error) string {
	words := strings.Fields(text.Clean(err.Error()))
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return len(w) > 3 && strings.Trim(w, "-") == "" }), " ")
}

var errNoRoom = errors.New("there is no room for its files")

// together is how many files are fetched at a time.
const together = 16

// fetch brings the files below a prefix into a temporary folder, and returns it; or the one file whose name the prefix is.
func (d *Dataset) fetch(ctx context.Context, u *url.URL) (string, error) {
	prefix := strings.TrimPrefix(u.Path, "/")
	query := u.Query()
	if checksum := "response_checksum_validation"; u.Scheme == "s3" && !query.Has(checksum) {
		query.Set(checksum, "when_required") // otherwise the client prints a warning for each file without a checksum
	}
	address := url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: query.Encode()}
	b, err := blob.OpenBucket(ctx, address.String())
	if err != nil {
		return "", err
	}
	defer b.Close()
	files, bytes := 0, int64(0)
	below, err := namedBy(ctx, b, prefix)
	if err != nil {
		return "", err
	}
	for n := 0; n < len(below) && files == 0; n++ {
		below[0] = below[n]
		err = below[0].each(ctx, func(o *blob.ListObject) error {
			if files++; files > maxFiles {
				return fmt.Errorf("%w: more than %d files", ErrArchive, maxFiles)
			}
			bytes += o.Size
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	if files == 0 {
		return "", fmt.Errorf("%w: the bucket %s has no file below %q", ErrEmpty, u.Host, strings.TrimSuffix(prefix, "/")+"/")
	}
	dir, err := d.temporary()
	if err != nil {
		return "", err
	}
	if free, _, known := disk.Room(dir); known && bytes > free-free/20 {
		return "", fmt.Errorf("%w: %d files with %d MB lie below %q in %s, and %s has %d MB free: set TMPDIR to a folder with more", errNoRoom, files, bytes>>20, prefix, u.Host, filepath.Dir(dir), free>>20)
	}
	place := &unpacker{d: d, dir: dir, left: bytes, of: "the bucket"}
	group, fetching := errgroup.WithContext(ctx)
	group.SetLimit(together)
	var done atomic.Int64
	err = below[0].each(ctx, func(o *blob.ListObject) error {
		if fetching.Err() != nil {
			return fetching.Err()
		}
		name := strings.TrimPrefix(o.Key, below[0].prefix)
		if below[0].one {
			name = path.Base(prefix)
		}
		file, err := place.place("", name)
		if err != nil || file == "" {
			return err
		}
		if place.left -= o.Size; place.left < 0 {
			return fmt.Errorf("%w: files came in below %q while it was read: try again", ErrArchive, prefix)
		}
		key, size := o.Key, o.Size
		group.Go(func() error {
			if err := fetchFile(fetching, b, key, file, size); err != nil {
				return fmt.Errorf("%s: %w", text.Clean(key), err)
			}
			if d.options.Fetched != nil {
				d.options.Fetched(int(done.Add(1)), files)
			}
			return nil
		})
		return nil
	})
	if failed := group.Wait(); failed != nil {
		err = failed
	}
	if err != nil {
		return "", err
	}
	if below[0].one {
		return filepath.Join(dir, filepath.FromSlash(path.Base(prefix))), nil
	}
	return dir, nil
}

// objects are the files of a bucket that a prefix names.
type objects struct {
	*blob.Bucket
	prefix  string
	one     bool // the prefix is a file's whole name
	foreign bool // Azure's files with names as another program than gocloud wrote them: see openObject
}

// namedBy lists what a prefix may name, one of which has files.
func namedBy(ctx context.Context, b *blob.Bucket, prefix string) ([]objects, error) {
	folder := strings.TrimSuffix(prefix, "/") + "/"
	if prefix == "" {
		folder = ""
	}
	if prefix != "" && prefix != folder {
		if one, err := b.Exists(ctx, prefix); err != nil {
			return nil, err
		} else if one {
			return []objects{{Bucket: b, prefix: prefix, one: true}}, nil
		}
	}
	all := []objects{{Bucket: b, prefix: folder}}
	var azure *container.Client
	if b.As(&azure) && prefix != "" {
		all = append(all, objects{Bucket: b, prefix: folder, foreign: true})
		if prefix != folder {
			all = append(all, objects{Bucket: b, prefix: prefix, one: true, foreign: true})
		}
	}
	return all, nil
}

// list says what to list.
func (o objects) list() *blob.ListOptions {
	options := &blob.ListOptions{Prefix: o.prefix}
	if o.foreign {
		options.BeforeList = func(as func(any) bool) error {
			var azure *container.ListBlobsHierarchyOptions
			if as(&azure) {
				azure.Prefix = &o.prefix
			}
			return nil
		}
	}
	return options
}

// each calls use with every file, until that fails.
func (o objects) each(ctx context.Context, use func(*blob.ListObject) error) error {
	if o.one && !o.foreign {
		about, err := o.Attributes(ctx, o.prefix)
		if err != nil {
			return err
		}
		return use(&blob.ListObject{Key: o.prefix, Size: about.Size})
	}
	for list := o.List(o.list()); ; {
		file, err := list.Next(ctx)
		if err == io.EOF || err == nil && o.one && file.Key != o.prefix { //nolint:errorlint // a file of the name itself comes first; a connection that broke wraps io.EOF
			return nil
		}
		if err != nil {
			return err
		}
		if strings.HasSuffix(file.Key, "/") { // an empty object by which consoles show a folder
			continue
		}
		if err := use(file); err != nil {
			return err
		}
	}
}

// fetchFile copies one whole file to disk. After a broken connection it tries twice more.
func fetchFile(ctx context.Context, b *blob.Bucket, key, file string, size int64) error {
	var err error
	for range 3 {
		if err = copyObject(ctx, b, key, file, size); err == nil || ctx.Err() != nil || gcerrors.Code(err) == gcerrors.NotFound || gcerrors.Code(err) == gcerrors.PermissionDenied {
			return err
		}
	}
	return err
}

// openObject opens a file of a bucket. gocloud's driver for Azure looks for names with characters such as ? and # as it would have written
// them ("__0x3f__"); those that another program wrote are asked for as they are.
func openObject(ctx context.Context, b *blob.Bucket, key string) (io.ReadCloser, error) {
	r, err := b.NewReader(ctx, key, nil)
	if err == nil {
		return r, nil
	}
	var azure *container.Client
	if gcerrors.Code(err) != gcerrors.NotFound || !b.As(&azure) {
		return nil, err
	}
	plain, failed := azure.NewBlobClient(key).DownloadStream(ctx, nil)
	if failed != nil {
		return nil, err
	}
	return plain.Body, nil
}

func copyObject(ctx context.Context, b *blob.Bucket, key, file string, size int64) error {
	r, err := openObject(ctx, b, key)
	if err != nil {
		return err
	}
	defer r.Close()
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(r, size+1))
	if err = errors.Join(err, out.Close()); err == nil && n != size {
		err = fmt.Errorf("it came as %d bytes, and the list says %d", n, size)
	}
	return disk.Full(err)
}
