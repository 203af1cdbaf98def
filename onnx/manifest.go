package onnx

// Manifest says how pixels become a model's input and what its classes are called. It stands in
// NAME.json beside NAME.onnx, or as JSON under ManifestKey in the model's metadata.
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

// ManifestKey is the metadata_props key under which a model carries its own manifest.
const ManifestKey = "abn.manifest"

// PartNames names the values of a graph that FindParts cannot tell by itself. Empty fields are searched for.
type PartNames struct {
	Image     string `json:"image,omitempty"`      // graph input x
	Features  string `json:"features,omitempty"`   // g(x)
	Map       string `json:"map,omitempty"`        // M(x)
	LogitsAtt string `json:"logits_att,omitempty"` // ŷ_att
	LogitsPer string `json:"logits_per,omitempty"` // ŷ_per
	// Size is H×W for a file that leaves its input's height and width open; LoadManifest takes it from the crop.
	Size *[2]int `json:"size,omitempty"`
}
