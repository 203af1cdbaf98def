package health

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Each part has its line, and one that is away makes the whole not ready.
func TestEveryPartIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		parts  []Part
		status int
		says   string
	}{
		{nil, http.StatusOK, "ready\n"},
		{[]Part{{"the database", nil}, {"the blob store", nil}}, http.StatusOK, "[+] the database\n[+] the blob store\nready\n"},
		{[]Part{{"the database", errors.New("it does not answer")}, {"the blob store", nil}}, http.StatusServiceUnavailable, "[-] the database: it does not answer\n[+] the blob store\nnot ready\n"},
	} {
		w := httptest.NewRecorder()
		Handler(func(context.Context) []Part { return c.parts })(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if w.Code != c.status || w.Body.String() != c.says {
			t.Errorf("%v: %d %q, want %d %q", c.parts, w.Code, w.Body, c.status, c.says)
		}
		if again := w.Header().Get("Retry-After"); (again != "") != (c.status != http.StatusOK) {
			t.Errorf("%v: Retry-After %q", c.parts, again)
		}
	}
}
