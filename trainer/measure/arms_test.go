package measure

import (
	"fmt"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
)

// answers are rows of an arm and seed on a set, of which the letters say which are right ("x").
func answers(arm arms.Arm, seed int64, set ImageSet, right string) (rows []ArmRow) {
	for i, c := range right {
		r := ArmRow{Arm: arm, Seed: seed, Set: set, Row: Row{Image: fmt.Sprint(set, i), Label: 1}}
		if c == 'x' {
			r.Predicted = 1
		}
		rows = append(rows, r)
	}
	return rows
}

// The baseline is the best on validation, the simpler of equals, whatever test says; its difference is test's.
func TestBaselineIsChosenOnValidation(t *testing.T) {
	t.Parallel()
	var rows []ArmRow
	add := func(arm arms.Arm, seed int64, validation, test string) {
		rows = append(rows, answers(arm, seed, OfValidation, validation)...)
		rows = append(rows, answers(arm, seed, OfTest, test)...)
	}
	add(arms.Candidate, 1, "xx..", "xxxx......")
	add(arms.Candidate, 2, "xx..", "xxxx......")
	add(arms.CandidateRefit, 1, "xxx.", "xxxxx.....")
	add(arms.CandidateRefit, 2, "xx..", "xxxxx.....")
	add(arms.Control, 1, "xx..", "xxx.......")
	add(arms.Control, 2, "x...", "xxx.......")
	add(arms.ControlRefit, 1, "x...", "xxxxxx....") // the best on test
	add(arms.ControlRefit, 2, "x...", "xxxxxx....")
	add(arms.Parent, 1, "x...", "xx........")
	add(arms.ParentRefit, 1, "xx..", "x.........") // as good as the shuffled maps, and simpler
	add(arms.ShuffledAcross, 1, "xx..", "xxx.......")
	add(arms.ShuffledAcross, 2, "xx..", "xxx.......")
	table, err := JudgeArms(rows, Judging{Choose: true, Edits: 4, PaintingSeconds: 120, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if table.Maps != arms.CandidateRefit || table.Baseline != arms.ParentRefit || table.Images != 10 || table.ValidationImages != 4 {
		t.Errorf("%+v", table)
	}
	if b := table.Of(arms.ParentRefit); b.Against != arms.CandidateRefit || *b.Difference != 0.4 || *table.PerEdit != 10 || *table.PerMinute != 20 {
		t.Errorf("%+v, %v an edit, %v a minute", b, *table.PerEdit, *table.PerMinute)
	}
	if table.Of(table.Maps).Difference != nil {
		t.Error("the maps are compared with themselves")
	}
	if want := "Maps and a refitted last layer were worth +40.0 points of accuracy (95% 10.0 to 70.0, 10 images, 2 seeds) over the parent with its last layer refitted: 10 points per edit, 20 per minute of painting."; table.Headline != want {
		t.Errorf("%q, want %q", table.Headline, want)
	}
	for why, j := range map[string]Judging{"nothing was asked for": {}, "no validation images": {Choose: true}} {
		given := rows
		if j.Choose {
			given = nil
			for _, r := range rows {
				if r.Set == OfTest {
					given = append(given, r)
				}
			}
		}
		if table, err := JudgeArms(given, j); err != nil || table.Maps != arms.Candidate || table.Baseline != arms.Control || table.ValidationImages != 0 {
			t.Errorf("%s: %+v, %v", why, table, err)
		}
	}
	if _, err := JudgeArms(rows[1:], Judging{}); err == nil || !strings.Contains(err.Error(), "not of the same images") {
		t.Errorf("a row is missing: %v", err)
	}
	if table, err := JudgeArms(answers(arms.Candidate, 1, OfTest, "x"), Judging{}); table != nil || err != nil {
		t.Errorf("without a control: %+v, %v", table, err)
	}
}

// Where a network without people's maps is as good or better, the headline says that first.
func TestHeadlineOfArms(t *testing.T) {
	t.Parallel()
	many := func(s string) string { return strings.Repeat(s, 30) }
	for _, c := range []struct{ candidate, control, begins string }{
		{many("xxx."), many("xx.."), "Maps were worth +25.0 points of accuracy (95% "},
		{many("xx.."), many("xxx."), "Without people's maps the control did better: the candidate has −25.0 points of accuracy against it (95% "},
		{many("xx.."), many("x.x."), "Without people's maps the control did as well: the candidate has 0.0 points of accuracy against it (95% "},
		{many("xx..") + "x", many("x.x.") + ".", "No clear difference in accuracy: the candidate has +0.8 points (95% "},
	} {
		table, err := JudgeArms(append(answers(arms.Candidate, 1, OfTest, c.candidate), answers(arms.Control, 1, OfTest, c.control)...), Judging{Seed: 1})
		if err != nil || !strings.HasPrefix(table.Headline, c.begins) {
			t.Errorf("%q, %v, want %q…", table.Headline, err, c.begins)
		}
	}
}
