package annotator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/abn-studio/studio/internal/orders"
	"github.com/abn-studio/studio/internal/text"
)

// ProjectStore keeps projects and their classes.
type ProjectStore interface {
	// ProjectBySlug and ProjectByID return the project with its classes; ErrNotFound for a deleted one.
	ProjectBySlug(ctx context.Context, slug string) (Project, error)
	ProjectByID(ctx context.Context, id int64) (Project, error)
	// ProjectSummaries returns the projects in given states with their counts, by name; slug "" means all. asks is who
	// asks, 0 for the command line: it says what there is for them to judge, as task_drawn_by has it, and their role; member: only projects
	// that they are a member of.
	ProjectSummaries(ctx context.Context, asks int64, member bool, slug string, states ...ProjectState) ([]ProjectSummary, error)
	// InsertProject returns ErrConflict where the slug is taken.
	InsertProject(ctx context.Context, p Project) (Project, error)
	// ChangeProject writes a project's name, description, feedback, second reviewer, mix, overlap and share of checks, RenameClass a class's name.
	ChangeProject(ctx context.Context, p Project) error
	RenameClass(ctx context.Context, projectID int64, class Class) error
}

// ImageStore reads images and their predictions.
type ImageStore interface {
	Image(ctx context.Context, id int64) (Image, error)
	// Prediction returns ErrNotFound where the version has not seen the image. Top carries no names.
	Prediction(ctx context.Context, versionID, imageID int64) (Prediction, error)
}

// SlugPattern is what a project's slug is made of; projects_slug_check in migration 2 holds the database to it.
const SlugPattern = `^[a-z0-9]+(-[a-z0-9]+)*$`

var slugPattern = regexp.MustCompile(SlugPattern)

// Projects lists the projects in a state that the actor is a member of, with their counts; to admins all of them, and the deleted ones.
func (s *Service) Projects(ctx context.Context, actor User, state ProjectState) ([]ProjectSummary, error) {
	if err := oneOf("state", state, ProjectStates); err != nil {
		return nil, err
	}
	needed := RoleAnnotator
	if state == ProjectDeleted {
		needed = RoleAdmin
	}
	if err := may(actor, needed); err != nil {
		return nil, err
	}
	return s.summaries(ctx, actor, "", state)
}

// summaries are those of projects that the actor is a member of; of all for an admin.
func (s *Service) summaries(ctx context.Context, actor User, slug string, states ...ProjectState) ([]ProjectSummary, error) {
	all, err := s.store.ProjectSummaries(ctx, actor.ID, actor.Role != RoleAdmin, slug, states...)
	for i := range all {
		if actor.Role == RoleAdmin {
			all[i].Role = RoleAdmin
		}
		if !all[i].Role.May(RoleReviewer) || actor.ID == 0 { // as MayJudge says
			all[i].ToReview, all[i].LabelsToJudge = 0, 0
		}
	}
	return all, err
}

// Project returns one project with its counts.
func (s *Service) Project(ctx context.Context, actor User, slug string) (ProjectSummary, error) {
	if err := may(actor, RoleAnnotator); err != nil {
		return ProjectSummary{}, err
	}
	if slug == "" {
		return ProjectSummary{}, fmt.Errorf("project %q: %w", slug, ErrNotFound)
	}
	found, err := s.summaries(ctx, actor, slug, ProjectOpen, ProjectClosed)
	if err != nil {
		return ProjectSummary{}, err
	}
	if len(found) == 0 {
		return ProjectSummary{}, fmt.Errorf("project %q: %w", slug, ErrNotFound)
	}
	return found[0], nil
}

// SlugOf makes a slug of a project's name: its Latin letters without their accents, its digits, hyphens for the rest. A name without any
// has none.
func SlugOf(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text.NFD(name)) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r): // an accent
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String()[:min(b.Len(), BoundSlug.Most)], "-")
}

// SlugProblem says why a text can be no slug, after the name of its field; "" where it can.
func SlugProblem(slug string) string {
	if problem := BoundSlug.Problem(slug); problem != "" {
		return problem
	}
	if !slugPattern.MatchString(slug) {
		return "use lower-case letters, digits and single hyphens"
	}
	return ""
}

// checkSlug refuses what no slug may be.
func checkSlug(slug string) error {
	if problem := SlugProblem(slug); problem != "" {
		return &ValidationError{Field: "slug", Message: problem}
	}
	return nil
}

// NewProject describes a project to be made.
type NewProject struct {
	Slug, Name, Description string // without a slug it gets SlugOf its name
	// Apart: nobody but whoever makes it is a member at first. Else everybody who has an account joins, with their role.
	Apart bool
}

// CreateProject makes an empty project that everybody joins who has an account (admin).
func (s *Service) CreateProject(ctx context.Context, actor User, slug, name, description string) (Project, error) {
	return s.MakeProject(ctx, actor, NewProject{Slug: slug, Name: name, Description: description})
}

// MakeProject makes an empty project (admin). Whoever makes it is its lead.
func (s *Service) MakeProject(ctx context.Context, actor User, n NewProject) (Project, error) {
	slug, name, description := n.Slug, n.Name, n.Description
	if err := may(actor, RoleAdmin); err != nil {
		return Project{}, err
	}
	name, err := BoundProjectName.check("name", name)
	if err != nil {
		return Project{}, err
	}
	if slug == "" {
		if slug = SlugOf(name); slug == "" {
			return Project{}, &ValidationError{Field: "slug", Message: "the name has no letter from a to z and no digit to make one of: write one"}
		}
	}
	if err := checkSlug(slug); err != nil {
		return Project{}, err
	}
	if description, err = BoundDescription.check("description", description); err != nil {
		return Project{}, err
	}
	var project Project
	err = s.store.InTx(ctx, func(tx Store) error {
		project, err = tx.InsertProject(ctx, Project{Slug: slug, Name: name, Description: description, CreatedAt: s.now()})
		if err != nil {
			return err
		}
		if err := s.audit(ctx, tx, actor, &project.ID, "project.create", projectSubject(slug), name); err != nil {
			return err
		}
		return s.joinNew(ctx, tx, actor, project, !n.Apart)
	})
	if errors.Is(err, ErrConflict) {
		return Project{}, errSlugTaken
	}
	return project, err
}

// ProjectChange is what changes of a project; nil: it stays as it is. Its slug stays: addresses and scripts have it.
type ProjectChange struct {
	Name        *string
	Description *string
	Feedback    *Feedback
	// SecondReviewer is Project.SecondReviewer.
	SecondReviewer *bool
	Mix            orders.Mix
	Overlap        *Overlap
	CheckShare     *int // per cent
	Sampling       *Sampling
}

// ChangeProject gives a project another name, description, time of feedback or mix of orders, says who approves what a reviewer corrected,
// which images several people paint or how many tasks are checks (admin). What was given out stays as it is.
func (s *Service) ChangeProject(ctx context.Context, actor User, slug string, c ProjectChange) (Project, error) {
	actor, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil {
		return Project{}, err
	}
	if project.ClosedAt != nil {
		return Project{}, &ClosedError{slug}
	}
	was := project
	if c.Name != nil {
		if project.Name, err = BoundProjectName.check("name", *c.Name); err != nil {
			return Project{}, err
		}
	}
	if c.Description != nil {
		if project.Description, err = BoundDescription.check("description", *c.Description); err != nil {
			return Project{}, err
		}
	}
	if c.Feedback != nil {
		if err := oneOf("feedback", *c.Feedback, Feedbacks); err != nil {
			return Project{}, err
		}
		project.Feedback = *c.Feedback
	}
	if c.SecondReviewer != nil {
		project.SecondReviewer = *c.SecondReviewer
	}
	if c.Mix != nil {
		if problem := c.Mix.Problem(); problem != "" {
			return Project{}, &ValidationError{Field: "mix", Message: problem}
		}
		project.Mix = c.Mix
	}
	if c.Overlap != nil {
		if err := c.Overlap.check(); err != nil {
			return Project{}, err
		}
		project.Overlap = *c.Overlap
	}
	if c.CheckShare != nil {
		if project, err = s.setChecks(ctx, project, *c.CheckShare); err != nil {
			return Project{}, err
		}
	}
	if c.Sampling != nil {
		if err := c.Sampling.check(); err != nil {
			return Project{}, err
		}
		project.Sampling = *c.Sampling
	}
	var changed []string
	if was.CheckShare != project.CheckShare {
		changed = append(changed, fmt.Sprintf("%d %% of tasks are checks, were %d %%", project.CheckShare, was.CheckShare))
	}
	if was.Overlap != project.Overlap {
		changed = append(changed, fmt.Sprintf("%s; was %s", project.Overlap, was.Overlap))
	}
	if was.Sampling != project.Sampling {
		changed = append(changed, fmt.Sprintf("reviews %s; reviewed %s", project.Sampling, was.Sampling))
	}
	if was.SecondReviewer != project.SecondReviewer {
		if project.SecondReviewer {
			changed = append(changed, "corrected maps wait for a second reviewer")
		} else {
			changed = append(changed, "corrected maps are approved with their correction")
		}
	}
	mixed := !was.Mix.Equal(project.Mix)
	if mixed {
		changed = append(changed, fmt.Sprintf("gives out %s; gave %s", project.Mix, was.Mix))
	}
	if was.Feedback != project.Feedback {
		changed = append(changed, fmt.Sprintf("feedback %s, was %s", project.Feedback, was.Feedback))
	}
	if was.Name != project.Name {
		changed = append(changed, fmt.Sprintf("%s is called %s", was.Name, project.Name))
	}
	if was.Description != project.Description {
		changed = append(changed, "another description")
	}
	if len(changed) == 0 {
		return project, nil
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		if err := tx.ChangeProject(ctx, project); err != nil {
			return err
		}
		if mixed { // an order may have images whose places nobody has worked out
			if err := tx.MixQueue(ctx, project.ID); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx, actor, &project.ID, "project.change", projectSubject(slug), strings.Join(changed, "; "))
	})
	return project, err
}

// RenameClass changes how people read a class (admin). Its key stays, by which folders, tables and manifests name it, and so does its
// place among the logits. ErrNotFound if the project has no class of that index; a *ValidationError if another has the name, as ClassFinder compares them.
func (s *Service) RenameClass(ctx context.Context, actor User, slug string, index int, name string) (Project, error) {
	actor, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil {
		return Project{}, err
	}
	if index < 0 || index >= len(project.Classes) {
		return Project{}, fmt.Errorf("class %d of project %q: %w", index, slug, ErrNotFound)
	}
	if name, err = BoundClassName.check("name", name); err != nil {
		return Project{}, err
	}
	project.Classes = slices.Clone(project.Classes)
	class := &project.Classes[index]
	was := class.Name
	if was == name {
		return project, nil
	}
	for _, other := range project.Classes {
		if other.Index != index && (loosely(other.Name) == loosely(name) || loosely(other.Key) == loosely(name)) {
			return Project{}, &ValidationError{Field: "name", Message: fmt.Sprintf("class %d is called %s already", other.Index, name)}
		}
	}
	class.Name = name
	err = s.store.InTx(ctx, func(tx Store) error {
		if err := tx.RenameClass(ctx, project.ID, *class); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, &project.ID, "class.rename", fmt.Sprintf("class %d (%s)", index, class.Key), fmt.Sprintf("%s is called %s", was, name))
	})
	return project, err
}

// Jobs lists a project's background work, newest first, at most 50.
func (s *Service) Jobs(ctx context.Context, actor User, slug string) ([]Job, error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return nil, err
	}
	return s.store.Jobs(ctx, project.ID, 50)
}

// Audit lists a project's trail, newest first, at most 100; before is the id to continue from, 0 for
// the start. Draft saves are not in it: the revisions themselves are their record.
func (s *Service) Audit(ctx context.Context, actor User, slug string, before int64) ([]AuditEntry, error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return nil, err
	}
	return s.store.AuditEntries(ctx, project.ID, before, 100)
}

// Image returns one image of a project with the given version's prediction of it (nil version: the
// active one's). The prediction is nil where the version has not seen the image.
func (s *Service) Image(ctx context.Context, actor User, imageID int64, versionID *int64) (Image, *Prediction, error) {
	_, err := s.in(ctx, actor, RoleAnnotator, ThingImage.Of(imageID))
	if err != nil {
		return Image{}, nil, err
	}
	image, err := s.store.Image(ctx, imageID)
	if err != nil {
		return Image{}, nil, err
	}
	project, err := s.store.ProjectByID(ctx, image.ProjectID)
	if err != nil {
		return Image{}, nil, err
	}
	var version Version
	if versionID != nil {
		version, err = s.store.Version(ctx, *versionID)
		if err == nil && version.ProjectID != image.ProjectID {
			err = fmt.Errorf("version %d: %w", *versionID, ErrNotFound) // as of one that is not there
		}
	} else {
		version, err = s.store.ActiveVersion(ctx, image.ProjectID)
		if isNotFound(err) {
			return image, nil, nil
		}
	}
	if err != nil {
		return Image{}, nil, err
	}
	prediction, err := s.store.Prediction(ctx, version.ID, imageID)
	if isNotFound(err) {
		return image, nil, nil
	}
	if err != nil {
		return Image{}, nil, err
	}
	nameClasses(prediction.Top, project.Classes)
	return image, &prediction, nil
}

// Picture renders an image of a project as the active version sees it.
func (s *Service) Picture(ctx context.Context, actor User, imageID int64, kind PictureKind) (io.ReadCloser, string, error) {
	image, err := s.pictured(ctx, actor, imageID)
	if err != nil {
		return nil, "", err
	}
	if err := oneOf("kind", kind, PictureKinds); err != nil {
		return nil, "", err
	}
	version, err := s.store.ActiveVersion(ctx, image.ProjectID)
	if err != nil && !isNotFound(err) { // before the first model the picture is shown whole: the zero Version
		return nil, "", err
	}
	if s.pictures == nil {
		return nil, "", fmt.Errorf("rendering image %d: %w: this process shows no pictures", imageID, ErrUnavailable)
	}
	return s.pictures.Render(ctx, version, image, kind)
}

// OriginalLink returns an address at which the blob store hands out an image's file, for a short while and to whoever has the address; "" where the
// studio sends it itself (Picture).
func (s *Service) OriginalLink(ctx context.Context, actor User, imageID int64) (string, error) {
	image, err := s.pictured(ctx, actor, imageID)
	if err != nil || s.links == nil {
		return "", err
	}
	return s.links.Link(ctx, image.Hash, path.Base(image.Name))
}

// pictured returns an image that has a picture, and that the actor may see.
func (s *Service) pictured(ctx context.Context, actor User, imageID int64) (Image, error) {
	if _, err := s.in(ctx, actor, RoleAnnotator, ThingImage.Of(imageID)); err != nil {
		return Image{}, err
	}
	image, err := s.store.Image(ctx, imageID)
	if err == nil && image.Purged {
		err = fmt.Errorf("the picture of image %d, which was purged: %w", imageID, ErrNotFound)
	}
	return image, err
}

// nameClasses fills in the names of an answer's classes.
func nameClasses(top []ClassScore, classes []Class) {
	for i, score := range top {
		if score.Class >= 0 && score.Class < len(classes) {
			top[i].Name = classes[score.Class].Name
		}
	}
}

func projectSubject(slug string) string { return fmt.Sprintf("project %s", slug) }
