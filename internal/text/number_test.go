package text

import "testing"

func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v                             float64
		number, signed, points, signs string
	}{
		{0.031, "0.03", "+0.03", "3.1", "+3.1"},
		{-0.031, "−0.03", "−0.03", "−3.1", "−3.1"},
		{-0.0004, "0.00", "±0.00", "0.0", "±0.0"},
		{0, "0.00", "±0.00", "0.0", "±0.0"},
		{12.345, "12.35", "+12.35", "1234.5", "+1234.5"},
	} {
		if got := [4]string{Number(c.v, 2), Signed(c.v, 2), Points(c.v), SignedPoints(c.v)}; got != [4]string{c.number, c.signed, c.points, c.signs} {
			t.Errorf("%v: %q", c.v, got)
		}
	}
}
