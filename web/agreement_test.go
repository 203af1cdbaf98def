package web

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// Two people paint the images; a reviewer sees both maps, their mean and where they differ, adopts the mean, and sees what each has done. A
// painter sees themself alone.
func TestAgreementPages(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin, reviewer, painter := s.as(annotator.RoleAdmin), s.as(annotator.RoleReviewer), s.as(annotator.RoleAnnotator)
	reviewer.get("/projects/birds/agreement").want(http.StatusOK).has(".empty", "No image has maps by several people")
	admin.post("/projects/birds/settings/overlap", url.Values{"share": {"100"}, "painters": {"3"}, "seed": {"1"}, "check_share": {"0"}}).want(http.StatusSeeOther)
	admin.get("/projects/birds/settings").has("#overlap .notice-warn", "3 members") // whoever paints may not adopt
	admin.post("/projects/birds/settings/overlap", url.Values{"share": {"100"}, "painters": {"2"}, "seed": {"1"}, "check_share": {"0"}}).want(http.StatusSeeOther)
	admin.get("/projects/birds/settings").hasNot("#overlap .notice-warn")
	admin.get("/projects/birds/settings").want(http.StatusOK).has("#overlap input[name=share][value='100']", "")
	admin.post("/projects/birds/settings/overlap", url.Values{"share": {"100"}, "painters": {"9"}, "seed": {"1"}, "check_share": {"0"}}).want(http.StatusUnprocessableEntity)

	ctx := t.Context()
	var image int64
	for i, role := range []annotator.Role{annotator.RoleAnnotator, annotator.RoleAdmin} {
		who := s.people[role]
		d, err := s.service.NextTask(ctx, who, annotator.TaskFilter{Project: "birds"})
		must(t, err)
		image = d.ImageID
		m := attention.New(d.Version.GridHeight, d.Version.GridWidth)
		for k := range m.Values {
			m.Values[k] = float32(k) / float32(len(m.Values)+i)
		}
		e, err := s.service.SaveDraft(ctx, who, d.ID, annotator.Draft{Source: annotator.SourcePainted, Map: m, Provenance: []byte(`{"seconds": 90}`)})
		must(t, err)
		_, err = s.service.Submit(ctx, who, d.ID, e.Revision)
		must(t, err)
		if i == 0 {
			painter.get(fmt.Sprintf("/projects/birds/tasks/%d", d.ID)).want(http.StatusOK)
		}
	}
	page := reviewer.get("/projects/birds/agreement").want(http.StatusOK)
	page.has(".levels tbody tr", "Rank correlation")
	page.has(".contact .chip", "to be adopted")
	one := fmt.Sprintf("/projects/birds/agreement/%d", image)
	painter.get(one).want(http.StatusForbidden)
	admin.get(one).want(http.StatusForbidden) // who paints it
	shared := reviewer.get(one).want(http.StatusOK)
	shared.has(".panes-shared .pane", "Where they differ")
	sources := url.Values{"edit": {"0"}}
	d, err := s.service.SharedImage(ctx, s.people[annotator.RoleReviewer], "birds", image)
	must(t, err)
	for _, source := range d.Sources() {
		sources.Add("source", fmt.Sprint(source))
	}
	reviewer.post(one, url.Values{"edit": {"0"}, "source": {"1"}}).want(http.StatusConflict).has(".notice-bad", "changed meanwhile")
	reviewer.post(one, sources).want(http.StatusSeeOther)
	done := reviewer.get(one).want(http.StatusOK)
	done.has(".adopt", "Rounds learn from it")
	adopted := reviewer.get(done.page().Find(`.adopt a[href*="/review/"]`).AttrOr("href", "")).want(http.StatusOK)
	adopted.has("header .muted", "the mean of the maps of")
	adopted.has(".history li", "adopted the mean of the maps of")

	work := reviewer.get("/projects/birds/people").want(http.StatusOK)
	work.has(".work tbody tr", "1.5")
	own := painter.get("/projects/birds/people").want(http.StatusOK)
	own.has(".own-work", "Minutes a map")
	own.hasNot(".work")
}
