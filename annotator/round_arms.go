package annotator

import "github.com/abn-studio/studio/internal/arms"

// Comparison sets a round's networks beside each other. Its figures follow from the round's rows.
type Comparison struct {
	Maps             Arm          `json:"maps" doc:"The network that stands for people's maps: the version that the round made."`
	Baseline         Arm          `json:"baseline" doc:"The network without people's maps that counts."`
	ValidationImages int          `json:"validation_images" minimum:"0" doc:"Images on which both were chosen; 0: they were not chosen, and are candidate and control."`
	Seeds            int          `json:"seeds" minimum:"1" doc:"How often each training was done."`
	Edits            int          `json:"edits" minimum:"0"`
	PaintingSeconds  int          `json:"painting_seconds,omitempty" minimum:"0" doc:"How long the edits took to paint; absent where that is not known of each."`
	Arms             []ArmFigure  `json:"arms" doc:"Simple ones first."`
	LeftOut          []ArmLeftOut `json:"left_out,omitempty" doc:"Arms that were asked for and are not judged."`
	PointsPerEdit    *float64     `json:"points_per_edit,omitempty" doc:"Points of accuracy over the baseline, for each edit."`
	PointsPerMinute  *float64     `json:"points_per_minute,omitempty" doc:"And for each minute of painting."`
}

// ArmFigure has the figures of one network of a round, means over its seeds.
type ArmFigure struct {
	Arm                Arm       `json:"arm"`
	Images             int       `json:"images" minimum:"0"`
	Edited             bool      `json:"edited,omitempty" doc:"It is judged on the edited images, not on held-out ones."`
	Accuracy           float64   `json:"accuracy" minimum:"0" maximum:"1"`
	ValidationAccuracy *float64  `json:"validation_accuracy,omitempty" minimum:"0" maximum:"1"`
	AttentionInside    *float64  `json:"attention_inside,omitempty" minimum:"0" maximum:"1"`
	Against            Arm       `json:"against,omitempty" doc:"What it is compared with; absent for the network that stands for the maps."`
	Difference         *float64  `json:"difference,omitempty" minimum:"-1" maximum:"1" doc:"Accuracy of the maps' network less this one's; where edited, this one's less the other's."`
	Low                *float64  `json:"low,omitempty" minimum:"-1" maximum:"1" doc:"95% interval of the difference, over images and seeds."`
	High               *float64  `json:"high,omitempty" minimum:"-1" maximum:"1"`
	Seeds              []ArmSeed `json:"seeds"`
}

// ArmSeed has the figures of one of its trainings.
type ArmSeed struct {
	Seed               int64    `json:"seed"`
	Accuracy           float64  `json:"accuracy" minimum:"0" maximum:"1"`
	ValidationAccuracy *float64 `json:"validation_accuracy,omitempty" minimum:"0" maximum:"1"`
	AttentionInside    *float64 `json:"attention_inside,omitempty" minimum:"0" maximum:"1"`
}

// ArmLeftOut is an arm that was asked for and is not judged.
type ArmLeftOut struct {
	Arm Arm    `json:"arm"`
	Why string `json:"why"`
}

// Further reports whether arms or seeds beyond candidate and control of one seed were compared.
func (c *Comparison) Further() bool {
	if c == nil {
		return false
	}
	further := c.Seeds > 1 || len(c.LeftOut) > 0
	for _, f := range c.Arms {
		further = further || arms.Of(f.Arm).Asked
	}
	return further
}
