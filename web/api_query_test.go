package web

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// What a request says is taken as it says it, or refused with its place: nothing is taken for something that was left out.
func TestWhatIsNotDescribedIsRefused(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	for _, c := range []struct{ method, path, body, location string }{
		{http.MethodGet, "/projects/birds/audit?before=", "", "query.before"},
		{http.MethodGet, "/projects/birds/images?split=", "", "query.split"},
		{http.MethodGet, "/tasks?project=birds&state=open&state=", "", "query.state"},
		{http.MethodGet, "/projects/birds/images?limit=1&limit=2", "", "query.limit"},
		{http.MethodGet, "/projects/birds/images?stat=deleted", "", "query.stat"},
		{http.MethodGet, "/projects?state=lost", "", "query.state"},
		{http.MethodGet, "/projects/birds/images?cursor=here", "", "query.cursor"},
		{http.MethodGet, "/projects/birds/export?format=csv&since=yesterday", "", "query.since"},
		{http.MethodPatch, "/projects/birds", `{"name": null}`, "body"},
		{http.MethodPatch, "/projects/birds", `{"NAME": "Owls"}`, "body.NAME"},
		{http.MethodPost, "/projects", `{"slug": "Owls!", "name": "Owls"}`, "body.slug"},
		{http.MethodPost, "/projects", `{"slug": "owls", "name": "  "}`, "body.name"},
		{http.MethodPost, "/tasks/1/score", `{"map": {"h": 0, "w": 1, "values": []}}`, "body.map.h"},
		{http.MethodPost, "/tasks/1/skip", `{}`, "body"},
		{http.MethodPost, "/archives", `{"name": "", "bytes": 1}`, "body.name"},
		{http.MethodPost, "/tokens", `{"name": "a", "scopes": ["read"], "days": 0, "current_password": "x"}`, "body.days"},
	} {
		r := admin.do(c.method, apiPrefix+c.path, strings.NewReader(c.body), "Content-Type", "application/json").want(http.StatusUnprocessableEntity)
		if p := into[Problem](r); len(p.Errors) == 0 || p.Errors[0].Location != c.location || p.Title == http.StatusText(http.StatusBadRequest) {
			t.Errorf("%s %s %s is refused with %s, want %s", c.method, c.path, c.body, r.body, c.location)
		}
	}
	slug := into[Problem](admin.api(http.MethodPost, "/projects", map[string]any{"slug": "Owls!", "name": "Owls"}).want(http.StatusUnprocessableEntity))
	if want := annotator.SlugProblem("Owls!"); slug.Detail != want {
		t.Errorf("a slug is refused with %q, want %q", slug.Detail, want)
	}
	changed := into[changedImages](admin.do(http.MethodPost, apiPrefix+"/projects/birds/images/delete", strings.NewReader(`{"images": [1.0, 2e0]}`), "Content-Type", "application/json").want(http.StatusOK))
	if changed.Images != 2 {
		t.Errorf("%d images were deleted, want 2", changed.Images)
	}
}

func TestWholeNumbersAndNulls(t *testing.T) {
	t.Parallel()
	if got, _ := wholeNumbers([]byte(`{"a": [38.0, -1e2,0.5], "b": "1.0", "c": 1e300}`)); string(got) != `{"a": [38, -100,0.5], "b": "1.0", "c": 1e300}` {
		t.Errorf("whole numbers are %s", got)
	}
	type part struct {
		Name *string `json:"name"`
	}
	type body struct {
		part
		Parts []part            `json:"parts"`
		Words map[string]string `json:"words"`
		Any   json.RawMessage   `json:"any"`
	}
	for in, want := range map[string]string{
		`{"name": null}`: "name", `{"parts": [{}, {"name": null}]}`: "parts[1].name", `{"parts": [null]}`: "parts[0]", `{"words": {"a": null}}`: "words.a",
		`{"any": null}`: "", `{"any": {"a": null}}`: "", `{"name": "null"}`: "",
	} {
		if got, found := nullAt([]byte(in), reflect.TypeFor[*body]()); got != want || found != (want != "") {
			t.Errorf("%s has a null at %q, want %q", in, got, want)
		}
	}
}
