package annotator

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
)

// Pin is a cell of the map that a verdict points at. Rows and columns count from 0 here, and from 1 where people read them.
type Pin struct {
	Row    int    `json:"row" bound:"pin's place" doc:"Of the map, from 0 at the top."`
	Column int    `json:"column" bound:"pin's place" doc:"From 0 at the left."`
	Words  string `json:"words" bound:"pin's words" doc:"What is to be said of the cell; may be empty."`
}

// MaxPins is how many cells a verdict points at.
const MaxPins = 50

// String says it as people read it: "row 5, column 9: the tail".
func (p Pin) String() string {
	place := fmt.Sprintf("row %d, column %d", p.Row+1, p.Column+1)
	if p.Words == "" {
		return place
	}
	return place + ": " + p.Words
}

var (
	saidPins = regexp.MustCompile(`\(row \d+, column \d+.*\)$`)
	saidCell = regexp.MustCompile(`row (\d+), column (\d+)`)
)

// SaidPins says the places of the pins with which a verdict's line in the trail ends, as String has them, in other words.
func SaidPins(told string, place func(row, column string) string) string {
	return saidPins.ReplaceAllStringFunc(told, func(pins string) string {
		return saidCell.ReplaceAllStringFunc(pins, func(cell string) string {
			at := saidCell.FindStringSubmatch(cell)
			return place(at[1], at[2])
		})
	})
}

// checkPins refuses what is no pin on any map, and returns them with their words as they are kept.
func checkPins(given []Pin) ([]Pin, error) {
	if len(given) > MaxPins {
		return nil, &ValidationError{Field: "pins", Message: fmt.Sprintf("has %s pins, at most %d", text.Count(len(given)), MaxPins)}
	}
	all := make([]Pin, 0, len(given))
	there := map[[2]int]bool{}
	for i, p := range given {
		place := [2]int{p.Row, p.Column}
		switch {
		case p.Row < 0 || p.Column < 0 || p.Row >= attention.MaxSide || p.Column >= attention.MaxSide:
			return nil, &ValidationError{Field: "pins", Message: fmt.Sprintf("row %d, column %d is no cell: both count from 0", p.Row, p.Column)}
		case there[place]:
			return nil, &ValidationError{Field: "pins", Message: fmt.Sprintf("%s is pinned twice", Pin{Row: p.Row, Column: p.Column})}
		}
		there[place] = true
		var err error
		if p.Words, err = BoundPin.check(fmt.Sprintf("pins[%d].words", i), p.Words); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// pinsOn refuses pins that are on no cell of a map.
func pinsOn(pins []Pin, m attention.Map) error {
	for _, p := range pins {
		if p.Row >= m.Height || p.Column >= m.Width {
			return &ValidationError{Field: "pins", Message: fmt.Sprintf("%s is outside the map, which has %s rows and %s columns", Pin{Row: p.Row, Column: p.Column}, text.Count(m.Height), text.Count(m.Width))}
		}
	}
	return nil
}

// pinWords says all pins of a verdict: "row 5, column 9: the tail; row 6, column 9".
func pinWords(pins []Pin) string {
	words := make([]string, len(pins))
	for i, p := range pins {
		words[i] = p.String()
	}
	return strings.Join(words, "; ")
}
