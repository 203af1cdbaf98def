package annotator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/text"
)

// NetworkRows are the rows of one network among a round's.
type NetworkRows struct {
	Packed []byte
	Arm    Arm
}

// VersionComparison sets a version beside another one, on held-out images that both have answered in rounds.
type VersionComparison struct {
	A               int64             `json:"a"`               // version id
	B               int64             `json:"b"`               // version id
	Round           *int64            `json:"round,omitempty"` // in which both answered; absent where each answered in a round of its own
	Images          int               `json:"images"`
	Figures         []ComparedFigure  `json:"figures"` // B against A
	Classes         []ClassDifference `json:"classes"` // value is B's accuracy, other A's; those that lost most first
	ClassesCompared int               `json:"classes_compared"`
	Fixed           []int64           `json:"fixed"`  // image ids A gets wrong and B right
	Broken          []int64           `json:"broken"` // and the other way round
	Moved           []int64           `json:"moved"`  // image ids both get right, on which B's map is furthest from A's, at most 24; none where A is not the parent of B
	Worse           []string          `json:"worse"`  // what clearly got worse from A to B, in sentences
}

// ComparedFigure is a measure of two versions.
type ComparedFigure struct {
	Name       string  `json:"name"`
	Label      string  `json:"label"`
	Unit       string  `json:"unit"`
	Better     string  `json:"better,omitempty"` // higher, lower; absent where neither is better by itself
	A          float64 `json:"a"`
	B          float64 `json:"b"`
	Difference float64 `json:"difference"` // B − A
	Low        float64 `json:"low"`        // 95% interval
	High       float64 `json:"high"`
	Images     int     `json:"images"`
}

// ComparedRows is a VersionComparison as rows tell it, which have images by name.
type ComparedRows struct {
	VersionComparison
	Fixed, Broken, Moved []string
}

// worse says in a sentence that the figure clearly got worse; "" if it did not.
func (f ComparedFigure) worse() string {
	if f.Better == "higher" && f.High < 0 || f.Better == "lower" && f.Low > 0 {
		return fmt.Sprintf("%s: %s (95%% %s to %s).", f.Label, f.amount(f.Difference), f.amount(f.Low), f.amount(f.High))
	}
	return ""
}

// amount writes a difference: in points where the figure is a fraction.
func (f ComparedFigure) amount(v float64) string {
	if f.Unit == "fraction" {
		return text.SignedPoints(v) + " points"
	}
	return text.Signed(v, 3)
}

// tell fills in Worse.
func (c *VersionComparison) tell(classes []Class) {
	c.Worse = []string{}
	for _, f := range c.Figures {
		if text := f.worse(); text != "" {
			c.Worse = append(c.Worse, text)
		}
	}
	for _, d := range c.Classes {
		if d.Clear && d.Difference < 0 && d.Class < len(classes) {
			f := ComparedFigure{Label: "Accuracy of " + classes[d.Class].Name, Unit: "fraction", Better: "higher", Difference: d.Difference, Low: d.Low, High: d.High}
			c.Worse = append(c.Worse, strings.TrimSuffix(f.worse(), ".")+fmt.Sprintf(", %d images.", d.Images))
		}
	}
}

// answered is a round in which a version answered, and as which of its networks.
type answered struct {
	round Round
	arm   Arm
}

// answeredIn lists the rounds in which a version answered: the one that made it, and those that started from it, newest first.
func answeredIn(rounds []Round, v Version) (list []answered) {
	for _, r := range rounds {
		switch {
		case r.Result == nil || r.Result.Rows == 0:
		case v.RoundID != nil && *v.RoundID == r.ID:
			maps := arms.Candidate
			if c := r.Result.Comparison; c != nil {
				maps = c.Maps
			}
			list = append(list, answered{r, maps})
		case r.ParentVersion == v.ID:
			list = append(list, answered{r, arms.Parent})
		}
	}
	return list
}

// together chooses the rounds to compare two versions by: one in which both answered, else the newest of each.
func together(a, b []answered) (answered, answered) {
	for _, in := range b {
		for _, other := range a {
			if in.round.ID == other.round.ID {
				return other, in
			}
		}
	}
	return a[0], b[0]
}

// CompareVersions compares version b with version a of the same project, by the rows of rounds in which they answered held-out images.
// ErrNotFound where one of them has answered in none that kept its rows.
func (s *Service) CompareVersions(ctx context.Context, actor User, a, b int64) (VersionComparison, error) {
	fail := func(err error) (VersionComparison, error) {
		return VersionComparison{}, fmt.Errorf("comparing version %d with version %d: %w", b, a, err)
	}
	from, project, err := s.Version(ctx, actor, a)
	if err != nil {
		return fail(err)
	}
	to, _, err := s.Version(ctx, actor, b)
	if err != nil {
		return fail(err)
	}
	switch {
	case from.ProjectID != to.ProjectID || a == b:
		return fail(&ValidationError{Field: "with", Message: "is not another version of the same project"})
	case s.rows == nil:
		return fail(fmt.Errorf("%w: this process reads no rows", ErrUnavailable))
	}
	rounds, err := s.store.Rounds(ctx, project.ID)
	if err != nil {
		return fail(err)
	}
	ofA, ofB := answeredIn(rounds, from), answeredIn(rounds, to)
	if len(ofA) == 0 || len(ofB) == 0 {
		return fail(fmt.Errorf("%w: no round has kept what both answered", ErrNotFound))
	}
	inA, inB := together(ofA, ofB)
	packedA, err := s.store.PackedRows(ctx, inA.round.ID)
	if err != nil {
		return fail(err)
	}
	packedB := packedA
	if inB.round.ID != inA.round.ID {
		if packedB, err = s.store.PackedRows(ctx, inB.round.ID); err != nil {
			return fail(err)
		}
	}
	told, err := s.rows.Compare(NetworkRows{packedA, inA.arm}, NetworkRows{packedB, inB.arm}, len(project.Classes))
	if err != nil {
		return fail(err)
	}
	c := told.VersionComparison
	if c.A, c.B = a, b; c.Images == 0 {
		return fail(fmt.Errorf("%w: they have answered no image both", ErrNotFound))
	}
	if inA.round.ID == inB.round.ID {
		c.Round = &inA.round.ID
	}
	if c.Round == nil || inA.arm != arms.Parent { // maps are told apart from the parent's
		told.Moved = nil
	}
	ids, err := s.store.ImagesNamed(ctx, project.ID, slices.Concat(told.Fixed, told.Broken, told.Moved))
	if err != nil {
		return fail(err)
	}
	for _, list := range []struct {
		names []string
		to    *[]int64
	}{{told.Fixed, &c.Fixed}, {told.Broken, &c.Broken}, {told.Moved, &c.Moved}} {
		*list.to = []int64{}
		for _, name := range list.names {
			if id, there := ids[name]; there {
				*list.to = append(*list.to, id)
			}
		}
	}
	c.tell(project.Classes)
	return c, nil
}

// AgainstActive compares a version with the active one. nil where there is nothing to compare: it is the active one, or the two have
// answered no held-out images in rounds.
func (s *Service) AgainstActive(ctx context.Context, actor User, id int64) (*VersionComparison, error) {
	version, _, err := s.Version(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	active, err := s.store.ActiveVersion(ctx, version.ProjectID)
	if isNotFound(err) || err == nil && active.ID == id {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := s.CompareVersions(ctx, actor, active.ID, id)
	if isNotFound(err) || errors.Is(err, ErrUnavailable) {
		return nil, nil
	}
	return &c, err
}
