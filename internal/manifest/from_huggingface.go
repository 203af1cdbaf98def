package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// fromImageProcessor reads preprocessor_config.json. Numbers for size mean both sides for most processors and the shorter one for
// those that crop afterwards (CLIP, and ConvNeXt with its crop_pct).
func fromImageProcessor(o object) (Manifest, error) {
	m := Manifest{Interpolation: Bilinear, Channels: RGB, Mean: []float32{0, 0, 0}, Std: []float32{1, 1, 1}}
	kind := ""
	for _, key := range []string{"feature_extractor_type", "image_processor_type"} {
		if _, err := o.read(key, &kind); err != nil {
			return m, err
		}
	}
	if err := o.only("do_resize", "size", "resample", "do_center_crop", "crop_size", "crop_pct", "do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std",
		"image_processor_type", "feature_extractor_type", "processor_class", "auto_map", "do_convert_rgb", "do_flip_channel_order", "data_format", "input_data_format", "device", "default_to_square",
		"return_tensors", "disable_grouping", "image_seq_length", "size_divisor", "pad_size", "include_top", "rescale_offset"); err != nil {
		return m, err
	}
	if strings.HasPrefix(kind, "Perceiver") {
		return m, errors.New("PerceiverImageProcessor crops a part of the picture's own size and resizes it then: a manifest resizes and crops then")
	}
	size, one, err := o.sides("size")
	if err != nil {
		return m, err
	}
	cropped, err1 := o.yes("do_center_crop", o.has("crop_size") && strings.HasPrefix(kind, "CLIP"))
	resized, err2 := o.yes("do_resize", true)
	rescaled, err3 := o.yes("do_rescale", true)
	normalised, err4 := o.yes("do_normalize", !strings.HasPrefix(kind, "MobileViT"))
	flipped, err7 := o.yes("do_flip_channel_order", strings.HasPrefix(kind, "MobileViT")) // its class's default
	top, err8 := o.yes("include_top", strings.HasPrefix(kind, "EfficientNet"))
	offset, err9 := o.yes("rescale_offset", false)
	var factor, share float64
	_, err5 := o.read("rescale_factor", &factor)
	by, err6 := o.read("crop_pct", &share)
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9); err != nil {
		return m, err
	}
	switch {
	case !rescaled:
		return m, errors.New("do_rescale is false: the network takes pixels from 0 to 255, and a manifest's mean and std act on x/255; write them as mean 0 and std 0.00392157")
	case offset:
		return m, errors.New("rescale_offset takes 1 from the scaled pixels: put it into mean and std, (1 + mean)/2 and std/2 where rescale_factor is 1/127.5")
	case top && !normalised:
		return m, errors.New("include_top divides by image_std though do_normalize is false: put it into mean and std")
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
	if flipped {
		m.Channels = BGR
	}
	if normalised {
		for key, to := range map[string]*[]float32{"image_mean": &m.Mean, "image_std": &m.Std} {
			if there, err := o.read(key, to); err != nil || !there {
				return m, errors.Join(err, fmt.Errorf("do_normalize needs %s", key))
			}
		}
	}
	if top { // it divides by image_std once more
		for i, std := range m.Std {
			m.Std[i] = std * std
		}
	}
	shorter := one && o.ofShorter(kind)
	if by && !(share > 0) {
		return m, fmt.Errorf("crop_pct is %v", share)
	}
	switch {
	case !resized:
	case strings.HasPrefix(kind, "ConvNext") && one && by && size[0] < 384: // resized to size/crop_pct, then cropped to size
		m.Resize, m.Crop, m.CropFloor, cropped = Shorter(int(float64(size[0])/share)), size.square(), true, false
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
		m.Crop, m.CropFloor = crop.square(), true
	}
	if m.Crop == (Crop{}) {
		return m, errors.New("it resizes the shorter side and crops nothing, so that pictures come in any size: give crop_size")
	}
	return m, nil
}

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
