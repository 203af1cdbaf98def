package annotator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/attention"
)

// OriginKind says what an edit began with, before anybody painted on it.
type OriginKind string

// The kinds.
const (
	OriginModel     OriginKind = "model"      // the map of the version that the task is of
	OriginVersion   OriginKind = "version"    // another version's map of the image
	OriginMask      OriginKind = "mask"       // the object's mask, or its box, that came with the data
	OriginClicks    OriginKind = "clicks"     // where people clicked on the object
	OriginReturned  OriginKind = "returned"   // a map that a reviewer returned
	OriginColleague OriginKind = "colleague"  // somebody else's map of the image
	OriginClassMean OriginKind = "class-mean" // the mean of the approved maps of other images of the class
	OriginNear      OriginKind = "near"       // the approved map of another image of the class, whose features are near
	OriginCAM       OriginKind = "cam"
	OriginGradCAM   OriginKind = "grad-cam"
)

// OriginKinds are all of them, in the order in which they are offered.
var OriginKinds = []OriginKind{OriginModel, OriginReturned, OriginMask, OriginClicks, OriginVersion, OriginClassMean, OriginNear, OriginColleague, OriginCAM, OriginGradCAM}

// Origin says what an edit began with. It stands in the edit's provenance. A kind has the fields that it needs to be told apart.
type Origin struct {
	Kind      OriginKind            `json:"kind"`
	VersionID int64                 `json:"version_id,omitempty" doc:"Of model, version, cam and grad-cam: whose map, or which network."`
	Version   int                   `json:"version,omitempty" doc:"Its number in the project."`
	EditID    int64                 `json:"edit_id,omitempty" doc:"Of returned, colleague and near."`
	TaskID    int64                 `json:"task_id,omitempty" doc:"Of near: the task of that map."`
	Maps      int                   `json:"maps,omitempty" doc:"Of class-mean: of how many maps it is the mean."`
	Class     string                `json:"class,omitempty" doc:"Of class-mean, cam and grad-cam: the key of the class."`
	ClassName string                `json:"class_name,omitempty" doc:"What the class was called then."`
	Branch    Branch                `json:"branch,omitempty" doc:"Of cam and grad-cam."`
	Method    attention.StartMethod `json:"method,omitempty" doc:"Of mask and clicks."`
	Radius    float64               `json:"radius,omitempty" doc:"Of mask and clicks, in cells."`
}

// OriginOf reads what an edit began with from its provenance; nil where that is not recorded.
func OriginOf(provenance json.RawMessage) *Origin {
	var read struct {
		Origin *Origin `json:"origin"`
	}
	if json.Unmarshal(provenance, &read) != nil || read.Origin == nil || !slices.Contains(OriginKinds, read.Origin.Kind) {
		return nil
	}
	return read.Origin
}

// Words say what the edit began with; "" for nil.
func (o *Origin) Words() string {
	if o == nil {
		return ""
	}
	class := cmp.Or(o.ClassName, o.Class)
	switch o.Kind {
	case OriginModel:
		return fmt.Sprintf("the map of v%d", o.Version)
	case OriginVersion:
		return fmt.Sprintf("the map of v%d, another version", o.Version)
	case OriginMask:
		if o.Method == attention.StartMaximum {
			return fmt.Sprintf("the mask that came with the data, by maximum, radius %v", o.Radius)
		}
		return "the mask that came with the data, by area"
	case OriginClicks:
		return fmt.Sprintf("the clicks that came with the data, radius %v", o.Radius)
	case OriginReturned:
		return fmt.Sprintf("the map that was returned (edit %d)", o.EditID)
	case OriginColleague:
		return fmt.Sprintf("somebody else's map of the image (edit %d)", o.EditID)
	case OriginNear:
		return fmt.Sprintf("the map of #%d (edit %d), an image that is near", o.TaskID, o.EditID)
	case OriginClassMean:
		if o.Maps == 1 {
			return fmt.Sprintf("the one approved map of another image of %s", class)
		}
		return fmt.Sprintf("the mean of %d approved maps of %s", o.Maps, class)
	case OriginCAM, OriginGradCAM:
		return fmt.Sprintf("%s of the %s branch of v%d for %s", ActivationMethod(o.Kind).Name(), o.Branch, o.Version, class)
	}
	return string(o.Kind)
}

func modelOrigin(v Version) Origin {
	return Origin{Kind: OriginModel, VersionID: v.ID, Version: v.Number}
}

// settle checks what somebody says their map of a task began with, and returns it with what the studio knows of it itself.
func (o Origin) settle(ctx context.Context, tx Store, actor User, task Task, v Version) (Origin, error) {
	if err := oneOf("origin.kind", o.Kind, OriginKinds); err != nil {
		return Origin{}, err
	}
	refuse := func(field, why string, args ...any) (Origin, error) {
		return Origin{}, &ValidationError{Field: "origin." + field, Message: fmt.Sprintf(why, args...)}
	}
	out := Origin{Kind: o.Kind}
	switch o.Kind {
	case OriginModel:
		return modelOrigin(v), nil
	case OriginVersion:
		other, err := tx.Version(ctx, o.VersionID)
		if err == nil && other.ProjectID == task.ProjectID && other.ID != v.ID {
			_, err = tx.Prediction(ctx, other.ID, task.ImageID)
		} else if err == nil {
			return refuse("version_id", "is no other version of the project")
		}
		if isNotFound(err) {
			return refuse("version_id", "is no version that has looked at the image")
		}
		out.VersionID, out.Version = other.ID, other.Number
		return out, err
	case OriginMask, OriginClicks:
		out.Method, out.Radius = o.Method, o.Radius
		if (o.Kind == OriginMask) != o.Method.ReadsMask() || o.Method == attention.StartModel {
			return refuse("method", "%q makes no map of %s", o.Method, o.Kind)
		}
		if err := (attention.Start{Method: o.Method, Radius: o.Radius}).Check(); err != nil {
			return refuse("radius", "%v", err)
		}
		image, err := tx.Image(ctx, task.ImageID)
		if err == nil && o.Kind == OriginMask && image.MaskHash == "" {
			return refuse("kind", "the image has no mask")
		}
		if err == nil && o.Kind == OriginClicks {
			var clicks [][2]float64
			if clicks, err = tx.Clicks(ctx, image.ID); err == nil && len(clicks) == 0 {
				return refuse("kind", "the image has no clicks")
			}
		}
		return out, err
	case OriginNear:
		near, found, err := settleNear(ctx, tx, task, v, o.EditID)
		if err == nil && !found {
			return refuse("edit_id", "is no approved map of another image of the class")
		}
		return near, err
	case OriginReturned, OriginColleague:
		edit, err := tx.Edit(ctx, o.EditID)
		if err != nil && !isNotFound(err) {
			return Origin{}, err
		}
		found := err == nil
		if found {
			all, err := tx.JudgedEdits(ctx, task.ImageID)
			if err != nil {
				return Origin{}, err
			}
			found = slices.ContainsFunc(all, func(e Edit) bool {
				return e.ID == edit.ID && o.Kind == startingKind(actor, task, e)
			})
		}
		if !found {
			return refuse("edit_id", "is no map of the image that you can begin with")
		}
		out.EditID = edit.ID
		return out, nil
	}
	project, err := tx.ProjectByID(ctx, task.ProjectID)
	if err != nil {
		return Origin{}, err
	}
	index := slices.IndexFunc(project.Classes, func(c Class) bool { return c.Key == o.Class })
	if index < 0 {
		return refuse("class", "is the key of a class of the project")
	}
	out.Class, out.ClassName = o.Class, project.Classes[index].Name
	if o.Kind == OriginClassMean {
		if o.Maps < 1 {
			return refuse("maps", "is how many maps it is the mean of")
		}
		image, err := tx.Image(ctx, task.ImageID)
		if err != nil {
			return Origin{}, err
		}
		if image.Label == nil || *image.Label != index {
			return refuse("class", "is the class of the image")
		}
		there, err := tx.CountApprovedMaps(ctx, project.ID, index, image.ID, v.GridHeight, v.GridWidth)
		if err == nil && there == 0 {
			return refuse("kind", "no other image of the class has an approved map of this size")
		}
		out.Maps = min(o.Maps, there)
		return out, err
	}
	if err := oneOf("origin.branch", o.Branch, Branches); err != nil {
		return Origin{}, err
	}
	out.Branch, out.VersionID, out.Version = o.Branch, v.ID, v.Number
	return out, nil
}

// begun returns what a draft began with: what is said of it, else what the revision that it goes on from began with, else the model's map.
func (d Draft) begun(ctx context.Context, tx Store, actor User, task Task, v Version, latest Edit) (Origin, error) {
	model := modelOrigin(v)
	was := cmp.Or(latest.Origin, &model)
	if d.Origin == nil || *d.Origin == *was {
		return *was, nil
	}
	settled, err := d.Origin.settle(ctx, tx, actor, task, v)
	if invalid := (*ValidationError)(nil); !errors.As(err, &invalid) {
		return settled, err
	}
	// Undo leads back to what somebody else, who might, began with.
	all, listing := tx.Revisions(ctx, task.ID)
	if listing != nil {
		return Origin{}, listing
	}
	for _, e := range all {
		if e.Origin != nil && *e.Origin == *d.Origin {
			return *e.Origin, nil
		}
	}
	return Origin{}, err
}
