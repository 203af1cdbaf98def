package measure

import "fmt"

// Comparison is a measure of two networks on the same images.
type Comparison struct {
	Name       string  `json:"name"`
	Label      string  `json:"label"`
	Unit       string  `json:"unit"`
	Value      float64 `json:"value"` // of the network that is judged
	Other      float64 `json:"other"` // of the one that it is compared with
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"` // 95% interval of Difference, by the paired bootstrap
	High       float64 `json:"high"`
	Images     int     `json:"images"`
	Gained     int     `json:"gained"` // images of McNemar's test: yes of this network and no of the other one
	Lost       int     `json:"lost"`
	Test       Test    `json:"test"`
	P          float64 `json:"p"`      // of no difference
	Holm       float64 `json:"p_holm"` // adjusted for all measures compared
}

// yesOrNo are the measures of which an image has a yes or a no: McNemar's test is theirs.
var yesOrNo = map[string]bool{Accuracy: true, Top5: true, AttentionBranch: true, PointingGame: true}

// notCompared are measures that say what another one says.
var notCompared = map[string]bool{TopOneError: true, TopFiveError: true, MaskArea: true}

// Compare compares a network with another one by all measures that both have rows of. The rows are of the same images in the same order.
// seed is that of the bootstrap, which draws within groups.
func Compare(rows, other []Row, classes int, seed uint64) ([]Comparison, error) {
	if len(rows) != len(other) {
		return nil, fmt.Errorf("%d rows and %d: networks are compared on the same images", len(rows), len(other))
	}
	for i := range rows {
		if rows[i].Image != other[i].Image || rows[i].Label != other[i].Label {
			return nil, fmt.Errorf("row %d is of %s and of %s: networks are compared on the same images", i+1, rows[i].Image, other[i].Image)
		}
	}
	var out []Comparison
	var p []float64
	for _, k := range kinds {
		indices := indicesOf(k.Name, classes, rows, other)
		if len(indices) == 0 || notCompared[k.Name] {
			continue
		}
		of, against := StatisticOf(k.Name, rows), StatisticOf(k.Name, other)
		d := pairedBootstrap(of, against, Strata(rows, indices), seed)
		c := Comparison{
			Name: k.Name, Label: k.Label, Unit: k.Unit, Images: len(indices), Value: of(indices), Other: against(indices),
			Difference: d.Difference, Low: d.Low, High: d.High, Test: BootstrapTest, P: d.P,
		}
		if yesOrNo[k.Name] {
			for _, i := range indices {
				switch was, is := other[i].value(k.Name), rows[i].value(k.Name); {
				case is > was:
					c.Gained++
				case was > is:
					c.Lost++
				}
			}
			c.P, c.Test = McNemar(c.Gained, c.Lost)
		}
		out, p = append(out, c), append(p, c.P)
	}
	for i, adjusted := range Holm(p) {
		out[i].Holm = adjusted
	}
	return out, nil
}

// Shared are the rows of the images that both networks have rows of, in the order of rows.
func Shared(rows, other []Row) (a, b []Row) {
	at := make(map[string]int, len(other))
	for i, r := range other {
		at[r.Image] = i
	}
	for _, r := range rows {
		if i, ok := at[r.Image]; ok {
			a, b = append(a, r), append(b, other[i])
		}
	}
	return a, b
}
