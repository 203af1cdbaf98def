package web

import (
	"fmt"
	"html"
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

// The page shows what can be chosen for a kind, counts, says what is wrong beside the form, and sends a download on to the API, whose
// file has what was counted.
func TestExportPage(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	painter := s.as(annotator.RoleAnnotator)
	for address, links := range map[string]string{"/projects/birds/settings": `href="/projects/birds/export"`, "/projects/birds/images": `href="/projects/birds/export"`} {
		if page := string(painter.get(address).want(http.StatusOK).body); !strings.Contains(page, links) {
			t.Errorf("%s does not lead to the export", address)
		}
	}
	page := string(painter.get("/projects/birds/export").want(http.StatusOK).body)
	for _, has := range []string{"Nothing matches", `value="coco"`, `name="threshold"`, `value="taken-back"`, "studio export --project birds --what maps --format jsonl --out birds-maps.jsonl"} {
		if !strings.Contains(page, has) {
			t.Errorf("the page of maps lacks %q", has)
		}
	}
	painter.get("/projects/birds/export?format=npz&do=download").want(http.StatusOK) // nothing to download: said on the page

	n, err := s.service.CountExport(t.Context(), s.people[annotator.RoleAnnotator], "birds", annotator.ExportTasks, annotator.ExportFilter{Splits: []annotator.Split{annotator.SplitTrain, annotator.SplitPool}})
	must(t, err)
	tasks := "/projects/birds/export?what=tasks&format=csv&split=train&split=pool&search=&author=&version="
	page = string(painter.get(tasks).want(http.StatusOK).body)
	if !strings.Contains(page, fmt.Sprintf(`<strong class="num">%d</strong>`, n)) || strings.Contains(page, `value="npz"`) || strings.Contains(page, `name="round"`) {
		t.Errorf("the page of %d tasks: %s", n, page)
	}
	sent := painter.get(tasks + "&do=download").want(http.StatusSeeOther).Header.Get("Location")
	file := painter.get(sent).want(http.StatusOK)
	if lines := strings.Count(string(file.body), "\n"); n == 0 || lines != n+1 || !strings.Contains(file.Header.Get("Content-Disposition"), "birds-tasks.csv") {
		t.Errorf("%s: %d lines of %d tasks", sent, lines, n)
	}
	for query, says := range map[string]string{
		"what=nonsense":                     "is maps, predictions",
		"what=audit&format=npz":             "want jsonl, csv, parquet",
		"version=x":                         "is no number of a version",
		"what=predictions&version=77":       "no version 77",
		"format=npz&threshold=0.4":          "npz has all values",
		"format=coco&threshold=NaN":         "above 0 and at most 1",
		"format=coco&threshold=half":        "is no number",
		"since=2026-02-02&until=2026-01-01": "is not after since",
		"class=emu":                         "is no class of the project",
	} {
		page := string(painter.get("/projects/birds/export?" + query + "&do=download").want(http.StatusUnprocessableEntity).body)
		if !strings.Contains(page, says) || !strings.Contains(page, `role="alert"`) || !strings.Contains(page, `value="coco"`) && !strings.Contains(page, `value="csv"`) {
			t.Errorf("%s: %s", query, page)
		}
	}
	page = string(painter.get("/projects/birds/export?search=it%27s+%24HOME").want(http.StatusOK).body)
	if !strings.Contains(html.UnescapeString(page), `--search 'it'\''s $HOME'`) {
		t.Errorf("the command line does not quote: %s", page)
	}
	s.nobody().get("/projects/birds/export").want(http.StatusSeeOther)
}
