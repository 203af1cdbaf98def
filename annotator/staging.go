package annotator

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/text"
)

// StagedState is how far images are that somebody sends.
type StagedState string

// The states. Looking and importing that fail, or are cut off with the server, go back to received, with the reason in Problem.
const (
	StagedReceiving StagedState = "receiving" // its bytes come
	StagedReceived  StagedState = "received"  // all of them are here
	StagedLooking   StagedState = "looking"   // it is read as a data set and compared with the project
	StagedLooked    StagedState = "looked"    // Report says what an import would do
	StagedImporting StagedState = "importing"
	StagedImported  StagedState = "imported" // Report says what it did; the files are gone
)

// May reports whether a staged import may be looked at, or imported, in this state.
func (s StagedState) May() bool { return s == StagedReceived || s == StagedLooked }

// Busy reports whether a staged import is being read: it is left alone until that is over.
func (s StagedState) Busy() bool { return s == StagedLooking || s == StagedImporting }

// StagedFile is one of the files that an import is sent as.
type StagedFile struct {
	Path  string `json:"path" doc:"Where it lies in the data set, with slashes."`
	Bytes int64  `json:"bytes" minimum:"0"`
}

// Bounds of a staged import.
const (
	MaxStagedFiles = 500_000 // of one import; more come in an archive
	MaxStagedPath  = 1024    // bytes of a file's path
	maxPathPart    = 255     // bytes of a file's name: file systems have no longer ones
	MaxStagedChunk = 32 << 20
	// StagedLasts is how long an import is kept that nobody sends to, looks at or imports.
	StagedLasts = 72 * time.Hour
)

// ImportChoices are what can be said of a staged data set.
type ImportChoices struct {
	Source string            `json:"source,omitempty" doc:"Whose names the images have; main where absent."`
	Format string            `json:"format,omitempty" doc:"Its layout; the files tell where absent."`
	Split  Split             `json:"split,omitempty" doc:"train, validation, test or pool: for images whose data set names no split; train where absent."`
	Splits map[string]string `json:"splits,omitempty" doc:"Words for splits, of folders or tables, and what they mean."`
	// Columns are names of a table's columns by what they hold.
	Columns map[string]string `json:"columns,omitempty" doc:"A table's columns, where they are not called file, class, split, group, mask or cluster."`
	Label   string            `json:"label,omitempty" doc:"What the class of an image with several labels is: largest, the one of its largest annotation; whole, all that a table's cell holds, as the name of one class. Such images are refused where absent."`
	// Mask says which values of masks are the object, as dataset.ParseMaskRule reads it.
	Mask     string   `json:"mask,omitempty" doc:"What in a mask means the object: values (1,3-5), colours (#800000), or shades; the masks tell where absent."`
	Parts    []string `json:"parts,omitempty" maxItems:"100" doc:"Kinds of masks that together are the object's, where there are several of an image."`
	Encoding string   `json:"encoding,omitempty" doc:"How tables and lists are written that are neither UTF-8 nor UTF-16, such as windows-1252."`
	Update   bool     `json:"update,omitempty" doc:"Take over what differs from the project."`
	Prune    bool     `json:"prune,omitempty" doc:"Take out what is gone from the source."`
}

// ServerFolder is a data set that lies on the server: in a folder or a bucket that whoever runs the studio offers by a name.
type ServerFolder struct {
	Source string `json:"source"`
	Path   string `json:"path,omitempty"` // below it, with slashes: a folder, a table or an archive
}

// String is what people call it.
func (f ServerFolder) String() string { return path.Join(f.Source, f.Path) }

// StagedImport is a data set that somebody sends to a project, before and while it is imported.
type StagedImport struct {
	ID        string        `json:"id"`
	ProjectID int64         `json:"project_id"`
	Name      string        `json:"name"` // the folder or archive it came from
	By        string        `json:"by"`
	CreatedAt time.Time     `json:"created_at"`
	From      *ServerFolder `json:"from,omitempty"` // where it lies on the server; nothing is sent then
	Files     int           `json:"files"`
	Bytes     int64         `json:"bytes"`    // of all files
	Received  int64         `json:"received"` // where the next chunk begins
	State     StagedState   `json:"state"`
	Choices   ImportChoices `json:"choices"`
	Problem   string        `json:"problem,omitempty"` // why it could not be read or imported
	Share     float64       `json:"share"`             // of looking or importing, [0,1]
	Remaining float64       `json:"remaining_seconds"` // 0: not known
	Report    *StagedReport `json:"report,omitempty"`
	// Of an archive of a project, which is sent in the same way and belongs to no project: the slug of what was made of it.
	Made string `json:"made,omitempty"`
}

// StagedCount counts images of a class in a split.
type StagedCount struct {
	Split  Split  `json:"split"`
	Class  string `json:"class"` // "" where unlabelled
	Images int    `json:"images"`
}

// StagedProblem is a file that was passed over, or a note of how something was read.
type StagedProblem struct {
	Path   string `json:"path,omitempty"`
	Reason string `json:"reason"`
}

// StagedReport is what a staged data set is, and what an import of it would do, or did.
type StagedReport struct {
	Format  string          `json:"format"`
	Why     string          `json:"why"` // what the format was told by
	Counts  []StagedCount   `json:"counts"`
	Masks   int             `json:"masks"`
	Skipped []StagedProblem `json:"skipped,omitempty"` // the first of them
	Missing []StagedProblem `json:"missing,omitempty"`
	Notes   []StagedProblem `json:"notes,omitempty"`
	// How many there are of each.
	SkippedFiles int            `json:"skipped_files"`
	MissingFiles int            `json:"missing_files"`
	Examples     []StagedSample `json:"examples,omitempty"` // some images, of as many classes as can be
	Sync         ImportReport   `json:"sync"`
}

// StagedSample is an image of a staged data set that can be looked at.
type StagedSample struct {
	Name  string `json:"name"`
	Class string `json:"class"`
}

// Staging keeps what is sent until it is imported (internal/jobs).
type Staging interface {
	// Begin makes room for files; begun before, by the same files for the same project and not all here yet, it is gone on with.
	// A *ValidationError of field "files" says what is too much.
	Begin(ctx context.Context, projectID int64, by, name string, files []StagedFile) (s StagedImport, resumed bool, err error)
	// Sources are the names of the folders and buckets that are offered.
	Sources() []string
	// BeginSource begins an import of what lies there, which is received already. A *ValidationError says what is wrong with the source
	// or the path; nothing outside of the source is reached.
	BeginSource(ctx context.Context, projectID int64, by string, from ServerFolder) (StagedImport, error)
	// List returns what a project has, newest first.
	List(projectID int64) ([]StagedImport, error)
	// Staged returns ErrNotFound for one that is not here, or no longer.
	Staged(id string) (StagedImport, error)
	// Receive appends bytes of all files in their order, from an offset that has to be Received: ErrConflict where it is not. What came
	// before an error is kept.
	Receive(ctx context.Context, id string, offset int64, body io.Reader) (StagedImport, error)
	// Run reads the data set in the background and hands it to do, which looks at it or imports it. ErrConflict where its state
	// does not allow that. The work goes on when ctx ends; of ctx it keeps what log lines say of it.
	Run(ctx context.Context, id string, choices ImportChoices, to StagedState, do func(context.Context, ImageImport, func(progress.Progress)) (ImportReport, error)) (StagedImport, error)
	// RunArchive hands what was sent, an archive of a project, to do in the background, which makes a project of it and returns its slug.
	RunArchive(ctx context.Context, id string, do func(context.Context, ArchiveSource) (slug string, err error)) (StagedImport, error)
	// Example returns a small JPEG of the report's nth example.
	Example(id string, n int) (io.ReadSeekCloser, error)
	Discard(id string) error
}

// BeginImport makes room for the files of a data set that are then sent in chunks (admin). Files that were begun with before, and
// are not all here, are gone on with. A *QuotaError where the project may not have so many more bytes.
func (s *Service) BeginImport(ctx context.Context, actor User, slug, name string, files []StagedFile) (StagedImport, bool, error) {
	actor, project, err := s.openProject(ctx, actor, slug)
	if err != nil {
		return StagedImport{}, false, err
	}
	if s.staging == nil {
		return StagedImport{}, false, fmt.Errorf("taking images: %w: this process takes none", ErrUnavailable)
	}
	if name, err = BoundFileName.check("name", name); err != nil {
		return StagedImport{}, false, err
	}
	if err := checkStagedFiles(files); err != nil {
		return StagedImport{}, false, err
	}
	space, err := spaceOf(ctx, s.store, project.ID)
	if err != nil {
		return StagedImport{}, false, err
	}
	bytes := int64(0)
	for _, f := range files {
		bytes += min(f.Bytes, MaxQuota)
	}
	if err := space.takes(bytes); err != nil {
		return StagedImport{}, false, err
	}
	return s.staging.Begin(ctx, project.ID, actor.Name, name, files)
}

// Sources are the names of the folders and buckets on the server that can be imported from (admin).
func (s *Service) Sources(_ context.Context, actor User) ([]string, error) {
	if err := may(actor, RoleAdmin); err != nil || s.staging == nil {
		return nil, err
	}
	return s.staging.Sources(), nil
}

// BeginSourceImport begins an import of what lies on the server, which is then looked at and imported like what is sent (admin).
func (s *Service) BeginSourceImport(ctx context.Context, actor User, slug string, from ServerFolder) (StagedImport, error) {
	if _, err := s.in(ctx, actor, RoleAdmin, ThingProject.Called(slug)); err != nil {
		return StagedImport{}, err
	}
	actor, project, err := s.openProject(ctx, actor, slug)
	if err != nil {
		return StagedImport{}, err
	}
	if s.staging == nil {
		return StagedImport{}, fmt.Errorf("taking images: %w: this process takes none", ErrUnavailable)
	}
	from.Path = strings.TrimSpace(from.Path)
	if problem := (TextBound{Most: MaxStagedPath}).Problem(from.Path); problem != "" {
		return StagedImport{}, &ValidationError{Field: "path", Message: problem}
	}
	return s.staging.BeginSource(ctx, project.ID, actor.Name, from)
}

// checkStagedFiles says what is wrong with a list of files: they are written below one folder, each by its own path.
func checkStagedFiles(files []StagedFile) error {
	refuse := func(format string, args ...any) error {
		return &ValidationError{Field: "files", Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(files) == 0:
		return refuse("there is none: choose a folder, files or an archive")
	case len(files) > MaxStagedFiles:
		return refuse("there are %d, at most %d are taken at once: send them as a zip or tar", len(files), MaxStagedFiles)
	}
	paths := make([]string, len(files))
	for i, f := range files {
		switch {
		case !text.Valid(f.Path):
			return refuse("the path %q: %s", f.Path, text.Problem)
		case f.Path == "" || len(f.Path) > MaxStagedPath || path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == "." || f.Path == ".." || strings.HasPrefix(f.Path, "../"):
			return refuse("%q is no path below the data set's folder", text.Cut(f.Path, 200))
		case slices.ContainsFunc(strings.Split(f.Path, "/"), func(part string) bool { return len(part) > maxPathPart }):
			return refuse("%q has a name of more than %d bytes", text.Cut(f.Path, 200), maxPathPart)
		case f.Bytes < 0:
			return refuse("%s has %d bytes", f.Path, f.Bytes)
		}
		paths[i] = f.Path
	}
	slices.Sort(paths)
	folders := map[string]bool{}
	for i, p := range paths {
		if i > 0 && paths[i-1] == p {
			return refuse("%s is there twice", p)
		}
		for dir := path.Dir(p); dir != "." && !folders[dir]; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	for _, p := range paths {
		if folders[p] {
			return refuse("%s is a file and a folder", p)
		}
	}
	return nil
}

// staged returns a staged import to who may have it: a lead of its project, of an archive an admin.
func (s *Service) staged(ctx context.Context, actor User, id string) (StagedImport, error) {
	if _, err := s.in(ctx, actor, RoleLead, ThingImport.Called(id)); err != nil {
		return StagedImport{}, err
	}
	if s.staging == nil {
		return StagedImport{}, fmt.Errorf("import %s: %w", id, ErrNotFound)
	}
	return s.staging.Staged(id)
}

// StagedImport returns one import (admin).
func (s *Service) StagedImport(ctx context.Context, actor User, id string) (StagedImport, error) {
	return s.staged(ctx, actor, id)
}

// StagedImports lists what is being sent to a project or waits to be imported, newest first (admin).
func (s *Service) StagedImports(ctx context.Context, actor User, slug string) ([]StagedImport, error) {
	_, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil || s.staging == nil {
		return nil, err
	}
	return s.staging.List(project.ID)
}

// ReceiveImport takes the next chunk of an import (admin); see Staging.Receive.
func (s *Service) ReceiveImport(ctx context.Context, actor User, id string, offset int64, body io.Reader) (StagedImport, error) {
	if _, err := s.staged(ctx, actor, id); err != nil {
		return StagedImport{}, err
	}
	return s.staging.Receive(ctx, id, offset, body)
}

// LookAtImport begins to read what was sent and to compare it with the project, which is not changed (admin).
func (s *Service) LookAtImport(ctx context.Context, actor User, id string, choices ImportChoices) (StagedImport, error) {
	return s.readStaged(ctx, actor, id, choices, StagedLooked, s.PreviewImport)
}

// StartImport begins to import what was sent (admin), as ImportImages does.
func (s *Service) StartImport(ctx context.Context, actor User, id string, choices ImportChoices) (StagedImport, error) {
	return s.readStaged(ctx, actor, id, choices, StagedImported, func(ctx context.Context, actor User, slug string, in ImageImport, observe func(progress.Progress)) (ImportReport, error) {
		out, err := s.ImportImages(ctx, actor, slug, in, observe)
		return out.ImportReport, err
	})
}

// readStaged has Staging read what was sent, and does with it what it is to become.
func (s *Service) readStaged(ctx context.Context, actor User, id string, choices ImportChoices, to StagedState,
	do func(ctx context.Context, actor User, slug string, in ImageImport, observe func(progress.Progress)) (ImportReport, error)) (StagedImport, error) {
	slug, err := s.stagedIn(ctx, actor, id)
	if err == nil {
		err = choices.check()
	}
	if err != nil {
		return StagedImport{}, err
	}
	return s.staging.Run(ctx, id, choices, to, func(ctx context.Context, in ImageImport, observe func(progress.Progress)) (ImportReport, error) {
		return do(ctx, actor, slug, in, observe)
	})
}

// check says what is wrong with choices, apart from the layout, which Staging knows.
func (c ImportChoices) check() error {
	if c.Split != "" && !slices.Contains(Splits, c.Split) {
		return &ValidationError{Field: "split", Message: fmt.Sprintf("%q is none: choose train, validation, test or pool", c.Split)}
	}
	return nil
}

// stagedIn is the address of the project that a staged import is for.
func (s *Service) stagedIn(ctx context.Context, actor User, id string) (slug string, err error) {
	staged, err := s.staged(ctx, actor, id)
	if err != nil {
		return "", err
	}
	project, err := s.store.ProjectByID(ctx, staged.ProjectID)
	return project.Slug, err
}

// ImportExample returns a small JPEG of the nth example of an import's report (admin).
func (s *Service) ImportExample(ctx context.Context, actor User, id string, n int) (io.ReadSeekCloser, error) {
	if _, err := s.staged(ctx, actor, id); err != nil {
		return nil, err
	}
	return s.staging.Example(id, n)
}

// DiscardImport removes what was sent and is not imported (admin).
func (s *Service) DiscardImport(ctx context.Context, actor User, id string) error {
	if _, err := s.staged(ctx, actor, id); err != nil {
		return err
	}
	return s.staging.Discard(id)
}
