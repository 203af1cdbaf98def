package manifest

// Manifest says how pixels become a model's input and what its classes are called. It stands in
// NAME.json beside NAME.onnx, or as JSON under Key in the model's metadata.
//
// Its JSON is stored, and hashed where features are kept: the order of the fields and their tags are part of both.
type Manifest struct {
	Resize        *int      `json:"resize"`        // the shorter side after resizing, in pixels; nil: no resizing
	Crop          [2]int    `json:"crop"`          // height, width of the centre crop: the model's H×W
	Interpolation string    `json:"interpolation"` // "bilinear" (antialiased, as torchvision) or "nearest", "bicubic"
	Channels      string    `json:"channels"`      // "RGB", "BGR" or "L"
	EXIF          bool      `json:"exif"`          // apply the EXIF orientation first; torchvision does not
	Mean          []float32 `json:"mean"`          // per channel, of x/255
	Std           []float32 `json:"std"`
	Classes       []string  `json:"classes"` // in the order of the logits
	// Names gives parts of an unusual graph by hand; see PartNames.
	Names *PartNames `json:"names,omitempty"`
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
	if names.Size == nil && m.Crop != [2]int{} {
		names.Size = &m.Crop
	}
	return names
}

// ChannelCount is how many channels the network's input has: 3, or 1 for "L".
func (m Manifest) ChannelCount() int {
	if m.Channels == "L" {
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
