package postgres

import (
	"unicode"
	"unicode/utf8"

	"github.com/abn-studio/studio/internal/text"
)

// fewLetters is how many letters of a name the index of names does not know the place of: it has groups of three, of which those at the beginning of a word
// have its first one or two letters and what is before them.
const fewLetters = 3

// wordStarts are what stands before a word of a name.
var wordStarts = []string{"", "/", ".", "_", "-", " "}

// namesLike are the patterns of the names that a search finds: those that have its text in them. One or two letters are found only at the beginning of a word
// (that of "train/blue_jay.png" are train, blue, jay and png), where the index finds them; anywhere else every name would have to be read.
func namesLike(search string) []string {
	search = text.NFC(search)
	first, _ := utf8.DecodeRuneInString(search)
	if utf8.RuneCountInString(search) >= fewLetters || !unicode.IsLetter(first) && !unicode.IsDigit(first) {
		return []string{likeName(search)}
	}
	patterns := make([]string, len(wordStarts))
	for i, before := range wordStarts {
		patterns[i] = likeStart(before + search)
		if before != "" {
			patterns[i] = likeName(before + search)
		}
	}
	return patterns
}
