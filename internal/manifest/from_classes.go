package manifest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// ClassList reads a file that holds nothing but classes, in the order of the logits: a JSON list, an object of names by number or
// numbers by name, config.json's id2label, or one name a line.
func ClassList(f Source) ([]string, error) {
	d, err := recognise(f)
	if err != nil {
		return nil, err
	}
	if d.kind != config {
		d.kind = classList
	}
	m, err := readers[d.kind](d)
	return m.Classes, err
}

// fromClassList reads classes: a JSON list, an object of names by number or numbers by name (Keras' class index too), or one a line.
func fromClassList(data []byte) (m Manifest, err error) {
	var o object
	switch {
	case json.Unmarshal(data, &m.Classes) == nil:
	case json.Unmarshal(data, &o) == nil:
		m.Classes, err = namesOf(o)
	default:
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" {
				m.Classes = append(m.Classes, line)
			}
		}
	}
	return m, err
}

// wnid is a synset of WordNet, by which ImageNet numbers its classes.
var wnid = regexp.MustCompile(`^n[0-9]{8}$`)

// namesOf puts names by number, or numbers by name, in order. Every number from 0 must be there once.
func namesOf(o object) ([]string, error) {
	names := make([]string, len(o))
	given := make([]bool, len(o))
	for key, raw := range o {
		var name string
		var keras []string // imagenet_class_index.json: {"0": ["n01440764", "tench"]}
		number := -1
		if json.Unmarshal(raw, &keras) == nil && len(keras) == 2 && wnid.MatchString(keras[0]) {
			raw, _ = json.Marshal(keras[1])
		}
		switch {
		case json.Unmarshal(raw, &name) == nil:
			if _, err := fmt.Sscanf(key, "%d", &number); err != nil {
				return nil, fmt.Errorf("%q is no number of a class", text.Cut(key, 40))
			}
		case json.Unmarshal(raw, &number) == nil:
			name = key
		default:
			return nil, fmt.Errorf("%s: %s is neither a class nor its number", text.Cut(key, 40), text.Cut(string(raw), 40))
		}
		if number < 0 || number >= len(names) || given[number] {
			return nil, fmt.Errorf("class %d is beyond the %d there are, or stands twice", number, len(names))
		}
		names[number], given[number] = name, true
	}
	return names, nil
}
