package web

import (
	"io"
	"net/http"

	"github.com/andybalholm/brotli"
	"github.com/go-chi/chi/v5/middleware"
)

// compressed answers pages with brotli or gzip, whichever the browser accepts. It is not used for pictures, which are compressed
// already, nor for event streams, which must not wait in a buffer.
func compressed(next http.Handler) http.Handler {
	c := middleware.NewCompressor(5, "text/html")
	c.SetEncoder("br", func(w io.Writer, level int) io.Writer { return brotli.NewWriterLevel(w, level) })
	return c.Handler(next)
}
