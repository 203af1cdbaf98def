package annotator

import (
	"context"
	"errors"
	"fmt"
)

// ScanStore keeps scans: the prediction, by one version, of every image it has not seen. Any number of workers share one.
type ScanStore interface {
	// EnqueueScan starts a scan by a version, in the caller's transaction. If one by that version runs already, the new images are
	// added to it and it is returned. A scan without images to predict is finished at once in a project of at most TaskStep images; in a larger one a
	// worker looks for them, and Job.Total grows while it does.
	EnqueueScan(ctx context.Context, versionID int64) (Job, error)
	// CreateTasks makes the tasks that are missing of images that a version gets wrong, and returns how many: of some images; without any,
	// of all.
	CreateTasks(ctx context.Context, versionID int64, images ...int64) (int, error)
	// CreateTask makes a task of an image whether the version is right or wrong; ErrNotFound where it has not looked at it, or its label
	// is questioned.
	CreateTask(ctx context.Context, versionID, imageID int64) (int64, error)
}

// The errors that a worker gets when it claims a chunk of a scan.
var (
	ErrScanOver     = errors.New("the scan is over")
	ErrChunksToMake = errors.New("not all images of the scan were looked at")   // the chunks of the others are to be made (NextChunks)
	ErrChunksBusy   = errors.New("other workers hold what is left of the scan") // claim again in a second: one of them may have died
	ErrChunksDone   = errors.New("all images of the scan are predicted")        // and the tasks of all images are to be made (NextTasks)
)

// TaskStep is of how many images tasks are made at a time at the end of a scan. In a project with more a worker does it step by step, and looks for what is
// to be scanned page by page, so that painters never wait for all of them.
const TaskStep = 2000

// ChunkImages is how many images of a scan a worker claims at a time, and maxScanWorkers how many workers are asked to share one:
// more than most have, since a worker that finds a scan over has lost nothing.
const (
	ChunkImages    = 64
	maxScanWorkers = 32
)

// ScanWorkers returns how many workers are asked to share a scan of images images: at most one for each chunk.
func ScanWorkers(images int) int { return min(maxScanWorkers, (images+ChunkImages-1)/ChunkImages) }

// Chunk is a part of a scan that a worker has claimed. Writes under a lost claim are refused with ErrSuperseded, so that every image
// is predicted once.
type Chunk struct {
	ID, JobID, VersionID int64
	Attempt              int     // identifies the claim in later calls
	Images               []Image // the images still to be predicted, by id
}

// BrokenImage is an image a scan could not decode.
type BrokenImage struct {
	ImageID int64
	Reason  string
}

// FirstBroken returns the least id of broken images, nil if there is none. Since it does not depend on the order of the chunks, the
// message of a scan does not either.
func FirstBroken(broken []BrokenImage) *int64 {
	var first *int64
	for i := range broken {
		if id := &broken[i].ImageID; first == nil || *id < *first {
			first = id
		}
	}
	return first
}

// ScanStatus is how far a scan is. A chunk counts with all its images, even if some were predicted before.
type ScanStatus struct {
	Done, Total int  // images
	Over        bool // this chunk was the last one
}

// ScanOver reports whether a scan is complete: no image is left. The images of a chunk that the version gets wrong become tasks with the
// chunk's end, if Version.MakesTasks.
func ScanOver(left int) bool { return left == 0 }

// StartScan starts a scan by a version of every image that it has not predicted (admin).
func (s *Service) StartScan(ctx context.Context, actor User, versionID int64) (Job, error) {
	actor, err := s.in(ctx, actor, RoleLead, ThingVersion.Of(versionID))
	if err != nil {
		return Job{}, err
	}
	var job Job
	err = s.store.InTx(ctx, func(tx Store) error {
		version, err := tx.Version(ctx, versionID)
		if err != nil {
			return err
		}
		job, err = s.scan(ctx, tx, actor, version)
		return err
	})
	if err != nil {
		return Job{}, fmt.Errorf("starting a scan with version %d: %w", versionID, err)
	}
	return job, nil
}

// scan starts a scan by a version, in the transaction of a larger change.
func (s *Service) scan(ctx context.Context, tx Store, actor User, v Version) (Job, error) {
	job, err := tx.EnqueueScan(ctx, v.ID)
	if err != nil {
		return Job{}, err
	}
	return job, s.audit(ctx, tx, actor, &v.ProjectID, "version.scan", versionSubject(v.ID), fmt.Sprintf("v%d", v.Number))
}
