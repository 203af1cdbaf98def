package webhook

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// Message is the body of what is sent.
type Message struct {
	Type      string              `json:"type"`      // the line's action, such as "edit.approve"
	Timestamp time.Time           `json:"timestamp"` // when it was done
	Data      annotator.TrailLine `json:"data"`      // the line as GET /audit has it
}

// Of returns the body that tells a line of the trail.
func Of(line annotator.TrailLine) ([]byte, error) {
	return json.Marshal(Message{Type: line.Action, Timestamp: line.At, Data: line})
}

// ID names a delivery for its receiver, in all its attempts, so that one that came twice is known. studio is the studio's own id: a receiver may
// have several.
func ID(studio string, delivery int64) string { return fmt.Sprintf("msg_%s_%d", studio, delivery) }
