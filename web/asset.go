package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/andybalholm/brotli"
)

//go:embed all:static
var static embed.FS

// assets are the embedded files. Their addresses contain a hash of their bytes, so that an address always means the same bytes and
// browsers may cache it for ever.
type assets struct {
	address map[string]string // "studio.css" → "/static/studio.5f3a….css"
	files   map[string]*asset // by address
}

// asset is one file; its compressed forms are made when first asked for.
type asset struct {
	name   string
	media  string
	body   []byte
	gzip   func() []byte
	brotli func() []byte
}

func loadAssets() (*assets, error) {
	a := &assets{address: map[string]string{}, files: map[string]*asset{}}
	bodies := map[string][]byte{}
	err := fs.WalkDir(static, "static", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		bodies[strings.TrimPrefix(p, "static/")], err = static.ReadFile(p)
		return err
	})
	// Style sheets come last: they name their fonts by file (url("./…")) and get their addresses here.
	for _, sheets := range []bool{false, true} {
		for name, body := range bodies {
			if sheets != strings.HasSuffix(name, ".css") {
				continue
			}
			if sheets {
				for other, address := range a.address {
					body = bytes.ReplaceAll(body, []byte(`url("./`+other+`")`), []byte(`url("`+address+`")`))
				}
			}
			sum, ext := sha256.Sum256(body), path.Ext(name)
			address := "/static/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
			a.address[name] = address
			a.files[address] = newAsset(name, body)
		}
	}
	return a, err
}

func newAsset(name string, body []byte) *asset {
	f := &asset{name: name, body: body, media: mime.TypeByExtension(path.Ext(name))}
	switch path.Ext(name) {
	case ".woff2":
		f.media = "font/woff2"
	case ".webmanifest":
		f.media = "application/manifest+json"
	case ".map":
		f.media = "application/json"
	case ".js":
		f.media = "text/javascript; charset=utf-8"
	}
	f.gzip = sync.OnceValue(func() []byte {
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		_, _ = w.Write(f.body)
		_ = w.Close()
		return b.Bytes()
	})
	f.brotli = sync.OnceValue(func() []byte {
		var b bytes.Buffer
		w := brotli.NewWriterLevel(&b, 9)
		_, _ = w.Write(f.body)
		_ = w.Close()
		return b.Bytes()
	})
	return f
}

// url returns the address of an asset by its name below web/static; "" if there is none.
func (a *assets) url(name string) string { return a.address[name] }

// ServeHTTP answers /static/…. The plain name works too, but only the hashed one is kept by browsers.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	f, cache := a.files[r.URL.Path], "public, max-age=31536000, immutable"
	if f == nil {
		f, cache = a.files[a.address[strings.TrimPrefix(r.URL.Path, "/static/")]], "no-cache"
	}
	if f == nil {
		http.NotFound(w, r)
		return
	}
	h.Set("Cache-Control", cache)
	h.Set("Content-Type", f.media)
	h.Set("Etag", `"`+path.Base(a.address[f.name])+`"`)
	body := f.body
	if f.media != "font/woff2" && !strings.HasPrefix(f.media, "image/png") { // those are compressed already
		h.Add("Vary", "Accept-Encoding")
		switch accepted := r.Header.Get("Accept-Encoding"); {
		case strings.Contains(accepted, "br"):
			body = f.brotli()
			h.Set("Content-Encoding", "br")
		case strings.Contains(accepted, "gzip"):
			body = f.gzip()
			h.Set("Content-Encoding", "gzip")
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// favicon answers /favicon.ico, which some browsers ask for whatever icon the page names.
func (s *Server) favicon(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, s.assets.url("icon.svg"), http.StatusFound)
}
