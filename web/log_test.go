package web

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/logs"
)

// jsonLines are the lines of a log, as they come.
type jsonLines chan map[string]any

// Write implements io.Writer. A handler writes a whole line at a time.
func (l jsonLines) Write(line []byte) (int, error) {
	attrs := map[string]any{}
	if err := json.Unmarshal(line, &attrs); err != nil {
		return 0, err
	}
	l <- attrs
	return len(line), nil
}

// The id of a request is in every line about the jobs that it asked for, and about those that they led to.
func TestJobsLogTheRequestThatAskedForThem(t *testing.T) {
	t.Parallel()
	lines := make(jsonLines, 10_000)
	s := newStudio(t, func(c *Config) { c.Logger = logs.New(lines, logs.JSON, slog.LevelDebug) })
	file, err := os.Open(filepath.Join(fixture.Reference(t), "preprocess", "wide-odd.jpg"))
	must(t, err)
	defer file.Close()
	hash, _, err := s.blobs.Put(t.Context(), file)
	must(t, err)
	_, err = s.store.AddImages(t.Context(), s.project.ID, []annotator.NewImage{{Name: "another.jpg", Split: annotator.SplitTest, Class: "bird-0", Hash: hash, Width: 64, Height: 48}})
	must(t, err)
	s.work()
	asked := s.as(annotator.RoleAdmin).do(http.MethodPost, fmt.Sprintf("%s/versions/%d/scan", apiPrefix, s.version.ID), nil).want(http.StatusAccepted)
	request := asked.Header.Get("X-Request-Id")
	var job struct{ ID float64 }
	must(t, json.Unmarshal(asked.body, &job))

	seen := map[string]bool{}
	var parts []any // of the job
	for !seen["scan ended"] || !seen["evaluate ended"] {
		var line map[string]any
		select {
		case line = <-lines:
		case <-t.Context().Done():
			t.Fatalf("the log has no more, and so far %v", seen)
		}
		switch about, _ := line["job"].(float64); {
		case line["msg"] == "request" && line["request"] == request:
			if line["route"] != apiPrefix+"/versions/{version}/scan" || line["status"] != float64(http.StatusAccepted) {
				t.Errorf("the request's line is %v", line)
			}
			seen["request"] = true
		case about == job.ID:
			if line["request"] != request || line["kind"] != "scan" || line["part"] == nil {
				t.Errorf("a line about the job is %v", line)
			}
			if line["msg"] == "job ended" {
				seen["scan ended"], parts = true, append(parts, line["part"])
				if line["how"] != "finished" {
					t.Errorf("the job ended: %v", line)
				}
			}
		case line["kind"] == "evaluate" && line["request"] == request && line["msg"] == "job ended":
			seen["evaluate ended"] = true // the last part of the scan asked for it
		case line["request"] == request && line["kind"] == nil && line["path"] == nil:
			t.Errorf("a line of the request is about nothing: %v", line)
		}
	}
	if !seen["request"] {
		t.Error("the log does not have the request")
	}
	if len(parts) == 0 {
		t.Error("the scan had no part")
	}
}
