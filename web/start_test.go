package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// The page shows the maps of masks and clicks before anything is stored, shows a problem beside its field, and stores the choice.
func TestStartPage(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	if page := admin.get("/projects/birds/start").want(http.StatusOK).page(); !strings.Contains(page.Find("main").Text(), "No mask and no clicks") {
		t.Error("nothing is said of a project without masks")
	}
	refused := admin.post("/projects/birds/start", url.Values{"method": {"max"}, "radius": {"1"}}).want(http.StatusUnprocessableEntity).page()
	if says := refused.Find(".choices .problem").Text(); !strings.Contains(says, "none of the") {
		t.Errorf("masks that are not there: %q", says)
	}
	images, err := s.store.Images(t.Context(), s.project.ID)
	must(t, err)
	var clicked []annotator.NewImage
	for _, i := range images {
		clicked = append(clicked, annotator.NewImage{Name: i.Name, Split: i.Split, Class: "bird-0", Hash: i.Hash, Width: i.Width, Height: i.Height, Clicks: [][2]float64{{0.5, 0.5}, {0.4, 0.5}}})
	}
	_, err = s.store.AddImages(t.Context(), s.project.ID, clicked)
	must(t, err)
	page := admin.get("/projects/birds/start?method=clicks&radius=2").want(http.StatusOK).page()
	if n := page.Find(".start-maps canvas.heat").Length(); n < 4 { // what is known, the model's and the clicks' of each
		t.Errorf("%d maps are shown", n)
	}
	if chosen := page.Find("[name=method][checked]").AttrOr("value", ""); chosen != "clicks" || page.Find("[name=radius]").AttrOr("value", "") != "2" {
		t.Errorf("the form has %q", chosen)
	}
	for radius, says := range map[string]string{"much": "no number of cells", "9": "0 to 8", "0": "at least"} {
		form := url.Values{"method": {"clicks"}, "radius": {radius}}
		if got := admin.post("/projects/birds/start", form).want(http.StatusUnprocessableEntity).page().Find(".field .problem").Text(); !strings.Contains(got, says) {
			t.Errorf("radius %s: %q", radius, got)
		}
	}
	admin.get("/projects/birds/start?radius=NaN").want(http.StatusUnprocessableEntity)
	admin.post("/projects/birds/start", url.Values{"method": {"clicks"}, "radius": {"1.5"}}).want(http.StatusSeeOther)
	clicks := attention.Start{Method: attention.StartClicks, Radius: 1.5}
	if p := into[annotator.ProjectSummary](admin.api(http.MethodGet, "/projects/birds", nil).want(http.StatusOK)); p.Start != clicks {
		t.Errorf("kept: %+v", p.Start)
	}
	preview := into[annotator.StartPreview](admin.api(http.MethodGet, "/projects/birds/start?images=2", nil).want(http.StatusOK))
	if len(preview.Examples) != 2 || preview.Start != clicks || preview.Examples[0].Maps[3].Radius != 1.5 || preview.Examples[0].Maps[3].Map == nil {
		t.Errorf("the API shows %+v", preview)
	}
	// Whoever takes a task begins with the clicks.
	task := into[nextTask](s.as(annotator.RoleAnnotator).api(http.MethodPost, "/projects/birds/tasks/next", nil).want(http.StatusOK))
	if task.Start == nil || task.Start.Map == nil || task.Start.Method != attention.StartClicks {
		t.Errorf("the painter begins with %+v", task.Start)
	}
	p := into[Problem](admin.api(http.MethodPut, "/projects/birds/start", map[string]any{"method": "area", "radius": 2}).want(http.StatusUnprocessableEntity))
	if len(p.Errors) != 1 || p.Errors[0].Location != "body.radius" {
		t.Errorf("an area with a radius: %+v", p)
	}
	admin.api(http.MethodPut, "/projects/birds/start", map[string]any{"method": "model", "radius": 0}).want(http.StatusOK)
}

// A task offers the approved maps of images of its class whose features are near, with which image it is; what is begun with one says so, and a
// map of another class is none.
func TestAMapOfANearImageIsOffered(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	first := s.submit()
	painter, reviewer := s.as(annotator.RoleAnnotator), s.as(annotator.RoleReviewer)
	reviewer.api(http.MethodPost, fmt.Sprintf("/edits/%d/review", first.Edit.ID), map[string]any{"verdict": "approve"}).want(http.StatusOK)
	task := painter.take()
	path := fmt.Sprintf("/tasks/%d", task.ID)
	key := fmt.Sprintf("near-%d", first.Edit.ID)
	label := func(sql string) {
		t.Helper()
		_, err := s.store.Pool().Exec(t.Context(), sql, task.ImageID, first.ImageID)
		must(t, err)
	}
	label(`UPDATE images SET label = CASE id WHEN $1 THEN 0 ELSE 1 END WHERE id IN ($1, $2)`)
	painter.api(http.MethodGet, path+"/starting-points/"+key, nil).want(http.StatusNotFound)
	body := map[string]any{"base_revision": 0, "map": painted(task), "origin": map[string]any{"kind": "near", "edit_id": first.Edit.ID}}
	painter.api(http.MethodPut, path+"/draft", body).want(http.StatusUnprocessableEntity)

	label(`UPDATE images SET label = 1 WHERE id IN ($1, $2)`)
	listed := string(painter.api(http.MethodGet, path+"/starting-points", nil).want(http.StatusOK).body)
	if !strings.Contains(listed, `"key":"`+key+`"`) || !strings.Contains(listed, fmt.Sprintf(`"task_id":%d`, first.ID)) || !strings.Contains(listed, `"likeness":`) {
		t.Errorf("it is not offered: %s", listed)
	}
	point := into[annotator.StartingPoint](painter.api(http.MethodGet, path+"/starting-points/"+key, nil).want(http.StatusOK))
	if point.Map == nil || point.Origin.Kind != annotator.OriginNear || point.Origin.TaskID != first.ID {
		t.Fatalf("the point is %+v", point)
	}
	e := into[annotator.Edit](painter.api(http.MethodPut, path+"/draft", body).want(http.StatusOK))
	if e.Origin == nil || e.Origin.Words() != fmt.Sprintf("the map of #%d (edit %d), an image that is near", first.ID, first.Edit.ID) {
		t.Errorf("it began with %+v", e.Origin)
	}
}
