package templates

import (
	"fmt"

	"github.com/abn-studio/studio/annotator"
)

// Leakage is the view model of the page of held-out images that are like training images.
type Leakage struct {
	annotator.Leakage
	Problem string
}

// likeness says how alike two images are.
func likeness(l annotator.Leak) string {
	switch {
	case l.Exact:
		return "same file"
	case l.Distance == 0:
		return "same fingerprint"
	}
	return fmt.Sprintf("%s of 64 differ", Plural(l.Distance, "bit"))
}

// labelOf is an image's class as people read it.
func labelOf(f Frame, i annotator.Image) string {
	if i.Label == nil {
		return "unlabelled"
	}
	return f.ClassName(*i.Label)
}

// leftOutOf says in brackets how many images a measure does without, "" where it does without none.
func leftOutOf(n int) string {
	if n == 0 {
		return ""
	}
	return " (" + Count(n) + " left out)"
}
