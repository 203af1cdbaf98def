package annotator

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/fingerprint"
	"github.com/abn-studio/studio/internal/text"
)

// A measure on images that the network has seen, or nearly so, is too good. Which images those are, and what leaving them out means,
// is decided here.

// LeakageStore reads what images look like, and keeps which are left out of measures.
type LeakageStore interface {
	// Looks lists a project's readable images in use, by id.
	Looks(ctx context.Context, projectID int64) ([]Look, error)
	// ImagesByID returns images of a project by their ids, those there are.
	ImagesByID(ctx context.Context, projectID int64, ids []int64) (map[int64]Image, error)
	// LeaveOut leaves images of a project out for a reason, or takes them in again, and returns how many that changed.
	LeaveOut(ctx context.Context, projectID int64, images []int64, why LeftOut, out bool) (int, error)
	// EnqueueEvaluate starts the measuring of a version's figures in the background.
	EnqueueEvaluate(ctx context.Context, versionID int64) (Job, error)
}

// Look is what an image is compared by.
type Look struct {
	ID          int64
	Split       Split
	Label       *int
	Hash        [32]byte                 // SHA-256 of the file
	Fingerprint *fingerprint.Fingerprint // nil until a worker has looked at the picture
	LeftOut     []LeftOut
}

// leaked reports whether the image is left out of measures because it is like a training image.
func (l Look) leaked() bool { return slices.Contains(l.LeftOut, LeftOutLeakage) }

// HeldOut reports whether measures are taken on the images of a split.
func (s Split) HeldOut() bool { return s == SplitTest || s == SplitValidation }

// Leak is a held-out image (validation, test) and the image of a training split (train, pool) that is most like it.
type Leak struct {
	HeldOut      Image `json:"held_out"`
	Training     Image `json:"training"`
	Exact        bool  `json:"exact" doc:"The files are the same, byte for byte."`
	Distance     int   `json:"distance" doc:"Bits of 64 in which their fingerprints differ; 0 where the files are the same."`
	Others       int   `json:"others" doc:"Further training images that are as near as was asked for."`
	LabelsDiffer bool  `json:"labels_differ" doc:"They have different classes: one of the two is wrong, or they are not the same after all."`
}

// Leakage is what of a project's held-out images is in its training splits too.
type Leakage struct {
	Within       int `json:"within" doc:"Bits of 64 in which the fingerprints of near duplicates may differ."`
	HeldOut      int `json:"held_out" doc:"Readable images of validation and test."`
	Training     int `json:"training" doc:"Readable images of train and pool."`
	Pending      int `json:"pending" doc:"Images whose fingerprint is not known yet: a worker is at it, or will be. Same files are found without."`
	Exact        int `json:"exact" doc:"Held-out images whose file is a training image's too."`
	Near         int `json:"near" doc:"Further held-out images that look like a training image."`
	LabelsDiffer int `json:"labels_differ" doc:"Of both: those whose nearest training image has another class."`
	Measured     int `json:"measured" doc:"Of both: those that are still measured on."`
	LeftOut      int `json:"left_out" doc:"Held-out images that were left out of measures, being like training images, whatever they look like now."`
	// Leaks are the nearest first.
	Leaks []Leak `json:"leaks"`
}

// Found counts the held-out images that are like a training image.
func (l Leakage) Found() int { return l.Exact + l.Near }

// Text is what was found in one line, "" where that is nothing.
func (l Leakage) Text() string {
	if l.Found() == 0 {
		return ""
	}
	verb := "are training images"
	if l.Found() == 1 {
		verb = "is a training image"
	}
	text := fmt.Sprintf("%d of %d held-out images %s too (%d the same file, %d look alike)", l.Found(), l.HeldOut, verb, l.Exact, l.Near)
	if l.LabelsDiffer > 0 {
		text += fmt.Sprintf(", %d of them with another class", l.LabelsDiffer)
	}
	return text
}

// MaxLeaks bounds how many leaks are listed at once.
const MaxLeaks = 1000

// Leakage looks for held-out images (validation, test) that are the same as one of a training split (train, pool), or whose
// fingerprints differ from it in at most within bits (0 to fingerprint.MaxBound). It lists the nearest, at most limit (to MaxLeaks).
func (s *Service) Leakage(ctx context.Context, actor User, slug string, within, limit int) (Leakage, error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return Leakage{}, err
	}
	if err := checkWithin(within); err != nil {
		return Leakage{}, err
	}
	// Looking takes seconds in a large project, and all its images in memory: who asks meanwhile gets the same.
	found, err := s.leaking.Do(ctx, leakageOf{project.ID, within}, func(ctx context.Context) (leaksFound, error) {
		looks, err := s.store.Looks(ctx, project.ID)
		if err != nil {
			return leaksFound{}, err
		}
		report, leaks := findLeaks(looks, within)
		return leaksFound{report, leaks}, nil
	})
	if err != nil {
		return Leakage{}, err
	}
	report, leaks := found.report, found.leaks[:min(len(found.leaks), max(limit, 0), MaxLeaks)]
	var ids []int64
	for _, l := range leaks {
		ids = append(ids, l.heldOut.ID, l.training.ID)
	}
	images, err := s.store.ImagesByID(ctx, project.ID, ids)
	if err != nil {
		return Leakage{}, err
	}
	report.Leaks = make([]Leak, len(leaks))
	for i, l := range leaks {
		report.Leaks[i] = Leak{
			HeldOut: images[l.heldOut.ID], Training: images[l.training.ID], Exact: l.exact, Distance: l.distance, Others: l.others, LabelsDiffer: l.labelsDiffer(),
		}
	}
	return report, nil
}

// leakageOf is what a search for leaks is for, and leaksFound what it comes to, which several callers may read.
type (
	leakageOf struct {
		project int64
		within  int
	}
	leaksFound struct {
		report Leakage
		leaks  []leak
	}
)

func checkWithin(within int) error {
	if within < 0 || within > fingerprint.MaxBound {
		return &ValidationError{Field: "within", Message: fmt.Sprintf("want 0 to %d bits, not %d", fingerprint.MaxBound, within)}
	}
	return nil
}

// leak is a held-out image and the training image most like it.
type leak struct {
	heldOut, training *Look
	exact             bool
	distance, others  int
}

func (l leak) labelsDiffer() bool {
	a, b := l.heldOut.Label, l.training.Label
	return a != nil && b != nil && *a != *b
}

// near is what the training splits have within the bound of a fingerprint.
type near struct {
	best     *Look
	distance int
	images   int
}

// findLeaks counts and lists the leaks of a project's images, the nearest first. It compares each fingerprint that there is once,
// however many images have it.
func findLeaks(looks []Look, within int) (Leakage, []leak) {
	report := Leakage{Within: within}
	files, prints := map[[32]byte][]*Look{}, map[fingerprint.Fingerprint][]*Look{}
	var known []fingerprint.Fingerprint
	for i := range looks {
		l := &looks[i]
		if l.Fingerprint == nil {
			report.Pending++
		}
		if l.Split.HeldOut() {
			report.HeldOut++
			continue
		}
		report.Training++
		files[l.Hash] = append(files[l.Hash], l)
		if f := l.Fingerprint; f != nil && *f != 0 {
			if prints[*f] == nil {
				known = append(known, *f)
			}
			prints[*f] = append(prints[*f], l)
		}
	}
	index, nearest := fingerprint.NewIndex(known), map[fingerprint.Fingerprint]near{}
	var leaks []leak
	for i := range looks {
		l := &looks[i]
		if !l.Split.HeldOut() {
			continue
		}
		if l.leaked() {
			report.LeftOut++
		}
		var found near
		if f := l.Fingerprint; f != nil && *f != 0 {
			var looked bool
			if found, looked = nearest[*f]; !looked {
				index.Within(*f, within, func(at, distance int) {
					same := prints[known[at]]
					if found.best == nil || distance < found.distance || distance == found.distance && same[0].ID < found.best.ID {
						found.best, found.distance = same[0], distance
					}
					found.images += len(same)
				})
				nearest[*f] = found
			}
		}
		same := files[l.Hash]
		switch {
		case len(same) > 0: // one with another class before the others: it is what has to be looked at
			at := max(0, slices.IndexFunc(same, func(t *Look) bool { return leak{heldOut: l, training: t}.labelsDiffer() }))
			leaks = append(leaks, leak{heldOut: l, training: same[at], exact: true, others: max(len(same), found.images) - 1})
			report.Exact++
		case found.best != nil:
			leaks = append(leaks, leak{heldOut: l, training: found.best, distance: found.distance, others: found.images - 1})
			report.Near++
		default:
			continue
		}
		if len(l.LeftOut) == 0 {
			report.Measured++
		}
		if leaks[len(leaks)-1].labelsDiffer() {
			report.LabelsDiffer++
		}
	}
	slices.SortFunc(leaks, func(a, b leak) int {
		exact := func(l leak) int {
			if l.exact {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(exact(a), exact(b)), cmp.Compare(a.distance, b.distance), cmp.Compare(a.heldOut.ID, b.heldOut.ID))
	})
	return report, leaks
}

// LeaveOut leaves held-out images that Leakage finds within a distance out of what is measured from now on (admin): by their ids, or
// all of them where images is nil; none at all is a ValidationError. It returns how many were measured on before. The active version's
// figures are taken anew; those of rounds that are over stay. ErrConflict while a round runs, whose images must stay what they are.
func (s *Service) LeaveOut(ctx context.Context, actor User, slug string, within int, images []int64) (int, error) {
	if err := cmp.Or(checkWithin(within), checkChosen(images)); err != nil {
		return 0, err
	}
	return s.changeMeasured(ctx, actor, slug, true, func(looks []Look) ([]int64, func(int) string, error) {
		_, leaks := findLeaks(looks, within)
		found := map[int64]bool{}
		var all []int64
		for _, l := range leaks {
			found[l.heldOut.ID] = true
			all = append(all, l.heldOut.ID)
		}
		for _, id := range images {
			if !found[id] {
				return nil, nil, &ValidationError{Field: "images", Message: fmt.Sprintf("image %d is none of the project's held-out images that a training image is like within %d bits", id, within)}
			}
		}
		if images != nil {
			all = images
		}
		told := func(changed int) string {
			return fmt.Sprintf("%s held-out images that are like a training image within %s bits", text.Count(changed), text.Count(within))
		}
		return all, told, remaining(looks, all)
	})
}

// checkChosen refuses an empty choice, which is neither all images nor any.
func checkChosen(images []int64) error {
	if images != nil && len(images) == 0 {
		return &ValidationError{Field: "images", Message: "an empty list chooses no image: name some, or leave it away for all"}
	}
	return nil
}

// remaining is an error where no labelled image of a held-out split would be left to measure on.
func remaining(looks []Look, out []int64) error {
	leaves := make(map[int64]bool, len(out))
	for _, id := range out {
		leaves[id] = true
	}
	before, after := map[Split]int{}, map[Split]int{}
	for _, l := range looks {
		if l.Split.HeldOut() && l.Label != nil && len(l.LeftOut) == 0 {
			before[l.Split]++
			if !leaves[l.ID] {
				after[l.Split]++
			}
		}
	}
	for _, split := range []Split{SplitTest, SplitValidation} {
		if before[split] > 0 && after[split] == 0 {
			return Conflict("all %d labelled %s images that are measured on are like a training image: none would be left. Import others, or ask for fewer bits", before[split], split)
		}
	}
	return nil
}

// TakeIn takes images that were left out of measures in again (admin): by their ids, or all of them where images is nil; none at
// all is a ValidationError. It returns how many were left out. ErrConflict while a round runs.
func (s *Service) TakeIn(ctx context.Context, actor User, slug string, images []int64) (int, error) {
	if err := checkChosen(images); err != nil {
		return 0, err
	}
	return s.changeMeasured(ctx, actor, slug, false, func(looks []Look) ([]int64, func(int) string, error) {
		var all []int64
		out := map[int64]bool{}
		for _, l := range looks {
			if l.leaked() {
				out[l.ID] = true
				all = append(all, l.ID)
			}
		}
		for _, id := range images {
			if !out[id] {
				return nil, nil, &ValidationError{Field: "images", Message: fmt.Sprintf("image %d is none of the project's images that are left out for being like a training image", id)}
			}
		}
		if images != nil {
			all = images
		}
		return all, func(changed int) string { return fmt.Sprintf("%s images", text.Count(changed)) }, nil
	})
}

// changeMeasured leaves out or takes in what choose says, and what the trail says of it.
func (s *Service) changeMeasured(ctx context.Context, actor User, slug string, out bool, choose func([]Look) ([]int64, func(changed int) string, error)) (changed int, err error) {
	actor, project, err := s.project(ctx, actor, RoleLead, slug)
	if err != nil {
		return 0, err
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		changed = 0
		if err := stillImages(ctx, tx, project.ID); err != nil {
			return err
		}
		looks, err := tx.Looks(ctx, project.ID)
		if err != nil {
			return err
		}
		images, told, err := choose(looks)
		if err != nil {
			return err
		}
		if changed, err = tx.LeaveOut(ctx, project.ID, images, LeftOutLeakage, out); err != nil || changed == 0 {
			return err
		}
		action := "image.include"
		if out {
			action = "image.exclude"
		}
		if err := s.audit(ctx, tx, actor, &project.ID, action, projectSubject(slug), told(changed)); err != nil {
			return err
		}
		active, err := tx.ActiveVersion(ctx, project.ID)
		if isNotFound(err) {
			return nil
		}
		if err == nil {
			_, err = tx.EnqueueEvaluate(ctx, active.ID)
		}
		return err
	})
	return changed, err
}
