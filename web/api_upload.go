package web

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
)

// ByUpload addresses an uploaded model file.
type ByUpload struct {
	Upload int64 `path:"upload"`
}

// sentModel is an upload and, while a worker makes a version of it, its job.
type sentModel struct {
	Upload annotator.Upload `json:"upload"`
	Job    *annotator.Job   `json:"job,omitempty"`
}

// keyExchange is the key of the request and the response writer of an operation that reads its body itself.
const keyExchange contextKey = 101

type exchange struct {
	r *http.Request
	w http.ResponseWriter
}

// withExchange gives an operation its request, so that it can read the body as it comes.
func withExchange(ctx huma.Context, next func(huma.Context)) {
	r, w := humachi.Unwrap(ctx)
	next(huma.WithValue(ctx, keyExchange, exchange{r, w}))
}

// uploads registers sending a model file and making a version of it.
func (a *api) uploads() {
	type addVersionRequest struct {
		ByProject
		Name     string `query:"name" bound:"file name" doc:"The file's name, where the body is the file itself."`
		Inspect  bool   `query:"inspect" doc:"Only tell what the file is; POST /uploads/{upload}/add makes it a version within a day."`
		Activate bool   `query:"activate" doc:"Make it the active version at once (the first one always is)."`
		// The names of values, for the description alone: receiveModel reads them from the request (manifest.NameFields).
		Map       string `query:"map" bound:"value's name"`
		Features  string `query:"features" bound:"value's name"`
		LogitsAtt string `query:"logits_att" bound:"value's name"`
		LogitsPer string `query:"logits_per" bound:"value's name"`
		Image     string `query:"image" bound:"value's name"`
	}
	add := post("addVersion", "/projects/{project}/versions", "Send a model: it is inspected, run once by a worker, and becomes a version")
	add.Description = "The body is an ONNX file (application/octet-stream, its manifest in metadata_props under abn.manifest), or a form with the part model and, where there are such files, parts data (values it keeps beside itself, such as abn.onnx.data) and manifest " +
		"(its manifest, or preprocessor_config.json, config.json, timm's pretrained_cfg, torchvision's transforms, a list of classes). " +
		"The answer is 202 with what the file is, as `studio model inspect` tells it, and the job that adds it; 200 with inspect. " +
		"Where the graph does not tell which of its values are the network's parts, map, features, logits_att, logits_per and image name them, in the query or as parts of the form. " +
		"422 names what is wrong: no ONNX, no Attention Branch Network, data that was not sent, a manifest that does not fit, classes other than the project's."
	add.DefaultStatus = http.StatusAccepted
	add.Middlewares = huma.Middlewares{withExchange}
	add.Responses = answers[sentModel](a, http.StatusOK, "With inspect: what the file is")
	type addVersionAnswer struct {
		Status int
		Body   sentModel
	}
	handle(a, annotator.RoleLead, add,
		func(ctx context.Context, actor annotator.User, in *addVersionRequest) (*addVersionAnswer, error) {
			x := ctx.Value(keyExchange).(exchange)
			upload, _, err := a.server.receiveModel(x.w, x.r.WithContext(ctx), actor, in.Project)
			if err != nil {
				return nil, err
			}
			if in.Inspect {
				return &addVersionAnswer{http.StatusOK, sentModel{Upload: upload}}, nil
			}
			upload, job, err := a.server.service.AddUpload(ctx, actor, upload.ID, nil, in.Activate)
			return &addVersionAnswer{http.StatusAccepted, sentModel{upload, &job}}, err
		})
	binary := &huma.Schema{Type: "string", Format: "binary"}
	// Described after the operation is registered, or huma would read the whole body into memory to validate it.
	parts := map[string]*huma.Schema{
		"model":    {Type: "string", Format: "binary", Description: "The ONNX file."},
		"data":     {Type: "array", Items: binary, Description: "Files that it keeps values in, by the names it has for them."},
		"manifest": {Type: "array", Items: binary, Description: "Its manifest, JSON, where the file does not carry it; or what it can be made of."},
	}
	described := a.huma.OpenAPI().Paths["/projects/{project}/versions"].Post
	for _, f := range manifest.NameFields {
		parts[f.Key] = &huma.Schema{Type: "string", Description: f.Help}
		for _, p := range described.Parameters {
			if p.Name == f.Key {
				p.Description = f.Help
			}
		}
	}
	described.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/octet-stream": {Schema: binary},
		"multipart/form-data":      {Schema: &huma.Schema{Type: "object", Required: []string{"model"}, Properties: parts}},
	}}

	handle(a, annotator.RoleLead, get("upload", "/uploads/{upload}", "A model file that was sent, and what became of it"),
		func(ctx context.Context, actor annotator.User, in *ByUpload) (*answer[sentModel], error) {
			upload, _, err := a.server.service.Upload(ctx, actor, in.Upload)
			return &answer[sentModel]{sentModel{Upload: upload}}, err
		})
	type addUploadRequest struct {
		ByUpload
		Body struct {
			Manifest json.RawMessage `json:"manifest,omitempty" doc:"How pixels become its input and what its classes are called; the one it came with where absent."`
			Activate bool            `json:"activate,omitempty"`
		}
	}
	addUpload := post("addUpload", "/uploads/{upload}/add", "Make a model that was sent a version")
	addUpload.DefaultStatus = http.StatusAccepted
	handle(a, annotator.RoleLead, addUpload,
		func(ctx context.Context, actor annotator.User, in *addUploadRequest) (*answer[sentModel], error) {
			upload, job, err := a.server.service.AddUpload(ctx, actor, in.Upload, in.Body.Manifest, in.Body.Activate)
			return &answer[sentModel]{sentModel{upload, &job}}, err
		})
}
