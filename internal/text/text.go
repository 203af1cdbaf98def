package text

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is what is said of a string that is not Valid, after the name of its field.
const Problem = "is not valid text: it holds a NUL or bytes that are no UTF-8"

// MaxName is how many bytes the name of a class or a group may have: an index of the database takes no long ones.
const MaxName = 1000

// TooLong is what is wrong with a longer one.
var TooLong = fmt.Sprintf("is longer than %d bytes", MaxName)

// Valid reports whether s can be kept: it is UTF-8 and holds no NUL.
func Valid(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// Cut is s, or its first bytes and an ellipsis where it has more than most: for showing and logging what somebody else wrote.
func Cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// Clean is s with U+FFFD in place of what is not valid. It is for what is only shown, such as names in somebody's file.
func Clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// Line is s on one line of a terminal: control characters, line ends among them, and bytes that are no UTF-8 are written as escapes
// (\n, \x1b, \u202e). It is for names in somebody's file, which could otherwise move the cursor or forge a line.
func Line(s string) string { return shown(s, "") }

// Lines is Line for a text of several lines, such as errors joined: its line ends and tabs stay.
func Lines(s string) string { return shown(s, "\n\t") }

func shown(s, kept string) string {
	var b strings.Builder
	for at := 0; at < len(s); {
		r, size := utf8.DecodeRuneInString(s[at:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[at])
		case unicode.IsPrint(r), strings.ContainsRune(kept, r):
			b.WriteRune(r)
		case unicode.IsSpace(r) && r > unicode.MaxLatin1, r == '\u00a0': // spaces of other widths
			b.WriteByte(' ')
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		at += size
	}
	return b.String()
}
