package annotator

import (
	"encoding/json"
	"fmt"

	"github.com/abn-studio/studio/internal/text"
)

// Hints say how often a painter was shown what would help while the map was made. They stand in the edit's provenance, and go on from revision to
// revision: who paints on a map that was made with a hint has its help too.
type Hints struct {
	Help int `json:"help" doc:"How often what would help was shown."`
}

// maxHints bounds the count, which whoever saves tells.
const maxHints = 1_000_000

// HintsOf reads which hints were shown from an edit's provenance; none where that is not recorded.
func HintsOf(provenance json.RawMessage) Hints {
	var read struct {
		Hints struct {
			Help json.Number `json:"help"`
		} `json:"hints"`
	}
	if json.Unmarshal(provenance, &read) != nil {
		return Hints{}
	}
	n, err := read.Hints.Help.Int64()
	if err != nil {
		return Hints{}
	}
	return Hints{Help: int(min(max(n, 0), maxHints))}
}

// with are the hints of whoever goes on from a map: never fewer than it was made with.
func (h Hints) with(was Hints) Hints { return Hints{Help: max(h.Help, was.Help)} }

// Words say which hints were shown; "" where there was none.
func (h Hints) Words() string {
	switch h.Help {
	case 0:
		return ""
	case 1:
		return "the painter was shown what would help, once"
	}
	return fmt.Sprintf("the painter was shown what would help, %s times", text.Count(h.Help))
}

// MadeWith says in words what is to be known of how a map was made: what it began with, unless that is the map of its own version, and which hints
// its painter was shown.
func (e Edit) MadeWith() []string {
	var all []string
	if e.Origin != nil && e.Origin.Kind != OriginModel {
		all = append(all, fmt.Sprintf("began with %s", e.Origin.Words()))
	}
	if words := e.Hints.Words(); words != "" {
		all = append(all, words)
	}
	return all
}
