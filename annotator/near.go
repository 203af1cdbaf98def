package annotator

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/attention"
)

// Describer says what an image is to a network as one vector, by which images are compared (inference.LiveScorer).
type Describer interface {
	Describe(ctx context.Context, version Version, image Image) ([]float32, error)
}

// NearMap is an approved map of another image of a task's class.
type NearMap struct {
	EditID int64
	TaskID int64
	Map    attention.Map
	Image  Image
}

// NearImage says of which image's map a starting point is, for people to look at both before they take it.
type NearImage struct {
	TaskID    int64   `json:"task_id"`
	ImageID   int64   `json:"image_id"`
	VersionID int64   `json:"version_id" doc:"Whose view of both pictures is shown."`
	Likeness  float64 `json:"likeness" doc:"Cosine of the angle between the two images' features, averaged over the cells, in [-1,1]."`
}

// NearStore finds approved maps of other images.
type NearStore interface {
	// NearMaps returns the newest approved map of each image of a class but one, on a grid, those approved last first, at most limit.
	NearMaps(ctx context.Context, projectID int64, label int, except int64, height, width, limit int) ([]NearMap, error)
}

const (
	nearAmong = 60 // approved maps, the newest, are looked at
	nearMost  = 3  // are offered
	nearKey   = "near-"
)

func (n NearMap) origin() Origin { return Origin{Kind: OriginNear, EditID: n.EditID, TaskID: n.TaskID} }

// nearMaps are the maps that may be offered for a task's image.
func (s *Service) nearMaps(ctx context.Context, v Version, image Image) ([]NearMap, error) {
	if s.describer == nil || image.Label == nil {
		return nil, nil
	}
	return s.store.NearMaps(ctx, image.ProjectID, *image.Label, image.ID, v.GridHeight, v.GridWidth, nearAmong)
}

// nearPoints are the maps of the images whose features are nearest, the nearest first, without the maps. A picture that cannot be read is
// left out.
func (s *Service) nearPoints(ctx context.Context, v Version, image Image) ([]StartingPoint, error) {
	maps, err := s.nearMaps(ctx, v, image)
	if err != nil || len(maps) == 0 {
		return nil, err
	}
	own, err := s.describer.Describe(ctx, v, image)
	if err != nil {
		return nil, unlessOver(ctx, err)
	}
	var all []StartingPoint
	for _, n := range maps {
		other, err := s.describer.Describe(ctx, v, n.Image)
		if err != nil {
			if err := unlessOver(ctx, err); err != nil {
				return nil, err
			}
			continue
		}
		likeness := cosine(own, other)
		if math.IsNaN(likeness) {
			continue
		}
		all = append(all, StartingPoint{Key: fmt.Sprint(nearKey, n.EditID), Origin: n.origin(), Name: fmt.Sprintf("The map of #%d, whose image is near", n.TaskID),
			Near: &NearImage{TaskID: n.TaskID, ImageID: n.Image.ID, VersionID: v.ID, Likeness: likeness}})
	}
	slices.SortStableFunc(all, func(a, b StartingPoint) int {
		switch {
		case a.Near.Likeness > b.Near.Likeness:
			return -1
		case a.Near.Likeness < b.Near.Likeness:
			return 1
		}
		return 0
	})
	return all[:min(len(all), nearMost)], nil
}

// unlessOver is the error of a request that has ended; a picture or a network that says nothing is no error: there is no offer.
func unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return nil
}

// nearPoint is a map of another image by its key, whether or not it is among the nearest still.
func (s *Service) nearPoint(ctx context.Context, actor User, taskID int64, key string) (StartingPoint, error) {
	_, err := s.in(ctx, actor, RoleAnnotator, ThingTask.Of(taskID))
	if err != nil {
		return StartingPoint{}, err
	}
	card, version, project, err := s.scored(ctx, taskID)
	if err != nil {
		return StartingPoint{}, err
	}
	if project.ClosedAt != nil {
		return StartingPoint{}, &ClosedError{project.Slug}
	}
	maps, err := s.nearMaps(ctx, version, card.Image)
	if err != nil {
		return StartingPoint{}, err
	}
	for _, n := range maps {
		if fmt.Sprint(nearKey, n.EditID) == key {
			return StartingPoint{Key: key, Origin: n.origin(), Name: fmt.Sprintf("the map of #%d", n.TaskID), Map: &n.Map}, nil
		}
	}
	return StartingPoint{}, fmt.Errorf("%q, which the map of task %d could begin with: %w", key, taskID, ErrNotFound)
}

// isNear reports whether a starting point's key is one of a near image's map.
func isNear(key string) bool { return strings.HasPrefix(key, nearKey) }

// cosine is that of the angle between two vectors of one length; NaN where one is zero or not finite.
func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

// settleNear checks that an edit is an approved map of another image of the task's class.
func settleNear(ctx context.Context, tx Store, task Task, v Version, editID int64) (out Origin, found bool, err error) {
	edit, err := tx.Edit(ctx, editID)
	if isNotFound(err) {
		return out, false, nil
	}
	if err != nil || edit.State != EditApproved || edit.Map.Height != v.GridHeight || edit.Map.Width != v.GridWidth {
		return out, false, err
	}
	of, err := tx.Task(ctx, edit.TaskID)
	if isNotFound(err) {
		return out, false, nil
	}
	if err != nil || of.ProjectID != task.ProjectID || of.ImageID == task.ImageID {
		return out, false, err
	}
	own, err := tx.Image(ctx, task.ImageID)
	if err != nil {
		return out, false, err
	}
	other, err := tx.Image(ctx, of.ImageID)
	if err != nil || own.Label == nil || other.Label == nil || *own.Label != *other.Label {
		return out, false, err
	}
	return Origin{Kind: OriginNear, EditID: editID, TaskID: of.ID}, true, nil
}
