package text

import (
	"fmt"
	"math"
	"strconv"
)

// Number writes a number with so many digits after the point, with a true minus: −3.10. What rounds to 0 has no sign.
func Number(v float64, digits int) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', digits, 64)
	if v < 0 && !zero(s) {
		return "−" + s
	}
	return s
}

// Signed is Number with a sign always, as differences have it: +3.1, −3.1, ±0.0.
func Signed(v float64, digits int) string {
	s := Number(v, digits)
	switch {
	case zero(s):
		return "±" + s
	case v > 0:
		return "+" + s
	}
	return s
}

// Points writes a fraction in points, to a tenth: 0.031 is 3.1.
func Points(v float64) string { return Number(100*v, 1) }

// SignedPoints is Points with a sign always.
func SignedPoints(v float64) string { return Signed(100*v, 1) }

// zero reports whether a number as it is written has no digit but 0.
func zero(s string) bool {
	for _, c := range s {
		if c != '0' && c != '.' {
			return false
		}
	}
	return true
}

// Bytes writes a size: 12.4 MB.
func Bytes(n int64) string {
	switch f := float64(n); {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case f < 1e6:
		return fmt.Sprintf("%.1f kB", f/1e3)
	case f < 1e9:
		return fmt.Sprintf("%.1f MB", f/1e6)
	default:
		return fmt.Sprintf("%.2f GB", f/1e9)
	}
}
