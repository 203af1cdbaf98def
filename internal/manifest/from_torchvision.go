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
