package annotator

import (
	"context"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/attention"
)

// StartStore keeps how maps begin in a project, and finds the images whose maps can begin with something other than the model's map.
// Only images that tasks come from count: readable ones of the splits train and pool.
type StartStore interface {
	// SetStart changes how maps begin.
	SetStart(ctx context.Context, projectID int64, start attention.Start) error
	// Clicks returns where people clicked on an image, as shares (x, y) of its width and height; none if that is not known.
	Clicks(ctx context.Context, imageID int64) ([][2]float64, error)
	// StartSources counts the images that tasks come from, and those of them with a mask and with clicks.
	StartSources(ctx context.Context, projectID int64) (StartSources, error)
	// StartExamples returns up to limit images with a mask or clicks, those with both first. It returns the same ones each time.
	StartExamples(ctx context.Context, projectID int64, limit int) ([]Image, error)
	// JudgedEdits lists the edits of an image, of any version's task, that were submitted and not taken back, the newest first.
	JudgedEdits(ctx context.Context, imageID int64) ([]Edit, error)
	// CountApprovedMaps counts the images but one of a class that have an approved map of height × width cells, and ApprovedMaps hands
	// out the newest of each.
	CountApprovedMaps(ctx context.Context, projectID int64, label int, except int64, height, width int) (int, error)
	ApprovedMaps(ctx context.Context, projectID int64, label int, except int64, height, width int, each func(attention.Map)) error
}

// StartSources counts the images of a project with masks and with clicks, of which maps can be made.
type StartSources struct {
	Images int `json:"images" doc:"Readable images of the splits train and pool, from which tasks come."`
	Masks  int `json:"masks" doc:"Those of them with a mask."`
	Clicks int `json:"clicks" doc:"Those of them with clicks."`
}

// StartMaker makes maps of masks and clicks, on the version's grid (jobs.Catalog). start.Method may be any but StartModel, for which
// no map need be made.
type StartMaker interface {
	StartMap(ctx context.Context, version Version, image Image, clicks [][2]float64, start attention.Start) (attention.Map, error)
}

// StartingMap is the map that the painter of an image begins with, in place of the model's.
type StartingMap struct {
	attention.Start
	Map *attention.Map `json:"map,omitempty" doc:"On the grid of the version; absent where there is none, and problem says why."`
	// Problem is why there is no map, so that the painter begins with the model's.
	Problem string `json:"problem,omitempty"`
}

// StartPreview shows the maps that each method would make for some of a project's images.
type StartPreview struct {
	Start    attention.Start `json:"start"` // the project's
	Sources  StartSources    `json:"sources"`
	Examples []StartExample  `json:"examples"`
}

// StartExample is one image and its map by each method, the model's first; the order is attention.Starts'.
type StartExample struct {
	Image Image         `json:"image"`
	Known StartingMap   `json:"known" doc:"What the maps are made of, for people to see: the mask's largest value, or else the clicks, on a finer grid over the same part of the picture."`
	Maps  []StartingMap `json:"maps"`
}

// finer is how many cells of StartExample.Known lie along each side of a map's cell.
const finer = 8

// MaxStartExamples bounds the images of a preview: for each of them a mask is decoded twice.
const MaxStartExamples = 12

// SetStart changes how maps begin in a project (admin). Tasks that somebody has painted stay as they are.
func (s *Service) SetStart(ctx context.Context, actor User, slug string, start attention.Start) (Project, error) {
	actor, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil {
		return Project{}, err
	}
	if err := checkStart(start); err != nil {
		return Project{}, err
	}
	if project.ClosedAt != nil {
		return Project{}, &ClosedError{slug}
	}
	if start.Method.ReadsMask() && project.CheckShare > 0 {
		return Project{}, &ValidationError{Field: "method", Message: "reads masks, and some tasks are checks, whose maps are scored against them: set the share of checks to 0 first"}
	}
	if start.Method != attention.StartModel {
		sources, err := s.store.StartSources(ctx, project.ID)
		if err != nil {
			return Project{}, err
		}
		switch {
		case start.Method.ReadsMask() && sources.Masks == 0:
			return Project{}, &ValidationError{Field: "method", Message: fmt.Sprintf("reads masks, and none of the %d images that tasks come from (train and pool) has one: import them with their masks", sources.Images)}
		case start.Method == attention.StartClicks && sources.Clicks == 0:
			return Project{}, &ValidationError{Field: "method", Message: fmt.Sprintf("reads clicks, and none of the %d images that tasks come from (train and pool) has any: import a data set that has them, such as CUB-200-2011", sources.Images)}
		}
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		if err := tx.SetStart(ctx, project.ID, start); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &project.ID, "project.start", projectSubject(slug), start.String())
	})
	project.Start = start
	return project, err
}

func checkStart(start attention.Start) error {
	if err := start.Check(); err != nil {
		field := "radius"
		if start.Method.Kind() == nil {
			field = "method"
		}
		return &ValidationError{Field: field, Message: err.Error()}
	}
	return nil
}

// PreviewStarts makes the maps of up to limit images (1 to MaxStartExamples) by every method, on the active version's grid
// (admin). radius is used by the methods that have one; nil: the project's radius for its own method, the default for the others.
// Nothing is stored. ErrConflict while no version is active, since there is no grid then.
func (s *Service) PreviewStarts(ctx context.Context, actor User, slug string, radius *float64, limit int) (StartPreview, error) {
	_, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil {
		return StartPreview{}, err
	}
	if radius != nil {
		if err := checkStart(attention.Start{Method: attention.StartMaximum, Radius: *radius}); err != nil {
			return StartPreview{}, err
		}
	}
	version, err := s.store.ActiveVersion(ctx, project.ID)
	if isNotFound(err) {
		return StartPreview{}, Conflict("project %q has no active version, so that maps have no grid: add a model", slug)
	}
	if err != nil {
		return StartPreview{}, err
	}
	preview := StartPreview{Start: project.Start}
	if preview.Sources, err = s.store.StartSources(ctx, project.ID); err != nil {
		return StartPreview{}, err
	}
	images, err := s.store.StartExamples(ctx, project.ID, min(max(limit, 1), MaxStartExamples))
	if err != nil {
		return StartPreview{}, err
	}
	for _, image := range images {
		example := StartExample{Image: image}
		if example.Known, err = s.known(ctx, version, image); err != nil {
			return StartPreview{}, err
		}
		for _, kind := range attention.Starts {
			start := attention.Start{Method: kind.Method, Radius: kind.Radius}
			switch {
			case kind.Radius == 0:
			case radius != nil:
				start.Radius = *radius
			case project.Start.Method == kind.Method:
				start.Radius = project.Start.Radius
			}
			made := StartingMap{Start: start}
			if kind.Method != attention.StartModel {
				if made, err = s.startingMap(ctx, version, image, start); err != nil {
					return StartPreview{}, err
				}
			} else if p, err := s.store.Prediction(ctx, version.ID, image.ID); err == nil {
				made.Map = &p.Map
			} else if isNotFound(err) {
				made.Problem = "not scanned yet"
			} else {
				return StartPreview{}, err
			}
			example.Maps = append(example.Maps, made)
		}
		preview.Examples = append(preview.Examples, example)
	}
	return preview, nil
}

// known returns the mask of an image, or else its clicks, as a map on a finer grid than the version's.
func (s *Service) known(ctx context.Context, v Version, image Image) (StartingMap, error) {
	v.GridHeight, v.GridWidth = min(finer*v.GridHeight, attention.MaxSide), min(finer*v.GridWidth, attention.MaxSide)
	if image.MaskHash != "" {
		return s.startingMap(ctx, v, image, attention.Start{Method: attention.StartMaximum})
	}
	return s.startingMap(ctx, v, image, attention.Start{Method: attention.StartClicks, Radius: 1})
}

// startingMap makes the map that an image begins with. If none can be made, that is not an error: Problem says why, and the painter
// begins with the model's map.
func (s *Service) startingMap(ctx context.Context, v Version, image Image, start attention.Start) (StartingMap, error) {
	out := StartingMap{Start: start}
	if s.starts == nil {
		out.Problem = "this process makes no maps"
		return out, nil
	}
	var clicks [][2]float64
	var err error
	if start.Method == attention.StartClicks {
		if clicks, err = s.store.Clicks(ctx, image.ID); err != nil {
			return out, err
		}
	}
	switch {
	case start.Method.ReadsMask() && image.MaskHash == "":
		out.Problem = "no mask is known"
		return out, nil
	case start.Method == attention.StartClicks && len(clicks) == 0:
		out.Problem = "no clicks are known"
		return out, nil
	}
	if problem := start.Check(); problem != nil {
		out.Problem = problem.Error()
		return out, nil //nolint:nilerr // it is this image's Problem
	}
	out.Map, out.Problem = s.makeStart(ctx, v, image, clicks, start)
	if ctx.Err() != nil {
		return out, context.Cause(ctx)
	}
	return out, nil
}

// makeStart makes a map, or returns why there is none.
func (s *Service) makeStart(ctx context.Context, v Version, image Image, clicks [][2]float64, start attention.Start) (made *attention.Map, problem string) {
	m, err := s.starts.StartMap(ctx, v, image, clicks, start)
	switch {
	case err != nil:
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "no map to begin with", "image", image.ID, "method", start.Method, "error", err)
		}
		return nil, "its mask cannot be read; the server's log says why"
	case slices.Max(m.Values) == 0:
		return nil, "nothing of the object lies in what the model sees of the picture"
	}
	return &m, ""
}

// begin fills in the map that an untouched task begins with, if the actor holds the task.
func (s *Service) begin(ctx context.Context, d *TaskDetail) error {
	if d.Edit != nil || d.Lease == nil || !d.Lease.Mine || d.Project.Start.Method == attention.StartModel {
		return nil
	}
	made, err := s.startingMap(ctx, d.Version, d.Image, d.Project.Start)
	if err != nil {
		return fmt.Errorf("the map to begin image %d with: %w", d.Image.ID, err)
	}
	d.Start = &made
	return nil
}
