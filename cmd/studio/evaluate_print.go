package main

import (
	"fmt"
	"io"

	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/trainer/measure"
)

// print writes the report for people.
func (r evaluateReport) print(out io.Writer) {
	on := r.Split
	if on == "" {
		on = "all images"
	}
	fmt.Fprintf(out, "%d images (%s)\n", r.Images, on)
	for _, f := range r.Measures {
		note := ""
		if f.Images != r.Images {
			note = fmt.Sprintf("  of %d images", f.Images)
		}
		if f.Name == measure.WorstGroup && r.WorstGroup != nil {
			note += fmt.Sprintf(": %s", r.WorstGroup.Group)
		}
		if f.Undefined > 0 {
			note += fmt.Sprintf(", not defined of %d", f.Undefined)
		}
		value := "—"
		if f.Images > 0 {
			value = figureText(f.Value, f.Unit)
		}
		fmt.Fprintf(out, "  %-40s %8s%s\n", f.Label, value, note)
	}
	if r.Compared != nil {
		r.Compared.print(out)
	}
	if n := len(r.Unused); n > 0 {
		fmt.Fprintf(out, "  %d maps belong to no image, the first: %s\n", n, r.Unused[0])
	}
	if n := len(r.Broken); n > 0 {
		fmt.Fprintf(out, "  %d images could not be used, the first: %s: %s\n", n, r.Broken[0].Image, r.Broken[0].Error)
	}
}

func (c comparedReport) print(out io.Writer) {
	fmt.Fprintf(out, "Compared with %s: the difference, its 95%% interval, P, and P adjusted for %d measures (Holm)\n", c.Model, len(c.Measures))
	for _, m := range c.Measures {
		discordant := ""
		if m.Test != measure.BootstrapTest {
			discordant = fmt.Sprintf("  gained %d, lost %d", m.Gained, m.Lost)
		}
		fmt.Fprintf(out, "  %-40s %8s → %s: %s (%s to %s), P %.3g, %.3g%s\n", m.Label, figureText(m.Other, m.Unit), figureText(m.Value, m.Unit),
			signed(m.Difference, m.Unit), signed(m.Low, m.Unit), signed(m.High, m.Unit), m.P, m.Holm, discordant)
	}
}

// figureText is a figure as people read it: fractions in percent.
func figureText(value float64, unit string) string {
	if unit == measure.Fraction {
		return fmt.Sprintf("%.2f%%", 100*value)
	}
	return fmt.Sprintf("%.3f", value)
}

// signed is a difference of figures, of fractions in points.
func signed(value float64, unit string) string {
	if unit == measure.Fraction {
		return text.Signed(100*value, 2)
	}
	return text.Signed(value, 3)
}
