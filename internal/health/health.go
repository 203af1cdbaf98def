// Package health says which parts of a studio can work: /readyz of a server and of a worker.
package health

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Part is one of what the studio stands on, by a name that may be shown to anybody.
type Part struct {
	Name string // "the database"
	Err  error  // why it cannot be used now, in words for anybody; nil: it can be
}

// Check looks at every part. It waits no longer than ctx.
type Check func(context.Context) []Part

// within is how long /readyz looks at the parts: less than what those who ask usually wait.
const within = 3 * time.Second

// retrySeconds is when to ask again.
const retrySeconds = 5

// Handler answers /readyz as Kubernetes' own probes do: a line for each part, and 503 where one cannot be used.
//
//	[+] the data folder
//	[-] the database: it does not answer
//	not ready
func Handler(check Check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), within)
		defer cancel()
		var lines strings.Builder
		status, outcome := http.StatusOK, "ready"
		for _, p := range check(ctx) {
			if p.Err == nil {
				fmt.Fprintf(&lines, "[+] %s\n", p.Name)
				continue
			}
			status, outcome = http.StatusServiceUnavailable, "not ready"
			fmt.Fprintf(&lines, "[-] %s: %s\n", p.Name, p.Err)
		}
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		if status != http.StatusOK {
			h.Set("Retry-After", strconv.Itoa(retrySeconds))
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprintln(w, lines.String()+outcome)
	}
}
