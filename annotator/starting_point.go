package annotator

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
)

// StartingPoint is a map that a painter can begin with, or why they cannot.
type StartingPoint struct {
	Key     string         `json:"key" doc:"By which its map is asked for."`
	Origin  Origin         `json:"origin" doc:"What a draft that began with it says in origin."`
	Name    string         `json:"name"`
	Problem string         `json:"problem,omitempty" doc:"Why it has no map; absent where it has one."`
	Near    *NearImage     `json:"near,omitempty" doc:"Of a map of another image: of which, and how near it is."`
	Map     *attention.Map `json:"map,omitempty" doc:"On the grid of the task's version; only of a point that was asked for."`
}

// maxStartingVersions and maxStartingEdits bound the list: the newest of each are in it.
const (
	maxStartingVersions = 12
	maxStartingEdits    = 12
)

// StartingPoints lists what a task's map can begin with, the model's own first, without the maps. Maps of other people are listed for
// reviewers only. A *ClosedError in a closed project, where no map begins.
func (s *Service) StartingPoints(ctx context.Context, actor User, taskID int64) ([]StartingPoint, error) {
	all, err := s.startingPoints(ctx, actor, taskID, func(string) bool { return false })
	if err != nil {
		return nil, err
	}
	card, version, _, err := s.scored(ctx, taskID)
	if err != nil {
		return nil, err
	}
	near, err := s.nearPoints(ctx, version, card.Image)
	return append(all, near...), err
}

// StartingPoint returns one of StartingPoints by its key, with its map. ErrNotFound for a key that is not listed for the actor,
// ErrConflict, with the reason, for a point without a map.
func (s *Service) StartingPoint(ctx context.Context, actor User, taskID int64, key string) (StartingPoint, error) {
	if isNear(key) {
		return s.nearPoint(ctx, actor, taskID, key)
	}
	all, err := s.startingPoints(ctx, actor, taskID, func(k string) bool { return k == key })
	if err != nil {
		return StartingPoint{}, err
	}
	for _, p := range all {
		if p.Key != key {
			continue
		}
		if p.Problem != "" {
			return StartingPoint{}, Conflict("%s: %s", p.Name, p.Problem)
		}
		return p, nil
	}
	return StartingPoint{}, fmt.Errorf("%q, which the map of task %d could begin with: %w", key, taskID, ErrNotFound)
}

// startingPoints lists the points; those whose keys are wanted have their maps.
func (s *Service) startingPoints(ctx context.Context, actor User, taskID int64, wanted func(key string) bool) ([]StartingPoint, error) {
	actor, err := s.in(ctx, actor, RoleAnnotator, ThingTask.Of(taskID))
	if err != nil {
		return nil, err
	}
	card, version, project, err := s.scored(ctx, taskID)
	if err != nil {
		return nil, err
	}
	if project.ClosedAt != nil {
		return nil, &ClosedError{project.Slug}
	}
	var all []StartingPoint
	add := func(key, name string, origin Origin, problem string, m *attention.Map) {
		p := StartingPoint{Key: key, Origin: origin, Name: name, Problem: problem}
		if m != nil && problem == "" {
			if problem = gridProblem(version, *m); problem != "" {
				p.Problem = problem
			} else if wanted(key) {
				bounded := m.Bounded() // a network's own may have values beyond [0,1], which nobody paints
				p.Map = &bounded
			}
		}
		all = append(all, p)
	}
	add("model", fmt.Sprintf("The model's own map (v%d)", version.Number), modelOrigin(version), "", &card.Prediction.Map)

	edits, err := s.store.JudgedEdits(ctx, card.Image.ID)
	if err != nil {
		return nil, err
	}
	byKind := func(kind OriginKind, name func(Edit) string) {
		listed := 0
		for _, e := range edits {
			if card.Slot > 0 && e.TaskID != card.ID {
				continue // whoever paints one of several maps of an image does not see the others
			}
			if listed < maxStartingEdits && startingKind(actor, card.Task, e) == kind {
				listed++
				add(fmt.Sprintf("%s-%d", kind, e.ID), name(e), Origin{Kind: kind, EditID: e.ID}, "", &e.Map)
			}
		}
	}
	byKind(OriginReturned, func(e Edit) string { return fmt.Sprintf("The map that was returned (revision %d)", e.Revision) })
	if err := s.addSources(ctx, add, version, project, card.Image, wanted); err != nil {
		return nil, err
	}
	if err := s.addVersions(ctx, add, version, card.Image); err != nil {
		return nil, err
	}
	if err := s.addClassMean(ctx, add, version, project, card.Image, wanted); err != nil {
		return nil, err
	}
	byKind(OriginColleague, func(e Edit) string { return fmt.Sprintf("%s's map (%s)", e.Author, e.State) })
	return all, nil
}

type addPoint = func(key, name string, origin Origin, problem string, m *attention.Map)

// addSources adds the maps of the image's mask and clicks, made as the project makes them, or else as is usual.
func (s *Service) addSources(ctx context.Context, add addPoint, v Version, project Project, image Image, wanted func(string) bool) error {
	start := func(usual attention.StartMethod) attention.Start {
		if method := project.Start.Method; method == usual || usual == attention.StartArea && method.ReadsMask() {
			return project.Start
		}
		return attention.Start{Method: usual, Radius: usual.Kind().Radius}
	}
	point := func(kind OriginKind, name string, by attention.Start) error {
		origin, key := Origin{Kind: kind, Method: by.Method, Radius: by.Radius}, string(kind)
		if !wanted(key) { // a mask takes long to decode
			add(key, name, origin, "", nil)
			return nil
		}
		made, err := s.startingMap(ctx, v, image, by)
		add(key, name, origin, made.Problem, made.Map)
		return err
	}
	if image.MaskHash != "" && project.CheckShare == 0 { // or a check would begin with what it is scored against
		by := start(attention.StartArea)
		if err := point(OriginMask, by.Method.Kind().Name, by); err != nil {
			return err
		}
	}
	clicks, err := s.store.Clicks(ctx, image.ID)
	if err != nil || len(clicks) == 0 {
		return err
	}
	return point(OriginClicks, "The clicks", start(attention.StartClicks))
}

// addVersions adds the maps of the project's other versions, the newest first.
func (s *Service) addVersions(ctx context.Context, add addPoint, v Version, image Image) error {
	versions, err := s.store.Versions(ctx, image.ProjectID)
	if err != nil {
		return err
	}
	said, err := s.store.PredictionsOf(ctx, image.ID)
	if err != nil {
		return err
	}
	maps := map[int64]*attention.Map{}
	for i := range said {
		maps[said[i].VersionID] = &said[i].Map
	}
	listed := 0
	for i := len(versions) - 1; i >= 0 && listed < maxStartingVersions; i-- {
		other := versions[i]
		if other.ID == v.ID {
			continue
		}
		listed++
		problem := ""
		if other.GridHeight != v.GridHeight || other.GridWidth != v.GridWidth {
			problem = gridProblem(v, attention.Map{Height: other.GridHeight, Width: other.GridWidth})
		} else if maps[other.ID] == nil {
			problem = fmt.Sprintf("v%d has not looked at this image", other.Number)
		}
		add(fmt.Sprintf("version-%d", other.Number), fmt.Sprintf("The map of v%d", other.Number), Origin{Kind: OriginVersion, VersionID: other.ID, Version: other.Number}, problem, maps[other.ID])
	}
	return nil
}

// addClassMean adds the mean of the approved maps of other images of the class, where there are any on the version's grid. The image's
// own are left out: what one person painted on it is no mean.
func (s *Service) addClassMean(ctx context.Context, add addPoint, v Version, project Project, image Image, wanted func(string) bool) error {
	if image.Label == nil || *image.Label >= len(project.Classes) {
		return nil
	}
	const key = "class-mean"
	var mean *attention.Map
	maps, err := s.store.CountApprovedMaps(ctx, image.ProjectID, *image.Label, image.ID, v.GridHeight, v.GridWidth)
	if err != nil || maps == 0 {
		return err
	}
	if wanted(key) {
		sum := attention.NewMean(v.GridHeight, v.GridWidth)
		if err := s.store.ApprovedMaps(ctx, image.ProjectID, *image.Label, image.ID, v.GridHeight, v.GridWidth, sum.Add); err != nil {
			return err
		}
		m := sum.Map()
		mean, maps = &m, sum.Maps
	}
	class := project.Classes[*image.Label]
	name := fmt.Sprintf("The mean map of %s (%s approved maps)", class.Name, text.Count(maps))
	if maps == 1 {
		name = fmt.Sprintf("The mean map of %s (1 approved map)", class.Name)
	}
	add(key, name, Origin{Kind: OriginClassMean, Maps: maps, Class: class.Key, ClassName: class.Name}, "", mean)
	return nil
}

// startingKind says as what an edit of the image can be begun with by somebody; "" where they cannot.
func startingKind(actor User, task Task, e Edit) OriginKind {
	reviewer := actor.Role.May(RoleReviewer)
	switch {
	case e.State == EditRejected && e.TaskID == task.ID && (e.AuthorID == actor.ID || reviewer):
		return OriginReturned
	case (e.State == EditSubmitted || e.State == EditApproved) && e.AuthorID != actor.ID && reviewer:
		return OriginColleague
	}
	return ""
}

// gridProblem says why a map cannot stand in place of a version's; "" where it can.
func gridProblem(v Version, m attention.Map) string {
	if m.Height == v.GridHeight && m.Width == v.GridWidth {
		return ""
	}
	sides := func(h, w int) string { return strings.Join([]string{strconv.Itoa(h), strconv.Itoa(w)}, " × ") }
	return fmt.Sprintf("it has %s cells, where this map has %s", sides(m.Height, m.Width), sides(v.GridHeight, v.GridWidth))
}
