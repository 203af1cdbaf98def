package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/abn-studio/studio/annotator"
)

// A text that is too long is refused in the same words by the API's schema and by the domain, whose words the pages show.
func TestTooLongTextsAreRefusedInTheDomainsWords(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	long := strings.Repeat("ä", annotator.BoundProjectName.Most+1)
	refused := into[Problem](admin.api(http.MethodPost, "/projects", map[string]any{"slug": "owls", "name": long}).want(http.StatusUnprocessableEntity))
	want := annotator.BoundProjectName.Problem(long)
	if want == "" || refused.Detail != want || refused.Errors[0].Location != "body.name" || refused.Errors[0].Message != want {
		t.Errorf("the API says %+v, want %q", refused, want)
	}
	_, err := s.service.CreateProject(t.Context(), s.people[annotator.RoleAdmin], "owls", long, "")
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the domain says %v, want %q", err, want)
	}
	admin.api(http.MethodPost, "/projects", map[string]any{"slug": "owls", "name": long[2:]}).want(http.StatusCreated)
}

// The description has the domain's bounds and words, in parameters, bodies and the bodies that other packages own.
func TestSchemasHaveTheDomainsBounds(t *testing.T) {
	t.Parallel()
	doc := newAPI(nil, chi.NewMux()).huma.OpenAPI()
	schemas := doc.Components.Schemas.Map()
	name := schemas["NewProjectRequestBody"].Properties["name"]
	if *name.MaxLength != annotator.BoundProjectName.Most || *name.MinLength != annotator.BoundProjectName.Least {
		t.Errorf("a project's name has %d to %d characters", *name.MinLength, *name.MaxLength)
	}
	if radius := schemas["Start"].Properties["radius"]; radius.Minimum == nil || *radius.Minimum != 0 || *radius.Maximum != 8 {
		t.Errorf("a radius is from %v to %v", radius.Minimum, radius.Maximum)
	}
	if role := schemas["User"].Properties["role"]; !slices.Equal(role.Enum, choices(annotator.Roles)) {
		t.Errorf("a role is one of %v", role.Enum)
	}
	for _, p := range doc.Paths["/tasks"].Get.Parameters {
		switch {
		case p.Name == "limit" && (*p.Schema.Maximum != annotator.MaxPage || p.Schema.Default != annotator.DefaultPage),
			p.Name == "state" && !slices.Equal(p.Schema.Items.Enum, choices(annotator.TaskStates)):
			t.Errorf("the parameter %s: %+v", p.Name, p.Schema)
		}
	}
}

// A text that has to be there is refused once, not by the schema and by the domain.
func TestAnEmptyTextIsRefusedOnce(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	for _, r := range []struct {
		method, path string
		body         map[string]any
	}{
		{http.MethodPatch, "/projects/birds", map[string]any{"name": ""}},
		{http.MethodPost, "/projects", map[string]any{"slug": "owls", "name": ""}},
	} {
		refused := into[Problem](s.as(annotator.RoleAdmin).api(r.method, r.path, r.body).want(http.StatusUnprocessableEntity))
		if len(refused.Errors) != 1 {
			t.Errorf("%s %s: %+v", r.method, r.path, refused.Errors)
		}
	}
}
