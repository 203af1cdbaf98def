package annotator

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/text"
)

// ImportStore keeps what imports bring.
type ImportStore interface {
	// BeginImport makes the job of an import that this process does; the job is running at once. Running imports of the project whose
	// process has been silent for a while fail.
	BeginImport(ctx context.Context, projectID int64, images int) (Job, error)
	// ImportState returns the state on which decisions about an import's images depend. In a transaction it locks that state until
	// the end.
	ImportState(ctx context.Context, projectID int64) (ImportState, error)
	// KnownImages returns the images of a source that the project has under the given names.
	KnownImages(ctx context.Context, projectID int64, source string, names []string) (map[string]KnownImage, error)
	// ImagesOfBytes returns the readable images of a source with given hashes, a few of each, in use and retired; those in use first.
	ImagesOfBytes(ctx context.Context, projectID int64, source string, hashes []string) ([]KnownImage, error)
	// LastImage returns the highest id of a source's images, retired ones too, 0 where there is none.
	LastImage(ctx context.Context, projectID int64, source string) (int64, error)
	// SourceImages lists a source's images in use with after < id ≤ last, by id, at most limit; only their ids and names are set.
	SourceImages(ctx context.Context, projectID int64, source string, after, last int64, limit int) ([]Image, error)
	// SetClasses gives a project its classes, in the order of its model's logits, as ChangeClasses decides.
	SetClasses(ctx context.Context, projectID int64, classes []Class) error
	// AddClasses appends classes to those of a project.
	AddClasses(ctx context.Context, projectID int64, classes []Class) error
	// AddImages adds images, labelled as LabelImages decides, and returns how many were new: an image whose name the source has in
	// use is not added.
	AddImages(ctx context.Context, projectID int64, images []NewImage) (added int, err error)
	// PaintedImages returns those of images of which people have painted maps, and whether one of the image's is approved.
	PaintedImages(ctx context.Context, images []int64) (approved map[int64]bool, err error)
	// UpdateImages changes images whose bytes are the same to what their source says of them now, and puts retired ones back into use.
	// Whether predictions are right is computed again, and tasks are withdrawn or restored.
	UpdateImages(ctx context.Context, projectID int64, images []ImageUpdate, at time.Time) error
	// RetireImages takes images out of use. Untouched tasks are deleted, the others withdrawn.
	RetireImages(ctx context.Context, projectID int64, images []int64, why Retirement, at time.Time) error
	// FinishImport ends the job of an import that succeeded.
	FinishImport(ctx context.Context, jobID int64, report ImportReport, message string) error
}

// ImportState is the state of a project on which decisions about an import's images depend.
type ImportState struct {
	Classes  []Class
	HasModel bool // if so, its classes can no longer be added to
	Round    int  // the number of the round that runs; 0 for none
}

// Retirement is why an image is out of use, as Image.Retired has it.
type Retirement string

// The retirements.
const (
	RetiredReplaced Retirement = "replaced"
	RetiredGone     Retirement = "gone"
	RetiredDeleted  Retirement = "deleted" // by a person (Service.DeleteImages)
)

// Withdrawal returns the reason for which the image's tasks are withdrawn.
func (r Retirement) Withdrawal() Withdrawal {
	switch r {
	case RetiredReplaced:
		return WithdrawnReplaced
	case RetiredDeleted:
		return WithdrawnDeleted
	}
	return WithdrawnGone
}

// ImportChunk is how many images of an import are written in one transaction, at most.
const ImportChunk = 5000

// firstImportChunk is how many images the first transaction of an import writes.
const firstImportChunk = 250

// ImportParts divides an import of total images into the parts that are written in one transaction each, [from, to). The first ones are
// small, so that the first images can be scanned and painted while the rest is read.
func ImportParts(total int) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		for from, size := 0, firstImportChunk; from < total; size = min(2*size, ImportChunk) {
			to := min(from+size, total)
			if !yield(from, to) {
				return
			}
			from = to
		}
	}
}

// ImageImport is a data set to be imported into a project (jobs.ImageImport makes one of a folder).
type ImageImport struct {
	From    string  // where it comes from, as the trail says it
	Source  string  // within which its images' names are unique; "": DefaultSource
	Classes []Class // the data set's, in its order
	Images  int     // number of images
	Update  bool    // change the project's images where they differ from the data set
	Prune   bool    // take images out of use that the source no longer has
	// Read reads the files and calls next with their images, a part of ImportParts at a time, and tell with the number read so far. A file
	// that cannot be read is an image with the reason in Broken, not an error. keep says whether the files are stored; a preview only
	// reads them.
	Read func(ctx context.Context, keep bool, tell func(done int), next func([]NewImage) error) error
	// Decode decodes the picture of an image to its end and returns what is wrong with it. Read may look at headers only, so this is
	// called, by several goroutines at once, for the few pictures that would take the place of another or be taken as mended; nil:
	// nothing is wrong.
	Decode func(ctx context.Context, name string) error
	// Holds returns the hash of the file of a name, "" where the data set has none or it cannot be read: an image whose name holds its
	// bytes no longer may be there under another. nil: such images are not looked for.
	Holds func(ctx context.Context, name string) (hash string, err error)
	// Sizes gives each image's name and the size of its file in bytes, without reading it. It may be nil.
	Sizes iter.Seq2[string, int64]
	// Passed lists files that are there and are not read, with the reason: an image of such a name is not gone. It may be nil.
	Passed iter.Seq2[string, string]
	// Differs is called with every difference, also with those that the report leaves out because there are too many. It may be nil.
	Differs func(ImageDifference)
}

// ImportOutcome is what an import found and did.
type ImportOutcome struct {
	Job Job // zero of a preview
	ImportReport
}

// reportEvery is how often an import writes its progress.
const reportEvery = time.Second

// ImportImages brings a project's images into line with a data set (admin). New images are added, and images that could not be read
// are repaired. Images that differ are changed if in.Update is set, and images that are gone are taken out of use if in.Prune is.
// Images are written in parts, each in a transaction with its line of the trail, and the active version begins to scan those that are
// new. A *QuotaError comes before anything is written, where the files can be seen not to fit, and else for the part with which they do
// not. Importing again, also after an interrupted import, continues with the images that are missing. observe (may be nil) and
// the project's page are told the progress.
func (s *Service) ImportImages(ctx context.Context, actor User, slug string, in ImageImport, observe func(progress.Progress)) (ImportOutcome, error) {
	i, err := s.importer(ctx, actor, slug, &in)
	if err != nil {
		return ImportOutcome{}, err
	}
	if err := i.fits(ctx); err != nil {
		return ImportOutcome{}, fmt.Errorf("importing %s: %w", in.From, err)
	}
	job, err := s.store.BeginImport(ctx, i.project.ID, in.Images)
	if err != nil {
		return ImportOutcome{}, err
	}
	if err := i.run(ctx, job, observe); err != nil {
		err = fmt.Errorf("importing %s: %w", in.From, err)
		if i.report.Added+i.report.Updated+i.report.Repaired+i.report.Returned+i.report.Retired > 0 {
			err = fmt.Errorf("%w. What was written before that stays (%s): the same import goes on from there", err, i.report.Text())
		}
		return ImportOutcome{}, errors.Join(err, s.store.FailJob(context.WithoutCancel(ctx), job.ID, err.Error()))
	}
	return ImportOutcome{Job: job, ImportReport: i.report}, nil
}

// PreviewImport reports what ImportImages would find and do, and changes nothing (admin).
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
	gone, err := i.gone(ctx, s.store, syncPlan{})
	if err != nil {
		return ImportReport{}, err
	}
	i.take(gone)
	err = i.fits(ctx)
	if quota := new(QuotaError); errors.As(err, &quota) {
		i.report.NoRoom, err = quota.Error(), nil
	}
	meter.Finish()
	return i.report, err
}

// importer is a running import.
type importer struct {
	*Service
	actor   User
	project Project
	in      *ImageImport
	last    int64   // the newest image of the source before the import
	seen    []int64 // images that the source has, of those up to last
	moves   moves
	report  ImportReport
	scanned bool // a part has started a scan
}

// importer checks the request before any file is read.
func (s *Service) importer(ctx context.Context, actor User, slug string, in *ImageImport) (*importer, error) {
	actor, project, err := s.openProject(ctx, actor, slug)
	if err != nil {
		return nil, err
	}
	if in.From, err = BoundImportedFrom.check("from", in.From); err != nil {
		return nil, err
	}
	if in.Source == "" {
		in.Source = DefaultSource
	}
	if in.Source, err = BoundSource.check("source", text.NFC(in.Source)); err != nil {
		return nil, err
	}
	i := &importer{Service: s, actor: actor, project: project, in: in, moves: newMoves(), report: ImportReport{Source: in.Source}}
	state, err := s.store.ImportState(ctx, project.ID)
	if err == nil {
		err = i.allows(state)
	}
	if err == nil {
		i.last, err = s.store.LastImage(ctx, project.ID, in.Source)
	}
	if err == nil {
		err = i.pass(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("importing %s: %w", in.From, err)
	}
	return i, nil
}

// pass finds the images whose files are there and are not read any more: the project keeps what it has of them.
func (i *importer) pass(ctx context.Context) error {
	if i.last == 0 || i.in.Passed == nil {
		return nil
	}
	part := syncPlan{report: ImportReport{Changes: map[Difference]int{}}}
	reasons := map[string]string{}
	look := func() error {
		known, err := i.store.KnownImages(ctx, i.project.ID, i.in.Source, slices.Sorted(maps.Keys(reasons)))
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(known)) {
			now := known[name]
			if now.Retired != "" {
				continue
			}
			part.seen = append(part.seen, now.ID)
			part.report.Images++
			part.report.Broken++
			part.differs(DiffersUnreadable, name, "", reasons[name])
			if now.Broken == "" {
				part.report.Changed++
				part.report.Unreadable++
			} else {
				part.report.Known++
			}
		}
		clear(reasons)
		return nil
	}
	for name, reason := range i.in.Passed {
		if reasons[text.NFC(name)] = reason; len(reasons) == ImportChunk {
			if err := look(); err != nil {
				return err
			}
		}
	}
	if err := look(); err != nil {
		return err
	}
	i.in.Images += part.report.Images
	i.take(part)
	return nil
}

// allows reports whether the project can be imported into: ErrConflict while a round runs whose images would change.
func (i *importer) allows(state ImportState) error {
	if state.Round > 0 && (i.in.Update || i.in.Prune) {
		return Conflict("round %d runs on these images, which must stay as they are until it is over: wait or cancel it, or import without updating and pruning", state.Round)
	}
	return CheckClasses(state.Classes, i.in.Classes, state.HasModel)
}

// run imports, and keeps the job's progress.
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
		if waiting != nil { // there is more than was said
			if err := i.write(ctx, waiting, nil); err != nil {
				return err
			}
			waiting = nil
		}
		if i.report.Images+len(images) < i.in.Images {
			return i.write(ctx, images, nil)
		}
		waiting = images
		return nil
	})
	if err != nil {
		return err
	}
	meter.Begin(progress.Storing, 0)
	if err := i.prune(ctx, waiting); err != nil {
		return err
	}
	if err := i.write(ctx, waiting, &job); err != nil {
		return err
	}
	meter.Finish()
	return nil
}

// write writes one part of the data set in one transaction, and starts the scan of what is new. job is nil except for the last part: its
// transaction also finds the images that are gone, and ends the job.
func (i *importer) write(ctx context.Context, images []NewImage, job *Job) error {
	if i.last > 0 { // decodes what changed before the project is locked
		if _, err := i.plan(ctx, i.store, images); err != nil {
			return err
		}
	}
	var part, gone syncPlan
	err := i.store.InTx(ctx, func(tx Store) (err error) {
		err = keepsQuota(ctx, tx, i.project.ID, func() (err error) {
			part, err = i.apply(ctx, tx, images)
			return err
		})
		if err != nil {
			return err
		}
		if job == nil {
			if len(part.add)+len(part.update) == 0 {
				return nil
			}
			return i.startScan(ctx, tx)
		}
		if gone, err = i.gone(ctx, tx, part); err != nil {
			return err
		}
		if i.in.Prune {
			if err := tx.RetireImages(ctx, i.project.ID, gone.replace, RetiredGone, i.now()); err != nil {
				return err
			}
		}
		report := i.report.clone() // since the transaction may be run again
		report.add(part.report)
		report.add(gone.report)
		if err := i.end(ctx, tx, *job, report); err != nil {
			return err
		}
		return i.startScan(ctx, tx)
	})
	if err != nil {
		return err
	}
	i.scanned = i.scanned || job != nil || len(part.add)+len(part.update) > 0
	i.take(part)
	i.take(gone)
	return nil
}

// prune takes out what is gone, ImportChunk images in each transaction with its line of the trail, until what the last transaction may
// take is left. last are the images of the data set that are not written yet. A project whose import is cut off here has fewer
// of the gone images, and the same import finds the rest.
func (i *importer) prune(ctx context.Context, last []NewImage) error {
	if !i.in.Prune {
		return nil
	}
	part, err := i.plan(ctx, i.store, last)
	if err != nil {
		return err
	}
	all, err := i.gone(ctx, i.store, part)
	if err != nil {
		return err
	}
	for len(all.replace) > ImportChunk {
		some := syncPlan{replace: all.replace[:ImportChunk], report: ImportReport{Gone: ImportChunk, Retired: ImportChunk, Changes: map[Difference]int{DiffersGone: ImportChunk}}}
		some.report.Differences = all.report.Differences[:ImportChunk]
		some.report.countPainted()
		all.replace, all.report.Differences = all.replace[ImportChunk:], all.report.Differences[ImportChunk:]
		err := i.store.InTx(ctx, func(tx Store) error {
			state, err := tx.ImportState(ctx, i.project.ID)
			if err == nil {
				err = i.allows(state)
			}
			if err == nil {
				err = tx.RetireImages(ctx, i.project.ID, some.replace, RetiredGone, i.now())
			}
			if err != nil {
				return err
			}
			detail := fmt.Sprintf("%s: %s images that are gone are taken out, %s more to come", i.in.Source, text.Count(ImportChunk), text.Count(len(all.replace)))
			return i.audit(ctx, tx, i.actor, &i.project.ID, "image.import", i.in.From, detail)
		})
		if err != nil {
			return err
		}
		i.take(some)
	}
	return nil
}

// apply decides about images, under the project's lock, and writes the changes with a line of the trail.
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
	if err := tx.UpdateImages(ctx, i.project.ID, part.update, i.now()); err != nil { // first, since it may give names up
		return part, err
	}
	if _, err := tx.AddImages(ctx, i.project.ID, part.add); err != nil {
		return part, err
	}
	if r := part.report; i.report.Images+r.Images >= i.in.Images || r.Known == r.Images {
		return part, nil // the last part's line is written by end
	}
	first := i.report.Images + 1
	detail := fmt.Sprintf("%s: images %s to %s of %s: %s", i.in.Source, text.Count(first), text.Count(first+part.report.Images-1), text.Count(i.in.Images), part.report.Text())
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
	if err := i.decode(ctx, known, images); err != nil {
		return syncPlan{}, err
	}
	moved, err := i.moved(ctx, store, state.Classes, known, images)
	if err != nil {
		return syncPlan{}, err
	}
	part := syncState{classes: state.Classes, frozen: state.Round > 0, update: i.in.Update, first: i.last == 0, moved: moved}.plan(known, images)
	return part, painted(ctx, store, &part)
}

// painted says which of a plan's differences concern people's maps.
func painted(ctx context.Context, store Store, p *syncPlan) error {
	for some := range slices.Chunk(slices.Sorted(maps.Keys(p.concerned)), ImportChunk) {
		ids := make([]int64, len(some))
		for n, at := range some {
			ids[n] = p.concerned[at]
		}
		approved, err := store.PaintedImages(ctx, ids)
		if err != nil {
			return err
		}
		for n, at := range some {
			if yes, is := approved[ids[n]]; yes {
				p.report.Differences[at].Maps = MapsApproved
			} else if is {
				p.report.Differences[at].Maps = MapsPainted
			}
		}
	}
	p.report.countPainted()
	return nil
}

// decode decodes the pictures that would take the place of one in use, and those that were broken with the same bytes. What
// does not decode to its end is broken. Each is decoded once, however often it is planned.
func (i *importer) decode(ctx context.Context, known map[string]KnownImage, images []NewImage) error {
	if i.in.Decode == nil {
		return nil
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for n := range images {
		image := &images[n]
		now, is := known[image.Name]
		same := now.Hash == image.Hash
		if !is || image.Decoded || image.Broken != "" || same && now.Broken == "" || !same && now.Retired != "" {
			continue
		}
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			err := i.in.Decode(ctx, image.Name)
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case err != nil && same:
				image.Broken = now.Broken
			case err != nil:
				image.Broken = err.Error()
			}
			image.Decoded = true
			return nil
		})
	}
	return group.Wait()
}

// addClasses adds the classes of images that the project does not have. A project without classes gets all of the data set's, in its
// order.
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

// gone lists the project's images of the source that the data set no longer has. last is the part that is not taken yet.
func (i *importer) gone(ctx context.Context, store Store, last syncPlan) (syncPlan, error) {
	p := syncPlan{report: ImportReport{Changes: map[Difference]int{}}}
	seen := slices.Concat(i.seen, last.seen)
	slices.Sort(seen)
	displaced := maps.Clone(i.moves.displaced)
	maps.Copy(displaced, last.displaced)
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
			if _, other := displaced[image.ID]; other {
				continue // its name is there
			}
			p.report.Gone++
			p.differs(DiffersGone, image.Name, "", "")
			p.concerns(image.ID)
			if i.in.Prune {
				p.report.Retired++
				p.replace = append(p.replace, image.ID)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(displaced)) {
		if _, found := slices.BinarySearch(seen, id); !found {
			d := displaced[id]
			p.differs(d.Kind, d.Name, d.Was, d.Is)
			p.concerns(id)
		}
	}
	return p, painted(ctx, store, &p)
}

// startScan has the active version, if there is one, predict what is new. The trail has one line of it for the whole import.
func (i *importer) startScan(ctx context.Context, tx Store) error {
	active, err := tx.ActiveVersion(ctx, i.project.ID)
	switch {
	case isNotFound(err):
		return nil
	case err != nil:
		return err
	case i.scanned:
		_, err = tx.EnqueueScan(ctx, active.ID)
	default:
		_, err = i.scan(ctx, tx, i.actor, active)
	}
	return err
}

// end writes the last line of the trail and ends the job.
func (i *importer) end(ctx context.Context, tx Store, job Job, report ImportReport) error {
	if err := i.audit(ctx, tx, i.actor, &i.project.ID, "image.import", i.in.From, i.in.Source+": "+report.Text()); err != nil {
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
		differ := text.Plural(left, "image") + " differ from %s and are left as they are"
		if left == 1 {
			differ = "1 image differs from %s and is left as it is"
		}
		message = append(message, fmt.Sprintf(differ+": another import takes over what changed, or takes out what is gone, where it is asked to", i.in.From))
	}
	return tx.FinishImport(ctx, job.ID, report.short(listedInJob), strings.Join(message, ". "))
}

// listedInJob is how many differences of each kind the page of a job names.
const listedInJob = 20

// take adds a written part to the report.
func (i *importer) take(p syncPlan) {
	for _, id := range p.seen {
		if id <= i.last {
			i.seen = append(i.seen, id)
		}
	}
	i.moves.take(p)
	i.report.add(p.report)
	if i.in.Differs != nil {
		for _, d := range p.report.Differences {
			i.in.Differs(d)
		}
	}
}

// reporting writes the latest progress of a job every reportEvery, until stop is called; stop may be called twice.
func (s *Service) reporting(ctx context.Context, jobID int64, latest *atomic.Pointer[progress.Progress]) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(reportEvery)
		defer ticker.Stop()
		for {
			if p := latest.Load(); p != nil {
				// If this progress cannot be written, the next one will do.
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
