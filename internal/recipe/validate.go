package recipe

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"

	"github.com/abn-studio/studio/internal/arms"
)

// Error names the setting that is wrong and says which values are allowed. The message continues a sentence that begins with the
// name.
type Error struct {
	Field   string
	Message string
}

func (e *Error) Error() string { return e.Field + " " + e.Message }

// refuse returns the error of a value that is out of its setting's bounds; value is that as text.
func refuse(name, value string) *Error {
	f, _ := FieldNamed(name)
	return &Error{Field: name, Message: fmt.Sprintf("is %s, want %s", value, f.Want())}
}

// Refusal returns an *Error if a value of the setting name is out of bounds, else nil. It does not know the rules between settings,
// which Validate checks.
func Refusal(name string, value any) error {
	f, known := FieldNamed(name)
	v := reflect.ValueOf(value)
	switch {
	case !known:
		return &Error{Field: name, Message: "is no setting"}
	case f.Type == Word:
		if v.Kind() != reflect.String || !slices.Contains(f.Words(), v.String()) {
			return refuse(name, strconv.Quote(fmt.Sprint(value)))
		}
	case f.Type == Several:
		if _, err := several(value); err != nil {
			var unknown *arms.UnknownError
			if errors.As(err, &unknown) {
				return refuse(name, strconv.Quote(unknown.Word))
			}
			return refuse(name, fmt.Sprint(value))
		}
	case f.Numeric():
		n := math.NaN()
		switch {
		case v.CanInt():
			n = float64(v.Int())
		case v.CanFloat():
			n = v.Float()
		}
		within := n >= f.Low && n <= f.High && !(f.Above && n == f.Low) && !(f.Type == Whole && n != math.Trunc(n)) // false for NaN
		if !within && !(name == "edit_repeat" && n == float64(AutoRepeat)) {
			if f.Type == Whole && n == math.Trunc(n) {
				return refuse(name, plain(n))
			}
			return refuse(name, fmt.Sprint(n))
		}
	}
	return nil
}

// CheckRate checks a learning rate that is left to the studio, to what suits SGD, together with the optimizer that is asked for.
func (s Settings) CheckRate() error {
	if s.Optimizer == OptimizerAdamW && s.LearningRate == 0 {
		return &Error{Field: "learning_rate", Message: "is needed with adamw, whose rates are not SGD's: " + adamWRates}
	}
	return nil
}

// Kind is the kind of a training.
type Kind int

// The kinds.
const (
	Round      Kind = iota // a fine-tuning with a control, which trains with γ = 0
	FineTuning             // a fine-tuning without a control
	Training               // from images and labels: the whole network (StrategyScratch) or its branches
)

// Validate returns an *Error for the first setting that is wrong.
func (s Settings) Validate(kind Kind) error {
	for _, f := range Fields {
		value := s.value(f.Name)
		if kind == Training && value.Interface() == StrategyScratch {
			continue
		}
		if err := Refusal(f.Name, value.Interface()); err != nil {
			return err
		}
	}
	if kind == Training && s.Strategy == StrategyAll {
		return &Error{Field: "strategy", Message: fmt.Sprintf("is %s, which is a fine-tuning's: a training trains the whole network, or its branches", s.Strategy)}
	}
	if kind == Round && s.Gamma == 0 {
		f, _ := FieldNamed("gamma")
		return &Error{Field: "gamma", Message: fmt.Sprintf("is 0, which is what the control trains with: want more than 0 and at most %s", plain(f.High))}
	}
	if s.GammaSearch && s.Gamma == 0 {
		return &Error{Field: "gamma_search", Message: "tries multiples of gamma, which is 0: want gamma more than 0, or no search"}
	}
	if s.MapWeight.ByGrid() && s.MapLoss != MapLossL2 {
		return &Error{Field: "map_weight", Message: fmt.Sprintf("is %s, and with the map loss %s nothing grows with the grid: want none or by_class, or map_loss l2", s.MapWeight, s.MapLoss)}
	}
	if err := s.checkArms(kind); err != nil {
		return err
	}
	if s.BatchNorm == BatchNormBatch && s.BatchSize < 2 {
		return &Error{Field: "batch_size", Message: "is 1, and batch statistics need at least 2 images in a batch: want 2 or more, or batch_norm frozen"}
	}
	return nil
}

// checkArms returns an *Error for arms that a training cannot have.
func (s Settings) checkArms(kind Kind) error {
	if s.Arms != 0 && kind != Round {
		return &Error{Field: "arms", Message: fmt.Sprintf("is %s, and arms are judged beside a control, which is not trained here: want %s", s.Arms, arms.None)}
	}
	for _, arm := range s.Arms.List() {
		pair := arm.Pair()
		if pair == "" {
			continue
		}
		if !s.Arms.Has(pair) {
			return &Error{Field: "arms", Message: fmt.Sprintf("has %s without %s, and refitting one side alone flatters it: want both or neither", arm, pair)}
		}
		if s.Refit {
			rest, _ := arms.SetOf(slices.DeleteFunc(arms.Asked(), func(a arms.Arm) bool { return a.Pair() != "" })...) // all can be asked for
			return &Error{Field: "arms", Message: fmt.Sprintf("has %s, and refit fits the last layer of candidate and control anew already: want refit off, or no arms but %s", arm, rest)}
		}
	}
	if kind == Training && s.Seeds != 1 {
		return &Error{Field: "seeds", Message: fmt.Sprintf("is %d, and there is one training: want 1", s.Seeds)}
	}
	return nil
}
