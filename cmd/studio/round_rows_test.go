package main

import (
	"bytes"
	"encoding/csv"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/measure"
)

// A round's figures follow from the rows that are downloaded of it: its table, its measures, its classes and its reliability diagrams.
func TestRoundFollowsFromItsRows(t *testing.T) {
	t.Parallel()
	p := openAviary(t, onSharedDatabase(t), 4)
	defer p.Close()
	seedRoundEdits(t, p)
	service := p.storage.service(discard())
	settings, _, err := service.RoundDefaults(t.Context(), annotator.System, "aviary")
	if err != nil {
		t.Fatal(err)
	}
	settings.Epochs, settings.Seeds = 1, 2
	if settings.Arms, err = arms.Parse("all"); err != nil {
		t.Fatal(err)
	}
	round, err := service.StartRound(t.Context(), annotator.System, "aviary", settings, "")
	if err != nil {
		t.Fatal(err)
	}
	p.worker(t)
	p.roundFinished(t, round.ID)
	if round, _, err = service.Round(t.Context(), annotator.System, round.ID); err != nil {
		t.Fatal(err)
	}
	download := func(format annotator.RowFormat) []byte {
		t.Helper()
		d, err := service.RoundRows(t.Context(), annotator.System, round.ID, format)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		text, err := io.ReadAll(d)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	rows, err := measure.ReadArmRows(bytes.NewReader(download(annotator.RowsJSONL)))
	if err != nil {
		t.Fatal(err)
	}
	result, c := round.Result, round.Result.Comparison
	if len(rows) == 0 || len(rows) != result.Rows || c == nil {
		t.Fatalf("%d rows, the result has %d; compared %+v", len(rows), result.Rows, c)
	}
	for _, name := range []string{measure.PointingGame, measure.RelevanceRank, measure.MaskIoU, measure.WrongReason} {
		if !slices.ContainsFunc(result.Measures, func(m annotator.Measure) bool { return m.Name == name && m.Images == result.Images }) {
			t.Errorf("%s is not measured on all %d images: %+v", name, result.Images, result.Measures)
		}
	}
	table, err := csv.NewReader(bytes.NewReader(download(annotator.RowsCSV))).ReadAll()
	if err != nil || len(table) != len(rows)+1 {
		t.Errorf("the table has %d lines of %d rows, %v", len(table), len(rows), err)
	}

	again, err := measure.JudgeArms(rows, measure.Judging{Choose: true, Edits: c.Edits, PaintingSeconds: float64(c.PaintingSeconds), Seed: settings.Seed})
	if err != nil {
		t.Fatal(err)
	}
	near := cmpopts.EquateApprox(0, 1e-12) // JSON keeps all digits, jsonb numbers too
	if again.Headline != result.Headline || again.Maps != c.Maps || again.Baseline != c.Baseline || again.Images != result.Images || len(again.Arms) != len(c.Arms) || len(c.Arms) < 6 {
		t.Errorf("the table is of %d arms, %q; the rows say %d, %q", len(c.Arms), result.Headline, len(again.Arms), again.Headline)
	}
	for i, f := range again.Arms {
		got := c.Arms[i]
		want := annotator.ArmFigure{Arm: f.Arm, Images: f.Images, Edited: f.Set == measure.OfEdited, Accuracy: f.Accuracy, ValidationAccuracy: f.Validation, AttentionInside: f.Inside,
			Against: f.Against, Difference: f.Difference, Low: f.Low, High: f.High}
		for _, s := range f.Seeds {
			want.Seeds = append(want.Seeds, annotator.ArmSeed{Seed: s.Seed, Accuracy: s.Accuracy, ValidationAccuracy: s.Validation, AttentionInside: s.Inside})
		}
		if diff := cmp.Diff(want, got, near); diff != "" {
			t.Errorf("%s does not follow from the rows:\n%s", f.Arm, diff)
		}
	}
	base := c.Baseline
	if result.Maps != c.Maps || result.Against != base {
		t.Errorf("%s is compared with %s; the table says %s and %s", result.Maps, result.Against, c.Maps, base)
	}
	project, err := service.Project(t.Context(), annotator.System, "aviary")
	if err != nil {
		t.Fatal(err)
	}
	measures, err := measure.RoundMeasures(rows, c.Maps, base, len(project.Classes), uint64(settings.Seed))
	if err != nil {
		t.Fatal(err)
	}
	var figures []annotator.Measure
	for _, m := range measures {
		figures = append(figures, annotator.Measure{Name: m.Name, Label: m.Label, Unit: m.Unit, Better: measure.KindOf(m.Name).Better, Parent: m.Parent, Control: m.Control, Candidate: m.Candidate,
			Difference: m.Difference, Low: m.Low, High: m.High, Images: m.Images})
	}
	if diff := cmp.Diff(figures, result.Measures, near); diff != "" || len(figures) < 8 {
		t.Errorf("the measures do not follow from the rows:\n%s", diff)
	}
	verdict, err := measure.VerdictOf(rows, c.Maps, base, uint64(settings.Seed))
	if err != nil {
		t.Fatal(err)
	}
	var classes []annotator.ClassDifference
	for _, d := range verdict.Classes {
		classes = append(classes, annotator.ClassDifference(d))
	}
	if diff := cmp.Diff(annotator.ToldClasses(classes), result.Classes, near); diff != "" || result.ClassesCompared != len(classes) {
		t.Errorf("the classes do not follow from the rows:\n%s", diff)
	}
	for i, d := range verdict.Diagrams {
		r := result.Reliability[i]
		for _, b := range d.Bins {
			if b.Images > 0 && (len(r.Bins) == 0 || !cmp.Equal(r.Bins[0], annotator.ReliabilityBin(b), near)) {
				t.Fatalf("the diagram of %s does not follow from the rows", d.Arm)
			}
			if b.Images > 0 {
				r.Bins = r.Bins[1:]
			}
		}
	}

	shown, err := service.ShownImages(t.Context(), annotator.System, round.ID)
	if err != nil || len(shown) < min(24, len(result.Fixed))+min(24, len(result.Broken))+len(result.Moved) || len(shown) == 0 {
		t.Errorf("%d images are shown of %d fixed, %d broken, %d moved, %v", len(shown), len(result.Fixed), len(result.Broken), len(result.Moved), err)
	}
	compared, err := service.CompareVersions(t.Context(), annotator.System, round.ParentVersion, *round.Version)
	if err != nil {
		t.Fatal(err)
	}
	var before, after []measure.Row
	for _, r := range rows {
		switch {
		case r.Set != measure.OfTest || r.Seed != settings.Seed:
		case r.Arm == arms.Parent:
			before = append(before, r.Row)
		case r.Arm == c.Maps:
			after = append(after, r.Row)
		}
	}
	fixed, broken := 0, 0
	for i := range before {
		switch was, is := before[i].Correct(), after[i].Correct(); {
		case is && !was:
			fixed++
		case was && !is:
			broken++
		}
	}
	if compared.Images != len(before) || len(compared.Fixed) != fixed || len(compared.Broken) != broken || compared.Round == nil || *compared.Round != round.ID || len(compared.Figures) < 6 {
		t.Errorf("the versions: %+v; the rows say %d fixed, %d broken of %d", compared, fixed, broken, len(before))
	}
	for _, f := range compared.Figures {
		if f.Name == measure.Accuracy && (f.A != result.Measures[0].Parent || f.B < f.A != (f.Difference < 0)) {
			t.Errorf("accuracy %+v, the round has %+v", f, result.Measures[0])
		}
	}
	if data, err := p.Store.RoundData(t.Context(), p.project.ID); err != nil || data.Judged != 1 || data.Worn() {
		t.Errorf("the held-out images have judged %d rounds, %v", data.Judged, err)
	}
	if _, err := service.ActivateVersion(t.Context(), annotator.System, *round.Version, "it is to be tried"); err != nil {
		t.Fatal(err)
	}
	trail, err := p.Store.AuditEntries(t.Context(), p.project.ID, 0, 20)
	kept := slices.ContainsFunc(trail, func(e annotator.AuditEntry) bool {
		worse := true
		for _, w := range compared.Worse {
			worse = worse && strings.Contains(e.Detail, strings.TrimSuffix(w, "."))
		}
		return e.Action == "version.activate" && worse && strings.HasSuffix(e.Detail, "Reason: it is to be tried")
	})
	if err != nil || !kept {
		t.Errorf("the trail keeps neither what got worse, %q, nor the reason: %+v, %v", compared.Worse, trail, err)
	}
	points, err := p.Store.WaitRoundEvents(t.Context(), round.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	curves := map[arms.Arm]map[int64]bool{}
	for _, e := range points {
		if e.Point != nil {
			if curves[e.Point.Arm] == nil {
				curves[e.Point.Arm] = map[int64]bool{}
			}
			curves[e.Point.Arm][e.Point.Seed] = true
		}
	}
	for _, a := range result.Arms {
		if a.Seconds <= 0 || !curves[a.Arm][a.Seed] {
			t.Errorf("%s of seed %d took %v s; it has curves of %v", a.Arm, a.Seed, a.Seconds, curves[a.Arm])
		}
	}
	if settings.Engine != recipe.EngineORT || len(result.Arms) < 6 {
		t.Errorf("%d trainings on %s", len(result.Arms), settings.Engine)
	}
}
