package annotator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/text"
)

// ImportStore takes images in.
type ImportStore interface {
	// BeginImport makes the job of an import that this process does, already running. Imports of the project whose process was
	// not heard of for a while are given up.
	BeginImport(ctx context.Context, projectID int64, images int) (Job, error)
	// ImportState returns what decides about images that come in. In a transaction it keeps it so until the end.
	ImportState(ctx context.Context, projectID int64) (ImportState, error)
	// KnownImages returns what a project has of a source under the given names.
	KnownImages(ctx context.Context, projectID int64, source string, names []string) (map[string]KnownImage, error)
	// LastImage returns the highest id of a source's images in use, 0 where there is none.
	LastImage(ctx context.Context, projectID int64, source string) (int64, error)
	// SourceImages lists a source's images in use with ids after one and up to another, by id, at most limit: ids and names.
	SourceImages(ctx context.Context, projectID int64, source string, after, last int64, limit int) ([]Image, error)
	// SetClasses gives a project its classes, in the order of its model's logits, as ChangeClasses decides.
	SetClasses(ctx context.Context, projectID int64, classes []Class) error
	// AddClasses appends classes to those of a project.
	AddClasses(ctx context.Context, projectID int64, classes []Class) error
	// AddImages adds images, labelled as LabelImages decides, and returns how many were new: a name that the source has in use
	// is left as it is.
	AddImages(ctx context.Context, projectID int64, images []NewImage) (added int, err error)
	// UpdateImages gives images of unchanged bytes what their source says now, and puts retired ones back into use. Whether answers
	// are right is told anew, and tasks are withdrawn or restored.
	UpdateImages(ctx context.Context, projectID int64, images []ImageUpdate, at time.Time) error
	// RetireImages takes images out of use. Tasks that nobody touched go; the others are withdrawn.
	RetireImages(ctx context.Context, projectID int64, images []int64, why Retirement, at time.Time) error
	// FinishImport ends the job of an import that is in.
	FinishImport(ctx context.Context, jobID int64, report ImportReport, message string) error
}

// ImportState is what of a project decides about images that come in.
type ImportState struct {
	Classes  []Class
	HasModel bool // which settles the classes
	Round    int  // the number of the round that runs; 0 for none
}

// Retirement is why an image is out of use, as Image.Retired has it.
type Retirement string

// The retirements.
const (
	RetiredReplaced Retirement = "replaced"
	RetiredGone     Retirement = "gone"
)

// Withdrawal is what becomes the reason of the image's tasks.
func (r Retirement) Withdrawal() Withdrawal {
	if r == RetiredReplaced {
		return WithdrawnReplaced
	}
	return WithdrawnGone
}

// ImportChunk is how many images of an import are written in one transaction.
const ImportChunk = 5000

// ImageImport is a data set on its way into a project (internal/jobs makes one of a folder).
type ImageImport struct {
	From    string  // where it comes from, as the trail says it
	Source  string  // whose names they are, "" for DefaultSource
	Classes []Class // those it names, in its order
	Images  int     // how many it has
	Update  bool    // take over what differs from the project
	Prune   bool    // take out what is gone from the source
	// Read reads the files and hands out what is to stand of each, in parts of about ImportChunk, telling how many it has read. A file
	// that cannot be read is an image with the reason in Broken, not an error. keep says whether the files themselves are to be kept:
	// a preview only looks at them.
	Read func(ctx context.Context, keep bool, tell func(done int), next func([]NewImage) error) error
	// Mended says whether a picture decodes as a whole whose image is marked as broken, though its bytes are the same; nil: it does.
	Mended func(ctx context.Context, name string) bool
	// Differs is told of every difference, also of those that are too many for the report; nil: nobody is told.
	Differs func(ImageDifference)
}

// ImportOutcome is what an import found and did.
type ImportOutcome struct {
	Job Job // zero of a preview
	ImportReport
}

// reportEvery is how often an import tells where it stands.
const reportEvery = time.Second

// ImportImages brings a project's images into line with a data set (admin): what is new is added and what could not be read is
// repaired; what differs is taken over, and what is gone taken out, where that is asked for. Images are written in parts, each in one
// transaction with its line of the trail; the last one also has the scan by the active version. A repeated import, also of one that
// was cut off, finds what is there and goes on. observe (may be nil) and the project's page are told how far it is.
func (s *Service) ImportImages(ctx context.Context, actor User, slug string, in ImageImport, observe func(progress.Progress)) (ImportOutcome, error) {
	i, err := s.importer(ctx, actor, slug, &in)
	if err != nil {
		return ImportOutcome{}, err
	}
	job, err := s.store.BeginImport(ctx, i.project.ID, in.Images)
	if err != nil {
		return ImportOutcome{}, err
	}
	if err := i.run(ctx, job, observe); err != nil {
		err = fmt.Errorf("importing %s: %w", in.From, err)
		if i.report.Added+i.report.Updated+i.report.Repaired+i.report.Returned > 0 {
			err = fmt.Errorf("%w. What was written before that stays (%s): the same import goes on from there", err, i.report.Text())
		}
		return ImportOutcome{}, errors.Join(err, s.store.FailJob(context.WithoutCancel(ctx), job.ID, err.Error()))
	}
	return ImportOutcome{Job: job, ImportReport: i.report}, nil
}

// PreviewImport tells what ImportImages would find and do, and changes nothing (admin).
func (s *Service) PreviewImport(ctx context.Context, actor User, slug string, in ImageImport, observe func(progress.Progress)) (ImportReport, error) {
	i, err := s.importer(ctx, actor, slug, &in)
	if err != nil {
		return ImportReport{}, err
	}
	meter := progress.NewMeter(func(p progress.Progress) {
		if observe != nil {
			observe(p)
		}
	})
	meter.Plan(progress.Plan{Stage: progress.Reading, Total: in.Images, Each: time.Millisecond})
	meter.Begin(progress.Reading, 0)
	err = in.Read(ctx, false, func(done int) { meter.Advance(progress.Reading, done) }, func(images []NewImage) error {
		part, err := i.plan(ctx, s.store, images)
		if err == nil {
			i.take(part)
		}
		return err
	})
	if err != nil {
		return ImportReport{}, fmt.Errorf("looking at %s: %w", in.From, err)
	}
	gone, err := i.gone(ctx, s.store, nil)
	if err != nil {
		return ImportReport{}, err
	}
	i.take(gone)
	meter.Finish()
	return i.report, nil
}

// importer is an import under way.
type importer struct {
	*Service
	actor   User
	project Project
	in      *ImageImport
	last    int64   // the newest image of the source before the import
	seen    []int64 // images that the source has, of those up to last
	report  ImportReport
}

// importer checks what is asked for, before anything is read.
func (s *Service) importer(ctx context.Context, actor User, slug string, in *ImageImport) (*importer, error) {
	project, err := s.project(ctx, actor, RoleAdmin, slug)
	if err != nil {
		return nil, err
	}
	if in.From, err = checkText("from", in.From, 1, 1000); err != nil {
		return nil, err
	}
	if in.Source == "" {
		in.Source = DefaultSource
	}
	if in.Source, err = checkText("source", text.NFC(in.Source), 1, 100); err != nil {
		return nil, err
	}
	i := &importer{Service: s, actor: actor, project: project, in: in, report: ImportReport{Source: in.Source}}
	state, err := s.store.ImportState(ctx, project.ID)
	if err == nil {
		err = i.allows(state)
	}
	if err == nil {
		i.last, err = s.store.LastImage(ctx, project.ID, in.Source)
	}
	if err != nil {
		return nil, fmt.Errorf("importing %s: %w", in.From, err)
	}
	return i, nil
}

// allows says whether a project may take what is asked for: ErrConflict while a round runs on what would change.
func (i *importer) allows(state ImportState) error {
	if state.Round > 0 && (i.in.Update || i.in.Prune) {
		return fmt.Errorf("round %d runs on these images, which must stay as they are until it is over: wait or cancel it, or import without updating and pruning: %w", state.Round, ErrConflict)
	}
	return CheckClasses(state.Classes, i.in.Classes, state.HasModel)
}

// run imports, under the job.
func (i *importer) run(ctx context.Context, job Job, observe func(progress.Progress)) error {
	var latest atomic.Pointer[progress.Progress]
	meter := progress.NewMeter(func(p progress.Progress) {
		latest.Store(&p)
		if observe != nil {
			observe(p)
		}
	})
	meter.Plan(progress.Plan{Stage: progress.Reading, Total: i.in.Images, Each: 3 * time.Millisecond},
		progress.Plan{Stage: progress.Storing, Total: i.in.Images, Each: 30 * time.Microsecond})
	meter.Begin(progress.Reading, 0)
	stop := i.reporting(ctx, job.ID, &latest)
	defer stop()
	var waiting []NewImage // the last part is written with the end of the job
	err := i.in.Read(ctx, true, func(done int) { meter.Advance(progress.Reading, done) }, func(images []NewImage) error {
		part := waiting
		waiting = images
		if part == nil {
			return nil
		}
		return i.write(ctx, part, nil)
	})
	if err != nil {
		return err
	}
	meter.Begin(progress.Storing, 0)
	stop()
	if err := i.write(ctx, waiting, &job); err != nil {
		return err
	}
	meter.Finish()
	return nil
}

// write takes over one part of the data set, in one transaction; with the last part, whose job it is given, what is gone is looked
// for, the scan is asked for, and the job ends.
func (i *importer) write(ctx context.Context, images []NewImage, job *Job) error {
	var part, gone syncPlan
	err := i.store.InTx(ctx, func(tx Store) (err error) {
		if part, err = i.apply(ctx, tx, images); err != nil || job == nil {
			return err
		}
		if gone, err = i.gone(ctx, tx, part.seen); err != nil {
			return err
		}
		if i.in.Prune {
			if err := tx.RetireImages(ctx, i.project.ID, gone.replace, RetiredGone, i.now()); err != nil {
				return err
			}
		}
		report := i.report
		report.Differences = slices.Clone(report.Differences)
		report.Changes = map[Difference]int{} // the report's own has to stay as it is: this may be tried again
		maps.Copy(report.Changes, i.report.Changes)
		report.add(part.report)
		report.add(gone.report)
		return i.end(ctx, tx, *job, report)
	})
	if err != nil {
		return err
	}
	i.take(part)
	i.take(gone)
	return nil
}

// apply decides about images, under the project's lock, and writes that with its line of the trail.
func (i *importer) apply(ctx context.Context, tx Store, images []NewImage) (syncPlan, error) {
	part, err := i.plan(ctx, tx, images)
	if err != nil {
		return part, err
	}
	if err := tx.RetireImages(ctx, i.project.ID, part.replace, RetiredReplaced, i.now()); err != nil {
		return part, err
	}
	if err := i.addClasses(ctx, tx, part); err != nil {
		return part, err
	}
	if _, err := tx.AddImages(ctx, i.project.ID, part.add); err != nil {
		return part, err
	}
	if err := tx.UpdateImages(ctx, i.project.ID, part.update, i.now()); err != nil {
		return part, err
	}
	if r := part.report; i.report.Images+r.Images >= i.in.Images || r.Known == r.Images {
		return part, nil // the last part is in the line of the end
	}
	first := i.report.Images + 1
	detail := fmt.Sprintf("%s: images %d to %d of %d: %s", i.in.Source, first, first+part.report.Images-1, i.in.Images, part.report.Text())
	return part, i.audit(ctx, tx, i.actor, &i.project.ID, "image.import", i.in.From, detail)
}

// plan decides about images.
func (i *importer) plan(ctx context.Context, store Store, images []NewImage) (syncPlan, error) {
	state, err := store.ImportState(ctx, i.project.ID)
	if err == nil {
		err = i.allows(state)
	}
	if err != nil || len(images) == 0 {
		return syncPlan{}, err
	}
	names := make([]string, len(images))
	for n := range images {
		images[n].Source = i.in.Source
		names[n] = images[n].Name
	}
	known, err := store.KnownImages(ctx, i.project.ID, i.in.Source, names)
	if err != nil {
		return syncPlan{}, err
	}
	for n := range images { // of the same bytes that could not be decoded before
		image := &images[n]
		if now, ok := known[image.Name]; ok && now.Broken != "" && image.Broken == "" && now.Hash == image.Hash && i.in.Mended != nil && !i.in.Mended(ctx, image.Name) {
			image.Broken = now.Broken
		}
	}
	return syncState{classes: state.Classes, frozen: state.Round > 0, update: i.in.Update, first: i.last == 0}.plan(known, images), context.Cause(ctx)
}

// addClasses adds those that images come with: to a project that has none, all of the data set, in its order.
func (i *importer) addClasses(ctx context.Context, tx Store, part syncPlan) error {
	images := part.add
	for _, u := range part.update {
		images = append(images, u.NewImage)
	}
	state, err := tx.ImportState(ctx, i.project.ID)
	if err != nil {
		return err
	}
	if len(state.Classes) == 0 && len(i.in.Classes) > 0 && len(images) > 0 {
		return tx.SetClasses(ctx, i.project.ID, i.in.Classes)
	}
	_, added, err := LabelImages(state.Classes, state.HasModel, images)
	if err != nil || len(added) == 0 {
		return err
	}
	for n := range added {
		if at := slices.IndexFunc(i.in.Classes, func(c Class) bool { return c.Key == added[n].Key }); at >= 0 {
			added[n].Name = i.in.Classes[at].Name
		}
	}
	return tx.AddClasses(ctx, i.project.ID, added)
}

// gone lists what of the source the data set does not have; also are images of it that are not in i.seen yet.
func (i *importer) gone(ctx context.Context, store Store, also []int64) (syncPlan, error) {
	p := syncPlan{report: ImportReport{Changes: map[Difference]int{}}}
	seen := slices.Concat(i.seen, also)
	slices.Sort(seen)
	for after := int64(0); after < i.last; {
		images, err := store.SourceImages(ctx, i.project.ID, i.in.Source, after, i.last, ImportChunk)
		if err != nil {
			return p, err
		}
		if len(images) == 0 {
			break
		}
		for _, image := range images {
			after = image.ID
			if _, found := slices.BinarySearch(seen, image.ID); found {
				continue
			}
			p.report.Gone++
			if p.differs(DiffersGone, image.Name, "", ""); i.in.Prune {
				p.report.Retired++
				p.replace = append(p.replace, image.ID)
			}
		}
	}
	return p, nil
}

// end writes what comes after the last image.
func (i *importer) end(ctx context.Context, tx Store, job Job, report ImportReport) error {
	if err := i.audit(ctx, tx, i.actor, &i.project.ID, "image.import", i.in.From, i.in.Source+": "+report.Text()); err != nil {
		return err
	}
	active, err := tx.ActiveVersion(ctx, i.project.ID)
	if err == nil { // a project with a model predicts what it has not seen
		_, err = i.scan(ctx, tx, i.actor, active)
	}
	if err != nil && !isNotFound(err) {
		return err
	}
	var message []string
	for _, d := range report.Differences {
		if d.Kind == DiffersUnreadable {
			message = append(message, UnreadableText(report.Broken, report.Images, d.Name, d.Is))
			break
		}
	}
	if left := report.Left(); left > 0 {
		message = append(message, fmt.Sprintf("%d images differ from %s and are left as they are: studio import --update takes over what changed, --prune takes out what is gone", left, i.in.From))
	}
	return tx.FinishImport(ctx, job.ID, report.short(listedInJob), strings.Join(message, ". "))
}

// listedInJob is how many differences of each kind the page of a job names.
const listedInJob = 20

// take counts a part that is written.
func (i *importer) take(p syncPlan) {
	for _, id := range p.seen {
		if id <= i.last {
			i.seen = append(i.seen, id)
		}
	}
	i.report.add(p.report)
	if i.in.Differs != nil {
		for _, d := range p.report.Differences {
			i.in.Differs(d)
		}
	}
}

// reporting writes the latest progress of a job every while, until the function it returns is called, which may be called again.
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
