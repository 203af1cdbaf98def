package dataset

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/abn-studio/studio/internal/text"
)

// legend says what the colours of masks mean, as the file beside them does: label_colors.txt, class_dict.csv, labelmap.txt, palette.json.
type legend struct {
	file    string // as messages name it
	entries []legendEntry
	odd     string // what of the file was not understood, for people; "": nothing
}

type legendEntry struct {
	name   string
	colour color.RGBA
}

// legends keeps the legends that were looked for, by the folder of the masks.
type legends struct {
	mutex sync.Mutex
	known map[string]*legend
	odd   []string // what of legends was not understood
}

// legendNames are the names of legends, in lower case, without their suffix and what is between words.
var legendNames = []string{
	"labelcolors", "labelcolours", "labelscolors", "classcolors", "classcolours", "classescolors", "maskcolors", "maskcolours", "colors", "colours",
	"colormap", "colourmap", "labelmap", "classdict", "classdictionary", "colordict", "colorlegend", "legend", "palette", "colorpalette",
}

func isLegend(name string) bool {
	return slices.Contains([]string{".txt", ".csv", ".json"}, suffix(name)) &&
		slices.Contains(legendNames, strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(stem(name))))
}

// nothing are names of what is no object.
var nothing = []string{"background", "bg", "void", "unlabelled", "unlabeled", "unknown", "undefined", "ignore", "ignored", "none", "nothing", "border", "boundary", "other", "others"}

// legendOf finds the legend of a mask: in its folder, or in those above it up to the data set's. nil: there is none.
func (d *Dataset) legendOf(mask string) *legend {
	folder := filepath.Dir(mask)
	d.legends.mutex.Lock()
	defer d.legends.mutex.Unlock()
	if known, ok := d.legends.known[folder]; ok {
		return known
	}
	var found *legend
	for at := folder; found == nil; at = filepath.Dir(at) {
		var odd string
		if found, odd = readLegend(at); odd != "" && !slices.Contains(d.legends.odd, odd) {
			d.legends.odd = append(d.legends.odd, odd)
		}
		below, err := filepath.Rel(d.Dir, at)
		if err != nil || below == "." || !filepath.IsLocal(below) {
			break
		}
	}
	d.legends.known[folder] = found
	return found
}

// readLegend reads the legend in a folder, nil if there is none that is understood; odd says what was not understood.
func readLegend(folder string) (found *legend, odd string) {
	names, err := os.ReadDir(folder)
	if err != nil {
		return nil, ""
	}
	for _, entry := range names {
		if !entry.Type().IsRegular() || !isLegend(entry.Name()) {
			continue
		}
		data, err := readBounded(filepath.Join(folder, entry.Name()))
		if err != nil {
			odd = entry.Name() + ": it cannot be read: " + bare(err)
			continue
		}
		l := parseLegend(entry.Name(), data)
		if odd = cmp.Or(l.odd, odd); len(l.entries) >= 2 {
			return l, l.odd
		}
	}
	return nil, odd
}

func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSampleFile))
}

// parseLegend reads a legend: JSON by its suffix, else lines. One with fewer than two colours is none.
func parseLegend(file string, data []byte) *legend {
	l := &legend{file: path.Base(file)}
	const without = ": the masks are read without it"
	data, err := text.UTF8(data)
	if err != nil {
		l.odd = l.file + " is no legend of colours: it is not UTF-8" + without
		return l
	}
	if suffix(file) == ".json" {
		var document any
		if err := json.Unmarshal(data, &document); err != nil {
			line := 1
			if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
				line += bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
			}
			l.odd = fmt.Sprintf("line %d of %s is not JSON (%v)%s", line, l.file, err, without)
			return l
		}
		l.fromJSON(document, 0)
		if len(l.entries) < 2 {
			l.odd = l.file + ` names fewer than two colours: want {"cat": [128, 0, 0], …}` + without
		}
		return l
	}
	number, first, odd, told, sample := 0, 0, 0, 0, ""
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || isRemark(line) {
			continue
		}
		told++
		if l.fromLine(line) || told == 1 && legendHeader.MatchString(line) {
			continue
		}
		if odd++; odd == 1 {
			first, sample = number, line
		}
	}
	if odd > 0 {
		l.odd = fmt.Sprintf("line %d of %s names no class with its colour (%q", first, l.file, text.Cut(sample, 40))
		if odd > 1 {
			l.odd += fmt.Sprintf(", and %s more", text.Plural(odd-1, "line"))
		}
		l.odd += `): want lines such as "cat 128 0 0"`
	}
	if len(l.entries) < 2 {
		l.odd = cmp.Or(l.odd, l.file+` names fewer than two colours: want lines such as "cat 128 0 0"`) + without
	}
	return l
}

// isRemark reports whether a line is one: it begins with "//", or with a "#" that is no colour's.
func isRemark(line string) bool {
	first, _, _ := strings.Cut(line, " ")
	return strings.HasPrefix(line, "//") || strings.HasPrefix(line, "#") && !hexColour.MatchString(strings.TrimRight(first, ",;:\t"))
}

func (l *legend) add(name string, c color.RGBA) {
	name = strings.Trim(strings.TrimSpace(name), `"'`)
	if name != "" && text.Valid(name) && len(l.entries) < 10_000 {
		l.entries = append(l.entries, legendEntry{text.NFC(name), c})
	}
}

var (
	legendHeader = regexp.MustCompile(`(?i)\b(name|names|label|class|category|colou?r|rgb|r)\b`)
	hexColour    = regexp.MustCompile(`^#?([0-9a-fA-F]{6})$`)
	between      = regexp.MustCompile("[\\s,;:()\\[\\]\"]+")
)

// fromLine reads a name and a colour in any order: "64 128 64 cat", "cat,64,128,64", "cat:64,128,64::", "cat #408040", and
// "1 cat 64 128 64 255" with a number first. It reports whether there was one.
func (l *legend) fromLine(line string) bool {
	var name []string
	var run, colour []uint8
	take := func() {
		switch {
		case colour != nil || len(run) < 3:
		case len(run) == 3 || len(run) == 4 && run[3] == 255:
			colour = run[:3]
		default: // its number stands first
			colour = run[1:4]
		}
		run = nil
	}
	for _, field := range between.Split(strings.TrimSpace(line), -1) {
		if v, err := strconv.ParseUint(field, 10, 8); err == nil {
			run = append(run, uint8(v))
			continue
		}
		take()
		if hex := hexColour.FindStringSubmatch(field); hex != nil && strings.HasPrefix(field, "#") && colour == nil {
			c, _ := strconv.ParseUint(hex[1], 16, 32)
			colour = []uint8{uint8(c >> 16), uint8(c >> 8), uint8(c)}
		} else if field != "" && field != "#" {
			name = append(name, field)
		}
	}
	take()
	before := len(l.entries)
	if colour != nil {
		l.add(strings.Join(name, " "), color.RGBA{colour[0], colour[1], colour[2], 255})
	}
	return len(l.entries) > before
}

// jsonColour reads [r, g, b] or "#rrggbb".
func jsonColour(value any) (c color.RGBA, ok bool) {
	switch v := value.(type) {
	case string:
		if hex := hexColour.FindStringSubmatch(v); hex != nil {
			n, err := strconv.ParseUint(hex[1], 16, 32)
			return color.RGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 255}, err == nil
		}
		if fields := between.Split(strings.Trim(v, "()[] "), -1); len(fields) == 3 {
			var out [3]uint8
			for i, field := range fields {
				n, err := strconv.ParseUint(field, 10, 8)
				if err != nil {
					return c, false
				}
				out[i] = uint8(n)
			}
			return color.RGBA{out[0], out[1], out[2], 255}, true
		}
	case []any:
		if len(v) != 3 && len(v) != 4 {
			return c, false
		}
		var out [3]uint8
		for i := range out {
			n, isNumber := v[i].(float64)
			if !isNumber || n < 0 || n > 255 || n != float64(int(n)) {
				return c, false
			}
			out[i] = uint8(n)
		}
		return color.RGBA{out[0], out[1], out[2], 255}, true
	}
	return c, false
}

// fromJSON reads {"cat": [64, 128, 64]}, {"#408040": "cat"}, or objects with a name and a colour, at any depth.
func (l *legend) fromJSON(value any, depth int) {
	if depth > 4 {
		return
	}
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			l.fromJSON(element, depth+1)
		}
	case map[string]any:
		name := ""
		for _, key := range []string{"name", "label", "class", "title"} {
			if s, ok := v[key].(string); ok && name == "" {
				name = s
			}
		}
		for _, key := range []string{"color", "colour", "rgb", "color_rgb", "hex"} {
			if c, ok := jsonColour(v[key]); ok && name != "" {
				l.add(name, c)
				return
			}
		}
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			if c, ok := jsonColour(v[key]); ok {
				l.add(key, c)
			} else if c, ok := jsonColour(key); ok {
				if named, ok := v[key].(string); ok {
					l.add(named, c)
				}
			} else {
				l.fromJSON(v[key], depth+1)
			}
		}
	}
}

func legendKey(name string) string {
	return strings.Trim(columnKey(strings.ToLower(text.NFC(name))), "_")
}

// rule returns which colours mean the object in a picture of a class: the class's own, if the legend has it, else all that are something.
// words are their names.
func (l *legend) rule(class string) (rule *MaskRule, words []string) {
	rule = &MaskRule{}
	own := slices.ContainsFunc(l.entries, func(e legendEntry) bool { return class != "" && legendKey(e.name) == legendKey(class) })
	for _, e := range l.entries {
		rule.legend = append(rule.legend, e.colour)
		if own && legendKey(e.name) != legendKey(class) || !own && slices.Contains(nothing, legendKey(e.name)) {
			continue
		}
		rule.Colours = append(rule.Colours, e.colour)
		words = append(words, e.name)
	}
	return rule, words
}

// fitsLegend reports whether a mask has a colour of its rule's legend that is not black, or is all black. One that has none is in other
// colours or in indices, and the legend is not about it.
func (r *MaskRule) fitsLegend(mask image.Image, lossy bool) bool {
	black := true
	bounds := mask.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			n := color.NRGBAModel.Convert(mask.At(x, y)).(color.NRGBA)
			if n.A < 128 || nearColour(n, color.RGBA{}, lossy) {
				continue
			}
			black = false
			if slices.ContainsFunc(r.legend, func(c color.RGBA) bool { return nearColour(n, c, lossy) }) {
				return true
			}
		}
	}
	return black
}

// nearColour compares colours; in a lossy picture near ones are the same.
func nearColour(n color.NRGBA, c color.RGBA, lossy bool) bool {
	near := func(a, b uint8) bool {
		if lossy {
			return max(a, b)-min(a, b) < 40
		}
		return a == b
	}
	return near(n.R, c.R) && near(n.G, c.G) && near(n.B, c.B)
}

// ruleFor returns the rule by which a sample's mask is read, nil where it is told from the mask, and what is said of a legend's.
func (d *Dataset) ruleFor(s Sample, mask string) (rule *MaskRule, how string) {
	if d.options.Mask != nil {
		return d.options.Mask, ""
	}
	l := d.legendOf(mask)
	if l == nil {
		return nil, ""
	}
	rule, words := l.rule(s.Class)
	return rule, "by " + l.file + ", the colours of " + shorten(words) + " mean the object"
}
