package annotator

import (
	"fmt"

	"github.com/abn-studio/studio/internal/text"
)

// Unreadable are images whose files could not be read by work that went on without them.
type Unreadable struct {
	Count  int               `json:"count"`
	Images []UnreadableImage `json:"images"` // the first MaxUnreadable of them
}

// UnreadableImage is one of them, and why.
type UnreadableImage struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Split  Split  `json:"split"`
	Reason string `json:"reason"`
}

// MaxUnreadable bounds how many unreadable images are listed; maxReason how many characters of a reason are.
const (
	MaxUnreadable = 20
	maxReason     = 300
)

// Add counts one more image, and lists it while there is room.
func (u *Unreadable) Add(image Image, reason string) {
	u.Count++
	if len(u.Images) < MaxUnreadable {
		u.Images = append(u.Images, UnreadableImage{ID: image.ID, Name: image.Name, Split: image.Split, Reason: shortReason(reason)})
	}
}

// UnreadableText is the sentence about images that were left out: how many, of how many, and the first with its reason.
func UnreadableText(count, total int, first, reason string) string {
	if count == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d images cannot be read, the first %s: %s", count, total, first, shortReason(reason))
}

// shortReason cuts a reason to maxReason characters.
func shortReason(reason string) string {
	reason = text.Clean(reason)
	if r := []rune(reason); len(r) > maxReason {
		return string(r[:maxReason]) + "…"
	}
	return reason
}
