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
)

// downloads registers the forms in which a version is taken away.
func (a *api) downloads() {
	file := func(id, path, summary, media string) huma.Operation {
		o := get(id, path, summary)
		schema := &huma.Schema{Type: "string", Format: "binary"}
		if media == "application/json" {
			schema = &huma.Schema{Type: "object"}
		}
		o.Responses = map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{media: {Schema: schema}}}}
		return o
	}
	type downloadRequest struct {
		ByVersion
		ExternalData bool `query:"external_data" doc:"Values of more than 256 bytes stand in a file beside it, as torch.onnx.export writes them: GET /versions/{version}/onnx-data."`
	}
	model := file("downloadVersion", "/versions/{version}/onnx", "The version's ONNX file, with its manifest inside", "application/octet-stream")
	model.Description = "Absolute paths of the machine that it was exported on are left out."
	handle(a, annotator.RoleAnnotator, model,
		func(ctx context.Context, actor annotator.User, in *downloadRequest) (*huma.StreamResponse, error) {
			if in.ExternalData {
				return a.download(ctx, actor, in.Version, annotator.FormGraph)
			}
			return a.download(ctx, actor, in.Version, annotator.FormONNX)
		})
	data := file("downloadVersionData", "/versions/{version}/onnx-data", "The values that stand beside the version's ONNX file", "application/octet-stream")
	data.Description = "What GET /versions/{version}/onnx?external_data=true keeps elsewhere, under the name that it has for it. Keep both in one folder."
	handle(a, annotator.RoleAnnotator, data,
		func(ctx context.Context, actor annotator.User, in *ByVersion) (*huma.StreamResponse, error) {
			return a.download(ctx, actor, in.Version, annotator.FormData)
		})
	handle(a, annotator.RoleAnnotator, file("downloadManifest", "/versions/{version}/manifest", "The version's manifest, as a file that lies beside the ONNX file", "application/json"),
		func(ctx context.Context, actor annotator.User, in *ByVersion) (*huma.StreamResponse, error) {
			return a.download(ctx, actor, in.Version, annotator.FormManifest)
		})
}

// download answers with a version in one of its forms.
func (a *api) download(ctx context.Context, actor annotator.User, version int64, form annotator.Form) (*huma.StreamResponse, error) {
	d, err := a.server.service.Download(ctx, actor, version, form)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer d.Close()
		r, w := humachi.Unwrap(hc)
		a.server.send(w, r, d)
	}}, nil
}

// send answers a request with a file, or the range of it that is asked for, for as long as its reader may read it.
func (s *Server) send(w http.ResponseWriter, r *http.Request, d annotator.Download) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour)) // a model may be large and the line slow
	w.Header().Set("Content-Type", d.Media)
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", d.Name))
	if d.Tag != "" {
		w.Header().Set("Etag", fmt.Sprintf("%q", d.Tag))
	}
	http.ServeContent(w, r, "", d.From, &watched{ReadSeeker: d, ctx: r.Context(), still: s.still(r, annotator.RoleAnnotator), asked: time.Now()})
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
