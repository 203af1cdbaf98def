package attention

// Branch is one of the two branches of an Attention Branch Network.
type Branch string

// The branches: the attention branch makes the map, and the perception branch reads it, the network's own or a person's.
const (
	AttentionBranch  Branch = "attention"
	PerceptionBranch Branch = "perception"
)

// Gain is what a network's attention mechanism multiplies the features with.
type Gain string

// The mechanisms: g′ = (1+M)·g, which never removes a feature, and g′ = M·g. Anything else is GainOther: it is run as the file
// has it, and the studio says nothing of what a cell of the map does.
const (
	GainOnePlusM Gain = "1+M"
	GainM        Gain = "M"
	GainOther    Gain = "other"
)

// Formula is what the perception branch reads, "M·g"; "" for GainOther.
func (g Gain) Formula() string {
	switch g {
	case GainOnePlusM:
		return "(1+M)·g"
	case GainM:
		return "M·g"
	}
	return ""
}
