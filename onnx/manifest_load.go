package onnx

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/abn-studio/studio/internal/scale"
	"github.com/abn-studio/studio/internal/text"
)

// ErrManifest says that a manifest is missing, malformed, or does not fit its model. Where one field is at
// fault the error is a *ManifestError.
var ErrManifest = errors.New("manifest")

// ManifestError names the field of a manifest that is wrong.
type ManifestError struct{ Field, Reason string }

func (e *ManifestError) Error() string {
	return fmt.Sprintf("%v: %s: %s", ErrManifest, e.Field, e.Reason)
}

// Unwrap makes errors.Is(err, ErrManifest) hold.
func (e *ManifestError) Unwrap() error { return ErrManifest }

// Bounds of what a manifest may ask for, so that a forged one cannot ask for gigabytes.
const (
	maxManifestBytes = 16 << 20
	maxManifestSide  = 8192
	maxClasses       = 1 << 17
)

// ManifestPath is where a model's manifest stands: NAME.json beside NAME.onnx.
func ManifestPath(modelPath string) string {
	return strings.TrimSuffix(modelPath, filepath.Ext(modelPath)) + ".json"
}

// LoadManifest finds a model's manifest, beside its file or else in its metadata (ManifestKey), and checks it. The model's
// own names of parts may stand in either.
func LoadManifest(modelPath string, m *Model) (Manifest, error) {
	path := ManifestPath(modelPath)
	manifest, err := ReadManifest(path)
	switch {
	case err == nil:
		return manifest, nil
	case !errors.Is(err, fs.ErrNotExist):
		return Manifest{}, err
	}
	text, ok := m.MetadataValue(ManifestKey)
	if !ok {
		return Manifest{}, fmt.Errorf("%w: %s has none: write %s beside it, or the same JSON under %q in its metadata_props",
			ErrManifest, modelPath, filepath.Base(path), ManifestKey)
	}
	if manifest, err = ParseManifest([]byte(text)); err != nil {
		return Manifest{}, fmt.Errorf("%s, metadata_props[%q]: %w", modelPath, ManifestKey, err)
	}
	return manifest, nil
}

// ReadManifest reads and checks a manifest file.
func ReadManifest(path string) (Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxManifestBytes+1))
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	manifest, err := ParseManifest(data)
	if err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", path, err)
	}
	return manifest, nil
}

// ParseManifest decodes a manifest and checks it by itself (Validate). Interpolation defaults to
// "bilinear", channels to "RGB". A field it does not know is an error, since it is most likely a slip of
// the pen that would change every prediction.
func ParseManifest(data []byte) (Manifest, error) {
	if len(data) > maxManifestBytes {
		return Manifest{}, fmt.Errorf("%w: larger than %d bytes", ErrManifest, maxManifestBytes)
	}
	if path, found := text.InJSON(data); found {
		return Manifest{}, &ManifestError{cmp.Or(path, "(top)"), text.Problem}
	}
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return Manifest{}, &ManifestError{cmp.Or(wrong.Field, "(top)"), fmt.Sprintf("a %s at byte %d, want %v", wrong.Value, wrong.Offset, wrong.Type)}
		}
		return Manifest{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if d.More() {
		return Manifest{}, fmt.Errorf("%w: something follows the JSON object", ErrManifest)
	}
	m.Interpolation = cmp.Or(m.Interpolation, "bilinear")
	m.Channels = cmp.Or(m.Channels, "RGB")
	if err := m.Validate(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// ChannelCount is how many channels the network's input has: 3, or 1 for "L".
func (m Manifest) ChannelCount() int {
	if m.Channels == "L" {
		return 1
	}
	return 3
}

// CheckScale checks that mean and std can be of x/255; the error is a *ManifestError.
func (m Manifest) CheckScale() error {
	if field, reason := scale.Check(m.Mean, m.Std); field != "" {
		return &ManifestError{field, reason}
	}
	return nil
}

// Validate checks a manifest by itself; the error is a *ManifestError that names the first field at fault.
func (m Manifest) Validate() error {
	wrong := func(field, format string, args ...any) error {
		return &ManifestError{field, fmt.Sprintf(format, args...)}
	}
	side := func(n int) bool { return n >= 1 && n <= maxManifestSide }
	if m.Resize != nil && !side(*m.Resize) {
		return wrong("resize", "%d, want 1 to %d pixels, or null", *m.Resize, maxManifestSide)
	}
	if !side(m.Crop[0]) || !side(m.Crop[1]) {
		return wrong("crop", "%v, want height and width from 1 to %d", m.Crop, maxManifestSide)
	}
	switch m.Interpolation {
	case "bilinear", "bicubic", "nearest":
	default:
		return wrong("interpolation", "%q, want bilinear, bicubic or nearest", m.Interpolation)
	}
	switch m.Channels {
	case "RGB", "BGR", "L":
	default:
		return wrong("channels", "%q, want RGB, BGR or L", m.Channels)
	}
	for _, list := range []struct {
		field  string
		values []float32
	}{{"mean", m.Mean}, {"std", m.Std}} {
		if len(list.values) != m.ChannelCount() {
			return wrong(list.field, "%d numbers, want %d", len(list.values), m.ChannelCount())
		}
	}
	if err := m.CheckScale(); err != nil {
		return err
	}
	if len(m.Classes) == 0 || len(m.Classes) > maxClasses {
		return wrong("classes", "%d names, want 1 to %d", len(m.Classes), maxClasses)
	}
	seen := make(map[string]bool, len(m.Classes))
	for i, name := range m.Classes {
		if !text.Valid(name) {
			return wrong(fmt.Sprintf("classes[%d]", i), "%s", text.Problem)
		}
		if len(name) > text.MaxName {
			return wrong(fmt.Sprintf("classes[%d]", i), "%q %s", text.Cut(name, 40), text.TooLong)
		}
		if name == "" || seen[name] {
			return wrong(fmt.Sprintf("classes[%d]", i), "%q is empty or stands twice", name)
		}
		seen[name] = true
	}
	if m.Names != nil && m.Names.Size != nil && *m.Names.Size != m.Crop {
		return wrong("names.size", "%v is not the crop %v", *m.Names.Size, m.Crop)
	}
	return nil
}

// ValidateFor checks that a manifest fits the network whose parts these are.
func (m Manifest) ValidateFor(p *Parts) error {
	if err := m.Validate(); err != nil {
		return err
	}
	switch {
	case m.Crop != [2]int{p.ImageHeight, p.ImageWidth}:
		return &ManifestError{"crop", fmt.Sprintf("%v, but the network takes %d×%d", m.Crop, p.ImageHeight, p.ImageWidth)}
	case m.ChannelCount() != p.ImageChannels:
		return &ManifestError{"channels", fmt.Sprintf("%s, but the network takes %d channels", m.Channels, p.ImageChannels)}
	case len(m.Classes) != p.Classes:
		return &ManifestError{"classes", fmt.Sprintf("%d names, but the network has %d classes", len(m.Classes), p.Classes)}
	}
	return nil
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

// ManifestOverrides is what a command line may say over a manifest; nil fields leave it alone.
type ManifestOverrides struct {
	Resize        *int // 0: no resizing
	Crop          *[2]int
	Interpolation *string
	Channels      *string
	EXIF          *bool
	Mean, Std     []float32
	Classes       []string
}

// With applies overrides and checks the outcome.
func (m Manifest) With(o ManifestOverrides) (Manifest, error) {
	if o.Resize != nil {
		if m.Resize = o.Resize; *o.Resize == 0 {
			m.Resize = nil
		}
	}
	if o.Crop != nil {
		m.Crop = *o.Crop
	}
	if o.Interpolation != nil {
		m.Interpolation = *o.Interpolation
	}
	if o.Channels != nil {
		m.Channels = *o.Channels
	}
	if o.EXIF != nil {
		m.EXIF = *o.EXIF
	}
	if o.Mean != nil {
		m.Mean = o.Mean
	}
	if o.Std != nil {
		m.Std = o.Std
	}
	if o.Classes != nil {
		m.Classes = o.Classes
	}
	return m, m.Validate()
}
