package recipe

import (
	"cmp"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
)

// Defaults are the default settings of a fine-tuning where nothing is known of the network.
func Defaults() Settings { return DefaultsOf(Network{Gain: attention.GainOther}) }

// Network is what defaults depend on.
type Network struct {
	Gain attention.Gain // its mechanism
	Rate float64        // the learning rate that suits it (trainer.SuggestedLearningRate, of SGD); 0: not known
}

// HeldBack is by how much less a network learns at, with SGD, whose attention branch has a body that RatesByLayer holds back.
const HeldBack = 4

// heldBack reports whether RatesByLayer holds the body of its attention branch back: its rate says so.
func (n Network) heldBack() bool {
	f, _ := FieldNamed("learning_rate")
	return n.Rate == f.Default.(float64)/HeldBack
}

// DefaultsOf are the default settings of a fine-tuning of a network.
func DefaultsOf(n Network) (s Settings) {
	for _, f := range Fields {
		s.set(f, f.DefaultOf(n))
	}
	if n.Rate > 0 {
		s.LearningRate = n.Rate
	}
	return s
}

// SetDefaults gives the settings of the given names their defaults for a network. A learning rate is the caller's: it depends on the
// optimiser too.
func (s *Settings) SetDefaults(n Network, names []string) {
	for _, name := range names {
		if f, known := FieldNamed(name); known {
			s.set(f, f.DefaultOf(n))
		}
	}
}

// ScratchDefaults are the default settings of a training from images and labels, without L_map. The demo's model was made with them.
func ScratchDefaults() Settings {
	s := Defaults()
	s.Strategy, s.Gamma, s.Rates = StrategyScratch, 0, RatesOne
	s.Epochs, s.LearningRate, s.WeightDecay = 24, 0.05, 5e-4
	return s
}

// ContinuedDefaults are the default settings of a training from images and labels that starts from a network's weights.
func ContinuedDefaults() Settings {
	s := ScratchDefaults()
	s.Epochs, s.WeightDecay = 12, 1e-4
	return s
}

// places are the indices of Settings' fields by their JSON names.
var places = func() map[string]int {
	places := map[string]int{}
	t := reflect.TypeFor[Settings]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		places[name] = i
	}
	return places
}()

func (s *Settings) value(name string) reflect.Value {
	return reflect.ValueOf(s).Elem().Field(places[name])
}

// set puts a value of the field's type in its place.
func (s *Settings) set(f Field, value any) {
	place := s.value(f.Name)
	place.Set(reflect.ValueOf(value).Convert(place.Type()))
}

// Set gives a setting a value: a string, a number or a bool, according to the setting's Type. It does not check bounds; Validate does.
func (s *Settings) Set(name string, value any) error {
	f, known := FieldNamed(name)
	if !known {
		return &Error{Field: name, Message: "is no setting"}
	}
	v := reflect.ValueOf(value)
	if f.Type == Several {
		set, err := several(value)
		if err != nil {
			return Refusal(name, value)
		}
		s.set(f, set)
		return nil
	}
	fits := map[Type]bool{Word: v.Kind() == reflect.String, Number: v.CanFloat() || v.CanInt(), Whole: v.CanInt(), Any: v.CanInt(), Switch: v.Kind() == reflect.Bool}[f.Type]
	if !fits {
		return &Error{Field: name, Message: fmt.Sprintf("cannot be %v", value)}
	}
	s.set(f, value)
	return nil
}

// Get returns a setting's value; nil if there is no setting of that name.
func (s Settings) Get(name string) any {
	if _, known := FieldNamed(name); !known {
		return nil
	}
	return s.value(name).Interface()
}

// Read sets a setting from a form's text; "" is a switch that is off. A text that is not the number it should be is an *Error.
func (s *Settings) Read(name, text string) error {
	f, known := FieldNamed(name)
	switch {
	case !known:
		return &Error{Field: name, Message: "is no setting"}
	case f.Type == Number:
		x, err := strconv.ParseFloat(text, 64)
		s.set(f, x)
		if err != nil {
			return &Error{Field: name, Message: fmt.Sprintf("is %q, which is no number", text)}
		}
	case f.Type == Whole || f.Type == Any:
		x, err := strconv.ParseInt(text, 10, 64)
		s.set(f, x)
		if err != nil {
			return &Error{Field: name, Message: fmt.Sprintf("is %q, which is no whole number", text)}
		}
	case f.Type == Switch:
		s.set(f, text == "true")
	case f.Type == Several:
		return s.Set(name, text)
	default:
		s.set(f, text)
	}
	return nil
}

// Choose sets a number with Field.Auto from a flag's text. The word auto leaves the setting as it is.
func (s *Settings) Choose(name, text string) error {
	f, known := FieldNamed(name)
	if !known || !f.Auto {
		return &Error{Field: name, Message: "is nothing that the studio chooses"}
	}
	if text == Auto {
		return nil
	}
	if f.Type == Whole { // the repeats
		n, err := ParseRepeat(text)
		if err == nil {
			s.set(f, n)
		}
		return err
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return refuse(name, strconv.Quote(text))
	}
	s.set(f, x)
	return nil
}

// Brief says in a few words what a setting is, "SGD" or "batches of 32"; "" where nothing is worth saying.
func (s Settings) Brief(name string) string {
	f, known := FieldNamed(name)
	switch {
	case !known, f.Idle != nil && f.Idle(s):
		return ""
	case f.Type == Word:
		for _, c := range f.Choices {
			switch {
			case c.Word != s.Text(name):
			case c.Silent:
				return ""
			default:
				return cmp.Or(c.Brief, c.Label)
			}
		}
		return s.Text(name)
	case (f.Type == Switch || f.Type == Several || f.Zero != "") && s.value(name).IsZero():
		return f.None
	case f.Type == Several:
		return strings.ReplaceAll(f.Brief, "${value}", strings.Join(s.armWords(), ", "))
	}
	return strings.ReplaceAll(f.Brief, "${value}", s.Text(name))
}

// Said is a setting's value for people to read; "" where other settings leave it without effect.
func (s Settings) Said(name string) string {
	f, known := FieldNamed(name)
	switch {
	case !known, f.Idle != nil && f.Idle(s):
		return ""
	case f.Type == Switch && s.value(name).Bool():
		return "yes"
	case f.Type == Switch:
		return "no"
	case f.Type == Several:
		words := s.armWords()
		if len(words) == 0 {
			return "nothing"
		}
		return strings.Join(words, ", ")
	}
	return s.Text(name)
}

// armWords are the arms in words.
func (s Settings) armWords() (words []string) {
	for _, arm := range s.Arms.List() {
		words = append(words, arms.Of(arm).Words)
	}
	return words
}

// Text returns a setting as the text that a form shows and Read reads.
func (s Settings) Text(name string) string {
	switch v := s.Get(name).(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case Repeat:
		if v == AutoRepeat {
			return Auto
		}
		return strconv.Itoa(int(v))
	default:
		return fmt.Sprint(v)
	}
}

// several reads a value of a setting that is some of its words: a set, its text, or a list as JSON has it.
func several(value any) (arms.Set, error) {
	switch v := value.(type) {
	case arms.Set:
		return v, nil
	case string:
		return arms.Parse(v)
	case []string:
		return arms.SetOf(v...)
	case []any:
		words := make([]string, len(v))
		for i := range v {
			words[i] = fmt.Sprint(v[i])
		}
		return arms.SetOf(words...)
	}
	return 0, fmt.Errorf("%v is no list of arms", value)
}
