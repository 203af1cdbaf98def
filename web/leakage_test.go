package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/jobs"
)

// The page shows duplicates side by side and leaves them out with one press, which can be taken back; the API does the same.
func TestLeakagePage(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	ctx := t.Context()
	admin, painter := s.as(annotator.RoleAdmin), s.as(annotator.RoleAnnotator)
	if page := painter.get("/projects/birds/leakage").want(http.StatusOK).page(); !strings.Contains(page.Find(".empty").Text(), "Nothing to compare") {
		t.Errorf("a project of one split: %q", page.Find(".empty").Text())
	}
	images, err := s.store.Images(ctx, s.project.ID)
	must(t, err)
	copied := images[0]
	_, err = s.store.AddImages(ctx, s.project.ID, []annotator.NewImage{
		{Name: "test/copy.jpg", Split: annotator.SplitTest, Class: "bird-0", Hash: copied.Hash, Width: copied.Width, Height: copied.Height},
		{Name: "test/own.jpg", Split: annotator.SplitTest, Class: "bird-0", Hash: strings.Repeat("5", 64), Width: 9, Height: 9, Broken: "made up"},
		{Name: "validation/own.jpg", Split: annotator.SplitValidation, Class: "bird-0", Hash: images[5].Hash, Width: copied.Width, Height: copied.Height},
	})
	must(t, err)
	page := painter.get("/projects/birds/leakage").want(http.StatusOK).page()
	if n := page.Find(".leak").Length(); n != 2 || page.Find(".leak img").Length() != 4 {
		t.Fatalf("%d leaks are shown", n)
	}
	if text := page.Find(".leak").First().Text(); !strings.Contains(text, "same file") || !strings.Contains(text, "copy.jpg") || !strings.Contains(text, "test") || !strings.Contains(text, "train") {
		t.Errorf("the first: %q", text)
	}
	if page.Find("form[method=post]").FilterFunction(func(_ int, f *goquery.Selection) bool { return strings.Contains(f.AttrOr("action", ""), "leakage") }).Length() != 0 {
		t.Error("an annotator can press")
	}
	if warns := page.Find(".notice-warn").Text(); !strings.Contains(warns, "not compared yet") {
		t.Errorf("nobody has looked: %q", warns)
	}
	must(t, jobs.Fingerprint(ctx, s.store, s.blobs, s.project.ID, nil))

	// All test images are copies: none would be left to measure on.
	if says := admin.post("/projects/birds/leakage/leave-out", url.Values{"within": {"8"}}).want(http.StatusConflict).page().Find("[role=alert]").Text(); !strings.Contains(says, "none would be left") {
		t.Errorf("refused: %q", says)
	}
	_, err = s.store.AddImages(ctx, s.project.ID, []annotator.NewImage{
		{Name: "test/more.jpg", Split: annotator.SplitTest, Class: "bird-0", Hash: strings.Repeat("6", 64), Width: 9, Height: 9},
		{Name: "validation/more.jpg", Split: annotator.SplitValidation, Class: "bird-0", Hash: strings.Repeat("7", 64), Width: 9, Height: 9},
	})
	must(t, err)
	admin.post("/projects/birds/leakage/leave-out", url.Values{"within": {"8"}}).want(http.StatusSeeOther)
	page = admin.get("/projects/birds/leakage").want(http.StatusOK).page()
	if page.Find(".chip-left-out").Length() != 2 || !strings.Contains(page.Find(".notice").First().Text(), "2 images") {
		t.Errorf("after the press: %q", page.Find("main").Text())
	}
	found := into[annotator.Leakage](painter.api(http.MethodGet, "/projects/birds/leakage?limit=1", nil).want(http.StatusOK))
	if found.LeftOut != 2 || found.Measured != 0 || found.Exact != 2 || len(found.Leaks) != 1 || found.Leaks[0].HeldOut.Measured() {
		t.Errorf("the API: %+v", found)
	}
	first := fmt.Sprint(found.Leaks[0].HeldOut.ID)
	if page := admin.get("/projects/birds/images/" + first).want(http.StatusOK).page(); !strings.Contains(page.Find(".head").Text(), "left out: it is like a training image") {
		t.Error("the image's page does not say that it is left out")
	}
	admin.post("/projects/birds/leakage/restore", url.Values{"within": {"8"}, "image": {first}}).want(http.StatusSeeOther)
	admin.post("/projects/birds/leakage/restore", url.Values{"image": {"much"}}).want(http.StatusUnprocessableEntity)
	if page := admin.get("/projects/birds/leakage?within=99").want(http.StatusUnprocessableEntity).page(); !strings.Contains(page.Find("[role=alert]").Text(), "0 to 12") {
		t.Error("99 bits are not refused")
	}
	for _, address := range []string{"/projects/birds/leakage/restore", "/projects/birds/leakage/leave-out"} { // none is not all
		p := into[Problem](admin.api(http.MethodPost, address, map[string]any{"images": []int64{}}).want(http.StatusUnprocessableEntity))
		if len(p.Errors) != 1 || !strings.Contains(p.Errors[0].Location, "images") {
			t.Errorf("%s of no images: %+v", address, p)
		}
	}
	type changed struct {
		Images int `json:"images"`
	}
	for _, call := range []struct {
		address string
		body    map[string]any
		want    int
	}{
		{"/projects/birds/leakage/restore", map[string]any{}, 1},
		{"/projects/birds/leakage/leave-out", map[string]any{"within": 0, "images": []int64{found.Leaks[0].HeldOut.ID}}, 1},
		{"/projects/birds/leakage/leave-out", map[string]any{}, 1},
	} {
		if n := into[changed](admin.api(http.MethodPost, call.address, call.body).want(http.StatusOK)); n.Images != call.want {
			t.Errorf("%s changed %d images, want %d", call.address, n.Images, call.want)
		}
	}
	painter.api(http.MethodPost, "/projects/birds/leakage/restore", map[string]any{}).want(http.StatusForbidden)
	p := into[Problem](admin.api(http.MethodPost, "/projects/birds/leakage/leave-out", map[string]any{"images": []int64{images[0].ID}}).want(http.StatusUnprocessableEntity))
	if len(p.Errors) != 1 || !strings.Contains(p.Errors[0].Message, "none of the project's held-out images") {
		t.Errorf("a training image: %+v", p)
	}
}
