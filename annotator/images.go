package annotator

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/abn-studio/studio/internal/text"
)

// ImageState is what an image is used for, as it is asked for.
type ImageState string

// The states by which images are listed.
const (
	ImageInUse      ImageState = "in-use"
	ImageUnreadable ImageState = "unreadable" // of those in use
	ImageDeleted    ImageState = "deleted"    // by a person
	ImageReplaced   ImageState = "replaced"   // by another picture under its name
	ImageGone       ImageState = "gone"       // from its source
	ImageAny        ImageState = "any"
)

// ImageStates are all of them.
var ImageStates = []ImageState{ImageInUse, ImageUnreadable, ImageDeleted, ImageReplaced, ImageGone, ImageAny}

// ImageFilter selects images of one project. Zero fields do not filter.
type ImageFilter struct {
	State      ImageState // "": ImageInUse
	Split      Split
	Label      *int // a class's index
	Unlabelled bool
	LeftOut    bool   // only those that are left out of measures
	Prefix     string // of the name
	Cursor     string // opaque, from ImagePage.Next
	Limit      int    // 1 to MaxPage; 0: DefaultPage
}

// ImagePage is one page of a project's images, in the order in which they came in.
type ImagePage struct {
	Images []Image `json:"images"`
	Total  int     `json:"total" doc:"How many images match, or of a search that finds very many so many of them as are counted."`
	More   bool    `json:"more,omitempty" doc:"More match than total."`
	Next   string  `json:"next,omitempty"` // cursor of the following page, "" at the end
}

// VersionPrediction is what one version says of an image.
type VersionPrediction struct {
	Version int          `json:"version" doc:"The version's number in its project."`
	State   VersionState `json:"version_state"`
	Prediction
}

// ImageDetail is all there is of one image.
type ImageDetail struct {
	Image       Image
	LabelName   string
	HasMask     bool                // of its object; false for painters of whose tasks some are checks
	Predictions []VersionPrediction // the newest version first
	Tasks       []Task              // the newest first
	Edits       []Edit              // that were submitted and not taken back, without histories, the newest first
	History     []AuditEntry        // what people did to the image itself, the newest first, at most 100
}

// ImageChange is what a person changes of an image; nil fields stay.
type ImageChange struct {
	Split *Split
	Group *string
}

// MaxChosenImages bounds how many images are deleted, restored or purged at once.
const MaxChosenImages = 1000

// Images lists a project's images.
func (s *Service) Images(ctx context.Context, actor User, slug string, f ImageFilter) (ImagePage, error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return ImagePage{}, err
	}
	if f.State == "" {
		f.State = ImageInUse
	}
	if err := oneOf("state", f.State, ImageStates); err != nil {
		return ImagePage{}, err
	}
	if f.Split != "" {
		if err := oneOf("split", f.Split, Splits); err != nil {
			return ImagePage{}, err
		}
	}
	if f.Label != nil && (*f.Label < 0 || *f.Label >= len(project.Classes)) {
		return ImagePage{}, &ValidationError{Field: "label", Message: fmt.Sprintf("%d is none of the project's %s classes, which are counted from 0", *f.Label, text.Count(len(project.Classes)))}
	}
	if f.Label != nil && f.Unlabelled {
		return ImagePage{}, &ValidationError{Field: "unlabelled", Message: "an image with a label is not unlabelled: ask for one of the two"}
	}
	if problem := BoundSearch.Problem(f.Prefix); problem != "" {
		return ImagePage{}, &ValidationError{Field: "prefix", Message: problem}
	}
	f.Prefix = text.NFC(f.Prefix)
	switch {
	case f.Limit == 0:
		f.Limit = DefaultPage
	case f.Limit < 1 || f.Limit > MaxPage:
		return ImagePage{}, &ValidationError{Field: "limit", Message: fmt.Sprintf("is 1 to %d", MaxPage)}
	}
	return s.store.ImagePage(ctx, project.ID, f)
}

// ImageDetail returns one image with what every version says of it, its tasks and its history.
func (s *Service) ImageDetail(ctx context.Context, actor User, id int64) (ImageDetail, error) {
	actor, err := s.in(ctx, actor, RoleAnnotator, ThingImage.Of(id))
	if err != nil {
		return ImageDetail{}, err
	}
	image, err := s.store.Image(ctx, id)
	if err != nil {
		return ImageDetail{}, err
	}
	project, err := s.store.ProjectByID(ctx, image.ProjectID)
	if err != nil {
		return ImageDetail{}, err
	}
	out := ImageDetail{Image: image, HasMask: image.MaskHash != "" && project.hidesMasks(actor) == nil}
	if image.Label != nil && *image.Label < len(project.Classes) {
		out.LabelName = project.Classes[*image.Label].Name
	}
	if out.Predictions, err = s.store.PredictionsOf(ctx, id); err != nil {
		return ImageDetail{}, err
	}
	for i := range out.Predictions {
		nameClasses(out.Predictions[i].Top, project.Classes)
	}
	if out.Tasks, err = s.store.ImageTasks(ctx, id); err != nil {
		return ImageDetail{}, err
	}
	if out.Edits, err = s.store.JudgedEdits(ctx, id); err != nil {
		return ImageDetail{}, err
	}
	hidden := map[int64]bool{}
	for _, t := range out.Tasks {
		hidden[t.ID] = t.hidesFrom(actor)
	}
	out.Edits = slices.DeleteFunc(out.Edits, func(e Edit) bool { return hidden[e.TaskID] })
	for i := range out.Edits {
		project.withhold(actor, &out.Edits[i])
	}
	out.History, err = s.store.AuditOf(ctx, image.ProjectID, imageSubject(id), 100)
	return out, err
}

// Mask opens the mask of an image's object, a grey PNG of the picture's size; ErrNotFound where it has none.
func (s *Service) Mask(ctx context.Context, actor User, id int64) (io.ReadSeekCloser, error) {
	actor, err := s.in(ctx, actor, RoleAnnotator, ThingImage.Of(id))
	if err != nil {
		return nil, err
	}
	image, err := s.store.Image(ctx, id)
	if err != nil {
		return nil, err
	}
	project, err := s.store.ProjectByID(ctx, image.ProjectID)
	if err != nil {
		return nil, err
	}
	if err := project.hidesMasks(actor); err != nil { // before it is known whether there is one: the answer must not tell
		return nil, err
	}
	if image.MaskHash == "" {
		return nil, fmt.Errorf("a mask of image %d: %w", id, ErrNotFound)
	}
	if s.blobs == nil {
		return nil, fmt.Errorf("the mask of image %d: %w: this process has no blob store", id, ErrUnavailable)
	}
	return s.blobs.Open(ctx, image.MaskHash)
}

// ChangeImage changes an image's split or group (admin). Its tasks follow: an image that goes to a split that is not painted takes them
// along, and one that comes back brings them. ErrConflict while a round runs, and for an image that is out of use.
func (s *Service) ChangeImage(ctx context.Context, actor User, id int64, c ImageChange) (Image, error) {
	actor, err := s.in(ctx, actor, RoleLead, ThingImage.Of(id))
	if err != nil {
		return Image{}, err
	}
	if c.Split != nil {
		if err := oneOf("split", *c.Split, Splits); err != nil {
			return Image{}, err
		}
	}
	if c.Group != nil {
		group, err := BoundGroup.check("group", *c.Group)
		if err != nil {
			return Image{}, err
		}
		c.Group = &group
	}
	image, err := s.store.Image(ctx, id)
	if err != nil {
		return Image{}, err
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		if err := stillImages(ctx, tx, image.ProjectID); err != nil {
			return err
		}
		if image, err = tx.Image(ctx, id); err != nil {
			return err
		}
		if image.Retired != "" {
			return Conflict("image %d is out of use (%s): restore it first", id, image.Retired)
		}
		was := image
		if c.Split != nil {
			image.Split = *c.Split
		}
		if c.Group != nil {
			image.Group = *c.Group
		}
		var detail string
		if image.Split != was.Split {
			detail = fmt.Sprintf("split %s → %s", was.Split, image.Split)
		}
		if image.Group != was.Group {
			detail = joined(detail, fmt.Sprintf("group %q → %q", was.Group, image.Group))
		}
		if detail == "" {
			return nil
		}
		if err := tx.MoveImage(ctx, image, s.now()); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, actor, &image.ProjectID, "image.change", imageSubject(id), image.Name+": "+detail); err != nil {
			return err
		}
		return s.follow(ctx, tx, image.ProjectID, []Image{was, image})
	})
	if err != nil {
		return Image{}, fmt.Errorf("changing image %d: %w", id, err)
	}
	return image, nil
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// stillImages locks a project, and is ErrConflict while a round runs on its images.
func stillImages(ctx context.Context, tx Store, projectID int64) error {
	state, err := tx.ImportState(ctx, projectID)
	if err == nil && state.Round > 0 {
		err = Conflict("round %d runs on these images, which must stay as they are until it is over: wait or cancel it", state.Round)
	}
	return err
}

// follow brings tasks and figures of the active version up to what images have become. Those that it has not predicted are scanned.
func (s *Service) follow(ctx context.Context, tx Store, projectID int64, images []Image) error {
	active, err := tx.ActiveVersion(ctx, projectID)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	ids, heldOut, unseen := make([]int64, len(images)), false, false
	for i, image := range images {
		ids[i] = image.ID
		heldOut = heldOut || image.Split.HeldOut()
		if image.Retired != "" || image.Broken != "" {
			continue
		}
		if _, err := tx.Prediction(ctx, active.ID, image.ID); isNotFound(err) {
			unseen = true
		} else if err != nil {
			return err
		}
	}
	if _, err := tx.CreateTasks(ctx, active.ID, ids...); err != nil {
		return err
	}
	if unseen {
		_, err = tx.EnqueueScan(ctx, active.ID) // it measures at its end
		return err
	}
	if heldOut {
		_, err = tx.EnqueueEvaluate(ctx, active.ID)
	}
	return err
}

// DeleteImages takes images of a project out of use (admin) and returns how many were in use. Their tasks are closed with the reason.
// Edits, predictions and what rounds measured stay. ErrConflict while a round runs.
func (s *Service) DeleteImages(ctx context.Context, actor User, slug string, ids []int64) (int, error) {
	return s.changeImages(ctx, actor, slug, ids, "image.delete", func(tx Store, project Project, images []Image) ([]Image, error) {
		images = slices.DeleteFunc(images, func(i Image) bool { return i.Retired != "" })
		for i := range images {
			images[i].Retired = string(RetiredDeleted)
		}
		return images, tx.RetireImages(ctx, project.ID, idsOf(images), RetiredDeleted, s.now())
	})
}

// RestoreImages puts deleted images back into use with their tasks (admin), and returns how many were deleted. ErrConflict while a round
// runs, for an image that was purged, and where another image has the name now.
func (s *Service) RestoreImages(ctx context.Context, actor User, slug string, ids []int64) (int, error) {
	return s.changeImages(ctx, actor, slug, ids, "image.restore", func(tx Store, project Project, images []Image) ([]Image, error) {
		images = slices.DeleteFunc(images, func(i Image) bool { return i.Retired != string(RetiredDeleted) })
		for i, image := range images {
			if image.Purged {
				return nil, Conflict("image %d (%s) was purged: its picture is gone for good", image.ID, image.Name)
			}
			known, err := tx.KnownImages(ctx, project.ID, image.Source, []string{image.Name})
			if err != nil {
				return nil, err
			}
			if now, is := known[image.Name]; is && now.Retired == "" {
				return nil, Conflict("image %d has the name %s now: delete that one first", now.ID, image.Name)
			}
			images[i].Retired = ""
		}
		return images, tx.ReinstateImages(ctx, project.ID, idsOf(images), s.now())
	})
}

// PurgeImages gives up the bytes of images that are out of use, their masks' too (admin), and returns how many there were. That is for
// good. What people made of them stays. A file that another image has too is kept for that one.
func (s *Service) PurgeImages(ctx context.Context, actor User, slug string, ids []int64) (int, error) {
	if s.blobs == nil {
		return 0, fmt.Errorf("purging images: %w: this process has no blob store", ErrUnavailable)
	}
	var hashes []string
	n, err := s.changeImages(ctx, actor, slug, ids, "image.purge", func(tx Store, project Project, images []Image) ([]Image, error) {
		for _, image := range images {
			if image.Retired == "" {
				return nil, Conflict("image %d (%s) is in use: delete it first", image.ID, image.Name)
			}
		}
		images = slices.DeleteFunc(images, func(i Image) bool { return i.Purged })
		hashes = nil
		for _, image := range images {
			hashes = append(hashes, image.Hash)
			if image.MaskHash != "" {
				hashes = append(hashes, image.MaskHash)
			}
		}
		return images, tx.PurgeImages(ctx, project.ID, idsOf(images), s.now())
	})
	if err != nil || n == 0 {
		return n, err
	}
	return n, s.removeBlobs(ctx, hashes)
}

// removeBlobs removes the files of hashes that no row refers to. While an import runs, whose rows come later, they are left to the
// worker that tidies (jobs.Worker.Tidy).
func (s *Service) removeBlobs(ctx context.Context, hashes []string) error {
	ctx = context.WithoutCancel(ctx) // the rows are changed
	if importing, err := s.store.Importing(ctx); err != nil || importing {
		return err
	}
	forgotten, err := s.store.UnusedBlobs(ctx, hashes)
	if err != nil {
		return err
	}
	for _, hash := range forgotten {
		if err := s.blobs.Remove(ctx, hash); err != nil {
			return err
		}
	}
	return nil
}

func idsOf(images []Image) []int64 {
	ids := make([]int64, len(images))
	for i, image := range images {
		ids[i] = image.ID
	}
	return ids
}

// changeImages changes images of a project in one transaction, with a line of the trail for each that change returns. Without a slug it is
// the project of the first image.
func (s *Service) changeImages(ctx context.Context, actor User, slug string, ids []int64, action string, change func(tx Store, project Project, images []Image) ([]Image, error)) (changed int, err error) {
	whose := ThingProject.Called(slug)
	if slug == "" && len(ids) > 0 {
		whose = ThingImage.Of(ids[0])
	}
	if actor, err = s.in(ctx, actor, RoleLead, whose); err != nil {
		return 0, err
	}
	switch {
	case len(ids) == 0:
		return 0, &ValidationError{Field: "images", Message: "no image is chosen: name some"}
	case len(ids) > MaxChosenImages:
		return 0, &ValidationError{Field: "images", Message: fmt.Sprintf("%s are chosen, at most %s are changed at once", text.Count(len(ids)), text.Count(MaxChosenImages))}
	}
	var project Project
	if slug != "" {
		project, err = s.store.ProjectBySlug(ctx, slug)
	} else {
		var first Image
		if first, err = s.store.Image(ctx, ids[0]); err == nil {
			project, err = s.store.ProjectByID(ctx, first.ProjectID)
		}
	}
	if err != nil {
		return 0, err
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	err = s.store.InTx(ctx, func(tx Store) error {
		if err := stillImages(ctx, tx, project.ID); err != nil {
			return err
		}
		there, err := tx.ImagesByID(ctx, project.ID, ids)
		if err != nil {
			return err
		}
		images := make([]Image, len(ids))
		for i, id := range ids {
			image, is := there[id]
			if !is {
				return fmt.Errorf("image %d of project %s: %w", id, project.Slug, ErrNotFound)
			}
			images[i] = image
		}
		if images, err = change(tx, project, images); err != nil {
			return err
		}
		if changed = len(images); changed == 0 {
			return nil
		}
		for _, image := range images {
			if err := s.audit(ctx, tx, actor, &project.ID, action, imageSubject(image.ID), image.Name); err != nil {
				return err
			}
		}
		if action == "image.purge" {
			return nil // they were out of use before
		}
		return s.follow(ctx, tx, project.ID, images)
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", imageActions[action], err)
	}
	return changed, nil
}

// imageActions are the words of changes for errors.
var imageActions = map[string]string{"image.delete": "deleting images", "image.restore": "restoring images", "image.purge": "purging images"}

// ImageListStore lists images, and takes them out of use and back.
type ImageListStore interface {
	// ImagePage lists a project's images by id.
	ImagePage(ctx context.Context, projectID int64, f ImageFilter) (ImagePage, error)
	// PredictionsOf lists what versions say of an image, the newest version first, without all probabilities.
	PredictionsOf(ctx context.Context, imageID int64) ([]VersionPrediction, error)
	// ImageTasks lists the tasks of an image, the newest first.
	ImageTasks(ctx context.Context, imageID int64) ([]Task, error)
	// AuditOf lists the lines of a project's trail on one subject, the newest first.
	AuditOf(ctx context.Context, projectID int64, subject string, limit int) ([]AuditEntry, error)
	// MoveImage changes an image's split and group, and has its tasks follow; untouched ones are removed.
	MoveImage(ctx context.Context, image Image, at time.Time) error
	// ReinstateImages puts deleted images back into use, with their withdrawn tasks.
	ReinstateImages(ctx context.Context, projectID int64, images []int64, at time.Time) error
	// PurgeImages says that the bytes of images that are out of use are given up.
	PurgeImages(ctx context.Context, projectID int64, images []int64, at time.Time) error
	// UnusedBlobs returns those of the hashes that no row refers to.
	UnusedBlobs(ctx context.Context, hashes []string) ([]string, error)
	// Importing reports whether an import runs, in any project.
	Importing(ctx context.Context) (bool, error)
}
