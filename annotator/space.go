package annotator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// SpaceStore counts what takes the space. None of it looks at a file.
type SpaceStore interface {
	// ProjectSpaces counts what the files of projects take that were not purged: of all of them, or of one (projectID 0: all). In a
	// transaction it sees what that has written.
	ProjectSpaces(ctx context.Context, projectID int64) ([]ProjectSpace, error)
	// SetQuota writes the quota of a project; 0: none of its own.
	SetQuota(ctx context.Context, projectID, bytes int64) error
	// DefaultQuota is the quota of projects that have none of their own, 0 for none; SetDefaultQuota writes it.
	DefaultQuota(ctx context.Context) (int64, error)
	SetDefaultQuota(ctx context.Context, bytes int64) error
	// DatabaseSpace measures the tables and the whole database.
	DatabaseSpace(ctx context.Context) (DatabaseSpace, error)
	// BlobSpace is what was last counted of the blob store; nil where it never was.
	BlobSpace(ctx context.Context) (*BlobSpace, error)
	// EnqueueTidy has a worker tidy and count now, unless one does or is about to.
	EnqueueTidy(ctx context.Context) error
}

// ProjectSpace is what the files of a project take, in bytes. The same bytes count for each image and each version that has them, in this
// project or another, though the blob store keeps them once.
type ProjectSpace struct {
	ID          int64        `json:"-"`
	Project     string       `json:"project" doc:"Its slug."`
	Name        string       `json:"name"`
	State       ProjectState `json:"state"`
	Images      int          `json:"images" doc:"Files of images; those that were deleted too, until they are purged."`
	ImageBytes  int64        `json:"image_bytes"`
	Uncounted   int          `json:"uncounted" doc:"Images whose size is not known yet: a worker finds it when it next counts the files."`
	Masks       int          `json:"masks"`
	MaskBytes   int64        `json:"mask_bytes"`
	Versions    int          `json:"versions"`
	ModelBytes  int64        `json:"model_bytes" doc:"Of all versions."`
	Uploads     int          `json:"uploads" doc:"Models that were sent and are not versions. They go after a day."`
	UploadBytes int64        `json:"upload_bytes"`
	RoundBytes  int64        `json:"round_bytes" doc:"What the round that runs may take at most."`
	OwnQuota    int64        `json:"own_quota" doc:"The project's own quota in bytes; 0: it has none."`
	Quota       int64        `json:"quota" doc:"The quota that holds: its own, or the studio's; 0: none."`
}

// Used is all of it.
func (p ProjectSpace) Used() int64 { return p.Stored() + p.RoundBytes }

// Stored is what of it lies in the blob store.
func (p ProjectSpace) Stored() int64 {
	return p.ImageBytes + p.MaskBytes + p.ModelBytes + p.UploadBytes
}

// Use is how much of the quota is used.
func (p ProjectSpace) Use() SpaceUse { return SpaceUse{p.Used(), p.Quota} }

// TableGroup names tables that are about the same.
type TableGroup string

// The groups of tables.
const (
	TablesOfImages      TableGroup = "images"
	TablesOfPredictions TableGroup = "predictions"
	TablesOfMaps        TableGroup = "maps"
	TablesOfRounds      TableGroup = "rounds"
	TablesOfJobs        TableGroup = "jobs"
	TablesOfTrail       TableGroup = "trail"
	TablesOfPeople      TableGroup = "people"
	TablesOfOthers      TableGroup = "others" // and PostgreSQL's own
)

// TableSpace is what the tables of a group take with their indexes.
type TableSpace struct {
	Group TableGroup `json:"group"`
	Bytes int64      `json:"bytes"`
	Rows  int64      `json:"rows" doc:"As PostgreSQL estimates them."`
}

// DatabaseSpace is what the database takes.
type DatabaseSpace struct {
	Bytes  int64        `json:"bytes" doc:"The whole database, without PostgreSQL's write-ahead log."`
	Tables []TableSpace `json:"tables" doc:"Largest first; others last."`
}

// BlobSpace is what the whole blob store holds, as a worker last counted it.
type BlobSpace struct {
	CountedAt time.Time `json:"counted_at"`
	Files     int       `json:"files"`
	Bytes     int64     `json:"bytes"`
	Referred  int64     `json:"referred" doc:"What projects had in it then: what they have gained or lost since is not in bytes."`
}

// About is what the blob store holds now, as far as it is known: what projects gained and lost since it was counted is added.
func (b BlobSpace) About(projects []ProjectSpace) int64 {
	now := int64(0)
	for _, p := range projects {
		now += p.Stored()
	}
	return max(0, b.Bytes+now-b.Referred)
}

// FolderSpace is a folder of the server's machine, and what is in it.
type FolderSpace struct {
	Folder string `json:"folder" doc:"Its path below the data folder."`
	What   string `json:"what" doc:"blob-copies, pictures, features, rounds, imports, incoming or database."`
	Bytes  int64  `json:"bytes"`
	Files  int    `json:"files"`
	Limit  int64  `json:"limit" doc:"What it may take: beyond it, what was not used for longest goes. 0: it has no such bound."`
	Flag   string `json:"flag,omitempty" doc:"The flag that sets the bound."`
}

// DiskSpace is a disk of the server's machine.
type DiskSpace struct {
	Of   []string `json:"of" doc:"What lies on it: data, blobs, database."`
	Free int64    `json:"free" doc:"What may still be written to it."`
	Size int64    `json:"size"`
}

// MachineSpace is what was last measured on the server's machine.
type MachineSpace struct {
	MeasuredAt time.Time     `json:"measured_at"`
	Folders    []FolderSpace `json:"folders"`
	Disks      []DiskSpace   `json:"disks" doc:"None where the system does not say."`
	Bucket     bool          `json:"bucket" doc:"Whether the files of images and models lie in a bucket, whose room is not known."`
}

// Machine measures the folders and disks of the server's machine (internal/space).
type Machine interface {
	// Space returns the last measurement; nil while the first one runs. One that is old is made again meanwhile, and, where again is
	// set, any.
	Space(ctx context.Context, again bool) *MachineSpace
}

// Space is what takes the space of a studio.
type Space struct {
	Projects     []ProjectSpace `json:"projects" doc:"Largest first."`
	DefaultQuota int64          `json:"default_quota" doc:"The quota of projects that have none of their own, in bytes; 0: none."`
	Blobs        *BlobSpace     `json:"blobs,omitempty" doc:"The whole blob store; left out where nobody has counted it yet."`
	Database     DatabaseSpace  `json:"database"`
	Machine      *MachineSpace  `json:"machine,omitempty" doc:"The server's machine; left out while it is being measured."`
	Workers      []Worker       `json:"workers" doc:"Caches of features, which each worker has on its own machine."`
}

// Space tells what takes the space (admin).
func (s *Service) Space(ctx context.Context, actor User) (space Space, err error) {
	if err := may(actor, RoleAdmin); err != nil {
		return space, err
	}
	if space.Projects, err = s.store.ProjectSpaces(ctx, 0); err != nil {
		return space, err
	}
	slices.SortStableFunc(space.Projects, func(a, b ProjectSpace) int { return cmp.Compare(b.Used(), a.Used()) })
	if space.DefaultQuota, err = s.store.DefaultQuota(ctx); err != nil {
		return space, err
	}
	if space.Blobs, err = s.store.BlobSpace(ctx); err != nil {
		return space, err
	}
	if space.Database, err = s.store.DatabaseSpace(ctx); err != nil {
		return space, err
	}
	if s.machine != nil {
		space.Machine = s.machine.Space(ctx, false)
	}
	space.Workers, err = s.store.Workers(ctx)
	return space, err
}

// CountSpace has a worker tidy and count the files of the blob store, and measures the server's folders again (admin). It does not wait.
func (s *Service) CountSpace(ctx context.Context, actor User) error {
	if err := may(actor, RoleAdmin); err != nil {
		return err
	}
	if s.machine != nil {
		s.machine.Space(ctx, true)
	}
	return s.store.InTx(ctx, func(tx Store) error { return tx.EnqueueTidy(ctx) })
}

// ProjectSpace tells what the files of a project take (lead).
func (s *Service) ProjectSpace(ctx context.Context, actor User, slug string) (ProjectSpace, error) {
	_, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil {
		return ProjectSpace{}, err
	}
	return spaceOf(ctx, s.store, project.ID)
}

func spaceOf(ctx context.Context, store Store, projectID int64) (ProjectSpace, error) {
	all, err := store.ProjectSpaces(ctx, projectID)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("project %d: %w", projectID, ErrNotFound)
	}
	if err != nil {
		return ProjectSpace{}, err
	}
	return all[0], nil
}
