package annotator

import "slices"

// Reason says what is wrong with a map, in a word that can be counted. The words are what people read, everywhere.
type Reason string

// The reasons of a verdict.
const (
	ReasonTooWide     Reason = "too wide"
	ReasonTooTight    Reason = "too tight"
	ReasonWrongObject Reason = "wrong object"
	ReasonMissedPart  Reason = "missed a part"
	ReasonBackground  Reason = "looks at background"
)

// Reasons are all of them, in the order in which they are offered.
var Reasons = []Reason{ReasonTooWide, ReasonTooTight, ReasonWrongObject, ReasonMissedPart, ReasonBackground}

// checkReasons refuses what is no reason, and returns each once, in the order of Reasons.
func checkReasons(given []Reason) ([]Reason, error) {
	for _, reason := range given {
		if err := oneOf("reasons", reason, Reasons); err != nil {
			return nil, err
		}
	}
	all := []Reason{}
	for _, reason := range Reasons {
		if slices.Contains(given, reason) {
			all = append(all, reason)
		}
	}
	return all, nil
}

// ReasonCount says how many verdicts of a project have a reason; those that were taken back do not count.
type ReasonCount struct {
	Reason Reason `json:"reason"`
	Count  int    `json:"count"`
}
