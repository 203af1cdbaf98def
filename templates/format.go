package templates

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/internal/words"
)

// Count writes a whole number as text.Count does.
func Count[N int | int64](n N) string { return text.Count(n) }

// Plural writes a number with its noun as text.Plural does.
func Plural[N int | int64](n N, noun string) string { return text.Plural(n, noun) }

// sentence returns s, which another package made, in the language of ctx and with a capital first letter.
func sentence(ctx context.Context, s string) string { return words.Capital(words.Say(ctx, s)) }

// Fraction writes a probability or a map's value: 0.72.
func Fraction[F float32 | float64](f F) string {
	if math.IsNaN(float64(f)) {
		return "–"
	}
	return strconv.FormatFloat(float64(f), 'f', 2, 64)
}

// Percent writes a fraction in per cent with one digit: 72.4%.
func Percent[F float32 | float64](f F) string {
	if math.IsNaN(float64(f)) {
		return "–"
	}
	return strconv.FormatFloat(100*float64(f), 'f', 1, 64) + "%"
}

// Figure writes a measure's value: a fraction in per cent, a number of images as it is, anything else to three digits.
func Figure(unit string, v float64) string {
	switch unit {
	case "fraction":
		return Percent(v)
	case "images":
		return Count(int(v))
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// Difference writes a difference with its sign; of fractions, in percentage points: +3.1.
func Difference(unit string, v float64) string {
	switch unit {
	case "fraction":
		return text.SignedPoints(v)
	case "images":
		return text.Signed(v, 0)
	}
	return text.Signed(v, 3)
}

// Bytes writes a size as text.Bytes does.
func Bytes(n int64) string { return text.Bytes(n) }

// Millions writes a number of parameters: 31.2 M.
func Millions(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.1f k", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f M", float64(n)/1e6)
}

// EncodeMap writes a map for the page's canvas: "h,w," and one byte for each cell, in base64. A colour map shows no more than 256
// steps. EncodeExact keeps the values.
func EncodeMap(m attention.Map) string {
	if m.IsZero() {
		return ""
	}
	cells := make([]byte, len(m.Values))
	for i, v := range m.Values {
		cells[i] = byte(math.Round(255 * float64(min(max(v, 0), 1))))
	}
	return fmt.Sprintf("%d,%d,%s", m.Height, m.Width, base64.StdEncoding.EncodeToString(cells))
}

// PictureURL returns the address of a rendering. With a version in it the address always means the same picture, so that browsers may
// cache it.
func PictureURL(image int64, kind annotator.PictureKind, version int64) string {
	return fmt.Sprintf("/api/v1/images/%d/picture?kind=%s&v=%d", image, kind, version)
}

// ViewRatio is the height ÷ width of the part of a picture that a version sees, from its manifest; 1 if that is not known.
func ViewRatio(v *annotator.Version) float64 {
	if v == nil {
		return 1
	}
	if m, err := v.ReadManifest(); err == nil && m.Crop[0] > 0 && m.Crop[1] > 0 {
		return float64(m.Crop[0]) / float64(m.Crop[1])
	}
	if v.GridWidth > 0 && v.GridHeight > 0 {
		return float64(v.GridHeight) / float64(v.GridWidth)
	}
	return 1
}

// pixels returns the height of a picture with the given width and ratio (height ÷ width).
func pixels(width int, ratio float64) string {
	return strconv.Itoa(int(math.Round(float64(width) * ratio)))
}

// hundredths returns a fraction as the length of a bar of 100.
func hundredths[F float32 | float64](f F) string {
	return strconv.FormatFloat(100*min(max(float64(f), 0), 1), 'f', 1, 64)
}

// short returns the first ten characters of a hash, enough for people to compare.
func short(hash string) string { return hash[:min(len(hash), 10)] }

// baseName is the last part of an image's name.
func baseName(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

func id(n int64) string { return strconv.FormatInt(n, 10) }

// bounded are the attributes of a field for a text that people write, and others, which go before them.
func bounded(b annotator.TextBound, others templ.Attributes) templ.Attributes {
	all := templ.Attributes{"maxlength": strconv.Itoa(b.Most)}
	if b.Least > 0 {
		all["required"] = true
	}
	if b.Least > 1 {
		all["minlength"] = strconv.Itoa(b.Least)
	}
	maps.Copy(all, others)
	return all
}
