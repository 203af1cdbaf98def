package templates

import (
	"context"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// Leakage is the view model of the page of held-out images that are like training images.
type Leakage struct {
	annotator.Leakage
	Problem string
}

// likeness says how alike two images are.
func likeness(ctx context.Context, l annotator.Leak) string {
	switch {
	case l.Exact:
		return words.T(ctx, "same file")
	case l.Distance == 0:
		return words.T(ctx, "same fingerprint")
	}
	return words.N(ctx, l.Distance, "{n} bit of 64 differs", "{n} bits of 64 differ")
}

// labelOf is an image's class as people read it.
func labelOf(ctx context.Context, f Frame, i annotator.Image) string {
	if i.Label == nil {
		return words.T(ctx, "unlabelled")
	}
	return f.ClassName(*i.Label)
}

// leftOutOf says in brackets how many images a measure does without, "" where it does without none.
func leftOutOf(ctx context.Context, n int) string {
	if n == 0 {
		return ""
	}
	return words.N(ctx, n, " ({n} left out)", " ({n} left out)")
}
