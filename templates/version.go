package templates

import (
	"maps"
	"slices"
	"strings"

	"github.com/abn-studio/studio/annotator"
)

// Versions is the view model of the line of descent.
type Versions struct {
	Versions []annotator.Version // v1 first
	Rounds   map[int64]int       // round id → its number
	A, B     *annotator.Version  // picked for comparison
}

// figureRow is one figure of the versions being compared.
type figureRow struct {
	name, label, unit string
	a, b              float64
	inA, inB          bool
}

// comparison lines up the figures of A and B.
func (v Versions) comparison() []figureRow {
	names := map[string]bool{}
	for n := range v.A.Figures {
		names[n] = true
	}
	for n := range v.B.Figures {
		names[n] = true
	}
	var rows []figureRow
	for _, n := range slices.Sorted(maps.Keys(names)) {
		r := figureRow{name: n, label: figureLabel(n), unit: "fraction"}
		if strings.HasSuffix(n, "map_distance") {
			r.unit = ""
		}
		r.a, r.inA = v.A.Figures[n]
		r.b, r.inB = v.B.Figures[n]
		rows = append(rows, r)
	}
	return rows
}

// mainFigure is the figure a version is known by: accuracy on the first split that has one.
func mainFigure(v annotator.Version) (value float64, label string, ok bool) {
	for _, split := range []string{"test", "validation", "pool", "train"} {
		if a, ok := v.Figures[split+"/accuracy"]; ok {
			return a, "accuracy, " + split, true
		}
	}
	return 0, "", false
}

// figureLabel is a figure's key as people read it: "test/worst_group" → "worst group, test".
func figureLabel(key string) string {
	split, name, ok := strings.Cut(key, "/")
	if !ok {
		return strings.ReplaceAll(key, "_", " ")
	}
	return strings.ReplaceAll(name, "_", " ") + ", " + split
}

// newestFirst is the lineage the other way round.
func (v Versions) newestFirst() []annotator.Version {
	list := slices.Clone(v.Versions)
	slices.Reverse(list)
	return list
}

// parentNumber is the number of a version's parent, 0 if it has none here.
func (v Versions) parentNumber(of annotator.Version) int {
	for _, p := range v.Versions {
		if of.ParentID != nil && p.ID == *of.ParentID {
			return p.Number
		}
	}
	return 0
}
