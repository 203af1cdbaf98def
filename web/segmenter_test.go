package web

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
)

// segmenterParts are the parts of a form that brings a small segmenter.
func segmenterParts(t *testing.T, encoder, decoder string) []string {
	t.Helper()
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(fixture.Root(), "inference", "testdata", "segmenters", name+".onnx"))
		must(t, err)
		return string(data)
	}
	return []string{"encoder", read(encoder), "decoder", read(decoder)}
}

// says fails unless an answer has a text.
func says(r *response, text string) {
	r.t.Helper()
	if !strings.Contains(string(r.body), text) {
		r.t.Errorf("%s: %s, want %q in it", r.Request.URL.Path, r.body, text)
	}
}

func TestASegmenterThroughTheAPI(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin, painter := s.as(annotator.RoleAdmin), s.as(annotator.RoleAnnotator)
	task := painter.take()
	segment := fmt.Sprintf("/tasks/%d/segment", task.ID)
	click := map[string]any{"clicks": []map[string]any{{"x": 0.5, "y": 0.5, "add": true}}}
	painter.api(http.MethodGet, "/segmenter", nil).want(http.StatusNotFound)
	says(painter.api(http.MethodPost, segment, click).want(http.StatusNotFound), "an admin can add one")
	says(painter.api(http.MethodPost, segment+"/prepare", nil).want(http.StatusNotFound), "an admin can add one")
	painter.get(fmt.Sprintf("/projects/birds/tasks/%d", task.ID)).hasNot("#editor[data-segmenter]")

	send := func(parts []string, status int) *response {
		t.Helper()
		form, media := modelFormOf(t, parts...)
		return admin.do(http.MethodPut, apiPrefix+"/segmenter", form, "Content-Type", media).want(status)
	}
	swapped := segmenterParts(t, "sam_decoder", "sam_encoder")
	says(send(swapped, http.StatusUnprocessableEntity), `"location":"body.decoder"`)
	says(send(append(segmenterParts(t, "sam_encoder", "sam_decoder"), "weights", "x"), http.StatusUnprocessableEntity), "part weights is not known")
	says(send([]string{"encoder", "x"}, http.StatusUnprocessableEntity), "no file was sent")
	says(admin.do(http.MethodPut, apiPrefix+"/segmenter", nil, "Content-Type", "application/octet-stream").want(http.StatusUnprocessableEntity), "multipart/form-data")

	g := into[annotator.Segmenter](send(append([]string{"pixels", "normalised"}, segmenterParts(t, "sam_encoder", "sam_decoder")...), http.StatusOK))
	if now := into[annotator.Segmenter](painter.api(http.MethodGet, "/segmenter", nil).want(http.StatusOK)); now.EncoderHash != g.EncoderHash || now.Kind != annotator.SegmenterSAM {
		t.Errorf("%+v, want %+v", now, g)
	}
	painter.get(fmt.Sprintf("/projects/birds/tasks/%d", task.ID)).has("#editor[data-segmenter]", "")
	for range 2 {
		painter.api(http.MethodPost, segment+"/prepare", nil).want(http.StatusNoContent)
	}
	r := into[annotator.Segment](painter.api(http.MethodPost, segment, click).want(http.StatusOK))
	if r.Height != s.version.GridHeight || r.Width != s.version.GridWidth || len(r.Coverage) != r.Height*r.Width || r.Encoder != g.EncoderHash {
		t.Errorf("%+v", r)
	}
	covered := float32(0)
	for _, c := range r.Coverage {
		covered += c
	}
	if covered == 0 {
		t.Error("the place clicked is not in its region")
	}
	for _, c := range []any{
		map[string]any{"clicks": []any{}}, map[string]any{"clicks": []any{map[string]any{"x": 1.5, "y": 0, "add": true}}}, map[string]any{"clicks": []any{map[string]any{"x": 0, "y": 0, "add": false}}},
	} {
		painter.api(http.MethodPost, segment, c).want(http.StatusUnprocessableEntity)
	}
	painter.api(http.MethodPost, "/tasks/999999/segment", click).want(http.StatusNotFound)

	// A file that is lost: whoever paints reads why, and that the wand goes on working.
	send(segmenterParts(t, "efficient_encoder", "efficient_decoder"), http.StatusOK)
	g = into[annotator.Segmenter](admin.api(http.MethodGet, "/segmenter", nil).want(http.StatusOK))
	must(t, s.blobs.Remove(t.Context(), g.DecoderHash))
	says(painter.api(http.MethodPost, segment, click).want(http.StatusServiceUnavailable), "an admin adds it again")
	says(painter.api(http.MethodPost, segment+"/prepare", nil).want(http.StatusServiceUnavailable), "an admin adds it again")
	painter.api(http.MethodGet, fmt.Sprintf("/tasks/%d/likeness", task.ID), nil).want(http.StatusOK)

	admin.api(http.MethodDelete, "/segmenter", nil).want(http.StatusNoContent)
	admin.api(http.MethodDelete, "/segmenter", nil).want(http.StatusNotFound)
}

func TestThePageOfTheSegmenter(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	admin.get("/segmenter").want(http.StatusOK).has("main h2", "None yet")
	form, media := modelFormOf(t, segmenterParts(t, "sam_encoder", "efficient_encoder")...)
	admin.do(http.MethodPost, "/segmenter", form, "Content-Type", media).want(http.StatusUnprocessableEntity).has("[data-upload-problem] .notice", "The decoder:")
	form, media = modelFormOf(t, append([]string{"pixels", "", "data", ""}, segmenterParts(t, "efficient_encoder", "efficient_decoder")...)...)
	admin.do(http.MethodPost, "/segmenter", form, "Content-Type", media).want(http.StatusSeeOther)
	page := admin.get("/segmenter").want(http.StatusOK)
	page.has(".notice", "answers clicks from now on")
	page.has(".facts", "EfficientSAM")
	admin.post("/segmenter/remove", nil).want(http.StatusSeeOther)
	admin.get("/segmenter").has("main h2", "None yet")
}
