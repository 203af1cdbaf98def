package forecast

// Paired is a paired bootstrap over images: the mean of a less that of b, one value an image, with its 95% interval.
type Paired func(a, b []float64) GainInterval

// GainInterval is a figure with its 95% interval.
type GainInterval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// MapsInPlace says what a network's answers become with other maps in the place of its own.
type MapsInPlace struct {
	Images int            `json:"images" minimum:"0" doc:"With an approved edit and a label."`
	Draws  int            `json:"draws" minimum:"0" doc:"How often the maps were dealt out anew for “another image's map”; its figures are means over the draws."`
	Wrong  UnderMaps      `json:"wrong" doc:"The images that the network gets wrong by itself: what the forecast is made of."`
	Right  UnderMaps      `json:"right" doc:"Those that it gets right by itself."`
	All    UnderMaps      `json:"all" doc:"Both together."`
	Pairs  []ConfusedPair `json:"pairs" doc:"Confusions of at least two wrong images with an edit, the one with the most gain per edit first; few edits count for less in that order."`
	// OverShuffled and OverFlat are differences of shares of the wrong images.
	OverShuffled GainInterval `json:"over_shuffled" doc:"Share of the wrong images that become right with the edited map, less that with another image's map."`
	OverFlat     GainInterval `json:"over_flat" doc:"The same against a flat map."`
	Bound        float64      `json:"bound" doc:"The difference from which on training with the maps is likely to pay."`
	Verdict      Verdict      `json:"verdict"`
	Sentence     string       `json:"sentence"`
	Advice       []Advice     `json:"advice" doc:"What to do next, or what would pay instead; the first first."`
}

// UnderMaps has the figures of some images under each map.
type UnderMaps struct {
	Images int        `json:"images" minimum:"0"`
	Maps   []UnderMap `json:"maps"`
}

// UnderMap has the figures under one map. Of another image's map they are means over the draws.
type UnderMap struct {
	Map   Map     `json:"map"`
	Right float64 `json:"right" minimum:"0" doc:"How many of the images are answered right."`
	// Share is Right by the number of images; Low and High its interval over images.
	Share      float64 `json:"share" minimum:"0" maximum:"1" doc:"The same as a share of the images."`
	Low        float64 `json:"low" doc:"95% interval of the share, over images."`
	High       float64 `json:"high"`
	TopOneErr  float64 `json:"top1_error" minimum:"0" maximum:"1"`
	TopFiveErr float64 `json:"top5_error" minimum:"0" maximum:"1" doc:"Share of the images whose label is not among the first five answers."`
}

// Of returns the figures under a map.
func (s UnderMaps) Of(m Map) UnderMap {
	for _, u := range s.Maps {
		if u.Map == m {
			return u
		}
	}
	return UnderMap{Map: m}
}

// TableOf makes the table of rows. paired is the bootstrap of package measure.
func TableOf(rows []RowInPlace, paired Paired) MapsInPlace {
	var wrong, right []RowInPlace
	for _, r := range rows {
		if r.Wrong() {
			wrong = append(wrong, r)
		} else {
			right = append(right, r)
		}
	}
	t := MapsInPlace{
		Images: len(rows), Wrong: ofSet(wrong, paired), Right: ofSet(right, paired), All: ofSet(rows, paired), Pairs: pairsOf(wrong),
		OverShuffled: paired(values(wrong, Edited), values(wrong, Shuffled)), OverFlat: paired(values(wrong, Edited), values(wrong, Flat)), Bound: Bound,
	}
	if len(rows) > 0 {
		t.Draws = len(rows[0].Shuffled)
	}
	t.judge()
	return t
}

func ofSet(rows []RowInPlace, paired Paired) UnderMaps {
	s := UnderMaps{Images: len(rows), Maps: []UnderMap{}}
	none, n := make([]float64, len(rows)), max(1, float64(len(rows)))
	for _, m := range Maps {
		u := UnderMap{Map: m}
		right, top5 := values(rows, m), 0.
		for i, r := range rows {
			u.Right += right[i]
			top5 += r.top5(m)
		}
		interval := paired(right, none)
		u.Share, u.Low, u.High = u.Right/n, interval.Low, interval.High
		if len(rows) > 0 {
			u.TopOneErr, u.TopFiveErr = 1-u.Share, 1-top5/n
		}
		s.Maps = append(s.Maps, u)
	}
	return s
}

// values has for each row whether its answer under a map is right.
func values(rows []RowInPlace, m Map) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = r.right(m)
	}
	return out
}
