package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
)

// anyone marks an operation that needs no sign-in.
const anyone annotator.Role = ""

// apiPrefix is how the API's addresses begin.
const apiPrefix = "/api/v1"

// api registers the operations of /api/v1 on one router.
type api struct {
	server *Server
	huma   huma.API
	tag    string                    // of the operations that are being registered
	roles  map[string]annotator.Role // "GET /tasks/{task}" → the role it needs; for the test that calls all operations
}

// newAPI describes and registers every operation. For the description alone the server may be nil.
func newAPI(s *Server, r chi.Router) *api {
	config := huma.DefaultConfig("ABN Studio", "1")
	config.Info.Description = "Teach an image classifier where to look: tasks, attention maps, live scores, reviews, rounds, versions. " +
		"Sign in with POST /session (a cookie) or send a bearer token made on the account page, which has scopes and expires. Errors are problems (RFC 9457)."
	config.Servers = []*huma.Server{{URL: apiPrefix}}
	config.DocsPath, config.SchemasPath = "", ""
	config.CreateHooks = nil // no $schema fields
	config.RejectUnknownQueryParameters = true
	config.Formats = map[string]huma.Format{"application/json": legibleJSON, "json": legibleJSON}
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: "studio"},
		"bearer":  {Type: "http", Scheme: "bearer"},
	}
	a := &api{server: s, huma: humachi.New(r, config), roles: map[string]annotator.Role{}}
	a.enumerate()
	a.huma.OpenAPI().OnAddOperation = append(a.huma.OpenAPI().OnAddOperation, constrain)
	for _, section := range []struct { // generated clients have a module of each
		tag      string
		register []func()
	}{
		{"sessions", []func(){a.sessions, a.passkeys}}, {"people", []func(){a.people, a.personal, a.invitations, a.trail, a.webhooks}}, {"projects", []func(){a.projects, a.space}},
		{"images", []func(){a.images, a.leakage}}, {"labels", []func(){a.labels}}, {"tasks", []func(){a.tasks, a.manyTasks, a.activationMaps, a.likeness, a.segmenters, a.startingPoints}},
		{"reviews", []func(){a.reviews, a.reviewDesk, a.agreement}}, {"rounds", []func(){a.rounds, a.forecasts}}, {"versions", []func(){a.versions, a.downloads, a.stateDicts, a.uploads}},
		{"exports", []func(){a.exports, a.maps}}, {"archives", []func(){a.archives}}, {"imports", []func(){a.imports}},
	} {
		a.tag = section.tag
		for _, register := range section.register {
			register()
		}
	}
	constrainSchema(a.huma.OpenAPI(), reflect.TypeFor[attention.Map]())
	constrainSchema(a.huma.OpenAPI(), reflect.TypeFor[annotator.Changes]())
	constrainSchema(a.huma.OpenAPI(), reflect.TypeFor[annotator.Click]())
	constrainSchema(a.huma.OpenAPI(), reflect.TypeFor[annotator.Pin]())
	return a
}

// schemaName returns a type's name in the description. It is the type's own name, except that recipe.Settings is named for rounds.
func schemaName(t reflect.Type, hint string) string {
	if t == reflect.TypeFor[recipe.Settings]() {
		return "RoundSettings"
	}
	return huma.DefaultSchemaNamer(t, hint)
}

// OpenAPI returns the API's description (OpenAPI 3.1, JSON). It needs no database.
func OpenAPI() ([]byte, error) {
	raw, err := newAPI(nil, chi.NewMux()).huma.OpenAPI().MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("describing the API: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", " "); err != nil {
		return nil, fmt.Errorf("describing the API: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// answer is a JSON body with status 200 or the operation's default status.
type answer[T any] struct {
	Body T
}

// nothing is the input of an operation without parameters, and the output of one without a body.
type nothing struct{}

// The path parameters by which operations address things. They are exported because huma reads embedded types only if they are.
type (
	// ByProject addresses a project.
	ByProject struct {
		Project string `path:"project" bound:"slug" doc:"The project's slug, as in its address."`
	}
	// ByTask addresses a task.
	ByTask struct {
		Task int64 `path:"task"`
	}
	// ByRound addresses a round.
	ByRound struct {
		Round int64 `path:"round"`
	}
	// ByVersion addresses a version.
	ByVersion struct {
		Version int64 `path:"version"`
	}
)

// handle registers one operation: it checks the role, calls h, and turns its error into a problem.
func handle[I, O any](a *api, role annotator.Role, o huma.Operation, h func(ctx context.Context, actor annotator.User, in *I) (*O, error)) {
	a.roles[o.Method+" "+o.Path] = role
	o.Tags = []string{a.tag}
	var scope annotator.Scope
	if role != anyone {
		scope = scopeOf(o.OperationID)
		word := string(role)
		if inProject(o.Path) {
			word += " in the project"
		}
		if scope == browserOnly {
			o.Security = []map[string][]string{{"session": {}}}
			o.Description = joinSentences(o.Description, "Needs the role "+word+"; not for bearer tokens.")
		} else {
			o.Security = []map[string][]string{{"session": {}}, {"bearer": {string(scope)}}}
			o.Description = joinSentences(o.Description, "Needs the role "+word+", and of a bearer token the scope "+string(scope)+".")
		}
	}
	if o.Responses != nil { // huma adds the error response only to operations without responses of their own
		o.Responses["default"] = &huma.Response{Description: "A problem", Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[*Problem](), true, "Problem")}}}
	}
	places := placesOf(reflect.TypeFor[I]())
	var registered *huma.Operation
	guard := func(ctx huma.Context, next func(huma.Context)) {
		if role != anyone {
			actor, err := a.permit(ctx, role, scope, o)
			if err != nil {
				r, w := humachi.Unwrap(ctx)
				a.server.fail(w, r, err) // before the body is read
				return
			}
			ctx = huma.WithValue(ctx, keyActor, actor)
		}
		if p := checkQuery(ctx, registered); p != nil {
			_, w := humachi.Unwrap(ctx)
			writeProblem(w, p)
			return
		}
		next(ctx)
	}
	o.Middlewares = append(o.Middlewares, guard)
	o.Metadata = map[string]any{boundFields: fieldsWithBounds(reflect.TypeFor[I]())}
	huma.Register(a.huma, o, func(ctx context.Context, in *I) (*O, error) {
		actor, _ := ctx.Value(keyActor).(annotator.User)
		out, err := h(ctx, actor, in)
		if err != nil {
			return nil, a.problem(ctx, err, places)
		}
		return out, nil
	})
	registered = operationAt(a.huma.OpenAPI(), o)
}

// permit is permit for an operation: in a project where its address names one of its things. The actor has their role there. An address that
// names no possible thing goes on, and is refused with what is wrong about it.
func (a *api) permit(ctx huma.Context, role annotator.Role, scope annotator.Scope, o huma.Operation) (annotator.User, error) {
	needed := role
	if inProject(o.Path) {
		needed = annotator.RoleAnnotator
	}
	if err := permit(ctx.Context(), needed, scope, o.Summary); err != nil {
		return annotator.User{}, err
	}
	actor, _ := ctx.Context().Value(keyActor).(annotator.User)
	if of, is := thingOf(o.Path, ctx.Param); is {
		return a.server.service.Within(ctx.Context(), actor, role, of)
	}
	return actor, nil
}

// inProject reports whether an address (of the API, or a page's) names something of a project.
func inProject(path string) bool {
	_, is := parameterOf(path)
	return is
}

// parameterOf is the parameter of an address by which its project is found.
func parameterOf(path string) (kind annotator.ThingKind, is bool) {
	path = strings.TrimPrefix(path, apiPrefix)
	if strings.HasPrefix(path, "/archives") { // of projects that are to be made
		return "", false
	}
	for _, kind := range annotator.ThingKinds {
		if strings.Contains(path, "{"+string(kind)+"}") {
			return kind, true
		}
	}
	return "", false
}

// thingOf is the thing that an address names, whose project decides who may ask for it; not where it names none, or what can be none.
func thingOf(path string, param func(name string) string) (annotator.Thing, bool) {
	if slug := param("slug"); slug != "" {
		return annotator.ThingProject.Called(slug), annotator.SlugProblem(slug) == ""
	}
	kind, is := parameterOf(path)
	if !is {
		return annotator.Thing{}, false
	}
	switch value := param(string(kind)); kind {
	case annotator.ThingProject:
		return kind.Called(value), annotator.SlugProblem(value) == ""
	case annotator.ThingImport:
		return kind.Called(value), true
	default:
		id, err := strconv.ParseInt(value, 10, 64)
		return kind.Of(id), err == nil
	}
}

// answers is one more JSON answer that an operation has beside that of its default status.
func answers[T any](a *api, status int, about string) map[string]*huma.Response {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	return map[string]*huma.Response{strconv.Itoa(status): {Description: about, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}}
}

func joinSentences(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}

// problem turns an error into the API's answer, and logs what the answer leaves out. places are those of the operation's parameters.
func (a *api) problem(ctx context.Context, err error, places map[string]string) *Problem {
	f := a.server.outcome(ctx, err)
	if place, ok := places[f.field]; ok {
		x, itself := ctx.Value(keyExchange).(exchange) // what reads its body itself takes some fields in either place
		if !itself || place != "query" || x.r.URL.Query().Has(f.field) {
			f.field = place + "." + f.field
		}
	}
	a.server.note(ctx, f, err)
	if f.current != nil {
		a.server.metrics.conflict.Inc()
	}
	return newProblem(ctx, f)
}

// get, post, put, patch and del make an operation of that method.
func get(id, path, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary}
}

func post(id, path, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: http.MethodPost, Path: path, Summary: summary, DefaultStatus: http.StatusOK}
}

func created(o huma.Operation) huma.Operation {
	o.DefaultStatus = http.StatusCreated
	return o
}

func noContent(o huma.Operation) huma.Operation {
	o.DefaultStatus = http.StatusNoContent
	return o
}
