package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
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
		read, known := readers[kind]
		if !known {
			return nil, fmt.Errorf("%w: %s is none, and none of the files that it can be made of: preprocessor_config.json, config.json, timm's pretrained_cfg, transforms.json, a list of classes", ErrManifest, f.Name)
		}
		part, err := read(f, fields)
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

// only refuses fields that are set to something and are none of those known, which might change the pixels.
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
		return "nearest", nil
	case "cubic":
		return "bicubic", nil
	case "linear":
		return "bilinear", nil
	}
	if slices.Contains(Interpolations, word) {
		return word, nil
	}
	return "", fmt.Errorf("interpolation %q: a manifest has %s", text.Cut(word, 40), strings.Join(Interpolations, ", "))
}

// fromImageProcessor reads preprocessor_config.json. Numbers for size mean both sides for most processors and the shorter one for
// those that crop afterwards (CLIP, and ConvNeXt with its crop_pct).
func fromImageProcessor(o object) (Manifest, error) {
	m := Manifest{Interpolation: "bilinear", Channels: "RGB", Mean: []float32{0, 0, 0}, Std: []float32{1, 1, 1}}
	kind := ""
	for _, key := range []string{"feature_extractor_type", "image_processor_type"} {
		if _, err := o.read(key, &kind); err != nil {
			return m, err
		}
	}
	if err := o.only("do_resize", "size", "resample", "do_center_crop", "crop_size", "crop_pct", "do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std",
		"image_processor_type", "feature_extractor_type", "processor_class", "auto_map", "do_convert_rgb", "data_format", "input_data_format", "device", "default_to_square",
		"return_tensors", "disable_grouping", "image_seq_length", "size_divisor", "pad_size"); err != nil {
		return m, err
	}
	size, one, err := o.sides("size")
	if err != nil {
		return m, err
	}
	cropped, err1 := o.yes("do_center_crop", o.has("crop_size") && strings.HasPrefix(kind, "CLIP"))
	resized, err2 := o.yes("do_resize", true)
	rescaled, err3 := o.yes("do_rescale", true)
	normalised, err4 := o.yes("do_normalize", true)
	var factor, share float64
	_, err5 := o.read("rescale_factor", &factor)
	by, err6 := o.read("crop_pct", &share)
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return m, err
	}
	switch {
	case !rescaled:
		return m, errors.New("do_rescale is false: the network takes pixels from 0 to 255, and a manifest's mean and std act on x/255; write them as mean 0 and std 0.00392157")
	case factor != 0 && math.Abs(factor-1./255) > 1e-6:
		return m, fmt.Errorf("rescale_factor is %v, and a manifest divides by 255: put the rest into mean and std", factor)
	case resized && len(size) == 0:
		return m, errors.New("size is missing")
	}
	if resized {
		word := 2.
		if named := ""; o.has("resample") && json.Unmarshal(o["resample"], &named) == nil {
			if m.Interpolation, err = interpolationOf(named); err != nil {
				return m, err
			}
		} else if given, err := o.read("resample", &word); err != nil {
			return m, err
		} else if m.Interpolation = pilResampling[int(word)]; given && m.Interpolation == "" {
			return m, fmt.Errorf("resample is %v: a manifest has nearest (0), lanczos (1), bilinear (2) and bicubic (3)", word)
		}
	}
	if normalised {
		for key, to := range map[string]*[]float32{"image_mean": &m.Mean, "image_std": &m.Std} {
			if there, err := o.read(key, to); err != nil || !there {
				return m, errors.Join(err, fmt.Errorf("do_normalize needs %s", key))
			}
		}
	}
	shorter := one && o.ofShorter(kind)
	if by && !(share > 0) {
		return m, fmt.Errorf("crop_pct is %v", share)
	}
	switch {
	case !resized:
	case strings.HasPrefix(kind, "ConvNext") && one && by && size[0] < 384: // resized to size/crop_pct, then cropped to size
		m.Resize, m.Crop, cropped = Shorter(int(float64(size[0])/share)), size.square(), false
	case strings.HasPrefix(kind, "ConvNext") && one:
		m.Resize, m.Crop = Size{size[0], size[0]}, size.square()
	case strings.HasPrefix(kind, "PoolFormer") && shorter && by:
		m.Resize = Shorter(int(float64(size[0]) / share))
	case by:
		return m, fmt.Errorf("crop_pct means another thing to each processor, and what it means to %q is not known here", text.Cut(kind, 40))
	case strings.HasPrefix(kind, "Levit") && shorter:
		m.Resize = Shorter(int(256. / 224 * float64(size[0])))
	case shorter:
		m.Resize = size
	default:
		square := size.square()
		m.Resize, m.Crop = Size{square[0], square[1]}, square
	}
	if cropped {
		crop, _, err := o.sides("crop_size")
		if err != nil {
			return m, err
		}
		if len(crop) == 0 {
			return m, errors.New("do_center_crop needs crop_size")
		}
		m.Crop = crop.square()
	}
	if m.Crop == (Crop{}) {
		return m, errors.New("it resizes the shorter side and crops nothing, so that pictures come in any size: give crop_size")
	}
	return m, nil
}

// pilResampling are PIL's numbers.
var pilResampling = map[int]string{0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}

// ofShorter reports whether an image processor's size, which is one number, is the shorter side's: said so, or the way of that processor.
func (o object) ofShorter(processor string) bool {
	var named map[string]float64
	if json.Unmarshal(o["size"], &named) == nil {
		return true // sides has found shortest_edge there
	}
	if square, err := o.yes("default_to_square", true); err == nil && !square {
		return true
	}
	return slices.ContainsFunc([]string{"CLIP", "ChineseCLIP", "ConvNext", "Levit", "MobileNet", "PoolFormer", "Bit"}, func(name string) bool { return strings.HasPrefix(processor, name) })
}

// fromConfig reads config.json: the classes, and timm's part where there is one.
func fromConfig(o object) (m Manifest, err error) {
	var inner object
	if there, err := o.read("pretrained_cfg", &inner); err != nil {
		return m, err
	} else if there {
		if m, err = fromTimm(inner); err != nil {
			return m, err
		}
	}
	if m.Classes != nil {
		return m, nil
	}
	if there, err := o.read("label_names", &m.Classes); there || err != nil {
		return m, err
	}
	var labels object
	there, err := o.read("id2label", &labels)
	if err != nil || !there {
		return m, err
	}
	m.Classes, err = namesOf(labels)
	return m, err
}

// fromTimm reads what timm keeps of a model's data, as timm.data.create_transform evaluates with it.
func fromTimm(o object) (Manifest, error) {
	m := Manifest{Interpolation: "bicubic", Channels: "RGB", Mean: []float32{0.485, 0.456, 0.406}, Std: []float32{0.229, 0.224, 0.225}}
	var input []int
	share, mode, word := 0.875, "center", ""
	for key, to := range map[string]any{"input_size": &input, "crop_pct": &share, "crop_mode": &mode, "interpolation": &word, "mean": &m.Mean, "std": &m.Std, "label_names": &m.Classes} {
		if _, err := o.read(key, to); err != nil {
			return m, err
		}
	}
	if len(input) != 3 || input[1] < 1 || input[2] < 1 {
		return m, fmt.Errorf("input_size is %v, want [channels, height, width]", input)
	}
	switch input[0] {
	case 3:
	case 1:
		m.Channels = "L"
	default:
		return m, fmt.Errorf("input_size has %d channels, a manifest has 1 or 3", input[0])
	}
	if word != "" && word != "random" {
		var err error
		if m.Interpolation, err = interpolationOf(word); err != nil {
			return m, err
		}
	}
	if !(share > 0) {
		return m, fmt.Errorf("crop_pct is %v", share)
	}
	m.Crop = Crop{input[1], input[2]}
	scaled := func(side int) int { return int(math.Floor(float64(side) / share)) }
	switch mode {
	case "center", "":
		if input[1] != input[2] {
			return m, errors.New("a crop of the middle that is not square is resized in a way of timm's own: a manifest cannot say it")
		}
		m.Resize = Shorter(scaled(input[1]))
	case "squash":
		m.Resize = Size{scaled(input[1]), scaled(input[2])}
	case "border":
		if input[1] != input[2] {
			return m, errors.New("a border around a crop that is not square: a manifest cannot say it")
		}
		m.Resize, m.Fit = Size{scaled(input[1])}, FitLonger
		for _, mean := range m.Mean {
			m.Pad = append(m.Pad, int(math.Round(255*float64(mean))))
		}
	default:
		return m, fmt.Errorf("crop_mode %q is not known here", text.Cut(mode, 40))
	}
	return m, nil
}

// fromTorchvision reads a preset's fields, or a list of transforms in their order.
func fromTorchvision(data []byte) (Manifest, error) {
	m := Manifest{Interpolation: "bilinear", Channels: "RGB", Mean: []float32{0, 0, 0}, Std: []float32{1, 1, 1}}
	var o object
	if json.Unmarshal(data, &o) == nil && o.has("crop_size") {
		if err := o.only("crop_size", "resize_size", "mean", "std", "interpolation", "antialias"); err != nil {
			return m, err
		}
		crop, _, err := o.sides("crop_size")
		if err != nil || len(crop) == 0 {
			return m, errors.Join(err, errors.New("crop_size is missing"))
		}
		m.Crop = crop.square()
		return m, m.transform("Resize", o, "resize_size")
	}
	var list []object
	if err := json.Unmarshal(data, &list); err != nil {
		if _, err := o.read("transforms", &list); err != nil || list == nil {
			return m, errors.Join(err, errors.New("want torchvision's preset, or a list of transforms"))
		}
	}
	for i, step := range list {
		name := ""
		for _, key := range []string{"type", "name", "class", "transform", "_target_", "__class_fullname__"} {
			if there, err := step.read(key, &name); err != nil {
				return m, err
			} else if there {
				break
			}
		}
		name = name[strings.LastIndex(name, ".")+1:]
		if err := m.transform(name, step, "size"); err != nil {
			return m, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	if m.Crop == (Crop{}) {
		if len(m.Resize) != 2 {
			return m, errors.New("no crop, and no resizing to height and width: pictures would come in any size")
		}
		m.Crop = Crop{m.Resize[0], m.Resize[1]}
	}
	return m, nil
}

// transform takes in one of torchvision's transforms; size is the field that gives a resizing's.
func (m *Manifest) transform(name string, o object, size string) error {
	switch name {
	case "Resize":
		if len(m.Resize) != 0 || m.Crop != (Crop{}) && size == "size" {
			return errors.New("Resize after another Resize or a crop: a manifest resizes once, before it crops") //nolint:staticcheck // the transform's own name
		}
		to, _, err := o.sides(size)
		if err != nil {
			return err
		}
		if o.has("max_size") && string(o["max_size"]) != "null" {
			return errors.New("max_size: a manifest cannot say it")
		}
		m.Resize = to
		word, smooth := "", true
		if number := 0; o.has("interpolation") && json.Unmarshal(o["interpolation"], &number) == nil {
			word = pilResampling[number]
		} else if _, err := o.read("interpolation", &word); err != nil {
			return err
		}
		if word != "" {
			if m.Interpolation, err = interpolationOf(word); err != nil {
				return err
			}
		}
		if _, err := o.read("antialias", &smooth); err != nil {
			return err
		}
		if !smooth {
			m.Antialias = new(bool)
		}
		return m.normalise(o)
	case "CenterCrop":
		to, _, err := o.sides("size")
		if err != nil || len(to) == 0 {
			return errors.Join(err, errors.New("CenterCrop without size"))
		}
		m.Crop = to.square()
	case "Normalize":
		return m.normalise(o)
	case "Grayscale":
		channels := 1
		if _, err := o.read("num_output_channels", &channels); err != nil {
			return err
		}
		if channels != 1 {
			return errors.New("Grayscale to 3 channels: a manifest has one grey channel or three of colour") //nolint:staticcheck // the transform's own name
		}
		m.Channels, m.Mean, m.Std = "L", []float32{0}, []float32{1}
	case "ToDtype":
		if scale, err := o.yes("scale", false); err != nil || !scale {
			return errors.Join(err, errors.New("ToDtype without scale: the network takes pixels from 0 to 255; write mean 0 and std 0.00392157"))
		}
	case "ToTensor", "ToImage", "PILToTensor", "ConvertImageDtype", "RGB":
	default:
		return fmt.Errorf("%q is no transform that a manifest can say: Resize, CenterCrop, Grayscale, ToTensor, Normalize", text.Cut(name, 60))
	}
	return nil
}

func (m *Manifest) normalise(o object) error {
	_, err1 := o.read("mean", &m.Mean)
	_, err2 := o.read("std", &m.Std)
	return errors.Join(err1, err2)
}

// ClassList reads a file that holds nothing but classes, in the order of the logits: a JSON list, an object of names by number or
// numbers by name, config.json's id2label, or one name a line.
func ClassList(f Source) ([]string, error) {
	if kind, o := recognise(f); kind == config {
		m, err := fromConfig(o)
		return m.Classes, err
	}
	m, err := fromClassList(f.Text)
	return m.Classes, err
}

// fromClassList reads classes: a JSON list, an object of names by number or numbers by name, or one a line.
func fromClassList(data []byte) (m Manifest, err error) {
	plain, err := text.UTF8(data)
	if err != nil {
		return m, err
	}
	var o object
	switch {
	case json.Unmarshal(plain, &m.Classes) == nil:
	case json.Unmarshal(plain, &o) == nil:
		m.Classes, err = namesOf(o)
	default:
		for line := range strings.Lines(string(plain)) {
			if line = strings.TrimSpace(line); line != "" {
				m.Classes = append(m.Classes, line)
			}
		}
	}
	return m, err
}

// namesOf puts names by number, or numbers by name, in order. Every number from 0 must be there once.
func namesOf(o object) ([]string, error) {
	names := make([]string, len(o))
	given := make([]bool, len(o))
	for key, raw := range o {
		var name string
		number := -1
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
