package blob

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// A link to a file is signed, ends, and has the bucket send it as something to be saved, whatever it is.
func TestLink(t *testing.T) { // not in parallel: credentials are in the environment
	backend := s3mem.New()
	if err := backend.CreateBucket("studio"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "A")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not to be seen")
	ctx := t.Context()
	s, err := Open(ctx, "s3://studio?region=us-east-1&use_path_style=true&prefix=ours/&endpoint="+server.URL, Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	const page = "<script>alert(1)</script>"
	hash, _, err := s.Put(ctx, strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	if link, err := s.Link(ctx, hash, "a.jpg"); link != "" || err != nil {
		t.Errorf("without being asked for: %q, %v", link, err)
	}
	for _, lasts := range []time.Duration{time.Second, 2 * time.Hour, -time.Minute} {
		if err := s.GiveLinks(ctx, lasts); err == nil {
			t.Errorf("%v is taken", lasts)
		}
	}
	if err := s.GiveLinks(ctx, 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	const name = "Möwe \"1\".html"
	link, err := s.Link(ctx, hash, name)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Path != "/studio/ours/"+hash || q.Get("X-Amz-Expires") != "120" || q.Get("X-Amz-Signature") == "" || q.Get("response-content-type") != "application/octet-stream" || strings.Contains(link, "not") {
		t.Errorf("the link is %s", link)
	}
	if saved := q.Get("response-content-disposition"); !strings.HasPrefix(saved, "attachment;") || !strings.Contains(saved, "M%C3%B6we") {
		t.Errorf("it is saved as %q", saved)
	}
	answer, err := server.Client().Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got, err := io.ReadAll(answer.Body); err != nil || string(got) != page || answer.StatusCode != http.StatusOK {
		t.Errorf("the bucket answers %s: %q, %v", answer.Status, got, err)
	}
	if link, err := s.Link(ctx, "../secret", "a"); link != "" || err != nil {
		t.Errorf("what is no hash: %q, %v", link, err)
	}

	folder, err := Open(ctx, t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.GiveLinks(ctx, time.Minute); err == nil || !strings.Contains(err.Error(), "bucket") {
		t.Errorf("a folder: %v", err)
	}
}
