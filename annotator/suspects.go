package annotator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// Which labels are probably wrong is decided here, by what the versions of a project answer.

// SuspectStore reads what a version answers of labelled images.
type SuspectStore interface {
	// LabelAnswers calls each for answers of a version to labelled images in use whose label is not in doubt: wrong ones with the
	// probabilities of all classes (0 of those that were not kept), of images that nobody is asked about and nobody vouched for; or, of held-out images, all with the probability of
	// the label alone. Held out are images that neither the version nor its ancestors were trained on.
	LabelAnswers(ctx context.Context, versionID int64, classes int, wrong bool, each func(LabelEvidence)) error
}

// LabelEvidence is what a version answers of one image.
type LabelEvidence struct {
	ImageID       int64
	Label         int
	HeldOut       bool
	Probability   float32   // of the label; where only that was read
	Probabilities []float32 // K of them; valid during the call
}

// Suspect is an image whose label is probably wrong.
type Suspect struct {
	Image         Image   `json:"image"`
	Label         int     `json:"label"`
	LabelName     string  `json:"label_name"`
	Suggested     int     `json:"suggested" doc:"The class that the versions are confident of."`
	SuggestedName string  `json:"suggested_name"`
	Given         float64 `json:"given" doc:"Probability of the label, the mean over the versions that suspect it."`
	Probability   float64 `json:"probability" doc:"Probability of the suggested class, the same mean."`
	Threshold     float64 `json:"threshold" doc:"What the probability has to reach: the mean probability that a version gives the class on held-out images of the class; the mean over the same versions."`
	Versions      int     `json:"versions" doc:"How many of the versions suspect the label and suggest this class."`
	HeldOut       bool    `json:"held_out" doc:"No version that was asked was trained on the image. One that was tends to repeat the label: that it does not is all the more telling."`
	TaskID        *int64  `json:"task_id,omitempty" doc:"Its open task, if it has one."`
}

// Why says in words for people why the label is suspected, of so many versions.
func (s Suspect) Why(of int) string {
	why := []string{fmt.Sprintf("%.0f%% %s, where %.0f%% is usual; %.0f%% %s", 100*s.Probability, s.SuggestedName, 100*s.Threshold, 100*s.Given, s.LabelName)}
	if of > 1 {
		why = append(why, fmt.Sprintf("%s of %s versions say so", text.Count(s.Versions), text.Count(of)))
	}
	if !s.HeldOut {
		why = append(why, "trained on it, and still")
	}
	return strings.Join(why, "; ")
}

// Suspects are images whose labels are probably wrong.
type Suspects struct {
	Total    int       `json:"total"`
	Versions []int     `json:"versions"` // numbers of those that were asked, the newest first
	Suspects []Suspect `json:"suspects"` // the most suspect first
}

// MaxSuspects bounds how many suspects are listed at once; maxSuspectVersions how many versions are asked: the active one and the newest
// others.
const (
	MaxSuspects        = 1000
	maxSuspectVersions = 5
)

// Suspects lists images whose labels are probably wrong, at most limit (1 to MaxSuspects), those most versions suspect first and by how
// much the suggested class is more probable than the label.
//
// Each version is asked by confident learning (Northcutt, Jiang and Chuang 2021, arXiv 1911.00068, section 3.1). With p(x) in [0,1]^K its
// answer and X_i the held-out images labelled i, class j's threshold is the mean confidence in j on images labelled j:
//
//	t_j = 1/|X_j| · Σ_{x ∈ X_j} p_j(x)
//
// An image labelled i is suspect of class j ≠ i if j = argmax of p_l over the classes l with p_l(x) ≥ t_l: an off-diagonal entry of the
// confident joint. Here as in cleanlab, an image whose answer is its label is no suspect. A class without held-out images has no
// threshold and is not suggested.
//
// Where several versions were asked, a label is listed if more than half of those that answered are suspicious of it; the class that most
// of them suggest is suggested. That is ours, as is that images which were trained on are judged too, by the thresholds of the others.
func (s *Service) Suspects(ctx context.Context, actor User, slug string, limit int) (Suspects, error) {
	_, project, err := s.project(ctx, actor, RoleAnnotator, slug)
	if err != nil {
		return Suspects{}, err
	}
	if limit < 1 || limit > MaxSuspects {
		return Suspects{}, &ValidationError{Field: "limit", Message: fmt.Sprintf("is between 1 and %d", MaxSuspects)}
	}
	// Asking takes seconds in a large project: who asks meanwhile gets the same.
	found, err := s.suspecting.Do(ctx, project.ID, func(ctx context.Context) (Suspects, error) { return s.suspects(ctx, project) })
	if err != nil {
		return Suspects{}, err
	}
	found.Suspects = slices.Clone(found.Suspects[:min(limit, len(found.Suspects))])
	return found, s.describe(ctx, project, found.Suspects)
}

// suspects is Suspects with MaxSuspects as limit, and without what describe fills in. A suspicion is kept in few bytes until all versions
// have been asked, since most labels of a project may be doubted.
func (s *Service) suspects(ctx context.Context, project Project) (Suspects, error) {
	versions, err := s.store.Versions(ctx, project.ID)
	if err != nil {
		return Suspects{}, err
	}
	found := Suspects{Versions: []int{}, Suspects: []Suspect{}}
	var votes []suspicion
	for _, v := range asked(versions) {
		if votes, err = s.suspicions(ctx, v, len(project.Classes), votes); err != nil {
			return Suspects{}, err
		}
		found.Versions = append(found.Versions, v.Number)
	}
	slices.SortStableFunc(votes, func(a, b suspicion) int { return cmp.Compare(a.imageID, b.imageID) }) // those of an image stay in the versions' order
	for len(votes) > 0 {
		n := 1
		for n < len(votes) && votes[n].imageID == votes[0].imageID {
			n++
		}
		if suspect, ok := agreed(votes[:n], len(found.Versions)); ok {
			found.Total++
			found.Suspects = append(found.Suspects, suspect)
		}
		if votes = votes[n:]; len(found.Suspects) >= 2*MaxSuspects {
			found.Suspects = worst(found.Suspects)
		}
	}
	found.Suspects = worst(found.Suspects)
	return found, nil
}

// worst puts the most suspect first, and leaves out those that are not listed.
func worst(suspects []Suspect) []Suspect {
	slices.SortFunc(suspects, func(a, b Suspect) int {
		return cmp.Or(cmp.Compare(b.Versions, a.Versions), cmp.Compare(b.Probability-b.Given, a.Probability-a.Given), cmp.Compare(a.Image.ID, b.Image.ID))
	})
	return suspects[:min(len(suspects), MaxSuspects)]
}

// asked returns the versions that suspects are asked of: the active one and the newest others that have looked at images.
func asked(versions []Version) []Version {
	slices.SortFunc(versions, func(a, b Version) int {
		active := func(v Version) int {
			if v.State == VersionActive {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(active(a), active(b)), cmp.Compare(b.Number, a.Number))
	})
	versions = slices.DeleteFunc(versions, func(v Version) bool { return v.Scanned == 0 })
	return versions[:min(len(versions), maxSuspectVersions)]
}

// suspicion is one version's doubt about one label.
type suspicion struct {
	imageID                       int64
	label, class                  int
	given, probability, threshold float64
	heldOut                       bool
}

// suspicions asks one version, and adds what it doubts to all.
func (s *Service) suspicions(ctx context.Context, v Version, classes int, all []suspicion) ([]suspicion, error) {
	sums, counts := make([]float64, classes), make([]int, classes)
	err := s.store.LabelAnswers(ctx, v.ID, classes, false, func(e LabelEvidence) {
		if e.Label < classes {
			sums[e.Label] += float64(e.Probability)
			counts[e.Label]++
		}
	})
	if err != nil {
		return nil, err
	}
	thresholds := make([]float64, classes)
	for j := range thresholds {
		thresholds[j] = 2 // no probability reaches it
		if counts[j] > 0 {
			thresholds[j] = sums[j] / float64(counts[j])
		}
	}
	err = s.store.LabelAnswers(ctx, v.ID, classes, true, func(e LabelEvidence) {
		if len(e.Probabilities) != classes || e.Label >= classes {
			return
		}
		if j := confidentClass(e.Probabilities, e.Label, thresholds); j >= 0 {
			all = append(all, suspicion{e.ImageID, e.Label, j, float64(e.Probabilities[e.Label]), float64(e.Probabilities[j]), thresholds[j], e.HeldOut})
		}
	})
	return all, err
}

// confidentClass returns the class that an image labelled label is counted under in the confident joint, if it is another one and the
// answer is not the label; else -1. p and thresholds have K values. A difference of 1e-6 counts as reaching a threshold, as in cleanlab.
func confidentClass(p []float32, label int, thresholds []float64) int {
	best, answer := -1, 0
	for j := range p {
		if p[j] > p[answer] {
			answer = j
		}
		if float64(p[j]) >= thresholds[j]-1e-6 && (best < 0 || p[j] > p[best]) {
			best = j
		}
	}
	if best == label || answer == label {
		return -1
	}
	return best
}

// agreed is what the doubts of one image's label come to, of so many versions; false if not more than half doubt it.
func agreed(all []suspicion, versions int) (Suspect, bool) {
	if 2*len(all) <= versions {
		return Suspect{}, false
	}
	count := map[int]int{}
	class := all[0].class // the active version's, where as many suggest another
	for _, one := range all {
		count[one.class]++
	}
	for _, one := range all {
		if count[one.class] > count[class] {
			class = one.class
		}
	}
	s := Suspect{Image: Image{ID: all[0].imageID}, Label: all[0].label, Suggested: class, Versions: count[class], HeldOut: true}
	for _, one := range all {
		s.HeldOut = s.HeldOut && one.heldOut
		if one.class == class {
			n := float64(count[class])
			s.Given += one.given / n
			s.Probability += one.probability / n
			s.Threshold += one.threshold / n
		}
	}
	return s, true
}

// describe fills in images, names and tasks.
func (s *Service) describe(ctx context.Context, project Project, suspects []Suspect) error {
	ids := make([]int64, len(suspects))
	for i, one := range suspects {
		ids[i] = one.Image.ID
	}
	images, err := s.store.ImagesByID(ctx, project.ID, ids)
	if err != nil {
		return err
	}
	tasks, err := s.store.OpenTasks(ctx, ids)
	if err != nil {
		return err
	}
	for i := range suspects {
		one := &suspects[i]
		one.Image = images[ids[i]]
		one.LabelName, one.SuggestedName = project.Classes[one.Label].Name, project.Classes[one.Suggested].Name
		if id, open := tasks[ids[i]]; open {
			one.TaskID = &id
		}
	}
	return nil
}
