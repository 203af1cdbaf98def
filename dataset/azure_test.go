package dataset_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/dataset"
)

// azureBlob is a file as Azure's list of a container has it.
type azureBlob struct {
	Name       string
	Properties struct {
		LastModified  string `xml:"Last-Modified"`
		ETag          string `xml:"Etag"`
		ContentLength int    `xml:"Content-Length"`
		ContentType   string `xml:"Content-Type"`
		BlobType      string
	}
}

type azureList struct {
	XMLName    xml.Name    `xml:"EnumerationResults"`
	Blobs      []azureBlob `xml:"Blobs>Blob"`
	NextMarker string
}

// azureWith runs a server of Azure's blob service with a container pictures of the account birds. Lists come in pages of two. may
// says whether a request has the right credentials.
func azureWith(t *testing.T, files map[string]string, may func(*http.Request) bool) *httptest.Server {
	t.Helper()
	const modified = "Fri, 02 Jan 2026 03:04:05 GMT"
	refuse := func(w http.ResponseWriter, status int, code string) {
		w.Header().Set("X-Ms-Error-Code", code)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="utf-8"?><Error><Code>`+code+`</Code><Message>no</Message></Error>`)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		container, blob, file := strings.Cut(strings.TrimPrefix(r.URL.Path, "/birds/"), "/")
		content, there := files[blob]
		switch {
		case !may(r):
			refuse(w, http.StatusForbidden, "AuthenticationFailed")
		case container == "secret":
			refuse(w, http.StatusForbidden, "AuthorizationFailure")
		case container != "pictures":
			refuse(w, http.StatusNotFound, "ContainerNotFound")
		case !file:
			var list azureList
			for _, name := range keys(files) {
				if !strings.HasPrefix(name, r.FormValue("prefix")) || name <= r.FormValue("marker") {
					continue
				}
				if len(list.Blobs) == 2 {
					list.NextMarker = list.Blobs[1].Name
					break
				}
				b := azureBlob{Name: name}
				b.Properties.LastModified, b.Properties.ETag, b.Properties.ContentLength = modified, "1", len(files[name])
				b.Properties.ContentType, b.Properties.BlobType = "application/octet-stream", "BlockBlob"
				list.Blobs = append(list.Blobs, b)
			}
			w.Header().Set("Content-Type", "application/xml")
			_ = xml.NewEncoder(w).Encode(list)
		case !there:
			refuse(w, http.StatusNotFound, "BlobNotFound")
		default:
			w.Header().Set("Last-Modified", modified)
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("X-Ms-Blob-Type", "BlockBlob")
			w.Header().Set("Content-Length", strconv.Itoa(len(content)))
			_, _ = io.WriteString(w, content)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// The client reads its credentials from the environment once, so each of these has a process of its own.
func TestAzureBucket(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		credential string
		may        func(*http.Request) bool
	}{
		"a key": {"AZURE_STORAGE_KEY=a2V5", func(r *http.Request) bool {
			return strings.HasPrefix(r.Header.Get("Authorization"), "SharedKey birds:")
		}},
		"a signed address": {"AZURE_STORAGE_SAS_TOKEN=sv=2024-01-01&sig=xyz", func(r *http.Request) bool { return r.FormValue("sig") == "xyz" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := azureWith(t, map[string]string{
				"birds/train/cat/1.png": onePNG, "birds/train/cat/2 ü?.png": onePNG, "birds/test/dog/3.png": onePNG, "birds/train/": "", "what?/#1/train/cat/4.png": onePNG, "what?/one#.csv": "file,class\n", "birdsong/train/cat/9.png": onePNG,
			}, c.may)
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestAzureBucketOfTheEnvironment$", "-test.v")
			child.Env = append(os.Environ(), azureDomain+"="+strings.TrimPrefix(server.URL, "http://"), "AZURE_STORAGE_PROTOCOL=http", "AZURE_STORAGE_ACCOUNT=birds", c.credential, "TMPDIR="+t.TempDir())
			if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestAzureBucketOfTheEnvironment") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// azureDomain is the variable that names the server, which TestAzureBucket sets.
const azureDomain = "AZURE_STORAGE_DOMAIN"

// TestAzureBucketOfTheEnvironment is what TestAzureBucket runs.
func TestAzureBucketOfTheEnvironment(t *testing.T) { // not in parallel: it is alone in its process
	if os.Getenv(azureDomain) == "" {
		t.Skip("TestAzureBucket runs it")
	}
	d, err := dataset.Open(dataset.Auto, "azblob://pictures/birds")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"train|cat|train/cat/1.png", "train|cat|train/cat/2 ü?.png", "test|dog|test/dog/3.png"}, names(d.Samples())); diff != "" {
		t.Error(diff)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	nothingLeft(t)
	what, err := dataset.Open(dataset.Auto, "azblob://pictures/what%3F/%231")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"train|cat|train/cat/4.png"}, names(what.Samples())); diff != "" {
		t.Error(diff)
	}
	if err := what.Close(); err != nil {
		t.Error(err)
	}
	for address, says := range map[string]string{
		"azblob://pictures/none":               `no file below "none/"`,
		"azblob://nowhere/a/":                  "it is not there",
		"azblob://pictures/what%3F/one%23.csv": "no image found",
		"azblob://pictures/what%3F/two%23.csv": "no file below",
		"azblob://pictures/what?/%231":         "%3F",
		"azblob://pictures/what%3F/#1":         "%23",
		"s3://pictures/100%/a":                 "%25",
		"azblob://secret/a/":                   "these credentials may not read it",
	} {
		if _, err := dataset.Open(dataset.Auto, address); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", address, err, says)
		}
	}
}
