package text

import (
	"strings"
	"unicode/utf8"
)

// Problem is what is said of a string that is not Valid, after the name of its field.
const Problem = "is not valid text: it holds a NUL or bytes that are no UTF-8"

// Valid reports whether s can be kept: it is UTF-8 and holds no NUL.
func Valid(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// Clean is s with U+FFFD in place of what is not valid. It is for what is only shown, such as names in somebody's file.
func Clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}
