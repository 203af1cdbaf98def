package manifest

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/abn-studio/studio/internal/text"
)

// Manifest says how pixels become a model's input and what its classes are called. It stands in
// NAME.json beside NAME.onnx, or as JSON under Key in the model's metadata.
//
// Its JSON is stored, and hashed where features are kept: the order of the fields and their tags are part of both.
type Manifest struct {
	Resize        Size      `json:"resize"`               // to this many pixels: one side, which Fit names, or height and width
	Fit           Fit       `json:"fit,omitempty"`        // which side Resize gives; "": the shorter one, or both where it gives both
	Crop          Crop      `json:"crop"`                 // height, width of the centre crop: the model's H×W
	Pad           []int     `json:"pad,omitempty"`        // colour, 0 to 255 a channel, where the crop reaches beyond the picture; none: black
	CropFloor     bool      `json:"crop_floor,omitempty"` // where the margin is odd the crop begins at its lower half, as Hugging Face crops; else at the even one, as torchvision does
	Interpolation string    `json:"interpolation"`        // "bilinear", "bicubic", "lanczos" or "nearest"
	Antialias     *bool     `json:"antialias,omitempty"`  // whether shrinking averages all it covers, as PIL and torchvision do; nil: it does
	Channels      string    `json:"channels"`             // "RGB", "BGR" or "L"
	EXIF          bool      `json:"exif"`                 // apply the EXIF orientation first; torchvision does not
	Mean          []float32 `json:"mean"`                 // per channel, of x/255
	Std           []float32 `json:"std"`
	Classes       []string  `json:"classes"` // in the order of the logits
	// Head says how logits become an answer: HeadSoftmax, which is also what "" means, or HeadSigmoid; see CheckHead.
	Head string `json:"head,omitempty"`
	// Names gives parts of an unusual graph by hand; see PartNames.
	Names *PartNames `json:"names,omitempty"`
}

// Fit says which side of a picture a size is of.
type Fit string

// What a size is of.
const (
	FitShorter Fit = "shorter" // torchvision's Resize(256): the picture keeps its shape, and the crop cuts off what is over
	FitBoth    Fit = "both"    // Resize((224, 224)): the picture is squeezed
	FitLonger  Fit = "longer"  // the picture keeps its shape, and the crop pads what is missing
)

// Size is what a picture is resized to, in pixels: one number, a side; two, height and width; none, as it is.
type Size []int

// Shorter is a resizing of the shorter side.
func Shorter(side int) Size { return Size{side} }

// MarshalJSON writes null, a number or a pair.
func (s Size) MarshalJSON() ([]byte, error) {
	switch len(s) {
	case 0:
		return []byte("null"), nil
	case 1:
		return json.Marshal(s[0])
	}
	return json.Marshal([]int(s))
}

// UnmarshalJSON reads null, a number or a list; how long that may be is checked by CheckPixels.
func (s *Size) UnmarshalJSON(data []byte) error {
	*s = nil
	var side *int
	if json.Unmarshal(data, &side) == nil {
		if side != nil {
			*s = Size{*side}
		}
		return nil
	}
	var list []int
	if json.Unmarshal(data, &list) != nil || len(list) == 0 {
		return wrong("resize", "%s, want the shorter side in pixels, [height, width], or null", text.Cut(string(data), 40))
	}
	*s = list
	return nil
}

// String is as people write it: "256", "224×224" or "none".
func (s Size) String() string {
	switch len(s) {
	case 0:
		return "none"
	case 1:
		return fmt.Sprint(s[0])
	}
	return fmt.Sprintf("%d×%d", s[0], s[1])
}

// Crop is height and width of what a network sees, in pixels. As JSON it may be one number, of a square.
type Crop [2]int

// UnmarshalJSON reads a number or a pair.
func (c *Crop) UnmarshalJSON(data []byte) error {
	var side int
	if json.Unmarshal(data, &side) == nil {
		*c = Crop{side, side}
		return nil
	}
	var list []int
	if json.Unmarshal(data, &list) != nil || len(list) != 2 {
		return wrong("crop", "%s, want [height, width] or the side of a square, in pixels", text.Cut(string(data), 40))
	}
	*c = Crop{list[0], list[1]}
	return nil
}

// FitOf is which side is resized, FitShorter where nothing is said.
func (m Manifest) FitOf() Fit {
	switch {
	case len(m.Resize) == 2:
		return FitBoth
	case m.Fit == "":
		return FitShorter
	}
	return m.Fit
}

// Resized is the size of a picture of width × height pixels before the crop. The side that follows is rounded down where the
// shorter one is given, as in torchvision, int(size·long/short), and to the nearest where the longer one is, as timm's border
// does. It is 1 at least.
func (m Manifest) Resized(width, height int) (int, int) {
	if len(m.Resize) == 0 {
		return width, height
	}
	side := m.Resize[0]
	follow := func(a, b int) int {
		if m.FitOf() == FitLonger {
			return max(1, int(math.RoundToEven(float64(a)/(float64(b)/float64(side))))) // timm's order of the divisions
		}
		return max(1, int(float64(side)*float64(a)/float64(b)))
	}
	switch fit := m.FitOf(); {
	case fit == FitBoth && len(m.Resize) == 2:
		return m.Resize[1], m.Resize[0]
	case fit == FitBoth:
		return side, side
	case (width <= height) == (fit == FitShorter):
		return side, follow(height, width)
	default:
		return follow(width, height), side
	}
}

// Antialiased reports whether shrinking averages all it covers.
func (m Manifest) Antialiased() bool { return m.Antialias == nil || *m.Antialias }

// Geometry says all that decides which part of a picture is seen, and how large: pictures that are shown are kept by it.
func (m Manifest) Geometry() string {
	if m.FitOf() == FitShorter { // as renderings were named before there was another
		side := 0
		if len(m.Resize) == 1 {
			side = m.Resize[0]
		}
		return fmt.Sprint(m.EXIF, side, m.Crop)
	}
	return fmt.Sprint(m.EXIF, m.Resize, m.FitOf(), m.Crop)
}

// Key is the metadata_props key under which a model carries its own manifest.
const Key = "abn.manifest"

// PartNames names the values of a graph that cannot be told from it (onnx.FindParts). Empty fields are searched for.
type PartNames struct {
	Image     string `json:"image,omitempty"`      // graph input x
	Features  string `json:"features,omitempty"`   // g(x)
	Map       string `json:"map,omitempty"`        // M(x)
	LogitsAtt string `json:"logits_att,omitempty"` // ŷ_att
	LogitsPer string `json:"logits_per,omitempty"` // ŷ_per
	// Size is H×W for a file that leaves its input's height and width open; Manifest.PartNames takes it from the crop.
	Size *[2]int `json:"size,omitempty"`
}

// PartNames are the names a manifest gives, with the crop as the size of an input that leaves it open.
func (m Manifest) PartNames() PartNames {
	var names PartNames
	if m.Names != nil {
		names = *m.Names
	}
	if names.Size == nil && m.Crop != (Crop{}) {
		size := [2]int(m.Crop)
		names.Size = &size
	}
	return names
}

// ChannelCount is how many channels the network's input has: 3, or 1 for "L".
func (m Manifest) ChannelCount() int {
	if m.Channels == Grey {
		return 1
	}
	return 3
}

// Unscaled is the manifest for pictures that are cut as the network's input is and keep their pixels: masks, and what
// people look at. Wrong means and deviations do not keep it from being used.
func (m Manifest) Unscaled() Manifest {
	m.Mean, m.Std = nil, nil
	return m
}
