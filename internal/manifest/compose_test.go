package manifest_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/manifest"
)

// What other libraries keep of a network becomes the manifest that says the same. The files are of the shape that Hugging Face, timm
// and torchvision write; the sizes are what their own code makes of them.
func TestComposeReadsWhatPeopleHave(t *testing.T) {
	t.Parallel()
	const half = `"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]`
	for name, c := range map[string]struct {
		files   []string // name, text
		want    string   // of the manifest, but for mean, std and classes
		mean    float32
		classes string
	}{
		"ViT": {[]string{"preprocessor_config.json", `{"do_normalize": true, "do_rescale": true, "do_resize": true, "image_processor_type": "ViTImageProcessor", ` + half + `, "resample": 2, "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 224}}`},
			"resize 224×224 both crop [224 224] bilinear RGB", 0.5, ""},
		"ViT of old": {[]string{"preprocessor_config.json", `{"do_normalize": true, "do_resize": true, "feature_extractor_type": "ViTFeatureExtractor", ` + half + `, "resample": 3, "size": 224}`},
			"resize 224×224 both crop [224 224] bicubic RGB", 0.5, ""},
		"CLIP": {[]string{"p.json", `{"crop_size": 224, "do_center_crop": true, "do_normalize": true, "do_resize": true, "feature_extractor_type": "CLIPFeatureExtractor", ` + half + `, "resample": 3, "size": 224}`},
			"resize 224 shorter crop [224 224] bicubic RGB floor", 0.5, ""},
		"ConvNeXt": {[]string{"p.json", `{"crop_pct": 0.875, "do_normalize": true, "do_rescale": true, "do_resize": true, "image_processor_type": "ConvNextImageProcessor", ` + half + `, "resample": 3, "size": {"shortest_edge": 224}}`},
			"resize 256 shorter crop [224 224] bicubic RGB floor", 0.5, ""},
		"ConvNeXt at 384": {[]string{"p.json", `{"crop_pct": 0.875, "image_processor_type": "ConvNextImageProcessor", ` + half + `, "resample": 3, "size": {"shortest_edge": 384}}`},
			"resize 384×384 both crop [384 384] bicubic RGB", 0.5, ""},
		"MobileNet": {[]string{"p.json", `{"crop_size": {"height": 224, "width": 224}, "do_center_crop": true, "image_processor_type": "MobileNetV2ImageProcessor", ` + half + `, "resample": 2, "size": {"shortest_edge": 256}}`},
			"resize 256 shorter crop [224 224] bilinear RGB floor", 0.5, ""},
		"not normalised": {[]string{"p.json", `{"do_normalize": false, "image_processor_type": "ViTImageProcessor", "size": {"height": 8, "width": 9}}`},
			"resize 8×9 both crop [8 9] bilinear RGB", 0, ""},
		"with config.json": {[]string{"config.json", `{"model_type": "resnet", "id2label": {"1": "cat", "0": "dog", "10": "x", "2": "c", "3": "d", "4": "e", "5": "f", "6": "g", "7": "h", "8": "i", "9": "j"}}`,
			"p.json", `{"image_processor_type": "ViTImageProcessor", ` + half + `, "size": {"height": 32, "width": 32}}`},
			"resize 32×32 both crop [32 32] bilinear RGB", 0.5, "dog cat c d e f g h i j x"},
		"timm": {[]string{"timm.json", `{"input_size": [3, 224, 224], "interpolation": "bicubic", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "crop_pct": 0.95, "crop_mode": "center"}`},
			"resize 235 shorter crop [224 224] bicubic RGB", 0.485, ""},
		"timm in config.json": {[]string{"config.json", `{"architecture": "resnet50", "num_classes": 2, "label_names": ["a", "b"], "pretrained_cfg": {"tag": "a1", "input_size": [3, 288, 288], "interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "squash", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}`},
			"resize 288×288 both crop [288 288] bilinear RGB", 0.5, "a b"},
		"timm's border": {[]string{"t.json", `{"input_size": [3, 64, 64], "crop_pct": 0.9, "crop_mode": "border", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}`},
			"resize 71 longer crop [64 64] bicubic RGB pad [128 128 128]", 0.5, ""},
		"torchvision's preset": {[]string{"transforms.json", `{"crop_size": [224], "resize_size": [232], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "interpolation": "InterpolationMode.BILINEAR", "antialias": true}`},
			"resize 232 shorter crop [224 224] bilinear RGB", 0.485, ""},
		"a list of transforms": {[]string{"transforms.json", `[{"type": "Resize", "size": [96, 128], "interpolation": "bicubic", "antialias": false}, {"type": "ToImage"}, {"type": "ToDtype", "dtype": "float32", "scale": true}, {"type": "Normalize", "mean": [0.1, 0.1, 0.1], "std": [0.2, 0.2, 0.2]}]`},
			"resize 96×128 both crop [96 128] bicubic RGB aliased", 0.1, ""},
		"two normalisations": {[]string{"transforms.json", `[{"type": "Resize", "size": [32, 32]}, {"type": "PILToTensor"}, {"type": "ConvertImageDtype", "dtype": "torch.float32"}, {"type": "Normalize", "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}, {"type": "Normalize", "mean": [1], "std": [2]}]`},
			"resize 32×32 both crop [32 32] bilinear RGB", 0.75, ""},
		"MobileViT": {[]string{"p.json", `{"crop_size": {"height": 256, "width": 256}, "do_center_crop": true, "do_flip_channel_order": true, "do_rescale": true, "do_resize": true, "image_processor_type": "MobileViTImageProcessor", "resample": 2, "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 288}}`},
			"resize 288 shorter crop [256 256] bilinear BGR floor", 0, ""},
		"MobileViT of old": {[]string{"p.json", `{"crop_size": 256, "feature_extractor_type": "MobileViTFeatureExtractor", "do_center_crop": true, "resample": 2, "size": {"shortest_edge": 288}}`},
			"resize 288 shorter crop [256 256] bilinear BGR floor", 0, ""},
		"bytes scaled later": {[]string{"transforms.json", `[{"type": "Resize", "size": [32, 32]}, {"type": "ToImage"}, {"type": "ToDtype", "dtype": "torch.uint8", "scale": true}, {"type": "ToDtype", "dtype": "torch.float32", "scale": true}]`},
			"resize 32×32 both crop [32 32] bilinear RGB", 0, ""},
		"Keras' class index": {[]string{"imagenet_class_index.json", `{"1": ["n01443537", "goldfish"], "0": ["n01440764", "tench"]}`}, "resize none shorter crop [0 0]  ", 0, "tench goldfish"},
		"a list of classes":  {[]string{"classes.txt", "cat\r\ndog\n\n"}, "resize none shorter crop [0 0]  ", 0, "cat dog"},
		"classes by number":  {[]string{"class_to_idx.json", `{"dog": 1, "cat": 0}`}, "resize none shorter crop [0 0]  ", 0, "cat dog"},
	} {
		var sources []manifest.Source
		for i := 0; i < len(c.files); i += 2 {
			sources = append(sources, manifest.Source{Name: c.files[i], Text: []byte(c.files[i+1])})
		}
		text, err := manifest.Compose(sources)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i := range sources { // as editors on Windows write it
			sources[i].Text = append([]byte("\ufeff"), sources[i].Text...)
		}
		if marked, err := manifest.Compose(sources); err != nil || string(marked) != string(text) {
			t.Errorf("%s with byte order marks: %s, %v", name, marked, err)
		}
		m, err := manifest.Stored(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := strings.Join([]string{"resize", m.Resize.String(), string(m.FitOf()), "crop", strings.ReplaceAll(strings.Trim(jsonOf(t, m.Crop), "\n"), ",", " "), m.Interpolation, m.Channels}, " ")
		if len(m.Pad) > 0 {
			got += " pad " + strings.ReplaceAll(jsonOf(t, m.Pad), ",", " ")
		}
		if !m.Antialiased() {
			got += " aliased"
		}
		if m.CropFloor {
			got += " floor"
		}
		var mean float32
		if len(m.Mean) > 0 {
			mean = m.Mean[0]
		}
		if got != c.want || mean != c.mean || strings.Join(m.Classes, " ") != c.classes {
			t.Errorf("%s:\n%s, mean %v, classes %v\nwant\n%s, mean %v, classes %s", name, got, mean, m.Classes, c.want, c.mean, c.classes)
		}
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// EfficientNet's processor divides by image_std twice where the network has its top, which it has unless it is said.
func TestComposeDividesTwice(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]float32{``: 0.25, `, "include_top": true`: 0.25, `, "include_top": false`: 0.5} {
		text, err := manifest.Compose([]manifest.Source{{Name: "preprocessor_config.json", Text: []byte(`{"image_processor_type": "EfficientNetImageProcessor", "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], ` +
			`"resample": 0, "rescale_offset": false, "size": {"height": 346, "width": 346}` + more + `}`)}})
		if err != nil {
			t.Fatal(err)
		}
		if m, err := manifest.Stored(text); err != nil || m.Std[0] != want || m.Mean[0] != 0.5 {
			t.Errorf("%q: mean %v, std %v, %v", more, m.Mean, m.Std, err)
		}
	}
}

// What a manifest cannot say is refused by its name, and what is a manifest with a fault stays what it is.
func TestComposeRefusesByName(t *testing.T) {
	t.Parallel()
	const vit = `{"image_processor_type": "ViTImageProcessor", "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "size": {"height": 32, "width": 32}`
	for text, want := range map[string]string{
		vit + `, "do_rescale": false}`:         "do_rescale is false",
		vit + `, "rescale_factor": 0.0078125}`: "rescale_factor",
		vit + `, "resample": 5}`:               "resample is 5",
		vit + `, "crop_pct": 0.9}`:             "crop_pct",
		vit + `, "do_center_crop": true}`:      "needs crop_size",
		vit + `, "rescale_offset": true}`:      "rescale_offset takes 1",
		`{"image_processor_type": "EfficientNetImageProcessor", "do_normalize": false, "size": {"height": 32, "width": 32}}`:                                          "include_top divides by image_std",
		`{"image_processor_type": "PerceiverImageProcessor", "do_normalize": false, "do_center_crop": true, "crop_size": 256, "size": {"height": 224, "width": 224}}`: "PerceiverImageProcessor crops",
		`{"image_processor_type": "X", "do_normalize": false, "size": {"longest_edge": 800, "shortest_edge": 600}}`:                                                   `"longest_edge"`,
		`{"image_processor_type": "X", "do_normalize": false, "size": {"shortest_edge": 600}}`:                                                                        "give crop_size",
		`{"input_size": [3, 224, 224], "crop_pct": 0.9, "crop_mode": "random"}`:                                                                                       "crop_mode",
		`{"input_size": [4, 224, 224], "crop_pct": 0.9}`:                                                                                                              "4 channels",
		`{"input_size": [3, 224, 224], "crop_pct": 0.9, "interpolation": "hamming"}`:                                                                                  "hamming",
		`[{"type": "Resize", "size": 256}, {"type": "FiveCrop", "size": 224}]`:                                                                                        `step 2: "FiveCrop"`,
		`[{"Resize": {"size": 256}}]`:                                                                       `step 1 has the fields Resize and no "type": name the transform there, as in {"type": "Resize", "size": 256}`,
		`[{"type": "CenterCrop", "size": 256}, {"type": "Resize", "size": 224}]`:                            "before it crops",
		`[{"type": "Resize", "size": 256}]`:                                                                 "no crop",
		`[{"type": "Resize", "size": [32, 32]}, {"type": "ToDtype", "dtype": "float32"}]`:                   `step 2: no step divides the pixels by 255: add {"type": "ToTensor"}`,
		`[{"type": "Resize", "size": [32, 32]}]`:                                                            "no step divides the pixels by 255",
		`[{"type": "Resize", "size": [32, 32]}, {"type": "PILToTensor"}]`:                                   "no step divides the pixels by 255",
		`[{"type": "Resize", "size": [32, 32]}, {"type": "ToImage"}, {"type": "Normalize", "mean": [0.5]}]`: "step 3: no step divides the pixels by 255",
		`[{"type": "Resize", "size": [32, 32]}, {"type": "ConvertImageDtype", "dtype": "torch.uint8"}]`:     "no step divides the pixels by 255",
		`[{"type": "Resize", "size": [32, 32]}, {"type": "ToImage"}, {"type": "ToDtype", "dtype": "torch.uint8", "scale": true}, {"type": "ToDtype", "dtype": "torch.float32"}]`: "step 4: no step divides",
		`[{"type": "ToTensor"}, {"type": "ConvertImageDtype", "dtype": "torch.uint8"}]`:                                                                                          "whole numbers again",
		`[{"type": "ToTensor"}, {"type": "Normalize", "mean": [0.5]}, {"type": "Grayscale"}]`:                                                                                    "Grayscale behind Normalize",
		`[{"type": "ToTensor"}, {"type": "Normalize", "mean": [0.5, 0.5], "std": [1, 1]}]`:                                                                                       "do not fit",
		`{"crop_size": [224], "resize_size": [232], "mean": [0.5,0.5,0.5], "std": [0.5,0.5,0.5], "interpolation": "bilinear", "eq": 1}`:                                          "eq",
	} {
		_, err := manifest.Compose([]manifest.Source{{Name: "file.json", Text: []byte(text)}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "file.json") {
			t.Errorf("%s\n%v, want an error of file.json: %s", text, err, want)
		}
	}
	if classes, err := manifest.ClassList(manifest.Source{Name: "names.json", Text: []byte(`{"0": ["tench", "Tinca tinca"], "1": ["eel", "Anguilla"]}`)}); err == nil {
		t.Errorf("two names a class became %v", classes)
	}
	for _, broken := range []string{`{"crop": [8, 8],}`, `{"resise": 4, "crop": [8, 8]}`, `not json`} {
		text, err := manifest.Compose([]manifest.Source{{Name: "abn.json", Text: []byte(broken)}})
		if err != nil || string(text) != broken {
			t.Errorf("%s became %s, %v: Parse is to name its fault", broken, text, err)
		}
	}
}

// A text of another encoding is refused by its file and with a remedy, whatever kind it is: JSON's decoder would put other letters in place of what
// it cannot read.
func TestComposeRefusesOtherEncodings(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"config.json":     "{\"model_type\": \"resnet\", \"id2label\": {\"0\": \"Gr\xfcn\"}}",
		"classes.txt":     "red\nGr\xfcn\n",
		"classes.json":    "[\"red\", \"Gr\xfcn\"]",
		"transforms.json": "[{\"type\": \"Gr\xfcn\"}]",
	} {
		_, err := manifest.Compose([]manifest.Source{{Name: name, Text: []byte(text)}})
		if !errors.Is(err, manifest.ErrManifest) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "save the file as UTF-8") {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := []manifest.Source{{Name: "abn.json", Text: []byte("{\"crop\": [8, 8], \"classes\": [\"Gr\xfcn\"]}")}, {Name: "classes.txt", Text: []byte("red\n")}}
	if _, err := manifest.Compose(broken); err == nil || !strings.Contains(err.Error(), "abn.json") {
		t.Error(err)
	}
	if alone, err := manifest.Compose(broken[:1]); err != nil || string(alone) != string(broken[0].Text) {
		t.Errorf("%s, %v: Parse is to name its fault", alone, err)
	}
}

func FuzzCompose(f *testing.F) {
	f.Add("a.json", `{"image_processor_type": "ViTImageProcessor", "do_normalize": false, "size": {"height": 32, "width": 32}}`)
	f.Add("a.json", `{"input_size": [3, 64, 64], "crop_pct": 1e-300}`)
	f.Add("a.json", `[{"type": "Resize", "size": []}]`)
	f.Add("classes.txt", "a\nb")
	f.Fuzz(func(t *testing.T, name, text string) {
		composed, err := manifest.Compose([]manifest.Source{{Name: name, Text: []byte(text)}})
		if err != nil {
			return
		}
		if m, err := manifest.Parse(composed); err == nil {
			m.Resized(640, 480)
		}
	})
}

// A manifest says sizes as people do, and says them back as it was told.
func TestSizesAreWrittenAsTheyWereRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"resize":null,"crop":[8,8],"interpolation":"bilinear","channels":"RGB","exif":false,"mean":[0,0,0],"std":[1,1,1],"classes":["a","b"]}`,
		`{"resize":256,"crop":[8,8],"interpolation":"bilinear","channels":"RGB","exif":false,"mean":[0,0,0],"std":[1,1,1],"classes":["a","b"]}`,
		`{"resize":[8,9],"crop":[8,8],"interpolation":"lanczos","channels":"RGB","exif":false,"mean":[0,0,0],"std":[1,1,1],"classes":["a","b"]}`,
		`{"resize":9,"fit":"longer","crop":[8,8],"pad":[1,2,3],"interpolation":"bicubic","antialias":false,"channels":"RGB","exif":false,"mean":[0,0,0],"std":[1,1,1],"classes":["a","b"]}`,
	} {
		m, err := manifest.Parse([]byte(text))
		if err != nil || jsonOf(t, m) != text {
			t.Errorf("%s\nbecame\n%s, %v", text, jsonOf(t, m), err)
		}
	}
	m, err := manifest.Parse([]byte(`{"resize": 8, "crop": 8, "mean": [0,0,0], "std": [1,1,1], "classes": ["crane", "dog", "crane"]}`))
	if err != nil || m.Crop != (manifest.Crop{8, 8}) || strings.Join(m.Classes, ", ") != "crane (0), dog, crane (2)" {
		t.Errorf("%+v, %v", m, err)
	}
	// What was hashed before there were other ways of resizing hashes as it did: features are kept under it.
	old, err := manifest.Parse([]byte(`{"resize": 256, "crop": [224, 224], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "classes": ["a", "b"]}`))
	if err != nil || old.PreprocessingHash() != "8de40ec6e639316b7f08bec4ce6f981326d123a96c41fb95733982f701582a9c" {
		t.Errorf("hash %s, %v", old.PreprocessingHash(), err)
	}
}
