package dataset

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// Google's buckets are read through its JSON API by a driver of our own: gocloud's brings gRPC, which would be a third of the program.
func init() { blob.DefaultURLMux().RegisterBucket("gs", gcsOpener{}) }

const (
	gcsHost     = "https://storage.googleapis.com"
	gcsScope    = "https://www.googleapis.com/auth/devstorage.read_only"
	gcsEmulator = "STORAGE_EMULATOR_HOST" // as Google's own clients read it
)

type gcsOpener struct{}

// OpenBucketURL opens gs://BUCKET. ?anonymous=true reads a public bucket without credentials, ?endpoint=… names another server.
func (gcsOpener) OpenBucketURL(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	b := &gcsBucket{name: u.Host, host: gcsHost, client: http.DefaultClient}
	anonymous := false
	for key, values := range u.Query() {
		switch key {
		case "anonymous":
			anonymous = values[0] == "true"
		case "endpoint":
			b.host = strings.TrimSuffix(values[0], "/")
		default:
			return nil, fmt.Errorf("?%s= is not known: want anonymous or endpoint", key)
		}
	}
	if emulator := os.Getenv(gcsEmulator); emulator != "" && b.host == gcsHost {
		if b.host = strings.TrimSuffix(emulator, "/"); !strings.Contains(b.host, "://") {
			b.host = "http://" + b.host
		}
		anonymous = true
	}
	if !anonymous {
		credentials, err := google.FindDefaultCredentials(ctx, gcsScope)
		if err != nil {
			return nil, &gcsError{status: http.StatusUnauthorized, message: "no credentials: " + err.Error()}
		}
		b.client = oauth2.NewClient(ctx, credentials.TokenSource)
	}
	return blob.NewBucket(b), nil
}

// gcsBucket reads a bucket. It writes nothing.
type gcsBucket struct {
	name, host string
	client     *http.Client
}

// gcsError is an answer other than success.
type gcsError struct {
	status  int
	message string
}

func (e *gcsError) Error() string {
	if e.message == "" {
		return fmt.Sprintf("the server answers %d %s", e.status, http.StatusText(e.status))
	}
	return e.message
}

var errReadOnly = errors.New("the bucket is only read")

// get asks for something in the bucket.
func (b *gcsBucket) get(ctx context.Context, path string, query url.Values, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.host+"/storage/v1/b/"+url.PathEscape(b.name)+"/o"+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(request.Header, header)
	response, err := b.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 == 2 {
		return response, nil
	}
	defer response.Body.Close()
	var said struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	_ = json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&said)
	return nil, &gcsError{response.StatusCode, said.Error.Message}
}

// gcsObject is what the API says of a file.
type gcsObject struct {
	Name    string    `json:"name"`
	Size    string    `json:"size"` // in bytes
	Type    string    `json:"contentType"`
	ETag    string    `json:"etag"`
	Updated time.Time `json:"updated"`
}

func (o gcsObject) bytes() (int64, error) {
	n, err := strconv.ParseInt(o.Size, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("the file %q has the size %q", o.Name, o.Size)
	}
	return n, nil
}

func (b *gcsBucket) object(ctx context.Context, path string, query url.Values, to any) error {
	response, err := b.get(ctx, path, query, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(to)
}

// Attributes implements driver.Bucket.
func (b *gcsBucket) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	var o gcsObject
	if err := b.object(ctx, "/"+url.PathEscape(key), nil, &o); err != nil {
		return nil, err
	}
	size, err := o.bytes()
	return &driver.Attributes{ContentType: o.Type, ModTime: o.Updated, Size: size, ETag: o.ETag, AsFunc: no}, err
}

// ListPaged implements driver.Bucket.
func (b *gcsBucket) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	query := url.Values{"prefix": {o.Prefix}, "maxResults": {strconv.Itoa(cmp.Or(o.PageSize, 1000))}, "fields": {"items(name,size,updated),nextPageToken"}}
	if len(o.PageToken) > 0 {
		query.Set("pageToken", string(o.PageToken))
	}
	if o.Delimiter != "" {
		query.Set("delimiter", o.Delimiter)
	}
	var page struct {
		Items []gcsObject `json:"items"`
		Next  string      `json:"nextPageToken"`
	}
	if err := b.object(ctx, "", query, &page); err != nil {
		return nil, err
	}
	out := &driver.ListPage{NextPageToken: []byte(page.Next)}
	for _, item := range page.Items {
		size, err := item.bytes()
		if err != nil {
			return nil, err
		}
		out.Objects = append(out.Objects, &driver.ListObject{Key: item.Name, ModTime: item.Updated, Size: size, AsFunc: no})
	}
	return out, nil
}

// gcsReader reads a file.
type gcsReader struct {
	io.ReadCloser
	attributes driver.ReaderAttributes
}

func (r *gcsReader) Attributes() *driver.ReaderAttributes { return &r.attributes }
func (*gcsReader) As(any) bool                            { return false }

// NewRangeReader implements driver.Bucket.
func (b *gcsBucket) NewRangeReader(ctx context.Context, key string, offset, length int64, _ *driver.ReaderOptions) (driver.Reader, error) {
	header := http.Header{"Accept-Encoding": {"identity"}} // a file that is stored packed comes as it is
	switch {
	case length > 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case offset > 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	response, err := b.get(ctx, "/"+url.PathEscape(key), url.Values{"alt": {"media"}}, header) //nolint:bodyclose // the reader is the body
	if err != nil {
		return nil, err
	}
	return &gcsReader{response.Body, driver.ReaderAttributes{ContentType: response.Header.Get("Content-Type"), Size: response.ContentLength}}, nil
}

// ErrorCode implements driver.Bucket.
func (*gcsBucket) ErrorCode(err error) gcerrors.ErrorCode {
	var said *gcsError
	switch {
	case errors.As(err, &said) && said.status == http.StatusNotFound:
		return gcerrors.NotFound
	case errors.As(err, &said) && (said.status == http.StatusForbidden || said.status == http.StatusUnauthorized):
		return gcerrors.PermissionDenied
	case errors.Is(err, context.Canceled):
		return gcerrors.Canceled
	}
	return gcerrors.Unknown
}

func no(any) bool { return false }

// As and the following implement driver.Bucket. What writes is an error.
func (*gcsBucket) As(any) bool { return false }

// ErrorAs implements driver.Bucket.
func (*gcsBucket) ErrorAs(error, any) bool { return false }

// NewTypedWriter is an error.
func (*gcsBucket) NewTypedWriter(context.Context, string, string, *driver.WriterOptions) (driver.Writer, error) {
	return nil, errReadOnly
}

// Copy is an error.
func (*gcsBucket) Copy(context.Context, string, string, *driver.CopyOptions) error {
	return errReadOnly
}

// Delete is an error.
func (*gcsBucket) Delete(context.Context, string, *driver.DeleteOptions) error { return errReadOnly }

// SignedURL is an error.
func (*gcsBucket) SignedURL(context.Context, string, *driver.SignedURLOptions) (string, error) {
	return "", errReadOnly
}

// Close implements driver.Bucket.
func (*gcsBucket) Close() error { return nil }
