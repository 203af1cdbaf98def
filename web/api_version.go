package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
)

type versionList struct {
	Versions []annotator.Version `json:"versions"`
}

// versions registers the line of descent.
func (a *api) versions() {
	handle(a, annotator.RoleAnnotator, get("versions", "/projects/{project}/versions", "Versions, v1 first"),
		func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[versionList], error) {
			versions, err := a.server.service.Versions(ctx, actor, in.Project)
			return &answer[versionList]{versionList{orEmpty(versions)}}, err
		})
	handle(a, annotator.RoleAnnotator, get("version", "/versions/{version}", "One version"),
		func(ctx context.Context, actor annotator.User, in *ByVersion) (*answer[annotator.Version], error) {
			v, _, err := a.server.service.Version(ctx, actor, in.Version)
			return &answer[annotator.Version]{v}, err
		})
	activate := post("activateVersion", "/versions/{version}/activate", "Make a version the active one")
	activate.Description = "Archives the one before; activating an archived version is rollback."
	handle(a, annotator.RoleAdmin, activate,
		func(ctx context.Context, actor annotator.User, in *ByVersion) (*answer[annotator.Version], error) {
			v, err := a.server.service.ActivateVersion(ctx, actor, in.Version)
			return &answer[annotator.Version]{v}, err
		})
	scan := post("startScan", "/versions/{version}/scan", "Predict every image the version has not predicted")
	scan.DefaultStatus = http.StatusAccepted
	handle(a, annotator.RoleAdmin, scan,
		func(ctx context.Context, actor annotator.User, in *ByVersion) (*answer[annotator.Job], error) {
			job, err := a.server.service.StartScan(ctx, actor, in.Version)
			return &answer[annotator.Job]{job}, err
		})
	download := get("downloadVersion", "/versions/{version}/onnx", "The version's ONNX file")
	download.Responses = map[string]*huma.Response{"200": {Description: "The model", Content: map[string]*huma.MediaType{
		"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	handle(a, annotator.RoleAnnotator, download,
		func(ctx context.Context, actor annotator.User, in *ByVersion) (*huma.StreamResponse, error) {
			_, project, err := a.server.service.Version(ctx, actor, in.Version)
			if err != nil {
				return nil, err
			}
			file, v, err := a.server.service.OpenModel(ctx, actor, in.Version)
			if err != nil {
				return nil, err
			}
			model, err := manifest.Carry(file, v.Manifest) // so that a download can be uploaded again as it is
			if err != nil {
				file.Close()
				return nil, fmt.Errorf("the model of version %d: %w", v.ID, err)
			}
			return &huma.StreamResponse{Body: func(hc huma.Context) {
				defer file.Close()
				r, w := humachi.Unwrap(hc)
				_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour)) // a model may be large and the line slow
				w.Header().Set("Content-Type", "application/octet-stream")
				w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-v%d.onnx"`, project.Slug, v.Number))
				w.Header().Set("Etag", `"`+v.ModelHash+`-m"`)
				http.ServeContent(w, r, "", v.CreatedAt, &watched{ReadSeeker: model, ctx: ctx, still: a.server.still(r, annotator.RoleAnnotator), asked: time.Now()})
			}}, nil
		})
}

// watched is a file that is read for as long as its reader may read it.
type watched struct {
	io.ReadSeeker
	ctx   context.Context
	still func(context.Context) error
	asked time.Time
}

// Read implements io.Reader.
func (f *watched) Read(p []byte) (int, error) {
	if time.Since(f.asked) > heartbeat {
		if err := f.still(f.ctx); errors.Is(err, annotator.ErrUnauthorized) || errors.Is(err, annotator.ErrForbidden) {
			return 0, err
		}
		f.asked = time.Now()
	}
	return f.ReadSeeker.Read(p)
}
