package roundrows

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/trainer/measure"
)

func packed(t *testing.T, rows ...measure.ArmRow) []byte {
	t.Helper()
	data, err := Pack(rows)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Versions of two rounds are compared on the images that both answered, with the labels of both, by their first seeds.
func TestCompareAcrossRounds(t *testing.T) {
	t.Parallel()
	row := func(arm arms.Arm, seed int64, image, label, predicted int) measure.ArmRow {
		return measure.ArmRow{Arm: arm, Seed: seed, Set: measure.OfTest, Row: measure.Row{Image: fmt.Sprint(image), Label: label, Predicted: predicted, Confidence: 0.8}}
	}
	var first, second []measure.ArmRow
	for i := range 20 {
		first = append(first, row(arms.Candidate, 1, i, 0, min(i/15, 1)))                                  // wrong from 15 on
		second = append(second, row(arms.Parent, 1, i, 0, 0), row(arms.Candidate, 7, i+2, 0, min(i/4, 1))) // wrong from image 6 on
		second = append(second, row(arms.Candidate, 8, i+2, 0, 0))
	}
	second[1].Label = 1 // image 2 has another label meanwhile
	c, err := Reader{}.Compare(annotator.NetworkRows{Packed: packed(t, first...), Arm: arms.Candidate}, annotator.NetworkRows{Packed: packed(t, second...), Arm: arms.Candidate}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if c.Images != 17 || len(c.Broken) != 9 || c.Broken[0] != "6" || len(c.Fixed) != 0 || !slices.Equal(c.Moved, []string{"3", "4", "5"}) {
		t.Errorf("%d images, broken %v, fixed %v, both right %v", c.Images, c.Broken, c.Fixed, c.Moved)
	}
	if f := c.Figures[0]; f.Name != measure.Accuracy || f.High >= 0 || f.Better != measure.Higher || len(c.Classes) != 1 || !c.Classes[0].Clear {
		t.Errorf("%+v, classes %+v", f, c.Classes)
	}
	none, err := Reader{}.Compare(annotator.NetworkRows{Packed: packed(t, first...), Arm: arms.Control}, annotator.NetworkRows{Packed: packed(t, second...), Arm: arms.Candidate}, 2)
	if err != nil || none.Images != 0 {
		t.Errorf("with a network that answered nothing: %+v, %v", none, err)
	}
}

func TestRowsAsFiles(t *testing.T) {
	t.Parallel()
	rows := []measure.ArmRow{{Arm: arms.Parent, Seed: 1, Set: measure.OfTest, Row: measure.Row{Image: "a.png", Label: 1}}}
	var lines, table bytes.Buffer
	if err := (Reader{}).Write(&lines, packed(t, rows...), annotator.RowsJSONL, nil); err != nil {
		t.Fatal(err)
	}
	again, err := measure.ReadArmRows(&lines)
	if err != nil || len(again) != 1 || again[0].Image != "a.png" {
		t.Errorf("%+v, %v", again, err)
	}
	if err := (Reader{}).Write(&table, packed(t, rows...), annotator.RowsCSV, []annotator.Class{{Name: "owl"}, {Name: "wren"}}); err != nil || !bytes.Contains(table.Bytes(), []byte("a.png,,,1,wren,0,owl,false")) {
		t.Errorf("%s, %v", table.Bytes(), err)
	}
	if err := (Reader{}).Write(&table, []byte("no gzip"), annotator.RowsCSV, nil); err == nil {
		t.Error("bytes that are no rows are written")
	}
}
