package measure

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
)

// roundRows are rows of two seeds on 40 images of two classes: the candidate loses eight of the ten of class 1 that the control gets.
func roundRows() (rows []ArmRow) {
	for _, arm := range []arms.Arm{arms.Parent, arms.Control, arms.Candidate} {
		for seed := range int64(2) {
			if arm == arms.Parent && seed > 0 {
				continue
			}
			for i := range 40 {
				r := Row{Image: fmt.Sprintf("%d.png", i), Label: i % 2, Predicted: i % 2, Confidence: 0.9, Top5: true}
				if i%2 == 1 && (arm == arms.Parent || arm == arms.Control && i >= 20 || arm == arms.Candidate && (i >= 20 || i > 3)) {
					r.Predicted, r.Confidence = 0, 0.55
				}
				r.Set(MapDrift, float64(i), true)
				rows = append(rows, ArmRow{Arm: arm, Seed: seed + 1, Set: OfTest, Row: r})
			}
		}
	}
	return rows
}

func TestVerdictNamesTheClassThatLost(t *testing.T) {
	t.Parallel()
	v, err := VerdictOf(roundRows(), arms.Candidate, arms.Control, 1)
	if err != nil || len(v.Classes) != 2 || len(v.Diagrams) != 3 {
		t.Fatalf("%+v, %v", v, err)
	}
	if c := v.Classes[0]; c.Class != 1 || !c.Clear || c.High >= 0 || c.Images != 20 || c.Value != 0.1 || c.Other != 0.5 {
		t.Errorf("the class that lost: %+v", c)
	}
	if c := v.Classes[1]; c.Class != 0 || c.Clear || c.Difference != 0 {
		t.Errorf("the other class: %+v", c)
	}
	for i, images := range []int{40, 80, 80} {
		n := 0
		for _, b := range v.Diagrams[i].Bins {
			n += b.Images
		}
		if n != images {
			t.Errorf("the diagram of %s has %d answers, want %d", v.Diagrams[i].Arm, n, images)
		}
	}
	measures, err := RoundMeasures(roundRows(), arms.Candidate, arms.Control, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	figures := map[string]Measure{}
	for _, m := range measures {
		figures[m.Name] = m
	}
	if m := figures[Accuracy]; m.Parent != 0.5 || m.Control != 0.75 || m.Candidate != 0.55 || m.High >= 0 {
		t.Errorf("accuracy %+v", m)
	}
	if m := figures[MapDrift]; m.Images != 20 || m.Control != 19 { // only of class 0 all three get any
		t.Errorf("drift %+v", m)
	}
}

// Of few images an interval is too narrow: two of three lost are no class that lost.
func TestVerdictOfFewImages(t *testing.T) {
	t.Parallel()
	right := []Row{{}, {}, {}}
	if c := ClassChanges([][]Row{{{Predicted: 1}, {Predicted: 1}, {Predicted: 1}}}, [][]Row{right}, 1)[0]; c.Clear || c.High != -1 {
		t.Errorf("%+v", c)
	}
}

func TestRowFiles(t *testing.T) {
	t.Parallel()
	rows := roundRows()
	rows[3].Image, rows[3].Group = "a,b \"c\".png", "sea"
	rows[4].Figures = nil
	var lines, table bytes.Buffer
	if err := WriteArmRows(&lines, rows); err != nil {
		t.Fatal(err)
	}
	again, err := ReadArmRows(&lines)
	if err != nil || !reflect.DeepEqual(again, rows) {
		t.Errorf("%d rows of %d came back, %v", len(again), len(rows), err)
	}
	if _, err := ReadArmRows(strings.NewReader("{}\n{")); err == nil || !strings.Contains(err.Error(), "row 2") {
		t.Errorf("a file that is cut off: %v", err)
	}
	if err := WriteArmCSV(&table, rows, []string{"owl"}); err != nil {
		t.Fatal(err)
	}
	out := strings.Split(table.String(), "\n")
	want := []string{
		"arm,seed,set,image,group,cluster,label,label_name,predicted,predicted_name,correct,confidence,top5,attention_correct,map_drift",
		`parent,1,test,"a,b ""c"".png",sea,,1,,0,owl,false,0.55,true,false,3`,
		"parent,1,test,4.png,,,0,owl,0,owl,true,0.9,true,false,",
	}
	if out[0] != want[0] || out[4] != want[1] || out[5] != want[2] || len(out) != len(rows)+2 {
		t.Errorf("%d lines:\n%s\n%s\n%s", len(out), out[0], out[4], out[5])
	}
}
