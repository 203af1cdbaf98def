package annotator

import (
	"context"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/attention"
)

// Agreeing says how alike the maps are that different people paint of the same images (internal/agreement).
type Agreeing interface {
	// Agreement has an entry for each measure. The seed is that of what is drawn by chance in it.
	Agreement(images []PaintedMaps, seed int64) []Agreement
}

// PaintedMaps are the maps of one image, each by another person, on one grid.
type PaintedMaps struct {
	ImageID  int64
	Class    int
	Painters []int64
	Maps     []attention.Map
}

// Level is a figure with its 95% interval by the bootstrap over images, and over how many images it is the mean.
type Level struct {
	Value  float64 `json:"value"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Images int     `json:"images"`
}

// Agreement is how alike painters' maps of the same images are by one measure, beside the most and the least that could be expected;
// absent where it is not known. Package trainer/measure has the definitions, docs/agreement.md says how to read them.
type Agreement struct {
	Measure string `json:"measure"` // "spearman", "soft_iou"
	Label   string `json:"label"`
	Between *Level `json:"between,omitempty" doc:"The mean over images of the mean over pairs of painters."`
	Ceiling *Level `json:"ceiling,omitempty" doc:"From split halves of the painters; absent where no image has three maps."`
	Stepped bool   `json:"stepped" doc:"The ceiling is stepped by Spearman and Brown's formula from half of the painters to all."`
	Floor   *Level `json:"floor,omitempty" doc:"Maps of different images by different people, of the same class where there are enough."`
	// Of each image, and of each painter with the others.
	ByImage   map[int64]float64 `json:"-"`
	ByPainter map[int64]Level   `json:"-"`
}

// MaxShared is how many images that several people paint are compared, the newest first, and ListedShared how many are listed.
const (
	MaxShared    = 1000
	ListedShared = 200
)

// SharedImage is an image that several people paint.
type SharedImage struct {
	Image     Image              `json:"image"`
	LabelName string             `json:"label_name"`
	State     SharedState        `json:"state"`
	Slots     []Slot             `json:"slots"` // without maps in a list
	Agreement map[string]float64 `json:"agreement,omitempty" doc:"The mean over pairs of its maps, by measure."`
	AdoptedID int64              `json:"adopted_task_id,omitempty"` // the task with what was adopted
}

// Shared is what several people paint in a project, and how far they agree.
type Shared struct {
	Overlap   Overlap             `json:"overlap"`
	Agreement []Agreement         `json:"agreement"`
	Counts    map[SharedState]int `json:"counts"`
	Images    []SharedImage       `json:"images"` // those that are ready first, then the newest; at most ListedShared
}

// SharedDetail is one image that several people paint, with what a reviewer adopts from.
type SharedDetail struct {
	SharedImage
	Version Version `json:"version"`
	// Mean and Deviation are those of the maps in force (attention.Consensus); absent where there are none.
	Mean      *attention.Map `json:"mean,omitempty" doc:"Of the maps in force, cell by cell."`
	Deviation *attention.Map `json:"deviation,omitempty" doc:"Standard deviation of the maps in force, cell by cell, in [0, 0.5]."`
	Withheld  bool           `json:"withheld,omitempty" doc:"The caller could still be given the image to paint, and is not shown the maps before all are painted."`
	Measures  []Agreement    `json:"-"` // the project's, to read the image's beside
	Refused   error          `json:"-"` // why the actor may not adopt; nil: they may
}

// Sources are the edits in force.
func (d SharedDetail) Sources() (ids []int64) {
	for _, slot := range d.Slots {
		if slot.inForce() {
			ids = append(ids, slot.EditID)
		}
	}
	return ids
}

// paintedMaps are those of images with two maps in force or more. slots are in the order of images.
func paintedMaps(slots []Slot, images map[int64]Image) (all []PaintedMaps) {
	for _, of := range byImage(slots) {
		p := PaintedMaps{ImageID: of[0].ImageID, Class: -1}
		if label := images[p.ImageID].Label; label != nil {
			p.Class = *label
		}
		for _, slot := range of {
			if slot.inForce() && slot.PainterID != nil {
				p.Painters, p.Maps = append(p.Painters, *slot.PainterID), append(p.Maps, *slot.Map)
			}
		}
		if len(p.Maps) >= MinPainters {
			all = append(all, p)
		}
	}
	return all
}

// byImage cuts a list of slots into those of each image.
func byImage(slots []Slot) (all [][]Slot) {
	for i, slot := range slots {
		if i == 0 || slot.ImageID != slots[i-1].ImageID {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], slot)
	}
	return all
}

// agreement reads the slots of a project and compares their maps.
func (s *Service) agreement(ctx context.Context, project Project) (slots []Slot, images map[int64]Image, all []Agreement, err error) {
	if slots, err = s.store.Slots(ctx, project.ID, 0, MaxShared); err != nil {
		return nil, nil, nil, err
	}
	var ids []int64
	for _, of := range byImage(slots) {
		ids = append(ids, of[0].ImageID)
	}
	if images, err = s.store.ImagesByID(ctx, project.ID, ids); err != nil {
		return nil, nil, nil, err
	}
	if s.agreeing == nil {
		return slots, images, nil, nil
	}
	return slots, images, s.agreeing.Agreement(paintedMaps(slots, images), project.Overlap.Seed), nil
}

// Shared lists what several people paint in a project, with how far their maps agree (reviewer).
func (s *Service) Shared(ctx context.Context, actor User, slug string) (Shared, error) {
	_, project, err := s.project(ctx, actor, RoleReviewer, slug)
	if err != nil {
		return Shared{}, err
	}
	slots, images, agreement, err := s.agreement(ctx, project)
	if err != nil {
		return Shared{}, err
	}
	out := Shared{Overlap: project.Overlap, Agreement: agreement, Counts: map[SharedState]int{}}
	for _, of := range byImage(slots) {
		one := shared(project, images[of[0].ImageID], of, agreement)
		out.Counts[one.State]++
		for i := range one.Slots {
			one.Slots[i].Map = nil
		}
		out.Images = append(out.Images, one)
	}
	slices.SortStableFunc(out.Images, func(a, b SharedImage) int {
		ready := func(i SharedImage) int {
			if i.State == SharedReady {
				return 0
			}
			return 1
		}
		return ready(a) - ready(b)
	})
	out.Images = out.Images[:min(len(out.Images), ListedShared)]
	return out, nil
}

// shared describes an image by its slots.
func shared(project Project, image Image, slots []Slot, agreement []Agreement) SharedImage {
	out := SharedImage{Image: image, Slots: slots, AdoptedID: slots[0].AdoptedID, State: stateOf(slots, slots[0].AdoptedID != 0)}
	if image.Label != nil && *image.Label < len(project.Classes) {
		out.LabelName = project.Classes[*image.Label].Name
	}
	for _, a := range agreement {
		if v, known := a.ByImage[image.ID]; known {
			if out.Agreement == nil {
				out.Agreement = map[string]float64{}
			}
			out.Agreement[a.Measure] = v
		}
	}
	return out
}

// SharedImage returns an image that several people paint, with all maps in force, their mean and their deviation (reviewer). ErrForbidden for
// whoever paints one of the maps, until all are approved or put aside. Whoever could still be given a slot does not see them either.
func (s *Service) SharedImage(ctx context.Context, actor User, slug string, imageID int64) (SharedDetail, error) {
	actor, project, err := s.project(ctx, actor, RoleReviewer, slug)
	if err != nil {
		return SharedDetail{}, err
	}
	_, images, agreement, err := s.agreement(ctx, project)
	if err != nil {
		return SharedDetail{}, err
	}
	slots, err := s.store.Slots(ctx, project.ID, imageID, 1)
	if err != nil {
		return SharedDetail{}, err
	}
	if len(slots) == 0 {
		return SharedDetail{}, fmt.Errorf("image %d, painted by several people: %w", imageID, ErrNotFound)
	}
	withheld := false
	for _, slot := range slots {
		task, err := s.store.Task(ctx, slot.TaskID)
		if err != nil {
			return SharedDetail{}, err
		}
		if task.hidesFrom(actor) {
			return SharedDetail{}, fmt.Errorf("%w: you paint one of the maps of image %d, and see the others once all are approved", ErrForbidden, imageID)
		}
		task = task.Expire(s.now())
		withheld = withheld || task.State == TaskOpen && !task.assignedBeside(actor) && task.closedTo(actor) == nil
	}
	image, known := images[imageID]
	if !known {
		if image, err = s.store.Image(ctx, imageID); err != nil {
			return SharedDetail{}, err
		}
	}
	out := SharedDetail{SharedImage: shared(project, image, slots, agreement), Measures: agreement, Withheld: withheld}
	if out.Version, err = s.store.Version(ctx, slots[0].VersionID); err != nil {
		return SharedDetail{}, err
	}
	var maps []attention.Map
	for _, slot := range slots {
		if slot.inForce() {
			maps = append(maps, *slot.Map)
		}
		if slot.PainterID != nil && *slot.PainterID == actor.ID {
			out.Refused = fmt.Errorf("%w: you painted one of the maps, so somebody else adopts", ErrForbidden)
		}
	}
	if withheld {
		for i := range out.Slots {
			out.Slots[i].Map = nil
		}
		maps = nil
	}
	if len(maps) > 0 {
		consensus := attention.NewConsensus(maps)
		out.Mean, out.Deviation = &consensus.Mean, &consensus.Deviation
	}
	if out.Refused == nil && out.State != SharedReady {
		out.Refused = Conflict("the maps of image %d are %s", imageID, out.State)
	}
	return out, nil
}
