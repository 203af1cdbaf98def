package main

import (
	"bytes"
	"encoding/json"
	"os"
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

// What cannot be measured is refused before anything is made: nobody at the address, an address without its scheme, a round that nobody paints for.
func TestBenchServeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"--address", "http://127.0.0.1:1"}, "no studio answers at http://127.0.0.1:1", exitFailure},
		{[]string{"--address", "127.0.0.1:8080"}, "is no address of a studio", exitUsage},
		{[]string{"--painters", "0", "--follow", "2"}, "at least 1 with --follow", exitUsage},
		{[]string{"--wrong", "200"}, "between 0 and 100", exitUsage},
	} {
		var out, said bytes.Buffer
		dir := t.TempDir()
		code := run(t.Context(), append([]string{"bench", "serve", "--data", dir}, c.args...), &stdio{In: strings.NewReader(""), Out: &out, Err: &said})
		if code != c.code || !strings.Contains(said.String(), c.want) {
			t.Errorf("%q ended with %d: %s", c.args, code, &said)
		}
		if made, err := os.ReadDir(dir); err != nil || len(made) > 0 {
			t.Errorf("%q made %v, %v", c.args, made, err)
		}
	}
}
