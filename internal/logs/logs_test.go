package logs_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/logs"
)

func TestLinesHaveWhatTheirContextIsAbout(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := logs.New(&out, logs.JSON, slog.LevelInfo)
	ctx := logs.With(logs.WithRequest(t.Context(), "FIRST"), slog.Int64(logs.KeyJob, 7))
	again := logs.Carry(t.Context(), logs.WithRequest(ctx, "SECOND"))
	log.With("worker", "w").InfoContext(again, "it began", "image", 3)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	for name, want := range map[string]any{"msg": "it began", "worker": "w", "image": 3.0, "request": "SECOND", "job": 7.0} {
		if line[name] != want {
			t.Errorf("%s is %v, want %v", name, line[name], want)
		}
	}
	if n := strings.Count(out.String(), `"request"`); n != 1 {
		t.Errorf("the line has %d requests: %s", n, &out)
	}
	if id := logs.Request(ctx); id != "FIRST" {
		t.Errorf("the first context is of request %q", id)
	}
	if id := logs.Request(t.Context()); id != "" {
		t.Errorf("a context without a request is of %q", id)
	}
}

func TestALogIsWrappedOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := logs.Wrap(logs.New(&out, logs.Text, slog.LevelInfo))
	log.InfoContext(logs.WithRequest(t.Context(), "ONCE"), "a line")
	log.DebugContext(t.Context(), "not this one")
	if got := out.String(); strings.Count(got, "request=ONCE") != 1 || strings.Count(got, "\n") != 1 {
		t.Errorf("written: %s", got)
	}
}
