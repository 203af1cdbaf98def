package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/abn-studio/studio/annotator"
)

// maxImportList bounds the list of an import's files: half a million of them with paths of a usual length.
const maxImportList = 64 << 20

// ByImport addresses a data set that somebody sends.
type ByImport struct {
	Import string `path:"import"`
}

// goneOnWith is the answer that beginning to send has beside 201.
func (a *api) goneOnWith() map[string]*huma.Response {
	return answers[annotator.StagedImport](a, http.StatusOK, "One that broke off, to be gone on with")
}

// imports registers the way of images into a project.
func (a *api) imports() {
	type beginRequest struct {
		ByProject
		Body struct {
			Name   string                 `json:"name,omitempty" bound:"sent name" doc:"What people call it: the folder's name, or the archive's. With files."`
			Files  []annotator.StagedFile `json:"files,omitempty" minItems:"1" maxItems:"500000"`
			Source string                 `json:"source,omitempty" doc:"In place of name and files: a folder or bucket of the server, one of GET /sources. Nothing is sent then, and the import is received at once."`
			Path   string                 `json:"path,omitempty" doc:"Of what lies below source, with slashes: a folder, a table or an archive; all of it where absent."`
		}
	}
	type beginAnswer struct {
		Status int
		Body   annotator.StagedImport
	}
	begin := post("beginImport", "/projects/{project}/imports", "Begin to send a data set: a folder's files, or one archive")
	begin.DefaultStatus = http.StatusCreated
	begin.MaxBodyBytes = maxImportList
	begin.BodyReadTimeout = 5 * time.Minute
	begin.Description = "Lists the files with their sizes. Their bytes are one stream, one file after the other in the list's order, which PUT /imports/{import}/bytes takes in chunks from the offset `received`. " +
		"The same list sent again while bytes are missing answers 200 with the import as it is: a broken-off sending is gone on with."
	begin.Responses = a.goneOnWith()
	handle(a, annotator.RoleLead, begin,
		func(ctx context.Context, actor annotator.User, in *beginRequest) (*beginAnswer, error) {
			if b := in.Body; b.Source != "" || b.Path != "" {
				if b.Name != "" || len(b.Files) > 0 {
					return nil, &annotator.ValidationError{Field: "source", Message: "takes the place of name and files: leave those out, or this"}
				}
				staged, err := a.server.service.BeginSourceImport(ctx, actor, in.Project, annotator.ServerFolder{Source: b.Source, Path: b.Path})
				return &beginAnswer{http.StatusCreated, staged}, err
			}
			staged, resumed, err := a.server.service.BeginImport(ctx, actor, in.Project, in.Body.Name, in.Body.Files)
			if resumed {
				return &beginAnswer{http.StatusOK, staged}, err
			}
			return &beginAnswer{http.StatusCreated, staged}, err
		})

	type sourceList struct {
		Sources []string `json:"sources"`
	}
	handle(a, annotator.RoleAdmin, get("sources", "/sources", "Folders and buckets of the server that can be imported from, by name"),
		func(ctx context.Context, actor annotator.User, _ *nothing) (*answer[sourceList], error) {
			names, err := a.server.service.Sources(ctx, actor)
			return &answer[sourceList]{sourceList{orEmpty(names)}}, err
		})

	type importList struct {
		Imports []annotator.StagedImport `json:"imports"`
	}
	handle(a, annotator.RoleLead, get("imports", "/projects/{project}/imports", "Data sets that are being sent or wait to be imported, newest first"),
		func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[importList], error) {
			list, err := a.server.service.StagedImports(ctx, actor, in.Project)
			return &answer[importList]{importList{orEmpty(list)}}, err
		})
	handle(a, annotator.RoleLead, get("import", "/imports/{import}", "A data set that is being sent: how far it is, and what an import of it would do or did"),
		func(ctx context.Context, actor annotator.User, in *ByImport) (*answer[annotator.StagedImport], error) {
			staged, err := a.server.service.StagedImport(ctx, actor, in.Import)
			return &answer[annotator.StagedImport]{staged}, err
		})

	type chunkRequest struct {
		ByImport
		Offset int64 `query:"offset" required:"true" minimum:"0" doc:"Where the chunk begins: the import's received."`
	}
	chunk := huma.Operation{OperationID: "sendImportBytes", Method: http.MethodPut, Path: "/imports/{import}/bytes", Summary: "Send the next chunk of a data set", DefaultStatus: http.StatusOK}
	chunk.Description = fmt.Sprintf("At most %d MiB. 409 where the offset is not where the next chunk begins: ask for the import, and go on from its received. What came of a chunk that broke off is kept.", annotator.MaxStagedChunk>>20)
	chunk.Middlewares = huma.Middlewares{withExchange}
	handle(a, annotator.RoleLead, chunk,
		func(ctx context.Context, actor annotator.User, in *chunkRequest) (*answer[annotator.StagedImport], error) {
			x := ctx.Value(keyExchange).(exchange)
			body, came := patient(x.w, x.r, annotator.MaxStagedChunk)
			defer came()
			staged, err := a.server.service.ReceiveImport(ctx, actor, in.Import, in.Offset, body)
			if err != nil && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil) {
				err = &annotator.ValidationError{Field: "body", Message: "the chunk broke off: ask for the import, and go on from its received"}
			}
			return &answer[annotator.StagedImport]{staged}, err
		})
	// Said after the operation is registered: huma would else read the body into memory.
	a.huma.OpenAPI().Paths["/imports/{import}/bytes"].Put.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}

	type runRequest struct {
		ByImport
		Body annotator.ImportChoices
	}
	run := func(id, path, summary string, do func(context.Context, annotator.User, string, annotator.ImportChoices) (annotator.StagedImport, error)) {
		o := post(id, path, summary)
		o.DefaultStatus = http.StatusAccepted
		handle(a, annotator.RoleLead, o, func(ctx context.Context, actor annotator.User, in *runRequest) (*answer[annotator.StagedImport], error) {
			staged, err := do(ctx, actor, in.Import, in.Body)
			return &answer[annotator.StagedImport]{staged}, err
		})
	}
	run("lookAtImport", "/imports/{import}/look", "Read what was sent and tell what an import would do; its report says so once the state is looked",
		func(ctx context.Context, actor annotator.User, id string, c annotator.ImportChoices) (annotator.StagedImport, error) {
			return a.server.service.LookAtImport(ctx, actor, id, c)
		})
	run("startImport", "/imports/{import}/start", "Import what was sent",
		func(ctx context.Context, actor annotator.User, id string, c annotator.ImportChoices) (annotator.StagedImport, error) {
			return a.server.service.StartImport(ctx, actor, id, c)
		})

	discard := huma.Operation{OperationID: "discardImport", Method: http.MethodDelete, Path: "/imports/{import}", Summary: "Remove what was sent; what was imported stays in the project", DefaultStatus: http.StatusNoContent}
	handle(a, annotator.RoleLead, discard,
		func(ctx context.Context, actor annotator.User, in *ByImport) (*struct{}, error) {
			return nil, a.server.service.DiscardImport(ctx, actor, in.Import)
		})

	type exampleRequest struct {
		ByImport
		Example int `path:"example" minimum:"0" maximum:"1000"`
	}
	example := get("importExample", "/imports/{import}/examples/{example}", "A small picture of one of the report's examples")
	example.Responses = map[string]*huma.Response{"200": {Description: "The picture", Content: map[string]*huma.MediaType{
		"image/jpeg": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	handle(a, annotator.RoleLead, example,
		func(ctx context.Context, actor annotator.User, in *exampleRequest) (*huma.StreamResponse, error) {
			file, err := a.server.service.ImportExample(ctx, actor, in.Import, in.Example)
			if err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(hc huma.Context) {
				defer file.Close()
				_, w := humachi.Unwrap(hc)
				w.Header().Set("Content-Type", "image/jpeg")
				w.Header().Set("Cache-Control", "private, no-cache") // another look may make others
				w.WriteHeader(http.StatusOK)
				_, _ = io.Copy(w, file) // the client has gone if this fails
			}}, nil
		})
}
