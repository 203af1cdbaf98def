package dataset

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/abn-studio/studio/internal/text"
)

// absent are the words by which programs say that there is no value.
var absent = []string{"na", "n/a", "nan", "none", "null", "nil", "<na>", "#n/a", "missing", "-"}

var fraction = regexp.MustCompile(`^-?[0-9]*\.[0-9]*[1-9][0-9]*$`)

// sameClass is a class's name without what people do not see or do not mean: capitals, spaces, hyphens, invisible characters, and the
// zeros around a number.
func sameClass(class string) string {
	if n, ok := number(class); ok {
		return strconv.Itoa(n)
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) || unicode.IsSpace(r) || r == '_' || r == '-' {
			return -1
		}
		return unicode.ToLower(r)
	}, class)
}

// noteOddClasses notes classes that may be mistakes, and are read as they are: two that look like one, words for no value, numbers that
// measure something.
func (d *Dataset) noteOddClasses() {
	if len(d.Classes) > maxShared {
		return
	}
	seen := map[string]string{}
	twins, fractions := 0, 0
	for _, class := range d.Classes {
		if slices.Contains(absent, strings.ToLower(class)) {
			d.note("", "the class %q may say that there is no label: it is read as a class", class)
		}
		if fraction.MatchString(class) {
			fractions++
		}
		key := sameClass(class)
		if other, ok := seen[key]; ok && twins < 20 {
			twins++
			d.note("", "the classes %q and %q may be one: their names are almost the same", text.Cut(other, 60), text.Cut(class, 60))
		}
		seen[key] = class
	}
	if fractions > 0 && fractions*2 > len(d.Classes) {
		d.note("", "%d of the %d classes are numbers with fractions, as what is measured is: a class is a kind", fractions, len(d.Classes))
	}
}
