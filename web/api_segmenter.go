package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
)

// segmenters registers the studio's interactive segmenter, and clicks on a task's picture.
func (a *api) segmenters() {
	handle(a, annotator.RoleAnnotator, get("segmenter", "/segmenter", "The studio's interactive segmenter; 404 where it has none"),
		func(ctx context.Context, actor annotator.User, _ *nothing) (*answer[annotator.Segmenter], error) {
			g, err := a.server.service.Segmenter(ctx, actor)
			return &answer[annotator.Segmenter]{g}, err
		})
	set := huma.Operation{OperationID: "setSegmenter", Method: http.MethodPut, Path: "/segmenter", Summary: "Send a segmenter: it answers a click, and takes the place of the one there was", DefaultStatus: http.StatusOK}
	set.Description = "A form with two ONNX files in the usual export of SAM, MobileSAM or EfficientSAM: the parts encoder and decoder. A process of its own tries them first. " +
		"422 names which of them is wrong, and why: no such graph, other inputs, two exports, values that are no numbers, memory or time beyond the limits."
	set.Middlewares = huma.Middlewares{withExchange}
	handle(a, annotator.RoleAdmin, set, func(ctx context.Context, actor annotator.User, _ *nothing) (*answer[annotator.Segmenter], error) {
		x := ctx.Value(keyExchange).(exchange)
		g, err := a.server.receiveSegmenter(x.w, x.r.WithContext(ctx), actor)
		return &answer[annotator.Segmenter]{g}, err
	})
	binary := &huma.Schema{Type: "string", Format: "binary"}
	// Described after the operation is registered, or huma would read the whole body into memory to validate it.
	a.huma.OpenAPI().Paths["/segmenter"].Put.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"multipart/form-data": {Schema: &huma.Schema{Type: "object", Required: []string{"encoder", "decoder"}, Properties: map[string]*huma.Schema{
			"encoder": {Type: "string", Format: "binary", Description: "The image encoder's ONNX file."},
			"decoder": {Type: "string", Format: "binary", Description: "The ONNX file of the prompt encoder and mask decoder."},
			"data":    {Type: "array", Items: binary, Description: "Files that either keeps values in, by the names it has for them."},
			"pixels": {Type: "string", Enum: choices(annotator.SegmenterPixelWays), Description: "How the encoder takes a picture's values, where its graph does not tell. " +
				"normalised: (v−mean)/std with SAM's figures, what an encoder in (1,3,H,W) without a preprocessing of its own is taken to want."},
		}}},
	}}
	handle(a, annotator.RoleAdmin, huma.Operation{OperationID: "removeSegmenter", Method: http.MethodDelete, Path: "/segmenter", Summary: "Leave the studio without a segmenter", DefaultStatus: http.StatusNoContent},
		func(ctx context.Context, actor annotator.User, _ *nothing) (*nothing, error) {
			return nil, a.server.service.RemoveSegmenter(ctx, actor)
		})
	prepare := noContent(post("prepareSegmenter", "/tasks/{task}/segment/prepare", "Take a task's picture through the segmenter's encoder before the first click; nothing is stored"))
	prepare.Description = "Answers when a click would be answered at once, which may take seconds. A picture that went through is not taken through again. 404 and 503 as segment's."
	handle(a, annotator.RoleAnnotator, prepare, func(ctx context.Context, actor annotator.User, in *ByTask) (*nothing, error) {
		return nil, a.server.service.PrepareSegmenter(ctx, actor, in.Task)
	})
	type segmentRequest struct {
		ByTask
		Body struct {
			Clicks []annotator.Click `json:"clicks" bound:"clicks"`
		}
	}
	segment := post("segment", "/tasks/{task}/segment", "The region of a task's picture that clicks mean to the segmenter; nothing is stored")
	segment.Description = "Clicks are places of the model's view. The picture goes through the encoder at its first click, unless prepareSegmenter has taken it there, which may take seconds; later clicks run the decoder alone. " +
		"404 where the studio has no segmenter; 503 with the reason where it has one that does not work."
	handle(a, annotator.RoleAnnotator, segment, func(ctx context.Context, actor annotator.User, in *segmentRequest) (*answer[annotator.Segment], error) {
		r, err := a.server.service.Segment(ctx, actor, in.Task, in.Body.Clicks)
		return &answer[annotator.Segment]{r}, err
	})
}
