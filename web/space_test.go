package web

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// An admin sees what takes the space and sets quotas, which the trail has. A lead sees their project's and is warned; others see none of it.
// What does not fit is refused with the numbers and the remedy, and leaves nothing.
func TestSpaceAndQuotas(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	_, err := s.service.SetMember(t.Context(), s.people[annotator.RoleAdmin], "birds", s.people[annotator.RoleReviewer].ID, annotator.RoleLead)
	must(t, err)
	admin, lead, painter := s.as(annotator.RoleAdmin), s.as(annotator.RoleReviewer), s.as(annotator.RoleAnnotator)
	mine := func() annotator.ProjectSpace {
		t.Helper()
		return into[annotator.ProjectSpace](lead.api(http.MethodGet, "/projects/birds/space", nil).want(http.StatusOK))
	}
	quota := func(typed string) *response {
		return admin.post("/space", url.Values{"do": {"quota"}, "project": {"birds"}, "quota": {typed}})
	}
	space := mine()
	if space.Used() == 0 || space.ModelBytes == 0 || space.Quota != 0 {
		t.Fatalf("%+v", space)
	}
	all := into[annotator.Space](admin.api(http.MethodGet, "/space", nil).want(http.StatusOK))
	if len(all.Projects) != 1 || all.Projects[0].Used() != space.Used() || all.Database.Bytes == 0 || len(all.Database.Tables) != 8 {
		t.Errorf("%+v", all)
	}
	tables := int64(0)
	for _, group := range all.Database.Tables {
		tables += group.Bytes
	}
	if tables != all.Database.Bytes {
		t.Errorf("the groups of tables have %d bytes, the database %d", tables, all.Database.Bytes)
	}
	admin.get("/space").want(http.StatusOK).has("tr[data-project=birds] td", "kB")
	for _, other := range []*browser{lead, painter} {
		other.get("/space").want(http.StatusForbidden)
		other.api(http.MethodGet, "/space", nil).want(http.StatusForbidden)
		other.api(http.MethodPut, "/projects/birds/quota", map[string]any{"quota": 1}).want(http.StatusForbidden)
		other.api(http.MethodPut, "/space/quota", map[string]any{"quota": 1}).want(http.StatusForbidden)
	}
	painter.api(http.MethodGet, "/projects/birds/space", nil).want(http.StatusForbidden)

	for _, typed := range []string{"-1", "0", "much", "1e12", "NaN", "1 GB"} {
		quota(typed).want(http.StatusUnprocessableEntity).has(".notice-bad", "no size in GB")
	}
	admin.api(http.MethodPut, "/projects/birds/quota", map[string]any{"quota": -1}).want(http.StatusUnprocessableEntity)
	admin.post("/space", url.Values{"do": {"quota"}, "project": {"goats"}, "quota": {"1"}}).want(http.StatusNotFound)

	// The quota of every project holds until the project has its own.
	admin.api(http.MethodPut, "/space/quota", map[string]any{"quota": 10 * space.Used()}).want(http.StatusNoContent)
	if now := mine(); now.Quota != 10*space.Used() || now.OwnQuota != 0 {
		t.Errorf("%+v", now)
	}
	lead.get("/projects/birds/images").want(http.StatusOK).hasNot("[data-quota]")
	admin.api(http.MethodPut, "/projects/birds/quota", map[string]any{"quota": space.Used() + 100}).want(http.StatusOK)
	lead.get("/projects/birds/images").want(http.StatusOK).has("[data-quota].notice-warn", "may have")
	painter.get("/projects/birds/images").want(http.StatusOK).hasNot("[data-quota]")
	admin.get("/space").want(http.StatusOK).has("tr[data-project=birds] .chip", "%")

	// 101 bytes are one too many, 100 are not.
	list := func(bytes int64) map[string]any {
		return map[string]any{"name": "more", "files": []annotator.StagedFile{{Path: "train/owl/1.jpg", Bytes: bytes}}}
	}
	refused := admin.api(http.MethodPost, "/projects/birds/imports", list(101)).want(http.StatusConflict)
	for _, says := range []string{"birds", "101 B", "purge images", "larger quota"} {
		if !strings.Contains(string(refused.body), says) {
			t.Errorf("the error does not say %q: %s", says, refused.body)
		}
	}
	if left := into[struct {
		Imports []annotator.StagedImport `json:"imports"`
	}](admin.api(http.MethodGet, "/projects/birds/imports", nil).want(http.StatusOK)).Imports; len(left) > 0 {
		t.Errorf("a refused import left %+v", left)
	}
	admin.api(http.MethodPost, "/projects/birds/imports", list(100)).want(http.StatusCreated)

	// A model that does not fit: sent, and no upload; into a full project it need not be sent.
	model, beside := referenceModel(t, "abn-resnet-tiny")
	send := func() *response {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for kind, content := range map[string][]byte{"model": model, "manifest": beside} {
			part, err := w.CreateFormFile(kind, "m."+kind)
			must(t, err)
			_, err = part.Write(content)
			must(t, err)
		}
		must(t, w.Close())
		return admin.do(http.MethodPost, apiPrefix+"/projects/birds/versions?inspect=true", &body, "Content-Type", w.FormDataContentType())
	}
	send().want(http.StatusConflict)
	admin.api(http.MethodPut, "/projects/birds/quota", map[string]any{"quota": 1}).want(http.StatusOK)
	send().want(http.StatusConflict)
	lead.get("/projects/birds/images").want(http.StatusOK).has("[data-quota].notice-bad", "nothing is imported")
	if now := mine(); now.Uploads != 0 || now.Used() != space.Used() {
		t.Errorf("a refused model left %+v", now)
	}
	painter.api(http.MethodPost, "/projects/birds/tasks/next", nil).want(http.StatusOK) // painting never fails by a quota
	quota("").want(http.StatusSeeOther)
	send().want(http.StatusOK)
	if now := mine(); now.Uploads != 1 || now.UploadBytes != int64(len(model)) {
		t.Errorf("%+v", now)
	}

	var said []string
	for _, l := range into[trailList](admin.api(http.MethodGet, "/audit?kind=settings", nil).want(http.StatusOK)).Entries {
		if l.Action == "project.quota" {
			said = append(said, fmt.Sprintf("%s %s", l.Project, l.Subject))
		}
	}
	if len(said) != 4 || said[3] != " every project" || said[0] != "birds project birds" {
		t.Errorf("the trail has %q", said)
	}
	admin.get("/audit").want(http.StatusOK).has(".trail", "changed the quota of")
	admin.post("/space", url.Values{"do": {"count"}}).want(http.StatusSeeOther)
	var waiting int
	must(t, s.store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'tidy'`).Scan(&waiting))
	if waiting != 1 {
		t.Errorf("%d parts tidy", waiting)
	}
}
