package annotator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The tables of a project's archive, in the order in which they are read back: each names only rows of those before it, but for versions
// and rounds, which name each other.
const (
	ArchiveProject = "project"
	ArchiveImages  = "images"
)

// ArchiveTables are all of them.
var ArchiveTables = []string{
	ArchiveProject, "classes", "people", ArchiveImages, "image_clicks", "versions", "rounds", "round_points", "round_rows", "predictions", "tasks", "edits", "edit_sources", "check_scores", "edit_histories",
	"reviews", "draws", "round_edits", "label_verdicts", "label_changes", "audit",
}

// ArchiveFile is a file that a project needs.
type ArchiveFile struct {
	Hash string
	Use  string // for messages: "the image train/wren/1.jpg"
	Big  bool   // a picture or its mask, which an archive may leave out
}

// PackChoices say what of a project an archive has.
type PackChoices struct {
	Pictures  bool // the images' files; else by reference to them
	Anonymous bool // people are "Annotator 1" and so on, without addresses, and folders that images came from are left out: to publish it
}

// ArchiveStore reads and writes all rows of a project.
type ArchiveStore interface {
	// PackProject hands over the rows of a project as they are at one moment: JSON objects, in which rows name each other by their
	// numbers in the archive. It also returns the files that they need, each once. Work under way is left out: a lease is over, and a
	// round that runs is not there. In an anonymous one people have invented names and addresses, others in every archive.
	PackProject(ctx context.Context, projectID int64, anonymous bool, row func(table string, row []byte) error) ([]ArchiveFile, error)
	// UnpackProject makes a project of such rows; rows hands over those of a table. A *DamagedError says what does not fit.
	UnpackProject(ctx context.Context, slug, name string, rows func(table string, row func([]byte) error) error) (Project, error)
}

// DamagedError says what part of an archive cannot be read, and why.
type DamagedError struct {
	Part string
	Err  error
}

func (e *DamagedError) Error() string { return fmt.Sprintf("the archive's %s: %v", e.Part, e.Err) }
func (e *DamagedError) Unwrap() error { return e.Err }

// ArchiveSink is an archive that is written (internal/archive).
type ArchiveSink interface {
	Row(table string, row []byte) error
	File(hash string, content io.Reader) error
	// Missing notes a file that the studio has lost.
	Missing(f ArchiveFile) error
}

// ArchiveSource is an archive that is read (internal/archive).
type ArchiveSource interface {
	Name() string // what people call it
	Rows(table string, row func([]byte) error) error
	// Files hands over all files that the archive holds.
	Files(ctx context.Context, file func(hash string, content io.Reader) error) error
	// Find opens the file of an image elsewhere, where the archive holds it by reference; ErrNotFound if it is not known where.
	Find(image string) (io.ReadCloser, error)
	// Lost reports whether the file was missing already where the archive was written.
	Lost(hash string) bool
}

// PackProject writes a project with all that was made in it into an archive (lead).
func (s *Service) PackProject(ctx context.Context, actor User, slug string, c PackChoices, to ArchiveSink) error {
	actor, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil {
		return err
	}
	if s.blobs == nil {
		return fmt.Errorf("archiving %s: %w: this process has no blob store", slug, ErrUnavailable)
	}
	what := "with pictures"
	if !c.Pictures {
		what = "without pictures"
	}
	if err := s.audit(ctx, s.store, actor, nil, "export.archive", "project "+slug, what); err != nil {
		return err
	}
	files, err := s.store.PackProject(ctx, project.ID, c.Anonymous, to.Row)
	if err != nil {
		return fmt.Errorf("archiving %s: %w", slug, err)
	}
	for _, f := range files {
		if f.Big && !c.Pictures {
			continue
		}
		if err := s.packFile(ctx, f, to); err != nil {
			return fmt.Errorf("archiving %s: %s: %w", slug, f.Use, err)
		}
	}
	return nil
}

func (s *Service) packFile(ctx context.Context, f ArchiveFile, to ArchiveSink) error {
	content, err := s.blobs.Open(ctx, f.Hash)
	if errors.Is(err, ErrMissing) || errors.Is(err, ErrDamaged) {
		return to.Missing(f)
	}
	if err != nil {
		return err
	}
	defer content.Close()
	return to.File(f.Hash, content)
}

// UnpackProject makes a project of an archive (admin), under its own slug and name or others. People are found by their e-mail addresses;
// who is not here comes in as a name that cannot sign in. An archive has no members, since who sees a project is decided where it is: only the
// actor is one at first. Files are kept first, and the rows are then written at once or not at all.
func (s *Service) UnpackProject(ctx context.Context, actor User, slug, name string, from ArchiveSource) (Project, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return Project{}, err
	}
	if s.blobs == nil {
		return Project{}, fmt.Errorf("reading an archive: %w: this process has no blob store", ErrUnavailable)
	}
	slug, name, err := s.unpackedAs(ctx, slug, name, from)
	if err != nil {
		return Project{}, err
	}
	if err := s.keepFiles(ctx, slug, from); err != nil {
		return Project{}, err
	}
	var project Project
	err = s.store.InTx(ctx, func(tx Store) error {
		if project, err = tx.UnpackProject(ctx, slug, name, from.Rows); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, actor, &project.ID, "project.unpack", projectSubject(slug), fmt.Sprintf("from the archive %s", from.Name())); err != nil {
			return err
		}
		if err := tx.EnqueueTidy(ctx); err != nil { // which counts its files: what an archive says of their sizes is not believed
			return err
		}
		return s.joinNew(ctx, tx, actor, project, false)
	})
	if errors.Is(err, ErrConflict) {
		return Project{}, errSlugTaken
	}
	if err != nil {
		return Project{}, fmt.Errorf("making a project of %s: %w", from.Name(), err)
	}
	return s.store.ProjectByID(ctx, project.ID)
}

// unpackedAs is what the project will be called, which is looked at before its files are kept.
func (s *Service) unpackedAs(ctx context.Context, slug, name string, from ArchiveSource) (string, string, error) {
	var own struct{ Slug, Name string }
	err := from.Rows(ArchiveProject, func(row []byte) error {
		if own.Slug != "" {
			return &DamagedError{ArchiveProject, errors.New("there are two")}
		}
		if err := json.Unmarshal(row, &own); err != nil {
			return &DamagedError{ArchiveProject, err}
		}
		return nil
	})
	if err != nil {
		return "", "", err
	}
	if slug == "" {
		slug = own.Slug
	}
	if strings.TrimSpace(name) == "" {
		name = own.Name
	}
	if name, err = BoundProjectName.check("name", name); err != nil {
		return "", "", err
	}
	return slug, name, s.freeSlug(ctx, slug)
}

// freeSlug refuses what no slug may be, and one that a project has.
func (s *Service) freeSlug(ctx context.Context, slug string) error {
	if err := checkSlug(slug); err != nil {
		return err
	}
	_, err := s.store.ProjectBySlug(ctx, slug)
	switch {
	case isNotFound(err):
		return nil
	case err == nil:
		return errSlugTaken
	}
	return err
}

var (
	errSlugTaken = &ValidationError{Field: "slug", Message: "another project has it already, or a deleted one that can be restored: give this one another"}
)

// keepFiles keeps the files of an archive, and those of images that it has by reference only.
func (s *Service) keepFiles(ctx context.Context, slug string, from ArchiveSource) error {
	kept := map[string]bool{}
	space := ProjectSpace{Project: slug} // of the project to be, as far as its files are kept
	var err error
	if space.Quota, err = s.store.DefaultQuota(ctx); err != nil {
		return err
	}
	count := func(size int64) error {
		err := space.takes(size)
		space.ImageBytes += size
		return err
	}
	err = from.Files(ctx, func(hash string, content io.Reader) error {
		got, size, err := s.blobs.Put(ctx, content)
		if err == nil && got != hash {
			err = &DamagedError{"file " + hash, ErrDamaged}
		}
		if err == nil {
			err = count(size)
		}
		kept[hash] = true
		return err
	})
	if err != nil {
		return err
	}
	var missing []string
	missed := 0
	here := func(hash string) (bool, error) {
		if hash == "" || kept[hash] || from.Lost(hash) {
			return true, nil
		}
		there, err := s.blobs.Exists(ctx, hash)
		kept[hash] = there
		return there, err
	}
	miss := func(what string) {
		if missed++; len(missing) < MaxNamed {
			missing = append(missing, what)
		}
	}
	err = from.Rows(ArchiveImages, func(row []byte) error {
		var image struct {
			Name, Hash, Broken string
			MaskHash           string  `json:"mask_hash"`
			PurgedAt           *string `json:"purged_at"`
		}
		if err := json.Unmarshal(row, &image); err != nil {
			return &DamagedError{ArchiveImages, err}
		}
		if there, err := here(image.MaskHash); err != nil || !there {
			miss("the mask of " + image.Name)
			return err
		}
		if image.PurgedAt != nil || image.Broken != "" {
			return nil
		}
		there, err := here(image.Hash)
		if err != nil || there {
			return err
		}
		there, size, err := s.keepFound(ctx, image.Name, image.Hash, from)
		if err == nil && !there {
			miss(image.Name)
		}
		if err == nil {
			err = count(size)
		}
		kept[image.Hash] = there
		return err
	})
	if err == nil && missed > 0 {
		err = &ValidationError{Field: "images", Message: fmt.Sprintf("the archive has its images by reference, and %d files of them are not here: %s. "+
			"Give the folder that they are in (studio project unpack --images DIR), or write the archive with them", missed, strings.Join(missing, ", "))}
	}
	return err
}

// keepFound keeps the file of an image that lies elsewhere, if it is that file.
func (s *Service) keepFound(ctx context.Context, name, hash string, from ArchiveSource) (there bool, size int64, err error) {
	content, err := from.Find(name)
	if isNotFound(err) {
		return false, 0, nil
	}
	if err != nil {
		return false, 0, err
	}
	defer content.Close()
	got, size, err := s.blobs.Put(ctx, content)
	if err == nil && got != hash {
		err = &ValidationError{Field: "images", Message: fmt.Sprintf("%s is another picture than the archive's: its SHA-256 is %s, not %s", name, got, hash)}
	}
	return err == nil, size, err
}

// BeginArchive makes room for an archive of a project, whose bytes are then sent as those of an import are (admin).
func (s *Service) BeginArchive(ctx context.Context, actor User, name string, bytes int64) (StagedImport, bool, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return StagedImport{}, false, err
	}
	if s.staging == nil {
		return StagedImport{}, false, fmt.Errorf("taking an archive: %w: this process takes none", ErrUnavailable)
	}
	name, err := BoundFileName.check("name", name)
	if err != nil {
		return StagedImport{}, false, err
	}
	if bytes < 1 {
		return StagedImport{}, false, &ValidationError{Field: "bytes", Message: "is the size of the archive"}
	}
	staged, resumed, err := s.staging.Begin(ctx, 0, actor.Name, name, []StagedFile{{Path: "project.zip", Bytes: bytes}})
	var wrong *ValidationError
	if errors.As(err, &wrong) && wrong.Field == "files" { // it is one file, and all that is said of it is its size
		err = &ValidationError{Field: "bytes", Message: wrong.Message}
	}
	return staged, resumed, err
}

// StagedArchives lists archives that are being sent or wait to be read, newest first (admin).
func (s *Service) StagedArchives(_ context.Context, actor User) ([]StagedImport, error) {
	if err := may(actor, RoleAdmin); err != nil || s.staging == nil {
		return nil, err
	}
	return s.staging.List(0)
}

// StartArchive makes a project of an archive that was sent (admin), in the background; see UnpackProject.
func (s *Service) StartArchive(ctx context.Context, actor User, id, slug, name string) (StagedImport, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return StagedImport{}, err
	}
	staged, err := s.staged(ctx, actor, id)
	if err != nil {
		return staged, err
	}
	if staged.ProjectID != 0 {
		return staged, Conflict("%s is no archive of a project: it is images, sent to one", staged.Name)
	}
	if slug != "" { // what can be refused at once
		if err := s.freeSlug(ctx, slug); err != nil {
			return staged, err
		}
	}
	if name != "" {
		if name, err = BoundProjectName.check("name", name); err != nil {
			return staged, err
		}
	}
	return s.staging.RunArchive(ctx, id, func(ctx context.Context, from ArchiveSource) (string, error) {
		project, err := s.UnpackProject(ctx, actor, slug, name, from)
		return project.Slug, err
	})
}
