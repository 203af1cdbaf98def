// Package agreement gives the domain the measures of trainer/measure by which painters' maps are compared.
package agreement

import (
	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/trainer/measure"
)

// Measures implements annotator.Agreeing.
type Measures struct{}

var _ annotator.Agreeing = Measures{}

// Agreement implements annotator.Agreeing: measure.Agree by each of measure.AgreementKinds.
func (Measures) Agreement(images []annotator.PaintedMaps, seed int64) []annotator.Agreement {
	painted := make([]measure.Painted, len(images))
	for i, image := range images {
		painted[i] = measure.Painted{Class: image.Class, Painters: image.Painters, Maps: image.Maps}
	}
	var all []annotator.Agreement
	for _, kind := range measure.AgreementKinds() {
		found := measure.Agree(painted, kind, uint64(seed))
		a := annotator.Agreement{Measure: kind.Name, Label: kind.Label, Stepped: kind.Stepped, ByImage: map[int64]float64{}, ByPainter: map[int64]annotator.Level{},
			Between: level(found.Between), Ceiling: level(found.Ceiling), Floor: level(found.Floor)}
		for i, v := range found.ByImage {
			if v != nil {
				a.ByImage[images[i].ImageID] = *v
			}
		}
		for painter, of := range found.ByPainter {
			a.ByPainter[painter] = annotator.Level(of)
		}
		all = append(all, a)
	}
	return all
}

func level(of *measure.Level) *annotator.Level {
	if of == nil {
		return nil
	}
	l := annotator.Level(*of)
	return &l
}
