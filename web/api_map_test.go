package web

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

func TestActivationMapsThroughTheAPI(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleAnnotator)
	task := b.take()
	path := fmt.Sprintf("/tasks/%d/activation-map", task.ID)
	mapped := func(body map[string]any) annotator.ActivationMap {
		t.Helper()
		return into[annotator.ActivationMap](b.api(http.MethodPost, path, body).want(http.StatusOK))
	}
	cam := mapped(map[string]any{"method": "cam", "branch": "attention"})
	if cam.Class != task.Prediction.Class || cam.ClassName != task.Project.Classes[cam.Class].Name || cam.Height != task.Version.GridHeight ||
		len(cam.Values) != cam.Height*cam.Width || cam.Max != slices.Max(cam.Values) {
		t.Errorf("without a class: %+v, want a map of the answer's class", cam)
	}
	own := mapped(map[string]any{"method": "grad-cam", "branch": "perception", "class": 1})
	same := mapped(map[string]any{"method": "grad-cam", "branch": "perception", "class": 1, "map": task.Map})
	edited := mapped(map[string]any{"method": "grad-cam", "branch": "perception", "class": 1, "values": painted(task).Values})
	if own.Class != 1 || own.Min < 0 || !slices.Equal(own.Values, same.Values) || slices.Equal(own.Values, edited.Values) {
		t.Errorf("Grad-CAM with the model's map is %v, with the same map sent along %v, with another %v", own.Values, same.Values, edited.Values)
	}
	again := into[annotator.TaskDetail](b.api(http.MethodGet, fmt.Sprintf("/tasks/%d", task.ID), nil).want(http.StatusOK))
	if again.Edit != nil {
		t.Error("asking for a map made an edit")
	}
	for field, body := range map[string]map[string]any{
		"body.method": {"method": "lime", "branch": "attention"},
		"body.branch": {"method": "cam", "branch": "third"},
		"body.class":  {"method": "cam", "branch": "attention", "class": 1000},
		"body.value":  {"method": "grad-cam", "branch": "attention", "value": "nowhere"},
		"body.map":    {"method": "cam", "branch": "perception", "values": []float32{0.5}},
	} {
		p := into[Problem](b.api(http.MethodPost, path, body).want(http.StatusUnprocessableEntity))
		if len(p.Errors) != 1 || p.Errors[0].Location != field {
			t.Errorf("%v: %+v, want a problem with %s", body, p, field)
		}
	}
	b.api(http.MethodPost, "/tasks/999999/activation-map", map[string]any{"method": "cam", "branch": "attention"}).want(http.StatusNotFound)
}

// What would help is had at the map that is sent: a small step along it raises the true class, a step against it lowers it.
func TestWhatWouldHelpThroughTheAPI(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleAnnotator)
	task := b.take()
	path := fmt.Sprintf("/tasks/%d/", task.ID)
	query := func(values []float32) map[string]any {
		return map[string]any{"method": "help", "branch": "perception", "values": values}
	}
	helps := func(values []float32) annotator.ActivationMap {
		t.Helper()
		return into[annotator.ActivationMap](b.api(http.MethodPost, path+"activation-map", query(values)).want(http.StatusOK))
	}
	at := slices.Repeat([]float32{0.5}, len(task.Prediction.Map.Values))
	help := helps(at)
	if help.Class != *task.Image.Label || help.Height != task.Version.GridHeight || len(help.Values) != len(at) || help.Min >= 0 && help.Max <= 0 {
		t.Fatalf("%+v", help)
	}
	if elsewhere := helps(make([]float32, len(at))); slices.Equal(elsewhere.Values, help.Values) {
		t.Error("the same for another map")
	}
	steepest := max(-help.Min, help.Max)
	truth := func(step float32) float32 {
		moved := slices.Clone(at)
		for i, v := range help.Values {
			moved[i] += step * v / steepest
		}
		return into[annotator.Scores](b.api(http.MethodPost, path+"score", map[string]any{"values": moved}).want(http.StatusOK)).Probabilities[*task.Image.Label]
	}
	if less, now, more := truth(-0.05), truth(0), truth(0.05); less >= now || now >= more {
		t.Errorf("against it, as it is, along it: %v, %v, %v", less, now, more)
	}
	s.as(annotator.RoleAdmin).api(http.MethodPatch, "/projects/birds", map[string]any{"feedback": annotator.FeedbackSubmitted}).want(http.StatusOK)
	says(b.api(http.MethodPost, path+"activation-map", query(at)).want(http.StatusForbidden), "shows no answers while a map is painted")
}

func TestLikenessThroughTheAPI(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleAnnotator)
	task := b.take()
	l := into[annotator.Likeness](b.api(http.MethodGet, fmt.Sprintf("/tasks/%d/likeness", task.ID), nil).want(http.StatusOK))
	if n := l.Height * l.Width; l.Height != task.Version.GridHeight || len(l.Cosines) != n*n || l.Cosines[0] != 127 {
		t.Errorf("%d×%d cells, %d comparisons", l.Height, l.Width, len(l.Cosines))
	}
	b.api(http.MethodGet, "/tasks/999999/likeness", nil).want(http.StatusNotFound)
}
