package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/takeout"
)

// maps registers the way of maps into a project.
func (a *api) maps() {
	// For the description and the bounds alone: receiveMaps reads the request as it comes.
	type bringRequest struct {
		ByProject
		Name        string `query:"name" bound:"file name" doc:"The file's name, where the body is the file itself: its ending says what it is."`
		Author      string `query:"author" bound:"typed name" doc:"By whom the maps are, where the file does not say it."`
		State       string `query:"state" bound:"brought state" doc:"As what they come, where the file does not say it: submitted without it."`
		Reviewer    string `query:"reviewer" bound:"typed name" doc:"Who judged approved or rejected ones, where the file does not say it."`
		Made        string `query:"made" bound:"edit source" doc:"How they were made, where the file does not say it: painted without it."`
		SkipUnknown bool   `query:"skip_unknown" doc:"Leave out maps of images that the project does not have or that can have none."`
		Look        bool   `query:"look" doc:"Read and count, and change nothing."`
	}
	bring := post("bringMaps", "/projects/{project}/maps", "Bring maps that were made elsewhere")
	bring.Description = "The body is one file (application/octet-stream, with its name), or a form with parts maps, each a file with the folders of its name, and what is otherwise in the query. " +
		"A file is " + strings.Join(takeout.ReadSuffixes, ", ") + "; several are of one map each. A map is called like its image, as in exports. All are checked before the first is added; images that somebody has worked on keep what they have, and the same maps again add nothing."
	bring.DefaultStatus = http.StatusOK
	bring.Middlewares = huma.Middlewares{withExchange}
	handle(a, annotator.RoleLead, bring,
		func(ctx context.Context, actor annotator.User, in *bringRequest) (*answer[annotator.BringReport], error) {
			x := ctx.Value(keyExchange).(exchange)
			_, report, err := a.server.receiveMaps(x.w, x.r.WithContext(ctx), actor, in.Project)
			return &answer[annotator.BringReport]{report}, err
		})
	// Said after the operation is registered: huma would else read the body into memory.
	binary := &huma.Schema{Type: "string", Format: "binary"}
	parts := map[string]*huma.Schema{"maps": {Type: "array", Items: binary, Description: "The files."}}
	described := a.huma.OpenAPI().Paths["/projects/{project}/maps"].Post
	for _, p := range described.Parameters {
		if p.In == "query" && p.Name != "name" {
			parts[p.Name] = p.Schema
		}
	}
	described.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/octet-stream": {Schema: binary},
		"multipart/form-data":      {Schema: &huma.Schema{Type: "object", Required: []string{"maps"}, Properties: parts}},
	}}
}
