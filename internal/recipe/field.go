package recipe

import (
	"fmt"
	"strconv"
	"strings"
)

// Field is one setting: what it may be, and what it is where nobody says otherwise.
type Field struct {
	Name    string   // as JSON, the API and the form spell it
	Choices []string // of a word; nil for numbers and switches

	// Of a number.
	Number    bool
	Whole     bool
	Low, High float64
	Above     bool   // Low itself is no value: more than Low
	Zero      string // what 0 does, where that is no amount: "never"
	Auto      bool   // the studio can choose: Auto in its place

	Default any
}

// Auto is the word for what the studio is to choose.
const Auto = "auto"

// MaxEpochs bounds epochs, and what is counted in them.
const MaxEpochs = 10_000

// Fields are all settings. Bounds are generous, but small enough that a slip of the keyboard is refused before it has cost
// hours. The defaults are ours, not the paper's (our sources do not record its γ): strategy and γ from the sweep on the demo's
// Aviary data (docs/aviary.md), on a network with a map of 14×14 cells. The l2 norm grows with the square root of the number
// of cells, so a coarser grid wants a larger γ.
var Fields = []Field{
	{Name: "engine", Choices: []string{"ort", "gorgonia"}, Default: "ort"},
	{Name: "strategy", Choices: []string{"attention", "both"}, Default: "both"},
	{Name: "map_loss", Choices: []string{"l2", "mse", "l1"}, Default: "l2"},
	{Name: "batch_norm", Choices: []string{"frozen", "batch"}, Default: "batch"},
	{Name: "optimizer", Choices: []string{"sgd", "nesterov", "adamw"}, Default: "sgd"},
	{Name: "rates", Choices: []string{"one", "by_layer"}, Default: "by_layer"},
	{Name: "schedule", Choices: []string{"cosine", "step", "constant"}, Default: "cosine"},
	{Name: "gamma", Number: true, High: 1e4, Default: 1.0},
	{Name: "anchor", Number: true, High: 1e4, Zero: "none", Default: 0.0},
	{Name: "epochs", Number: true, Whole: true, Low: 1, High: MaxEpochs, Default: 6},
	{Name: "batch_size", Number: true, Whole: true, Low: 1, High: 4096, Default: 32},
	{Name: "learning_rate", Number: true, High: 100, Above: true, Auto: true, Default: 0.02},
	{Name: "momentum", Number: true, High: 0.9999, Default: 0.9},
	{Name: "weight_decay", Number: true, High: 1, Default: 1e-4},
	{Name: "clip_norm", Number: true, High: 1e6, Zero: "never", Default: 0.0},
	{Name: "warm_up", Number: true, High: 0.9, Default: 0.05},
	{Name: "patience", Number: true, Whole: true, High: MaxEpochs, Zero: "to the end", Default: 0},
	{Name: "crop", Number: true, High: 1, Zero: "no crops", Default: 0.0},
	{Name: "edit_repeat", Number: true, Whole: true, Low: 1, High: 1000, Auto: true, Default: int(AutoRepeat)},
	{Name: "seed", Default: int64(1)},
	{Name: "spare_norms", Default: false},
	{Name: "balanced", Default: false},
	{Name: "flip", Default: false},
}

// FieldNamed returns a setting by its name.
func FieldNamed(name string) (Field, bool) {
	for _, f := range Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Want says what the setting may be: "1 to 10000", "one of cosine, step, constant".
func (f Field) Want() string {
	var want string
	switch {
	case len(f.Choices) == 2:
		return f.Choices[0] + " or " + f.Choices[1]
	case f.Choices != nil:
		return "one of " + strings.Join(f.Choices, ", ")
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

// Repeat is how often an epoch shows an edited image: 1 to 1000, or AutoRepeat.
type Repeat int

// AutoRepeat is as often as it takes that every batch has an edited image, as far as that goes.
const AutoRepeat Repeat = -1

// MarshalJSON writes a number, or "auto".
func (r Repeat) MarshalJSON() ([]byte, error) {
	if r == AutoRepeat {
		return strconv.AppendQuote(nil, Auto), nil
	}
	return strconv.AppendInt(nil, int64(r), 10), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Repeat) UnmarshalJSON(data []byte) (err error) {
	*r, err = ParseRepeat(strings.Trim(string(data), `"`))
	return err
}

// ParseRepeat reads a number or auto.
func ParseRepeat(text string) (Repeat, error) {
	if text == Auto {
		return AutoRepeat, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n == int(AutoRepeat) {
		return 0, refuse("edit_repeat", strconv.Quote(text))
	}
	return Repeat(n), nil
}

// ParseRate reads a learning rate; auto gives 0, false.
func ParseRate(text string) (rate float64, given bool, err error) {
	if text == Auto {
		return 0, false, nil
	}
	rate, err = strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, false, refuse("learning_rate", strconv.Quote(text))
	}
	return rate, true, nil
}
