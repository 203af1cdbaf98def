package recipe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Type is what a setting's value is.
type Type int

// The types.
const (
	Word   Type = iota // one of Choices
	Number             // within bounds
	Whole              // a whole number within bounds
	Any                // any whole number
	Switch             // on or off
)

// Field is one setting: its name, type, bounds, default and description.
type Field struct {
	Name string // as JSON, the API and the form spell it
	Type Type

	Choices []Choice // of a Word

	// Of a Number or a Whole.
	Low, High float64
	Above     bool   // Low itself is no value: more than Low
	Zero      string // what 0 does, where that is no amount: "never"
	Auto      bool   // the studio can choose: Auto in its place

	Default any

	// Group is the part of a round's form that it stands in; "": rounds of a project leave it to the studio.
	Group Group
	// OfMaps keeps it from trainings without maps and without a parent: studio train has no such flag.
	OfMaps bool

	// What is told of it, each in its reader's words.
	Label    string // its name on pages
	Sentence string // under it on the form; beside it for a Switch
	API      string // in the description of the API; "": its name says enough
	Flag     string // its flag on the command line; "": Name with dashes
	Holder   string // what stands for its value in the help; "": its flag's name
	Help     string // of its flag, ${NAME} standing for what it may be; "": Sentence and that
	Doc      string // in docs/training.md; "": Sentence
	Origin   string // there, where the default comes from
	Usual    string // there, the default where it is not told by Default and Zero
}

// Choice is a word that a setting may be.
type Choice struct {
	Word     string
	Label    string // on the form
	Sentence string // under it on the form; where there is one, the words stand open and are not folded into a list
	First    bool   // on the form before the others
}

// Group is a part of the form of a round.
type Group string

// The groups, in their order. What is taught is in sight, the others are folded.
const (
	Taught    Group = "What is taught"
	Maps      Group = "Maps"
	Data      Group = "Data"
	Optimiser Group = "Optimiser"
	Computing Group = "Engine"
)

// In lists the settings of a group.
func (g Group) In() (list []Field) {
	for _, f := range Fields {
		if f.Group == g {
			list = append(list, f)
		}
	}
	return list
}

// Auto is the word for what the studio is to choose.
const Auto = "auto"

// FieldNamed returns a setting by its name.
func FieldNamed(name string) (Field, bool) {
	for _, f := range Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Numeric reports whether it is a number with bounds.
func (f Field) Numeric() bool { return f.Type == Number || f.Type == Whole }

// Words are a Word's.
func (f Field) Words() []string {
	words := make([]string, len(f.Choices))
	for i, c := range f.Choices {
		words[i] = c.Word
	}
	return words
}

// LabelOf is a word of a setting as pages call it.
func (f Field) LabelOf(word string) string {
	for _, c := range f.Choices {
		if c.Word == word {
			return c.Label
		}
	}
	return word
}

// OnForm are a Word's choices in the form's order.
func (f Field) OnForm() []Choice {
	return slices.SortedStableFunc(slices.Values(f.Choices), func(a, b Choice) int {
		switch {
		case a.First == b.First:
			return 0
		case a.First:
			return -1
		}
		return 1
	})
}

// FlagName is its flag, without dashes before it.
func (f Field) FlagName() string {
	if f.Flag != "" {
		return f.Flag
	}
	return strings.ReplaceAll(f.Name, "_", "-")
}

// FlagHelp is the help of its flag. ${NAME} stands for what it may be.
func (f Field) FlagHelp() string {
	switch {
	case f.Help != "":
		return f.Help
	case f.Type == Switch || f.Type == Any:
		return f.Sentence
	}
	return strings.TrimSuffix(f.Sentence, ".") + ", ${" + f.Name + "}."
}

// Want says what the setting may be: "1 to 10000", "one of cosine, step, constant"; "" for what has no bounds.
func (f Field) Want() string {
	var want string
	switch words := f.Words(); {
	case !f.Numeric() && f.Type != Word:
		return ""
	case len(words) == 2:
		return words[0] + " or " + words[1]
	case len(words) > 0:
		return "one of " + strings.Join(words, ", ")
	case f.Above:
		want = fmt.Sprintf("more than %s and at most %s", plain(f.Low), plain(f.High))
	case f.Zero != "":
		want = fmt.Sprintf("%s (%s) to %s", plain(f.Low), f.Zero, plain(f.High))
	default:
		want = fmt.Sprintf("%s to %s", plain(f.Low), plain(f.High))
	}
	if f.Auto {
		want = Auto + ", or " + want
	}
	return want
}

// plain writes a number without an exponent.
func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
