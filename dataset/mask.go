package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
)

// ErrMask is returned for a mask from which it cannot be told which values mean the object.
var ErrMask = errors.New("it cannot be told which of its values mean the object")

// MaskRule says which values of a mask mean the object, if Mask cannot tell or would tell wrong.
type MaskRule struct {
	Shades  bool         // a shade of grey is the share of the pixel that is object: 255 all, 0 none
	Values  []int        // indices of a palette, or values of grey
	Colours []color.RGBA // opaque

	legend []color.RGBA // all that a legend names; a mask with none of them is read as without the rule. nil: the rule is people's
}

// ParseMaskRule reads a rule as it is typed: "shades", values and ranges ("1,3-5"), or colours ("#800000,#008000"). "" is nil.
func ParseMaskRule(typed string) (*MaskRule, error) {
	typed = strings.TrimSpace(typed)
	if typed == "" || typed == "auto" {
		return nil, nil
	}
	if typed == "shades" {
		return &MaskRule{Shades: true}, nil
	}
	rule := &MaskRule{}
	for part := range strings.SplitSeq(typed, ",") {
		part = strings.TrimSpace(part)
		if hex, ok := strings.CutPrefix(part, "#"); ok {
			v, err := strconv.ParseUint(hex, 16, 24)
			if err != nil || len(hex) != 6 {
				return nil, fmt.Errorf("%q is no colour: want #rrggbb", part)
			}
			rule.Colours = append(rule.Colours, color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255})
			continue
		}
		low, high, ranged := strings.Cut(part, "-")
		if !ranged {
			high = low
		}
		from, err1 := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
		to, err2 := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
		if err1 != nil || err2 != nil || from > to {
			return nil, fmt.Errorf("%q is no value of a mask: want shades, values such as 1,3-5, or colours such as #800000", part)
		}
		for v := from; v <= to; v++ {
			rule.Values = append(rule.Values, int(v))
		}
	}
	return rule, nil
}

// table returns, for each value, 255 if it means the object and 0 if not. A lookup is fast for the millions of pixels of a picture.
func (r *MaskRule) table() *[1 << 16]uint8 {
	table := new([1 << 16]uint8)
	for _, v := range r.Values {
		table[v] = 255
	}
	return table
}

// Mask reads an object's mask and calls use with it as a grey picture, 255 inside and 0 outside; use must not keep it. Any picture that
// package picture reads may be a mask. A rule (nil: none) says which values are inside. Without a rule this is told from the mask:
//
//   - black and white, and shades of grey up to white, are used as they are;
//   - of 0 and 1, or a few other values without white (class indices, one dark shade), 0 is outside and the others inside;
//     beside indices up to 20, 255 is Pascal VOC's "unknown", which counts as outside;
//   - of colours, in a palette or not, black is outside, VOC's (224,224,192) unknown, and every other colour inside;
//   - transparent pixels are outside; if all others are black, or have the colours of a photograph, the opacity is the mask.
//
// Colours without black, and several indices without 0, are ErrMask. In a JPEG, values and colours near others are those.
func Mask(ctx context.Context, path string, rule *MaskRule, use func(*image.Gray) error) error {
	_, err := readMask(ctx, path, rule, use)
	return err
}

// readMask reads a mask as Mask does, and says how it was read; "" for black and white, where that is obvious.
func readMask(ctx context.Context, path string, rule *MaskRule, use func(*image.Gray) error) (how string, err error) {
	if isArray(path) {
		decoded, err := readArray(path)
		if err == nil {
			mask := image.NewGray(decoded.Bounds())
			if how, err = inside(mask, decoded, false, rule); err == nil {
				err = use(mask)
			}
		}
		if err != nil {
			return how, fmt.Errorf("reading mask %s: %w", path, err)
		}
		return how, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading mask: %w", err)
	}
	defer f.Close()
	own := func(h picture.Header) int64 { return h.Pixels() }
	err = picture.Process().Decode(ctx, f, own, func(_ context.Context, decoded image.Image, h picture.Header) error {
		mask := image.NewGray(image.Rect(0, 0, decoded.Bounds().Dx(), decoded.Bounds().Dy()))
		by := rule
		if by != nil && by.legend != nil && !by.fitsLegend(decoded, h.Format == "jpeg") {
			by = nil
		}
		if how, err = inside(mask, decoded, h.Format == "jpeg", by); err != nil {
			return err
		}
		if by != nil && by.legend != nil {
			how = byLegend
		}
		return use(mask)
	})
	if err != nil {
		return how, fmt.Errorf("reading mask %s: %w", path, err)
	}
	return how, nil
}

// inside fills a mask with what a picture shows.
func inside(mask *image.Gray, decoded image.Image, lossy bool, rule *MaskRule) (how string, err error) {
	each := func(value func(x, y int) uint8) {
		for y := range mask.Rect.Dy() {
			for x := range mask.Rect.Dx() {
				mask.Pix[y*mask.Stride+x] = value(x+decoded.Bounds().Min.X, y+decoded.Bounds().Min.Y)
			}
		}
	}
	if p, ok := decoded.(*image.Paletted); ok {
		if rule != nil && len(rule.Values) > 0 {
			means := rule.table()
			each(func(x, y int) uint8 { return means[p.ColorIndexAt(x, y)] })
			return "", nil
		}
		if rule == nil && coloured(p) {
			return indexed(mask, p)
		}
	}
	if levels := levelsOf(decoded); levels != nil {
		if rule != nil && len(rule.Colours) == 0 {
			if rule.Shades {
				each(func(x, y int) uint8 { return shade(levels(x, y), decoded) })
			} else {
				means := rule.table()
				each(func(x, y int) uint8 { return means[levels(x, y)] })
			}
			return "", nil
		}
		if rule == nil {
			if p, ok := decoded.(*image.Gray); ok { // the most frequent case, made fast
				count := make([]int, 256)
				for y := range p.Rect.Dy() {
					for _, v := range p.Pix[y*p.Stride : y*p.Stride+p.Rect.Dx()] {
						count[v]++
					}
				}
				how, read, err := readLevels(count, false, lossy)
				if err != nil {
					return "", err
				}
				var table [256]uint8
				for v := range table {
					table[v] = read(v)
				}
				for y := range p.Rect.Dy() {
					to := mask.Pix[y*mask.Stride:]
					for x, v := range p.Pix[y*p.Stride : y*p.Stride+p.Rect.Dx()] {
						to[x] = table[v]
					}
				}
				return how, nil
			}
			count := make([]int, 1<<16)
			each(func(x, y int) uint8 { count[levels(x, y)]++; return 0 })
			_, deep := decoded.(*image.Gray16)
			how, read, err := readLevels(count, deep, lossy)
			if err != nil {
				return "", err
			}
			each(func(x, y int) uint8 { return read(levels(x, y)) })
			return how, nil
		}
	}
	if rule != nil && len(rule.Values) > 0 {
		return "", errors.New("the mask is in colours: name the object's as #rrggbb")
	}
	if rule != nil && rule.Shades {
		each(func(x, y int) uint8 { return color.GrayModel.Convert(decoded.At(x, y)).(color.Gray).Y })
		return "", nil
	}
	return colours(mask, decoded, lossy, rule)
}

// byLegend is how a mask was read whose rule is a legend's.
const byLegend = "by its legend"

func white(inside bool) uint8 {
	if inside {
		return 255
	}
	return 0
}

// shade scales a level to 0 to 255.
func shade(level int, of image.Image) uint8 {
	if _, ok := of.(*image.Gray16); ok {
		return uint8(level >> 8)
	}
	return uint8(level)
}

// coloured reports whether a palette has a colour in use that is not an opaque grey.
func coloured(p *image.Paletted) bool {
	for index, n := range usedIndices(p) {
		if n > 0 && index < len(p.Palette) {
			if _, grey := greyOf(p.Palette[index]); !grey {
				return true
			}
		}
	}
	return false
}

func usedIndices(p *image.Paletted) (n [256]int) {
	for y := range p.Rect.Dy() {
		for _, index := range p.Pix[y*p.Stride : y*p.Stride+p.Rect.Dx()] {
			n[index]++
		}
	}
	return n
}

// vocVoid is the colour of pixels that Pascal VOC marks as unknown.
var vocVoid = color.RGBA{224, 224, 192, 255}

// indexed reads a picture with a palette of colours: black, transparent and unknown pixels are outside.
func indexed(mask *image.Gray, p *image.Paletted) (how string, err error) {
	used := usedIndices(p)
	var in [256]uint8
	var object, shown []string
	outside, unknown := false, false
	for index, n := range used {
		if n == 0 || index >= len(p.Palette) {
			continue
		}
		r, g, b, a := p.Palette[index].RGBA()
		c := color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 255}
		switch {
		case a < 0x8000 || c == (color.RGBA{0, 0, 0, 255}):
			outside = true
		case c == vocVoid:
			unknown = true
		default:
			in[index] = 255
			object = append(object, strconv.Itoa(index))
			shown = append(shown, fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B))
		}
	}
	if !outside && len(object) > 1 {
		return "", notBlack(shown)
	}
	for y := range mask.Rect.Dy() {
		for x := range mask.Rect.Dx() {
			mask.Pix[y*mask.Stride+x] = in[p.Pix[y*p.Stride+x]]
		}
	}
	how = "of its palette, the indices " + shorten(object) + " mean the object"
	if unknown {
		how += ", VOC's unknown is outside"
	}
	return how, nil
}

// notBlack is the error of a mask of these colours, the most frequent first.
func notBlack(colours []string) error {
	return fmt.Errorf("%w: none of its colours is black (they are %s): name those of the object with --mask-object, such as --mask-object %s, or put a legend beside the masks (label_colors.txt with lines such as \"%s\")",
		ErrMask, shorten(colours), colours[len(colours)-1], "128 0 0 cat")
}

func shorten(list []string) string {
	if len(list) > 8 {
		return fmt.Sprintf("%s, … (%d)", strings.Join(list[:8], ", "), len(list))
	}
	return strings.Join(list, ", ")
}

// levelsOf returns a function that reads a picture's pixels as values of grey, 0 to 255 or, with 16 bits, 0 to 65535; nil if a pixel is
// coloured or not opaque.
func levelsOf(decoded image.Image) func(x, y int) int {
	switch p := decoded.(type) {
	case *image.Gray:
		return func(x, y int) int { return int(p.GrayAt(x, y).Y) }
	case *image.Gray16:
		return func(x, y int) int { return int(p.Gray16At(x, y).Y) }
	}
	bounds := decoded.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if _, grey := greyOf(decoded.At(x, y)); !grey {
				return nil
			}
		}
	}
	return func(x, y int) int {
		v, _ := greyOf(decoded.At(x, y))
		return int(v >> 8)
	}
}

// readLevels tells what the values of a grey mask mean, from how many pixels have each value. deep: the values have 16 bits. lossy: values
// near black and white are those.
func readLevels(count []int, deep, lossy bool) (how string, read func(int) uint8, err error) {
	var used []int
	for v := 1; v < len(count); v++ {
		if count[v] > 0 {
			used = append(used, v)
		}
	}
	top := 255
	if deep && len(used) > 0 && used[len(used)-1] > 255 {
		top = 65535
	}
	nonzero := func(v int) uint8 { return white(v > 0) }
	switch {
	case len(used) == 0 || len(used) == 1 && used[0] == top:
		return "", nonzero, nil
	case len(used) == 1:
		return fmt.Sprintf("the value %d means the object", used[0]), nonzero, nil
	case lossy && blackAndWhite(count):
		return "", func(v int) uint8 { return white(v >= 128) }, nil
	}
	if last := len(used) - 1; used[last] == 255 && used[last-1] <= 20 {
		objects := 0
		for _, v := range used[:last] {
			objects += count[v]
		}
		if 4*objects >= count[255] { // fewer are stray pixels in a mask of black and white
			return fmt.Sprintf("the values %s mean the object, 255 is unknown and outside", shorten(numbers(used[:last]))), func(v int) uint8 { return white(v > 0 && v < 255) }, nil
		}
	}
	// Shades of grey reach white or are many; a few values below white are indices.
	last, few := used[len(used)-1], 32
	if top == 255 && last >= 192 && len(used) >= 4 { // nearly white, as the share of annotators who agree
		few = 0
	}
	if last < top && (len(used) <= few || top == 65535 && len(used) <= 1024) {
		if count[0] == 0 {
			return "", nil, fmt.Errorf("%w: none of its values is 0 (they are %s): name those of the object with --mask-object, such as --mask-object %d", ErrMask, shorten(numbers(used)), used[0])
		}
		return fmt.Sprintf("the values %s mean the object", shorten(numbers(used))), nonzero, nil
	}
	if top == 65535 {
		return "", func(v int) uint8 { return uint8(v >> 8) }, nil
	}
	return "", func(v int) uint8 { return uint8(v) }, nil
}

// blackAndWhite reports whether nearly all pixels are near black or near white, and some are near white.
func blackAndWhite(count []int) bool {
	all, ends, bright := 0, 0, 0
	for v, n := range count[:256] {
		all += n
		if v < 40 || v > 215 {
			ends += n
		}
		if v > 215 {
			bright += n
		}
	}
	return bright > 0 && 20*ends >= 19*all
}

func numbers(values []int) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strconv.Itoa(v)
	}
	return out
}

// mostColours is more than a mask has whose colours stand for something.
const mostColours = 300

// colours reads a mask of colours: the rule's colours are inside, or without a rule all but black. In a lossy picture colours near those
// count too.
func colours(mask *image.Gray, decoded image.Image, lossy bool, rule *MaskRule) (how string, err error) {
	seen := map[color.RGBA]int{}
	opaqueBlack, transparent, black, other := true, false, false, false
	bounds := decoded.Bounds()
	for y := range mask.Rect.Dy() {
		for x := range mask.Rect.Dx() {
			n := color.NRGBAModel.Convert(decoded.At(x+bounds.Min.X, y+bounds.Min.Y)).(color.NRGBA)
			c := color.RGBA{n.R, n.G, n.B, 255}
			at := &mask.Pix[y*mask.Stride+x]
			switch {
			case n.A < 128:
				transparent = true
			case rule != nil:
				*at = white(slices.ContainsFunc(rule.Colours, func(r color.RGBA) bool { return nearColour(n, r, lossy) }))
				opaqueBlack = false
			case nearColour(n, color.RGBA{}, lossy):
				black = true
			case !lossy && c == vocVoid:
				opaqueBlack = false
			default:
				*at = 255
				opaqueBlack, other = false, true
				if _, ok := seen[c]; ok || len(seen) < mostColours {
					seen[c]++
				}
			}
		}
	}
	if rule != nil {
		return "", nil
	}
	if transparent && (opaqueBlack || len(seen) == mostColours) { // in many colours it is the object itself, cut out
		for y := range mask.Rect.Dy() {
			for x := range mask.Rect.Dx() {
				_, _, _, a := decoded.At(x+bounds.Min.X, y+bounds.Min.Y).RGBA()
				mask.Pix[y*mask.Stride+x] = uint8(a >> 8)
			}
		}
		return "what is not transparent means the object", nil
	}
	if other && !black && !transparent && len(seen) > 1 {
		found := slices.SortedFunc(maps.Keys(seen), func(a, b color.RGBA) int {
			return cmp.Or(seen[b]-seen[a], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
		})
		var shown []string
		for _, c := range found {
			shown = append(shown, fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B))
		}
		return "", notBlack(shown)
	}
	return "every colour but black means the object", nil
}

func isBlack(mask *image.Gray) bool {
	for _, v := range mask.Pix {
		if v != 0 {
			return false
		}
	}
	return true
}

// greyOf returns the grey value of a pixel, and whether it is grey.
func greyOf(c color.Color) (v uint16, grey bool) {
	r, g, b, a := c.RGBA()
	return uint16(r), r == g && g == b && a == 0xffff
}
