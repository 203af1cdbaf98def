package manifest

import (
	"errors"
	"fmt"
	"math"

	"github.com/abn-studio/studio/internal/text"
)

// fromTimm reads what timm keeps of a model's data, as timm.data.create_transform evaluates with it.
func fromTimm(o object) (Manifest, error) {
	m := Manifest{Interpolation: Bicubic, Channels: RGB}
	m.Mean, m.Std = ImageNet.Of(3)
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
		m.Channels = Grey
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
