package manifest

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// Source is a file that says how pixels become a network's input, or what its classes are called, in the words of whoever wrote it.
type Source struct {
	Name string // the file's, for errors
	Text []byte
}

// Compose makes a manifest's JSON of what people have beside a model. One file that is a manifest is it, whatever its faults: Parse
// names them. Else each file is known by what stands in it, and later ones fill in what earlier ones leave open:
//
//   - preprocessor_config.json of Hugging Face's image processors
//   - config.json of Hugging Face: the classes (id2label), and timm's pretrained_cfg
//   - timm's pretrained_cfg by itself, or what timm.data.resolve_model_data_config gives
//   - transforms.json: torchvision's presets (weights.transforms()), or a list of its transforms
//   - a list of classes: JSON, or one a line
//
// What such a file asks for and a manifest cannot say is an error that names it. What is left open stays empty in the JSON.
func Compose(files []Source) ([]byte, error) {
	if len(files) == 1 {
		if kind, _ := recognise(files[0]); kind == ours {
			return files[0].Text, nil
		}
	}
	var m Manifest
	for _, f := range files {
		kind, fields := recognise(f)
		part, err := readers[kind](f, fields)
		if err != nil {
			return nil, fmt.Errorf("%w: %s (%s): %w", ErrManifest, path.Base(f.Name), kind, err)
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

// readers make a manifest, or a part of one, of a file. fields is the file's JSON object.
var readers = map[kind]func(f Source, fields object) (Manifest, error){
	ours:        func(f Source, _ object) (Manifest, error) { return decode(f.Text, true) },
	huggingFace: func(_ Source, o object) (Manifest, error) { return fromImageProcessor(o) },
	config:      func(_ Source, o object) (Manifest, error) { return fromConfig(o) },
	timm:        func(_ Source, o object) (Manifest, error) { return fromTimm(o) },
	torchvision: func(f Source, _ object) (Manifest, error) { return fromTorchvision(f.Text) },
	classList:   func(f Source, _ object) (Manifest, error) { return fromClassList(f.Text) },
}

// recognise tells what a file is by what stands in it.
func recognise(f Source) (kind, object) {
	data := f.Text
	if plain, err := text.UTF8(data); err == nil {
		data = plain
	}
	var o object
	if json.Unmarshal(data, &o) != nil {
		var list []json.RawMessage
		switch {
		case json.Unmarshal(data, &list) == nil:
			if len(list) > 0 && strings.HasPrefix(strings.TrimSpace(string(list[0])), "{") {
				return torchvision, nil
			}
			return classList, nil
		case strings.HasSuffix(strings.ToLower(f.Name), ".txt"), strings.HasSuffix(strings.ToLower(f.Name), ".names"):
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

// fill takes from another manifest what this one leaves open. How pixels become the input is taken whole or not at all.
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
