package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// The API streams what the service and internal/takeout write, and refuses what they refuse before the answer begins.
func TestExportByAPI(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	painter := s.as(annotator.RoleAnnotator)
	n, err := s.service.CountExport(t.Context(), s.people[annotator.RoleAnnotator], "birds", annotator.ExportTasks, annotator.ExportFilter{})
	must(t, err)
	tasks := painter.api(http.MethodGet, "/projects/birds/export?what=tasks&format=jsonl", nil).want(http.StatusOK)
	if lines := strings.Count(string(tasks.body), "\n"); n == 0 || lines != n || !strings.Contains(tasks.Header.Get("Content-Disposition"), `"birds-tasks.jsonl"`) {
		t.Errorf("%d tasks, %d lines as %s", n, lines, tasks.Header.Get("Content-Disposition"))
	}
	predictions := painter.api(http.MethodGet, "/projects/birds/export?what=predictions&format=npz", nil).want(http.StatusOK)
	if !strings.HasPrefix(string(predictions.body), "PK") {
		t.Errorf("an .npz begins with %.10q", predictions.body)
	}
	for query, says := range map[string]string{
		"what=audit&format=npz":                  "want jsonl, csv, parquet",
		"what=tasks&format=csv&state=done":       "no state of tasks",
		"what=tasks&format=csv&since=yesterday":  "no date",
		"what=maps&format=csv&class=emu":         "no class of the project",
		"what=predictions&format=csv&version=77": "no version 77",
	} {
		if refused := painter.api(http.MethodGet, "/projects/birds/export?"+query, nil).want(http.StatusUnprocessableEntity); !strings.Contains(string(refused.body), says) {
			t.Errorf("%s: %s", query, refused.body)
		}
	}
	painter.api(http.MethodGet, "/projects/bees/export?what=tasks&format=csv", nil).want(http.StatusNotFound)
	s.nobody().api(http.MethodGet, "/projects/birds/export?what=tasks&format=csv", nil).want(http.StatusUnauthorized)
}
