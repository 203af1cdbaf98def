package manifest

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// Source is a file that says how pixels become a network's input, or what its classes are called, in any of the formats that
// Compose reads.
type Source struct {
	Name string // the file's, for errors
	Text []byte
}

// Compose makes a manifest's JSON of files that people have with a model. A single file that is a manifest is returned, even with
// faults: Parse names them. Otherwise each file is recognised by its contents, and later files fill in what earlier ones leave
// open:
//
//   - preprocessor_config.json of Hugging Face's image processors
//   - config.json of Hugging Face: the classes (id2label), and timm's pretrained_cfg
//   - timm's pretrained_cfg by itself, or what timm.data.resolve_model_data_config gives
//   - transforms.json: torchvision's presets (weights.transforms()), or a list of its transforms
//   - a list of classes: JSON, or one a line
//
// If a file asks for something that a manifest cannot express, the error names it. What no file says stays empty in the JSON.
// Text may be UTF-8 or UTF-16, with or without a byte order mark; anything else is an error.
func Compose(files []Source) ([]byte, error) {
	var m Manifest
	for _, f := range files {
		d, err := recognise(f)
		if len(files) == 1 && d.kind == ours {
			return d.text, nil
		}
		var part Manifest
		if err == nil {
			part, err = readers[d.kind](d)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s (%s): %w", ErrManifest, path.Base(f.Name), d.kind, err)
		}
		m.fill(part)
	}
	return json.Marshal(m)
}

// kind is what a file was recognised as.
type kind string

const (
	ours        kind = "a manifest"
	huggingFace kind = "a Hugging Face image processor"
	config      kind = "a Hugging Face config"
	timm        kind = "a timm config"
	torchvision kind = "torchvision transforms"
	classList   kind = "a list of classes"
)

// document is a Source that was recognised.
type document struct {
	kind   kind
	text   []byte // UTF-8 without a byte order mark
	fields object // of its JSON, where that is an object
}

// readers make a manifest, or a part of one, of a document.
var readers = map[kind]func(document) (Manifest, error){
	ours:        func(d document) (Manifest, error) { return decode(d.text, true) },
	huggingFace: func(d document) (Manifest, error) { return fromImageProcessor(d.fields) },
	config:      func(d document) (Manifest, error) { return fromConfig(d.fields) },
	timm:        func(d document) (Manifest, error) { return fromTimm(d.fields) },
	torchvision: func(d document) (Manifest, error) { return fromTorchvision(d.text) },
	classList:   func(d document) (Manifest, error) { return fromClassList(d.text) },
}

// recognise converts a file's text to UTF-8 (text.UTF8) and tells its kind by its contents. With an error, which is
// text.ErrEncoding, the document has the text as it came, and its kind if that can be told.
func recognise(f Source) (document, error) {
	d := document{text: f.Text}
	plain, err := text.UTF8(f.Text)
	if err == nil {
		d.text = plain
	}
	d.kind, d.fields = kindOf(f.Name, d.text)
	return d, err
}

// kindOf tells the kind of a text; it returns its JSON object if it is one.
func kindOf(name string, data []byte) (kind, object) {
	var o object
	if json.Unmarshal(data, &o) != nil {
		var list []json.RawMessage
		switch {
		case json.Unmarshal(data, &list) == nil:
			if len(list) > 0 && strings.HasPrefix(strings.TrimSpace(string(list[0])), "{") {
				return torchvision, nil
			}
			return classList, nil
		case strings.HasSuffix(strings.ToLower(name), ".txt"), strings.HasSuffix(strings.ToLower(name), ".names"):
			return classList, nil
		}
		return ours, nil // with a fault that Parse names
	}
	switch {
	case o.has("image_processor_type", "feature_extractor_type", "do_normalize", "do_resize", "do_rescale", "image_mean"):
		return huggingFace, o
	case o.has("id2label", "model_type", "pretrained_cfg"):
		return config, o
	case o.has("crop_pct", "input_size"):
		return timm, o
	case o.has("crop_size", "transforms"):
		return torchvision, o
	case len(o) > 0 && o.numbered():
		return classList, o
	}
	return ours, o
}

// fill takes from another manifest what this one leaves open. The fields on pixels are taken all together or not at all.
func (m *Manifest) fill(from Manifest) {
	classes, names := m.Classes, m.Names
	if classes == nil {
		classes = from.Classes
	}
	if names == nil {
		names = from.Names
	}
	if m.Crop == (Crop{}) {
		*m = from
	}
	m.Classes, m.Names = classes, names
}
