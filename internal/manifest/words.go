package manifest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// The ways of resizing, by PIL's names.
const (
	Bilinear = "bilinear"
	Bicubic  = "bicubic"
	Lanczos  = "lanczos"
	Nearest  = "nearest"
)

// The orders of the input's channels.
const (
	RGB  = "RGB"
	BGR  = "BGR" // as OpenCV reads pictures
	Grey = "L"   // one channel, by PIL's name
)

// Interpolations are the ways of resizing and Channels the orders of channels; the first is what a manifest means that says none.
var (
	Interpolations = []string{Bilinear, Bicubic, Lanczos, Nearest}
	Channels       = []string{RGB, BGR, Grey}
)

// MaxSide is the largest side of a resize or crop, in pixels.
const MaxSide = 8192

// InterpolationOf is the way of resizing, the default where nothing is said.
func (m Manifest) InterpolationOf() string { return cmp.Or(m.Interpolation, Interpolations[0]) }

// ChannelsOf is the order of channels, the default where nothing is said.
func (m Manifest) ChannelsOf() string { return cmp.Or(m.Channels, Channels[0]) }

// Range is a common way to bring x/255 into a network's range: (x/255 − Mean) / Std.
type Range struct{ Mean, Std [3]float32 }

// The ranges: what torchvision's models are trained with, −1 to 1, and x/255 as it is.
var (
	ImageNet  = Range{[3]float32{0.485, 0.456, 0.406}, [3]float32{0.229, 0.224, 0.225}}
	Symmetric = Range{[3]float32{0.5, 0.5, 0.5}, [3]float32{0.5, 0.5, 0.5}}
	Unit      = Range{[3]float32{0, 0, 0}, [3]float32{1, 1, 1}}
)

// Of are mean and std for 1 to 3 channels.
func (r Range) Of(channels int) (mean, std []float32) {
	n := min(max(channels, 1), 3)
	return slices.Clone(r.Mean[:n]), slices.Clone(r.Std[:n])
}

// Of is the manifest of most networks for an input of so many channels (1 or 3) and so many pixels, in a range. The shorter side is
// resized to the crop's height, and classes are missing.
func Of(channels, height, width int, in Range) Manifest {
	m := Manifest{Resize: Shorter(height), Crop: Crop{height, width}}
	m.Interpolation, m.Channels = m.InterpolationOf(), ChannelsFor(channels)
	m.Mean, m.Std = in.Of(channels)
	return m
}

// ChannelsFor is the usual order of an input with so many channels.
func ChannelsFor(channels int) string {
	if channels == 1 {
		return Grey
	}
	return Channels[0]
}

// Numbers writes means or deviations, apart by a separator: "0.485, 0.456, 0.406".
func Numbers(list []float32, separator string) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = strconv.FormatFloat(float64(v), 'g', -1, 32)
	}
	return strings.Join(texts, separator)
}

// oneOf is a list for a message: "RGB, BGR or L".
func oneOf(words []string) string {
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
