package recipe

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
)

// Type is the type of a setting's value.
type Type int

// The types.
const (
	Word    Type = iota // one of Choices
	Number              // within bounds
	Whole               // a whole number within bounds
	Any                 // any whole number
	Switch              // on or off
	Several             // some of Choices, or none
)

// Field is one setting: its name, type, bounds, default and description.
type Field struct {
	Name string // as JSON, the API and the form spell it
	Type Type

	Choices []Choice // of a Word or a Several

	// Of a Number or a Whole.
	Low, High float64
	Above     bool   // the value must be more than Low; else Low itself is allowed
	Zero      string // what 0 means where it is not just an amount, such as "never"
	Auto      bool   // the word Auto is allowed: the studio chooses

	Default any
	// OfGain are the defaults for networks of a mechanism that wants another one; with OfHeldBack, for those of them alone whose attention
	// branch has a body that RatesByLayer holds back.
	OfGain     map[attention.Gain]any
	OfHeldBack bool

	// Group is the part of a round's form that the setting is in; "": the form does not have it, and the studio chooses.
	Group Group
	// OfMaps says that the setting needs edited maps and a parent: studio train, which has neither, has no flag for it.
	OfMaps bool

	// Idle reports whether other settings leave it without effect; nil: they never do.
	Idle func(Settings) bool

	// The setting in words, for each place where it is shown.
	Label    string // its name on pages
	Sentence string // on the form, under it; beside it for a Switch
	Brief    string // on the line of its folded group, ${value} standing for the value; of a Switch: for on. A Word's choices have their own
	None     string // there, for off or for a 0 that is no amount (Zero); "": nothing is said
	API      string // its description in the API; "": none
	Flag     string // its flag on the command line; "": Name with dashes
	Holder   string // the placeholder of its value in the command line's help; "": the flag's name
	Help     string // the flag's help, in which ${NAME} becomes the allowed values; "": Sentence and ${NAME}
	Doc      string // its description in docs/training.md; "": Sentence
	Origin   string // in docs/training.md, where the default comes from
	Usual    string // in docs/training.md, the default; "": made of Default and Zero
}

// Choice is a word that a setting may be.
type Choice struct {
	Word     string
	Label    string // on the form
	Brief    string // on the line of a folded group; "": Label
	Silent   bool   // nothing is said there
	Sentence string // under it on the form; choices with a Sentence are shown as radio buttons, the others as a drop-down list
	First    bool   // shown before the others on the form
}

// Group is a part of the form of a round.
type Group string

// The groups, in the form's order. The form shows Taught open and the others folded.
const (
	Taught    Group = "What is taught"
	Maps      Group = "Maps"
	Data      Group = "Data"
	Compared  Group = "What it is compared with"
	Optimiser Group = "Optimiser"
	Computing Group = "Engine"
)

// DefaultOf is the default for a network.
func (f Field) DefaultOf(n Network) any {
	if value, other := f.OfGain[n.Gain]; other && (!f.OfHeldBack || n.heldBack()) {
		return value
	}
	return f.Default
}

// Otherwise says what the default is for networks of a mechanism that wants another one, "with M·g: 12"; "" where none does.
func (f Field) Otherwise() string {
	var all []string
	for _, gain := range slices.Sorted(maps.Keys(f.OfGain)) {
		where := ""
		if f.OfHeldBack {
			where = " and folded BatchNorms"
		}
		all = append(all, fmt.Sprintf("with %s%s: %v", gain.Formula(), where, f.OfGain[gain]))
	}
	return strings.Join(all, "; ")
}

// In lists the settings of group g.
func (g Group) In() (list []Field) {
	for _, f := range Fields {
		if f.Group == g {
			list = append(list, f)
		}
	}
	return list
}

// Auto is the value that leaves a setting to the studio.
const Auto = "auto"

// FieldNamed returns the setting of a name (Field.Name), and whether there is one.
func FieldNamed(name string) (Field, bool) {
	for _, f := range Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Numeric reports whether the setting is a number with bounds.
func (f Field) Numeric() bool { return f.Type == Number || f.Type == Whole }

// Words lists the words that a Word may be.
func (f Field) Words() []string {
	words := make([]string, len(f.Choices))
	for i, c := range f.Choices {
		words[i] = c.Word
	}
	return words
}

// LabelOf returns what pages call one of the setting's words.
func (f Field) LabelOf(word string) string {
	for _, c := range f.Choices {
		if c.Word == word {
			return c.Label
		}
	}
	return word
}

// OnForm lists a Word's choices in the form's order.
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

// FlagName returns the setting's flag, without the dashes before it.
func (f Field) FlagName() string {
	if f.Flag != "" {
		return f.Flag
	}
	return strings.ReplaceAll(f.Name, "_", "-")
}

// FlagHelp returns the help of the setting's flag, in which ${NAME} stands for the allowed values.
func (f Field) FlagHelp() string {
	switch {
	case f.Help != "":
		return f.Help
	case f.Type == Switch || f.Type == Any:
		return f.Sentence
	}
	return strings.TrimSuffix(f.Sentence, ".") + ", ${" + f.Name + "}."
}

// Want says which values are allowed, such as "1 to 10000" or "one of cosine, step, constant"; "" if all are.
func (f Field) Want() string {
	var want string
	switch words := f.Words(); {
	case !f.Numeric() && len(words) == 0:
		return ""
	case f.Type == Several:
		return fmt.Sprintf("%s, %s, or some of %s", arms.None, arms.Every, strings.Join(words, ","))
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
