package annotator

import "github.com/abn-studio/studio/internal/attention"

// Mechanism says what the values of a map do to the features under a network's attention mechanism, in the words that editor,
// review, versions and command line show. For a mechanism other than 1+M and M the words claim nothing.
type Mechanism struct {
	Formula   string   `json:"formula" doc:"g′ as it is read from the graph; empty where it is another."`
	AtZero    *float64 `json:"at_zero,omitempty" doc:"The factor of a feature under a cell of 0; between 0 and 1 it grows evenly."`
	AtOne     *float64 `json:"at_one,omitempty" doc:"The factor under a cell of 1."`
	Zero      string   `json:"zero" doc:"What a cell of 0 is, in a word or two; empty where that is not known."`
	Values    string   `json:"values" doc:"What 0 and 1 mean, in a sentence."`
	Dark      string   `json:"dark" doc:"What is dark in the spotlight."`
	Spotlight string   `json:"spotlight" doc:"What the spotlight shows."`
	Clear     string   `json:"clear" doc:"What clearing the map does."`
}

// MechanismOf returns the words for a version's Gain.
func MechanismOf(gain attention.Gain) Mechanism {
	factors := func(zero, one float64) (*float64, *float64) { return &zero, &one }
	switch gain {
	case attention.GainOnePlusM:
		m := Mechanism{
			Formula: gain.Formula(), Zero: "not amplified",
			Values:    "A value of 0 leaves a feature as it is: not amplified, not hidden. A value of 1 doubles it.",
			Dark:      "dark is not amplified, not hidden",
			Spotlight: "The picture dark where nothing is amplified: not amplified, not hidden",
			Clear:     "Set every cell to 0: nothing is amplified",
		}
		m.AtZero, m.AtOne = factors(1, 2)
		return m
	case attention.GainM:
		m := Mechanism{
			Formula: gain.Formula(), Zero: "hidden",
			Values:    "A value of 0 hides a feature from the answer. A value of 1 leaves it as it is.",
			Dark:      "dark is hidden from the answer",
			Spotlight: "The picture dark where features are hidden from the answer",
			Clear:     "Set every cell to 0: everything is hidden from the answer",
		}
		m.AtZero, m.AtOne = factors(0, 1)
		return m
	}
	return Mechanism{
		Values:    "How a value acts on the features is this network's own, and whether 0 is the least attention or the most: the answer beside the map shows it as you paint.",
		Dark:      "dark is where the map is 0",
		Spotlight: "The picture dark where the map is 0",
		Clear:     "Set every cell to 0",
	}
}

// Mechanism returns the words for how the version's map acts.
func (v Version) Mechanism() Mechanism { return MechanismOf(v.Gain) }
