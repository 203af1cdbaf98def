package annotator

import (
	"context"
	"errors"
	"fmt"
)

// ScanStore keeps scans: the prediction, by one version, of every image it has not seen. Any number of workers share one.
type ScanStore interface {
	// EnqueueScan starts a scan of a version in the transaction that asks for it. One of the version that runs already takes
	// the new images in, and is returned. Where there is nothing to predict, it is over at once.
	EnqueueScan(ctx context.Context, versionID int64) (Job, error)
}

// What a worker is told that asks for a part of a scan.
var (
	ErrScanOver   = errors.New("the scan is over")
	ErrChunksBusy = errors.New("other workers hold what is left of the scan") // ask again in a second: one of them may die
)

// ChunkImages is how many images of a scan a worker claims at a time, and maxScanWorkers how many workers are asked to share one.
const (
	ChunkImages    = 64
	maxScanWorkers = 4
)

// ScanWorkers is how many workers are asked to share a scan of so many images: none has less than a chunk.
func ScanWorkers(images int) int { return min(maxScanWorkers, (images+ChunkImages-1)/ChunkImages) }

// Chunk is a part of a scan that a worker holds. A claim that is lost is refused with ErrSuperseded, so that every image is
// predicted once.
type Chunk struct {
	ID, JobID, VersionID int64
	Attempt              int     // states the claim in every later call
	Images               []Image // what is still to be predicted, by id
}

// BrokenImage is an image a scan could not decode.
type BrokenImage struct {
	ImageID int64
	Reason  string
}

// FirstBroken is the id of the first of them, nil where there is none. It goes by number, so that what is told of a scan does
// not depend on which chunk came last.
func FirstBroken(broken []BrokenImage) *int64 {
	var first *int64
	for i := range broken {
		if id := &broken[i].ImageID; first == nil || *id < *first {
			first = id
		}
	}
	return first
}

// ScanStatus is how far a scan is. A chunk counts as a whole, whatever of it was predicted before.
type ScanStatus struct {
	Done, Total int  // images
	Over        bool // this chunk was the last one
}

// ScanOver reports whether a scan is complete: every chunk was handed in, or there was none. What the version gets wrong
// becomes work for people then, if it makes tasks (Version.MakesTasks).
func ScanOver(chunksLeft int) bool { return chunksLeft == 0 }

// StartScan predicts with a version every image it has not predicted (admin).
func (s *Service) StartScan(ctx context.Context, actor User, versionID int64) (Job, error) {
	if err := may(actor, RoleAdmin); err != nil {
		return Job{}, err
	}
	var job Job
	err := s.store.InTx(ctx, func(tx Store) error {
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

// scan predicts with a version what it has not seen, as part of a larger change.
func (s *Service) scan(ctx context.Context, tx Store, actor User, v Version) (Job, error) {
	job, err := tx.EnqueueScan(ctx, v.ID)
	if err != nil {
		return Job{}, err
	}
	return job, s.audit(ctx, tx, actor, &v.ProjectID, "version.scan", versionSubject(v.ID), fmt.Sprintf("v%d", v.Number))
}
