package annotator

import (
	"context"
	"fmt"
	"time"

	"github.com/abn-studio/studio/internal/attention"
)

// ActivationMethod is a method, other than the attention map, that shows where a network looks for a class, or where it should.
type ActivationMethod string

// The methods (package onnx/activation has the formulas).
const (
	ActivationCAM     ActivationMethod = "cam"      // class activation mapping, arXiv 1512.04150
	ActivationGradCAM ActivationMethod = "grad-cam" // arXiv 1610.02391
	// ActivationHelp is what would help the true class: the derivative of its log probability by the map.
	ActivationHelp ActivationMethod = "help"
)

// ActivationMethods are all of them; LookingMethods those that show where a branch looks, in the order in which they are offered. Help is a
// painter's hint: nobody compares maps by it or begins with it.
var (
	ActivationMethods = []ActivationMethod{ActivationCAM, ActivationGradCAM, ActivationHelp}
	LookingMethods    = []ActivationMethod{ActivationCAM, ActivationGradCAM}
)

// Name is the method's name as people read it.
func (m ActivationMethod) Name() string {
	switch m {
	case ActivationGradCAM:
		return "Grad-CAM"
	case ActivationHelp:
		return "What would help"
	}
	return "CAM"
}

// Branch is one of an ABN's two branches.
type Branch = attention.Branch

// The branches. Only the perception branch reads a map.
const (
	BranchAttention  = attention.AttentionBranch
	BranchPerception = attention.PerceptionBranch
)

// Branches are both of them, in the order in which they are offered.
var Branches = []Branch{BranchAttention, BranchPerception}

// ActivationQuery asks for an activation map of an image.
type ActivationQuery struct {
	Method ActivationMethod
	Branch Branch
	Class  *int           // nil: the version's own answer; of help the true class, and no other
	Value  string         // Grad-CAM only: the value to weight, by its name in the model's file; "": the last convolution's
	Map    *attention.Map // the map that the perception branch gets; nil: the model's own
}

// ActivationMap shows where a branch looks for a class. It has the grid of the value that it is made of, which may be coarser than
// the attention map's.
type ActivationMap struct {
	Method       ActivationMethod `json:"method"`
	Branch       Branch           `json:"branch"`
	Class        int              `json:"class"`
	ClassName    string           `json:"class_name"`
	Value        string           `json:"value" doc:"The value of the network that was weighted, by its name in the model's file; of help the map."`
	Height       int              `json:"h"`
	Width        int              `json:"w"`
	Values       []float32        `json:"values" doc:"h·w values, row by row, as the method's formula gives them: CAM and help have either sign, Grad-CAM none below 0."`
	Min          float32          `json:"min" doc:"The least of values."`
	Max          float32          `json:"max" doc:"The largest of values; viewers divide by it."`
	Milliseconds float64          `json:"milliseconds"` // time the model took
}

// ActivationMapper makes activation maps (inference.LiveScorer). q.Class and q.Map must be set. If the model has no such map the error
// is a *ValidationError with the reason.
type ActivationMapper interface {
	ActivationMap(ctx context.Context, version Version, image Image, q ActivationQuery) (ActivationMap, error)
}

// ActivationMap makes an activation map of a task's image by the task's version. Nothing is stored.
func (s *Service) ActivationMap(ctx context.Context, actor User, taskID int64, q ActivationQuery) (ActivationMap, error) {
	_, err := s.in(ctx, actor, RoleAnnotator, ThingTask.Of(taskID))
	if err != nil {
		return ActivationMap{}, err
	}
	if err := q.check(); err != nil {
		return ActivationMap{}, err
	}
	card, version, project, err := s.scored(ctx, taskID)
	if err != nil {
		return ActivationMap{}, err
	}
	if q.Method == ActivationHelp {
		if err := project.tells(); err != nil { // it tells how the answer would follow the map
			return ActivationMap{}, fmt.Errorf("what would help image %d: %w", card.Image.ID, err)
		}
		if card.Image.Label == nil {
			return ActivationMap{}, &ValidationError{Field: "method", Message: "what would help is asked of the true class, and this image has no label"}
		}
		if q.Class != nil && *q.Class != *card.Image.Label {
			return ActivationMap{}, &ValidationError{Field: "class", Message: fmt.Sprintf("of help is the image's label, %d: leave it out", *card.Image.Label)}
		}
		q.Class = card.Image.Label
	}
	if q.Class == nil {
		q.Class = &card.Prediction.Class
	}
	if q.Map == nil {
		q.Map = &card.Prediction.Map
	} else if err := project.tells(); err != nil { // a CAM of the edited map tells the answer to it
		return ActivationMap{}, fmt.Errorf("mapping image %d: %w", card.Image.ID, err)
	}
	if err := q.Map.ValidateOn(version.GridHeight, version.GridWidth); err != nil {
		return ActivationMap{}, err
	}
	given := q.Map.InPlace(card.Prediction.Map)
	q.Map = &given
	if s.activationMaps == nil {
		return ActivationMap{}, fmt.Errorf("mapping image %d: %w: this process runs no model", card.Image.ID, ErrUnavailable)
	}
	start := time.Now()
	m, err := s.activationMaps.ActivationMap(ctx, version, card.Image, q)
	if err != nil {
		return ActivationMap{}, err
	}
	m.Milliseconds = float64(time.Since(start)) / float64(time.Millisecond)
	for _, c := range project.Classes {
		if c.Index == m.Class {
			m.ClassName = c.Name
		}
	}
	return m, nil
}

func (q ActivationQuery) check() error {
	if err := oneOf("method", q.Method, ActivationMethods); err != nil {
		return err
	}
	if err := oneOf("branch", q.Branch, Branches); err != nil {
		return err
	}
	switch {
	case q.Class != nil && *q.Class < 0:
		return &ValidationError{Field: "class", Message: "is a class's index, from 0"}
	case q.Value != "" && q.Method != ActivationGradCAM:
		return &ValidationError{Field: "value", Message: "can be chosen for grad-cam; cam weights what the branch's global average pool reads, and help is of the map"}
	case q.Method == ActivationHelp && q.Branch != BranchPerception:
		return &ValidationError{Field: "branch", Message: "of help is perception, which reads the map"}
	case q.Map != nil && q.Branch != BranchPerception:
		return &ValidationError{Field: "map", Message: "is read by the perception branch; the attention branch makes one"}
	}
	return nil
}
