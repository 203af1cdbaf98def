package web

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/abn-studio/studio/annotator"
)

// predictedImage is an image with one version's prediction of it.
type predictedImage struct {
	Image      annotator.Image       `json:"image"`
	Prediction *annotator.Prediction `json:"prediction,omitempty" doc:"Absent while the version has not scanned it."`
}

// images registers pictures and predictions.
func (a *api) images() {
	type imageRequest struct {
		Image   int64 `path:"image"`
		Version int64 `query:"version" doc:"Whose prediction; the active version's without it."`
	}
	handle(a, annotator.RoleAnnotator, get("image", "/images/{image}", "One image and its prediction"),
		func(ctx context.Context, actor annotator.User, in *imageRequest) (*answer[predictedImage], error) {
			var version *int64
			if in.Version != 0 {
				version = &in.Version
			}
			image, prediction, err := a.server.service.Image(ctx, actor, in.Image, version)
			return &answer[predictedImage]{predictedImage{image, prediction}}, err
		})

	type pictureRequest struct {
		Image int64                 `path:"image"`
		Kind  annotator.PictureKind `query:"kind" default:"view" doc:"original: the file; whole: all of it, at most 1600 px; view: the model's own crop, at most 1024 px; thumb: the same, 320 px."`
		Tag   string                `query:"v" maxLength:"80" doc:"Anything that changes when the rendering might; with it, the answer may be kept for a week."`
	}
	picture := get("picture", "/images/{image}/picture", "A rendering of an image, as the active version sees it")
	picture.Responses = map[string]*huma.Response{"200": {Description: "The picture", Content: map[string]*huma.MediaType{
		"image/jpeg": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	handle(a, annotator.RoleAnnotator, picture,
		func(ctx context.Context, actor annotator.User, in *pictureRequest) (*huma.StreamResponse, error) {
			body, media, err := a.server.service.Picture(ctx, actor, in.Image, in.Kind)
			if err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(hc huma.Context) {
				defer body.Close()
				_, w := humachi.Unwrap(hc)
				w.Header().Set("Content-Type", media)
				w.Header().Set("Cache-Control", "private, max-age=60")
				if in.Tag != "" {
					w.Header().Set("Cache-Control", "private, max-age=604800, immutable")
				}
				w.WriteHeader(http.StatusOK)
				_, _ = io.Copy(w, body) // the client has gone if this fails
			}}, nil
		})
}

// requestOf returns the *http.Request of an operation.
func requestOf(ctx huma.Context) *http.Request {
	r, _ := humachi.Unwrap(ctx)
	return r
}
