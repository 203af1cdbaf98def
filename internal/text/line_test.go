package text_test

import (
	"testing"

	"github.com/abn-studio/studio/internal/text"
)

// Names of somebody's file neither move the cursor, nor forge a line, nor turn the writing round.
func TestLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Größe ŷ_att ✓":          "Größe ŷ_att ✓",
		"a\nstudio: all is well": `a\nstudio: all is well`,
		"\x1b[2Jgone":            `\x1b[2Jgone`,
		"\xff\xfe":               `\xff\xfe`,
		"a\u202eb\x00\t":         `a\u202eb\x00\t`,
		`"quoted" 'too' \n`:      `"quoted" 'too' \n`,
		"a\u00a0b":               "a b",
	} {
		if got := text.Line(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got, want := text.Lines("a\x1b\n\tb"), "a\\x1b\n\tb"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
