package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// object is a JSON object whose fields are looked up one by one.
type object map[string]json.RawMessage

func (o object) has(keys ...string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { _, ok := o[k]; return ok })
}

// numbered reports an object of names by number, or numbers by name.
func (o object) numbered() bool {
	_, err := namesOf(o)
	return err == nil
}

// read decodes a field into v and reports whether it is there and not null.
func (o object) read(key string, v any) (bool, error) {
	raw, ok := o[key]
	if !ok || string(raw) == "null" {
		return false, nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return false, fmt.Errorf("%s is %s", key, text.Cut(string(raw), 60))
	}
	return true, nil
}

// yes is a field that is true; fallback where it is not there.
func (o object) yes(key string, fallback bool) (bool, error) {
	v := fallback
	_, err := o.read(key, &v)
	return v, err
}

// sides reads a size: a number, a pair (height, width), a list of one, or an object that names its sides. one reports a number that
// is not said to be of both sides.
func (o object) sides(key string) (size Size, one bool, err error) {
	raw, ok := o[key]
	if !ok || string(raw) == "null" {
		return nil, false, nil
	}
	var side float64
	var list []float64
	var named map[string]float64
	switch {
	case json.Unmarshal(raw, &side) == nil:
		return Size{int(side)}, true, nil
	case json.Unmarshal(raw, &list) == nil && (len(list) == 1 || len(list) == 2):
		for _, n := range list {
			size = append(size, int(n))
		}
		return size, len(size) == 1, nil
	case json.Unmarshal(raw, &named) == nil:
		short, shortest := named["shortest_edge"]
		h, high := named["height"]
		w, wide := named["width"]
		switch {
		case high && wide && len(named) == 2:
			return Size{int(h), int(w)}, false, nil
		case shortest && len(named) == 1:
			return Size{int(short)}, true, nil
		}
	}
	return nil, false, fmt.Errorf("%s is %s, which a manifest cannot say: a side, or height and width", key, text.Cut(string(raw), 80))
}

// square is a size as height and width.
func (s Size) square() Crop {
	if len(s) == 1 {
		return Crop{s[0], s[0]}
	}
	return Crop{s[0], s[1]}
}

// only refuses fields that are not known and are set to something, since they might change the pixels.
func (o object) only(known ...string) error {
	for key, raw := range o {
		switch v := string(raw); {
		case slices.Contains(known, key), strings.HasPrefix(key, "_"), v == "null", v == "false", v == "[]", v == "{}":
		default:
			return fmt.Errorf("%s: %s is not known here; if it changes no pixels, take it out", key, text.Cut(v, 60))
		}
	}
	return nil
}

// interpolationOf spells a way of resizing as a manifest does.
func interpolationOf(word string) (string, error) {
	word = strings.ToLower(word[strings.LastIndex(word, ".")+1:])
	switch word {
	case "nearest-exact", "nearest_exact":
		return Nearest, nil
	case "cubic":
		return Bicubic, nil
	case "linear":
		return Bilinear, nil
	}
	if slices.Contains(Interpolations, word) {
		return word, nil
	}
	return "", fmt.Errorf("interpolation %q: a manifest has %s", text.Cut(word, 40), strings.Join(Interpolations, ", "))
}

// pilResampling are PIL's numbers.
var pilResampling = map[int]string{0: Nearest, 1: Lanczos, 2: Bilinear, 3: Bicubic}
