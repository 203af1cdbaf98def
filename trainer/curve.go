package trainer

import (
	"slices"

	"github.com/abn-studio/studio/trainer/engine"
)

// Point is one point of a loss curve: means over the steps since the last point.
type Point struct {
	Arm         Arm     `json:"arm"`
	Seed        int64   `json:"seed,omitempty"` // of a round with several
	Step        int     `json:"step"`           // steps done
	Epoch       float64 `json:"epoch"`          // epochs done
	LossAtt     float64 `json:"loss_att"`
	LossPer     float64 `json:"loss_per"`
	LossMap     float64 `json:"loss_map"`     // γ-scaled, over the steps with an edited row
	MapDistance float64 `json:"map_distance"` // L_map with γ = 1
	LossAnchor  float64 `json:"loss_anchor"`  // scaled by the anchor, over the steps with an anchored row
	Accuracy    float64 `json:"accuracy"`     // perception branch on the training batches
	Rate        float64 `json:"learning_rate"`
	// Figures on the validation images, at the last point of an epoch; both 0 at other points and without early stopping.
	ValidationLoss     float64 `json:"validation_loss,omitempty"`
	ValidationAccuracy float64 `json:"validation_accuracy,omitempty"`
}

// pointSum adds up the steps since the last point. It is part of a checkpoint, so that a run that resumes within
// an epoch reports the same curve.
type pointSum struct {
	Rows  int     `json:"rows"`
	Hits  int     `json:"hits"`
	Att   float64 `json:"att"` // losses summed over rows
	Per   float64 `json:"per"`
	Steps int     `json:"steps"` // with an edited row
	Maps  float64 `json:"maps"`  // L_map summed over those steps
	Apart float64 `json:"apart"`

	AnchoredIn int     `json:"anchored_in"` // steps with an anchored row
	Anchor     float64 `json:"anchor"`      // L_anchor summed over those steps
}

func (s *pointSum) add(r engine.StepResult, b engine.Batch) {
	s.Rows += b.Size
	s.Hits += r.HitsPer
	s.Att += r.LossAtt * float64(b.Size)
	s.Per += r.LossPer * float64(b.Size)
	if slices.Contains(b.Anchored, 1) {
		s.AnchoredIn++
		s.Anchor += r.LossAnchor
	}
	for _, has := range b.HasEdit[:b.Size] {
		if has != 0 {
			s.Steps++
			s.Maps += r.LossMap
			s.Apart += r.MapDistance
			return
		}
	}
}

func (s *pointSum) point(arm Arm, step int, epoch, rate float64) Point {
	rows, edited := float64(max(1, s.Rows)), float64(max(1, s.Steps))
	return Point{
		Arm: arm, Step: step, Epoch: epoch, Rate: rate,
		LossAtt: s.Att / rows, LossPer: s.Per / rows, Accuracy: float64(s.Hits) / rows,
		LossMap: s.Maps / edited, MapDistance: s.Apart / edited, LossAnchor: s.Anchor / float64(max(1, s.AnchoredIn)),
	}
}
