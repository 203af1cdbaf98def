package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// fromTorchvision reads a preset's fields, or a list of transforms in their order.
func fromTorchvision(data []byte) (Manifest, error) {
	m := Manifest{Interpolation: Bilinear, Channels: RGB, Mean: []float32{0, 0, 0}, Std: []float32{1, 1, 1}}
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
	var at pixels
	for i, step := range list {
		name := ""
		for _, key := range []string{"type", "name", "class", "transform", "_target_", "__class_fullname__"} {
			if there, err := step.read(key, &name); err != nil {
				return m, err
			} else if there {
				break
			}
		}
		if name == "" {
			return m, fmt.Errorf(`step %d has the fields %s and no "type": name the transform there, as in {"type": "Resize", "size": 256}`,
				i+1, text.Cut(strings.Join(slices.Sorted(maps.Keys(step)), ", "), 60))
		}
		name = name[strings.LastIndex(name, ".")+1:]
		if err := errors.Join(at.after(name, step), m.transform(name, step, "size")); err != nil {
			return m, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	if m.Crop == (Crop{}) {
		if len(m.Resize) != 2 {
			return m, errors.New("no crop, and no resizing to height and width: pictures would come in any size")
		}
		m.Crop = Crop{m.Resize[0], m.Resize[1]}
	}
	if !at.scaled {
		return m, errUnscaled
	}
	return m, nil
}

// pixels is what the transforms before a step have made of a picture's bytes, which are 0 to 255.
type pixels struct {
	scaled     bool // divided by 255
	normalised bool
}

var errUnscaled = errors.New(`no step divides the pixels by 255: add {"type": "ToTensor"}, or {"type": "ToDtype", "scale": true} behind ToImage or PILToTensor; ` +
	`if the network takes 0 to 255, write a manifest with mean and std divided by 255 (0 and 0.00392157 where nothing is normalised)`)

// after follows one transform. PILToTensor and ToImage keep the bytes; ToTensor, ConvertImageDtype and a scaling ToDtype divide them by 255.
func (p *pixels) after(name string, o object) error {
	switch name {
	case "ToTensor":
		p.scaled = true
	case "ConvertImageDtype", "ToDtype":
		dtype := "float32"
		if _, err := o.read("dtype", &dtype); err != nil {
			return err
		}
		scale, err := o.yes("scale", name == "ConvertImageDtype")
		switch {
		case err != nil:
			return err
		case strings.Contains(dtype, "int") && p.scaled:
			return fmt.Errorf("%s to %s behind a step that divides by 255: pixels would be whole numbers again, which a manifest cannot say", name, text.Cut(dtype, 40))
		case strings.Contains(dtype, "int"): // bytes stay bytes
		case !scale && !p.scaled:
			return errUnscaled
		default:
			p.scaled = true
		}
	case "Normalize":
		if !p.scaled {
			return errUnscaled
		}
		p.normalised = true
	case "Grayscale":
		if p.normalised {
			return errors.New("Grayscale behind Normalize: a manifest makes pictures grey before it normalises them") //nolint:staticcheck // the transform's own name
		}
	}
	return nil
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
	case "ToTensor", "ToImage", "PILToTensor", "ConvertImageDtype", "ToDtype", "RGB":
	default:
		return fmt.Errorf("%q is no transform that a manifest can say: Resize, CenterCrop, Grayscale, ToTensor, Normalize", text.Cut(name, 60))
	}
	return nil
}

// normalise takes in mean and std of a transform, or of a preset. One normalisation behind another is one of both:
// ((x − μ₁)/σ₁ − μ₂)/σ₂ = (x − (μ₁ + σ₁μ₂)) / (σ₁σ₂).
func (m *Manifest) normalise(o object) error {
	mean, std := []float32{0}, []float32{1}
	_, err1 := o.read("mean", &mean)
	_, err2 := o.read("std", &std)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	n := max(len(m.Mean), len(mean), len(std))
	for _, list := range [][]float32{m.Mean, m.Std, mean, std} {
		if len(list) != 1 && len(list) != n {
			return fmt.Errorf("mean and std of %d and %d values do not fit each other or the %d channels", len(mean), len(std), len(m.Mean))
		}
	}
	both := Manifest{Mean: make([]float32, n), Std: make([]float32, n)}
	for c := range n {
		of := func(list []float32) float64 { return float64(list[min(c, len(list)-1)]) }
		both.Mean[c] = float32(of(m.Mean) + of(m.Std)*of(mean))
		both.Std[c] = float32(of(m.Std) * of(std))
	}
	m.Mean, m.Std = both.Mean, both.Std
	return nil
}
