package annotator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/abn-studio/studio/internal/progress"
)

// ImportStore takes images in.
type ImportStore interface {
	// BeginImport makes the job of an import that this process does, already running. Imports of the project whose process was
	// not heard of for a while are given up.
	BeginImport(ctx context.Context, projectID int64, images int) (Job, error)
	// SetClasses gives a project its classes, in the order of its model's logits, as ChangeClasses decides.
	SetClasses(ctx context.Context, projectID int64, classes []Class) error
	// AddImages adds images, labelled as LabelImages decides, and returns how many were new: a name the project has already
	// is left as it is.
	AddImages(ctx context.Context, projectID int64, images []NewImage) (added int, err error)
	// FinishImport ends the job of an import that is in; unreadable counts its images that cannot be read.
	FinishImport(ctx context.Context, jobID int64, unreadable int, message string) error
}

// ImageImport is a data set on its way into a project (internal/jobs makes one of a folder).
type ImageImport struct {
	Source  string  // where it comes from, as the trail says it
	Classes []Class // those it names, in its order
	Images  int     // how many it has
	// Read keeps the files and returns what is to stand of each, telling how many it has read. A file that cannot be read is
	// an image with the reason in Broken, not an error.
	Read func(ctx context.Context, tell func(done int)) ([]NewImage, error)
}

// ImportOutcome counts what an import did.
type ImportOutcome struct {
	Job        Job
	Added      int // new to the project
	Known      int // of the same name as one that is there
	Unreadable int // stored, marked as unreadable, and left out of everything else
}

// reportEvery is how often an import tells where it stands.
const reportEvery = time.Second

// ImportImages brings a data set's images into a project (admin). All files are read first; observe (may be nil) and the project's
// page are told how far that is. Then the images, the line of the trail and the scan by the active version are written in one
// transaction. Repeating an import adds what is new.
func (s *Service) ImportImages(ctx context.Context, actor User, slug string, in ImageImport, observe func(progress.Progress)) (ImportOutcome, error) {
	project, err := s.project(ctx, actor, RoleAdmin, slug)
	if err != nil {
		return ImportOutcome{}, err
	}
	if in.Source, err = checkText("source", in.Source, 1, 1000); err != nil {
		return ImportOutcome{}, err
	}
	if len(in.Classes) > 0 { // said before an hour of reading
		if err := s.classesFit(ctx, project, in.Classes); err != nil {
			return ImportOutcome{}, fmt.Errorf("importing %s: %w", in.Source, err)
		}
	}
	job, err := s.store.BeginImport(ctx, project.ID, in.Images)
	if err != nil {
		return ImportOutcome{}, err
	}
	out, err := s.importImages(ctx, actor, project, job, in, observe)
	if err != nil {
		err = fmt.Errorf("importing %s: %w", in.Source, err)
		return ImportOutcome{}, errors.Join(err, s.store.FailJob(context.WithoutCancel(ctx), job.ID, err.Error()))
	}
	return out, nil
}

func (s *Service) importImages(ctx context.Context, actor User, project Project, job Job, in ImageImport, observe func(progress.Progress)) (ImportOutcome, error) {
	var latest atomic.Pointer[progress.Progress]
	meter := progress.NewMeter(func(p progress.Progress) {
		latest.Store(&p)
		if observe != nil {
			observe(p)
		}
	})
	meter.Plan(progress.Plan{Stage: progress.Reading, Total: in.Images, Each: 3 * time.Millisecond},
		progress.Plan{Stage: progress.Storing, Total: in.Images, Each: 30 * time.Microsecond})
	meter.Begin(progress.Reading, 0)
	stop := s.reporting(ctx, job.ID, &latest)
	images, err := in.Read(ctx, func(done int) { meter.Advance(progress.Reading, done) })
	meter.Begin(progress.Storing, 0)
	stop()
	if err != nil {
		return ImportOutcome{}, err
	}
	out := ImportOutcome{Job: job}
	message := ""
	for _, image := range slices.Backward(images) { // so that the first one stands at the end
		if image.Broken != "" {
			out.Unreadable++
			message = UnreadableText(out.Unreadable, len(images), image.Name, image.Broken)
		}
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		if len(in.Classes) > 0 {
			if err := tx.SetClasses(ctx, project.ID, in.Classes); err != nil {
				return err
			}
		}
		if out.Added, err = tx.AddImages(ctx, project.ID, images); err != nil {
			return err
		}
		out.Known = len(images) - out.Added
		detail := fmt.Sprintf("%d added, %d known already, %d cannot be read", out.Added, out.Known, out.Unreadable)
		if err := s.audit(ctx, tx, actor, &project.ID, "image.import", in.Source, detail); err != nil {
			return err
		}
		active, err := tx.ActiveVersion(ctx, project.ID)
		if err == nil { // a project with a model predicts what it has not seen
			_, err = s.scan(ctx, tx, actor, active)
		}
		if err != nil && !isNotFound(err) {
			return err
		}
		return tx.FinishImport(ctx, job.ID, out.Unreadable, message)
	})
	if err != nil {
		return ImportOutcome{}, err
	}
	meter.Finish()
	return out, nil
}

// reporting writes the latest progress of a job every while, until the function it returns is called.
func (s *Service) reporting(ctx context.Context, jobID int64, latest *atomic.Pointer[progress.Progress]) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(reportEvery)
		defer ticker.Stop()
		for {
			if p := latest.Load(); p != nil {
				// A progress that cannot be written is made up for by the next one.
				_ = s.store.SetJobProgress(ctx, jobID, *p)
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}
