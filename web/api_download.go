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

// downloads registers the downloads of a version's files.
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

// stateDicts registers the downloads of a version's weights for PyTorch.
func (a *api) stateDicts() {
	binary := &huma.Schema{Type: "string", Format: "binary"}
	file := func(o huma.Operation) huma.Operation {
		o.Responses = map[string]*huma.Response{"200": {Description: "The state_dict", Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: binary}}}}
		return o
	}
	const description = "Half a state_dict would load with strict=False and be another network: one that cannot be given whole is a 422 that names the layer and the reason. "
	type stateDictRequest struct {
		ByVersion
		Format string `query:"format" bound:"state_dict format" default:"safetensors"`
	}
	own := file(get("stateDict", "/versions/{version}/state-dict", "The version's weights as a state_dict for PyTorch, by the names that are in its file"))
	own.Description = description + "A network whose BatchNorms were folded needs the module's own state_dict: POST it."
	handle(a, annotator.RoleAnnotator, own,
		func(ctx context.Context, actor annotator.User, in *stateDictRequest) (*huma.StreamResponse, error) {
			return a.stateDict(ctx, actor, in.Version, annotator.StateDictRequest{Format: in.Format})
		})
	type referenceRequest struct {
		ByVersion
		Format string `query:"format" bound:"state_dict format" default:"safetensors"`
		Name   string `query:"name" bound:"file name" doc:"The reference's name, where the body is the file itself: it ends in .safetensors or .npz."`
		Copies bool   `query:"copies" doc:"Modules with equal weights in the reference are modules of their own, where the file does not tell."`
	}
	given := file(post("stateDictByReference", "/versions/{version}/state-dict", "The version's weights as a state_dict for PyTorch, with the state_dict that the network was exported from"))
	given.Description = description + "The body is the state_dict of the module as it was exported, .safetensors or .npz (application/octet-stream), or a form with the parts format, copies and, last, reference."
	given.Middlewares = huma.Middlewares{withExchange}
	handle(a, annotator.RoleLead, given,
		func(ctx context.Context, actor annotator.User, in *referenceRequest) (*huma.StreamResponse, error) {
			x := ctx.Value(keyExchange).(exchange)
			asked, came, err := a.server.readStateDictRequest(x.w, x.r.WithContext(ctx))
			defer came()
			if err != nil {
				return nil, err
			}
			return a.stateDict(ctx, actor, in.Version, asked)
		})
	// Described after the operation is registered, or huma would read the whole body into memory to validate it.
	a.huma.OpenAPI().Paths["/versions/{version}/state-dict"].Post.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/octet-stream": {Schema: binary},
		"multipart/form-data": {Schema: &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{
			"format":    {Type: "string", Enum: choices(annotator.StateDictFormats)},
			"copies":    {Type: "boolean"},
			"reference": {Type: "string", Format: "binary", Description: "The last part."},
		}}},
	}}
}

// stateDict answers with a version's state_dict.
func (a *api) stateDict(ctx context.Context, actor annotator.User, version int64, asked annotator.StateDictRequest) (*huma.StreamResponse, error) {
	d, err := a.server.service.StateDict(ctx, actor, version, asked)
	return a.sending(d), err
}

// download answers with a version in one of its forms.
func (a *api) download(ctx context.Context, actor annotator.User, version int64, form annotator.Form) (*huma.StreamResponse, error) {
	d, err := a.server.service.Download(ctx, actor, version, form)
	return a.sending(d), err
}

// sending returns a file as an answer.
func (a *api) sending(d annotator.Download) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer d.Close()
		r, w := humachi.Unwrap(hc)
		a.server.send(w, r, d)
	}}
}

// send answers a request with a file, or the range of it that is asked for. It stops once the reader loses the right to read it.
func (s *Server) send(w http.ResponseWriter, r *http.Request, d annotator.Download) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour)) // a model may be large and the line slow
	w.Header().Set("Content-Type", d.Media)
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", d.Name))
	if d.Tag != "" {
		w.Header().Set("Etag", fmt.Sprintf("%q", d.Tag))
	}
	http.ServeContent(w, r, "", d.From, &watched{ReadSeeker: d, ctx: r.Context(), still: s.still(r, annotator.RoleAnnotator), asked: time.Now()})
}

// watched is a file whose reading fails once the reader loses the right to read it.
type watched struct {
	io.ReadSeeker
	ctx   context.Context
	still func(context.Context) error
	asked time.Time
}

// Read implements io.Reader.
func (f *watched) Read(p []byte) (int, error) {
	if time.Since(f.asked) > heartbeat {
		if err := f.still(f.ctx); errors.Is(err, annotator.ErrUnauthorized) || errors.Is(err, annotator.ErrForbidden) || errors.Is(err, annotator.ErrNotFound) {
			return 0, err
		}
		f.asked = time.Now()
	}
	return f.ReadSeeker.Read(p)
}
