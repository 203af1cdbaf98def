package measure

import (
	"maps"
	"slices"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/trainer/sample"
)

// OfMap is what is measured of one map.
type OfMap struct {
	Figures   map[string]float64 `json:"figures,omitempty"`   // by Kind.Name
	Undefined []string           `json:"undefined,omitempty"` // measures that this map has no value of, such as of an even one
}

// Set notes a measure of the map; defined is false where this map has none.
func (o *OfMap) Set(name string, value float64, defined bool) {
	if !defined {
		o.Undefined = append(o.Undefined, name)
		return
	}
	if o.Figures == nil {
		o.Figures = map[string]float64{}
	}
	o.Figures[name] = value
}

// Clone is a copy that nothing noted in o changes.
func (o OfMap) Clone() OfMap { return OfMap{maps.Clone(o.Figures), slices.Clone(o.Undefined)} }

// LookAt measures a map against a person's map of the image, and against the object. mask is the object's on the pixels of the
// network's input, each in [0,1]; a zero map where it is not known.
func (o *OfMap) LookAt(m, edited, mask attention.Map) {
	if !edited.IsZero() {
		v, ok := SoftIoU(m, edited)
		o.Set(MapSoftIoU, v, ok)
		v, ok = Spearman(m, edited)
		o.Set(MapSpearman, v, ok)
	}
	if mask.IsZero() {
		return
	}
	pixels := Upsample(m, mask.Height, mask.Width)
	hit, ok := Pointing(pixels, mask, PointingTolerance)
	o.Set(PointingGame, one(hit), ok)
	v, ok := RankAccuracy(pixels, mask)
	o.Set(RelevanceRank, v, ok)
	v, ok = IoU(pixels, mask, IoUThreshold)
	o.Set(MaskIoU, v, ok)
}

// SetWrongReasons scores a network's maps where they must not be active: maps(i) is of samples[i] and read twice, and set(i) is where its score goes.
// threshold is that of the maps of the images of which such an area is known; nil where no map has one.
func SetWrongReasons(samples []sample.Sample, maps func(i int) (attention.Map, error), set func(i int) *OfMap) (threshold *float64, err error) {
	var all activation
	for i, s := range samples {
		if WrongArea(s.Mask, s.Edited).IsZero() {
			continue
		}
		m, err := maps(i)
		if err != nil {
			return nil, err
		}
		all.add(m)
	}
	active, known := all.threshold()
	for i, s := range samples {
		wrong := WrongArea(s.Mask, s.Edited)
		if wrong.IsZero() {
			continue
		}
		m, err := maps(i)
		if err != nil {
			return nil, err
		}
		score, ok := WrongReasonScore(m, wrong, active)
		set(i).Set(WrongReason, score, ok)
	}
	if !known {
		return nil, nil
	}
	return &active, nil
}
