// Package recipetest makes test cases of the bounds of every setting. Whatever takes settings (form, API, command line, trainer)
// must accept or refuse each case alike, in the same words.
package recipetest

import (
	"fmt"
	"math"
	"net/url"
	"strconv"

	"github.com/abn-studio/studio/internal/recipe"
)

// Case is one value of one setting, the others at their defaults.
type Case struct {
	Field   string
	Text    string // the value as it is typed
	Value   any    // string, int, float64 or []string
	Refused string // the error's message, which follows the setting's name; "" if the value is accepted
}

// Cases lists, for every number, its bounds, the nearest values beyond them, 0, and a text that is no number; for every word, each
// allowed one and one that is not. Each of the two rules between settings has one case: a round with a control, batch statistics.
func Cases() []Case {
	var cases []Case
	for _, f := range recipe.Fields {
		said := func(value string) string { return fmt.Sprintf("is %s, want %s", value, f.Want()) }
		switch f.Type {
		case recipe.Word:
			for _, word := range f.Words() {
				cases = append(cases, Case{f.Name, word, word, ""})
			}
			for _, word := range []string{"other", "auto", "0"} {
				cases = append(cases, Case{f.Name, word, word, said(strconv.Quote(word))})
			}
		case recipe.Several:
			cases = append(cases, Case{f.Name, f.Choices[0].Word, []string{f.Choices[0].Word}, ""}, Case{f.Name, "other", []string{"other"}, said(`"other"`)})
		case recipe.Whole:
			for _, n := range []int{math.MinInt32, int(f.Low) - 3, int(f.Low), int(f.High), int(f.High) + 1, math.MaxInt32} {
				c := Case{Field: f.Name, Text: strconv.Itoa(n), Value: n}
				if n < int(f.Low) || n > int(f.High) {
					c.Refused = said(c.Text)
				}
				cases = append(cases, c)
			}
			if f.Low > 0 {
				cases = append(cases, Case{f.Name, "0", 0, said("0")})
			}
		case recipe.Number:
			for _, v := range []float64{math.NaN(), math.Inf(-1), math.Inf(1), -math.MaxFloat64, math.Nextafter(f.Low, -1), f.Low, math.Nextafter(f.Low, 1),
				f.High, math.Nextafter(f.High, math.Inf(1)), math.MaxFloat64} {
				c := Case{Field: f.Name, Text: strconv.FormatFloat(v, 'g', -1, 64), Value: v}
				if !(v >= f.Low && v <= f.High) || f.Above && v == f.Low {
					c.Refused = said(fmt.Sprint(v))
				}
				cases = append(cases, c)
			}
		}
	}
	for i, c := range cases {
		switch {
		case c.Field == "gamma" && c.Value == 0.0:
			cases[i].Refused = "is 0, which is what the control trains with: want more than 0 and at most 10000"
		case c.Field == "batch_size" && c.Value == 1:
			cases[i].Refused = "is 1, and batch statistics need at least 2 images in a batch: want 2 or more, or batch_norm frozen"
		}
	}
	return cases
}

// Number reports whether JSON can carry the case's value.
func (c Case) Number() bool {
	v, isFloat := c.Value.(float64)
	return !isFloat || !math.IsNaN(v) && !math.IsInf(v, 0)
}

// Form is what a browser sends of a round's form with the settings s. A switch that is off is not sent.
func Form(s recipe.Settings) url.Values {
	form := url.Values{}
	for _, f := range recipe.Fields {
		if text := s.Text(f.Name); f.Group != "" && (f.Type != recipe.Switch || text != "false") {
			form.Set(f.Name, text)
		}
	}
	return form
}
