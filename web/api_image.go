package web

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/abn-studio/studio/annotator"
)

// predictedImage is an image with one version's prediction of it, and all else that there is of it.
type predictedImage struct {
	Image       annotator.Image               `json:"image"`
	LabelName   string                        `json:"label_name,omitempty"`
	HasMask     bool                          `json:"has_mask" doc:"There is a mask of its object. False for painters in a project with checks: check_share."`
	Prediction  *annotator.Prediction         `json:"prediction,omitempty" doc:"Absent while the version has not scanned it."`
	Predictions []annotator.VersionPrediction `json:"predictions" doc:"What every version says of it, with its map; the newest version first."`
	Tasks       []annotator.Task              `json:"tasks" doc:"The newest first."`
	History     []annotator.AuditEntry        `json:"history" doc:"What people did to the image itself, the newest first, at most 100."`
}

type changedImages struct {
	Images int `json:"images" doc:"How many images that changed."`
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
			if err != nil {
				return nil, err
			}
			detail, err := a.server.service.ImageDetail(ctx, actor, in.Image)
			out := predictedImage{
				Image: image, LabelName: detail.LabelName, HasMask: detail.HasMask, Prediction: prediction,
				Predictions: orEmpty(detail.Predictions), Tasks: orEmpty(detail.Tasks), History: orEmpty(detail.History),
			}
			return &answer[predictedImage]{out}, err
		})
	a.imageList()

	type pictureRequest struct {
		Image int64                 `path:"image"`
		Kind  annotator.PictureKind `query:"kind" default:"view" doc:"original: the file; whole: all of it, at most 1600 px; view: the model's own crop, at most 1024 px; thumb: the same, 320 px."`
		Tag   string                `query:"v" maxLength:"80" doc:"Anything that changes when the rendering might; with it, the answer may be kept for a week."`
	}
	picture := get("picture", "/images/{image}/picture", "A rendering of an image, as the active version sees it")
	picture.Description = "Where the studio was told to, it answers for an original with 302 and an address of its bucket, which works for a short while and asks for no token."
	picture.Responses = map[string]*huma.Response{"302": {Description: "Where the original is"}, "200": {Description: "The picture: a JPEG, but for the original, which is what it is", Content: map[string]*huma.MediaType{
		"image/*": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	handle(a, annotator.RoleAnnotator, picture,
		func(ctx context.Context, actor annotator.User, in *pictureRequest) (*huma.StreamResponse, error) {
			if in.Kind == annotator.PictureOriginal {
				link, err := a.server.service.OriginalLink(ctx, actor, in.Image)
				if err != nil {
					return nil, err
				}
				if link != "" {
					return elsewhere(link), nil
				}
			}
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

// elsewhere sends the client on to an address that ends soon.
func elsewhere(address string) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humachi.Unwrap(hc)
		w.Header().Set("Cache-Control", "private, no-store")
		http.Redirect(w, r, address, http.StatusFound)
	}}
}

// imageList registers the list of a project's images, and what changes them.
func (a *api) imageList() {
	type listRequest struct {
		ByProject
		State      annotator.ImageState `query:"state" default:"in-use"`
		Split      annotator.Split      `query:"split"`
		Label      int                  `query:"label" minimum:"-1" default:"-1" doc:"A class's index; -1: any."`
		Unlabelled bool                 `query:"unlabelled" doc:"Only images without a label."`
		LeftOut    bool                 `query:"left_out" doc:"Only images that are left out of measures."`
		Prefix     string               `query:"prefix" bound:"search" doc:"What the name begins with."`
		Cursor     string               `query:"cursor" maxLength:"500" doc:"next of the page before."`
		Limit      int                  `query:"limit" bound:"page of tasks"`
	}
	images := get("images", "/projects/{project}/images", "A project's images, in the order in which they came in")
	images.Description = "A page at a time: next is the cursor of the following one."
	handle(a, annotator.RoleAnnotator, images, func(ctx context.Context, actor annotator.User, in *listRequest) (*answer[annotator.ImagePage], error) {
		f := annotator.ImageFilter{State: in.State, Split: in.Split, Unlabelled: in.Unlabelled, LeftOut: in.LeftOut, Prefix: in.Prefix, Cursor: in.Cursor, Limit: in.Limit}
		if in.Label >= 0 {
			f.Label = &in.Label
		}
		page, err := a.server.service.Images(ctx, actor, in.Project, f)
		page.Images = orEmpty(page.Images)
		return &answer[annotator.ImagePage]{page}, err
	})

	type byImage struct {
		Image int64 `path:"image"`
	}
	type changeRequest struct {
		Image int64 `path:"image"`
		Body  struct {
			Split *annotator.Split `json:"split,omitempty"`
			Group *string          `json:"group,omitempty" bound:"group" doc:"For the accuracy of the worst group; empty: none."`
		}
	}
	change := huma.Operation{OperationID: "changeImage", Method: http.MethodPatch, Path: "/images/{image}", Summary: "Change an image's split or group"}
	change.Description = "Its tasks follow: those of an image that goes to validation or test are closed, and come back with it. 409 while a round runs, and for an image that is out of use."
	handle(a, annotator.RoleLead, change, func(ctx context.Context, actor annotator.User, in *changeRequest) (*answer[annotator.Image], error) {
		image, err := a.server.service.ChangeImage(ctx, actor, in.Image, annotator.ImageChange{Split: in.Body.Split, Group: in.Body.Group})
		return &answer[annotator.Image]{image}, err
	})

	type changing func(ctx context.Context, actor annotator.User, slug string, images []int64) (int, error)
	type chosenRequest struct {
		ByProject
		Body struct {
			Images []int64 `json:"images" minItems:"1" maxItems:"1000" doc:"Their ids."`
		}
	}
	service := func() *annotator.Service { return a.server.service } // there is none for the description alone
	for _, c := range []struct {
		about    string
		one, all huma.Operation
		do       changing
	}{
		{
			"Its tasks are closed. What people made of it and what rounds measured stay. 409 while a round runs.",
			noContent(huma.Operation{OperationID: "deleteImage", Method: http.MethodDelete, Path: "/images/{image}", Summary: "Take an image out of use; it can be restored"}),
			post("deleteImages", "/projects/{project}/images/delete", "Take images out of use; they can be restored"),
			func(ctx context.Context, actor annotator.User, slug string, images []int64) (int, error) {
				return service().DeleteImages(ctx, actor, slug, images)
			},
		},
		{
			"Its tasks come back. 409 while a round runs, where it was purged, and where another image has its name.",
			noContent(post("restoreImage", "/images/{image}/restore", "Put a deleted image back into use")),
			post("restoreImages", "/projects/{project}/images/restore", "Put deleted images back into use"),
			func(ctx context.Context, actor annotator.User, slug string, images []int64) (int, error) {
				return service().RestoreImages(ctx, actor, slug, images)
			},
		},
		{
			"For good. Edits, predictions and what rounds measured stay. 409 for an image that is in use: delete it first.",
			noContent(post("purgeImage", "/images/{image}/purge", "Remove the file of an image that is out of use")),
			post("purgeImages", "/projects/{project}/images/purge", "Remove the files of images that are out of use"),
			func(ctx context.Context, actor annotator.User, slug string, images []int64) (int, error) {
				return service().PurgeImages(ctx, actor, slug, images)
			},
		},
	} {
		c.one.Description, c.all.Description = c.about, c.about+" None is changed where one cannot be."
		handle(a, annotator.RoleLead, c.one, func(ctx context.Context, actor annotator.User, in *byImage) (*nothing, error) {
			_, err := c.do(ctx, actor, "", []int64{in.Image})
			return &nothing{}, err
		})
		handle(a, annotator.RoleLead, c.all, func(ctx context.Context, actor annotator.User, in *chosenRequest) (*answer[changedImages], error) {
			n, err := c.do(ctx, actor, in.Project, in.Body.Images)
			return &answer[changedImages]{changedImages{n}}, err
		})
	}

	mask := get("mask", "/images/{image}/mask", "The mask of an image's object, a grey PNG of the picture's size")
	mask.Responses = map[string]*huma.Response{"200": {Description: "The mask", Content: map[string]*huma.MediaType{
		"image/png": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
	handle(a, annotator.RoleAnnotator, mask, func(ctx context.Context, actor annotator.User, in *byImage) (*huma.StreamResponse, error) {
		body, err := a.server.service.Mask(ctx, actor, in.Image)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			defer body.Close()
			_, w := humachi.Unwrap(hc)
			w.Header().Set("Content-Type", "image/png")
			w.Header().Set("Cache-Control", "private, max-age=60")
			_, _ = io.Copy(w, body) // the client has gone if this fails
		}}, nil
	})
}

// requestOf returns the *http.Request of an operation.
func requestOf(ctx huma.Context) *http.Request {
	r, _ := humachi.Unwrap(ctx)
	return r
}
