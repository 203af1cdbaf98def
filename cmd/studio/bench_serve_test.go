package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/bench"
	"github.com/abn-studio/studio/internal/postgres/embedded/embeddedtest"
)

// People paint in a running studio, whose project has grown, while its pages are timed; a second run finds all that as it was.
func TestBenchServeTimesARunningStudio(t *testing.T) {
	t.Parallel()
	at := storageFlags{DataDir: embeddedtest.Folder(t)}
	p := openAviary(t, at, 1)
	paintableTask(t, p)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	server := launch(t, "serve", "--data", at.DataDir, "--listen", "127.0.0.1:0", "--no-worker")
	line := server.until(t, "answers on ")
	for i := range 2 {
		var out, said bytes.Buffer
		// Painters look for a tenth of a second, so that a machine ten times as slow submits maps as well.
		args := []string{"bench", "serve", "--data", at.DataDir, "--address", line[strings.Index(line, "http://"):], "--images", "500", "--painters", "3", "--for", "6s", "--think", "100ms", "--json"}
		kinds := 3 // next, save, submit
		if i == 1 {
			args = append(args, "--follow", "5")
			kinds = 6 // approve, start of a round, event
		}
		if code := run(t.Context(), args, &stdio{In: strings.NewReader(""), Out: &out, Err: &said}); code != exitOK {
			t.Fatalf("run %d ended with %d: %s", i, code, &said)
		}
		var r bench.ServeResult
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Maps == 0 || len(r.Failed) > 0 || r.People != 3 || len(r.Actions) != kinds || r.Followers != 5*i || len(r.Pages) == 0 {
			t.Errorf("run %d: %+v", i, r)
		}
		for _, a := range append(r.Actions, r.Pages...) {
			if a.Times < 1 || a.P50 > a.P95 || a.P95 > a.Max || a.Max <= 0 {
				t.Errorf("run %d: %+v", i, a)
			}
		}
	}
}
