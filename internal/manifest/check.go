package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// ErrManifest says that a manifest is missing, malformed, or does not fit its model. Where one field is at
// fault the error is an *Error.
var ErrManifest = errors.New("manifest")

// Error names the field of a manifest that is wrong.
type Error struct{ Field, Reason string }

func (e *Error) Error() string {
	return fmt.Sprintf("%v: %s: %s", ErrManifest, e.Field, e.Reason)
}

// Unwrap makes errors.Is(err, ErrManifest) hold.
func (e *Error) Unwrap() error { return ErrManifest }

func wrong(field, format string, args ...any) error {
	return &Error{field, fmt.Sprintf(format, args...)}
}

// maxClasses and MaxSide bound what a manifest may ask for, so that a forged one cannot ask for gigabytes.
const maxClasses = 1 << 17

// Validate checks a manifest by itself; the error is an *Error that names the first field at fault.
func (m Manifest) Validate() error {
	if err := m.CheckPixels(); err != nil {
		return err
	}
	switch {
	case m.Interpolation == "":
		return wrong("interpolation", "%q, want one of %s", "", strings.Join(Interpolations, ", "))
	case m.Channels == "":
		return wrong("channels", "%q, want %s", "", oneOf(Channels))
	}
	for _, list := range []struct {
		field  string
		values []float32
	}{{"mean", m.Mean}, {"std", m.Std}} {
		if len(list.values) != m.ChannelCount() {
			return wrong(list.field, "%d numbers, want %d", len(list.values), m.ChannelCount())
		}
	}
	if err := m.checkClasses(); err != nil {
		return err
	}
	if err := m.CheckHead(); err != nil {
		return err
	}
	if m.Names != nil && m.Names.Size != nil && *m.Names.Size != m.Crop {
		return wrong("names.size", "%v is not the crop %v", *m.Names.Size, m.Crop)
	}
	return nil
}

// CheckPixels checks how pixels become the input. What is left out has a meaning here: bilinear, RGB, and mean and std that
// change nothing (Unscaled). The error is an *Error.
func (m Manifest) CheckPixels() error {
	side := func(n int) bool { return n >= 1 && n <= MaxSide }
	if len(m.Resize) > 2 || slices.ContainsFunc(m.Resize, func(n int) bool { return !side(n) }) {
		return wrong("resize", "%v, want 1 to %d pixels, [height, width], or null", []int(m.Resize), MaxSide)
	}
	switch m.Fit {
	case "", FitShorter, FitBoth, FitLonger:
	default:
		return wrong("fit", "%q, want shorter, both or longer", text.Cut(string(m.Fit), 40))
	}
	switch {
	case m.Fit != "" && len(m.Resize) == 0:
		return wrong("fit", "%q says what resize is of, and resize gives no size", m.Fit)
	case m.Fit != "" && m.Fit != FitBoth && len(m.Resize) == 2:
		return wrong("fit", "%q, but resize gives height and width: that fits both", m.Fit)
	}
	if m.Crop == (Crop{}) {
		return wrong("crop", "is missing: the input's height and width, and with it how pixels become it")
	}
	if !side(m.Crop[0]) || !side(m.Crop[1]) {
		return wrong("crop", "%v, want height and width from 1 to %d", m.Crop, MaxSide)
	}
	if m.Interpolation != "" && !slices.Contains(Interpolations, m.Interpolation) {
		return wrong("interpolation", "%q, want one of %s", text.Cut(m.Interpolation, 40), strings.Join(Interpolations, ", "))
	}
	if m.Channels != "" && !slices.Contains(Channels, m.Channels) {
		return wrong("channels", "%q, want %s", m.Channels, oneOf(Channels))
	}
	for _, list := range []struct {
		field  string
		values []float32
	}{{"mean", m.Mean}, {"std", m.Std}} {
		if n := len(list.values); n != 0 && n != m.ChannelCount() {
			return wrong(list.field, "%d numbers, want %d", n, m.ChannelCount())
		}
	}
	if n := len(m.Pad); n != 0 && n != m.ChannelCount() {
		return wrong("pad", "%d numbers, want %d", n, m.ChannelCount())
	}
	for _, v := range m.Pad {
		if v < 0 || v > 255 {
			return wrong("pad", "%d, want 0 to 255", v)
		}
	}
	if field, reason := scale(m.Mean, m.Std); field != "" {
		return &Error{field, reason}
	}
	return nil
}

func (m Manifest) checkClasses() error {
	if len(m.Classes) == 0 {
		return wrong("classes", "are missing: their names, in the order of the logits")
	}
	if len(m.Classes) > maxClasses {
		return wrong("classes", "%d names, at most %d are read", len(m.Classes), maxClasses)
	}
	seen := make(map[string]bool, len(m.Classes))
	for i, name := range m.Classes {
		field := fmt.Sprintf("classes[%d]", i)
		switch {
		case !text.Valid(name):
			return wrong(field, "%s", text.Problem)
		case len(name) > text.MaxName:
			return wrong(field, "%q %s", text.Cut(name, 40), text.TooLong)
		case name == "" || seen[name]:
			return wrong(field, "%q is empty or stands twice", name)
		}
		seen[name] = true
	}
	return nil
}

// Sizes are a network's sizes that a manifest must fit.
type Sizes struct {
	Channels, Height, Width int // of the input: 3, H, W
	Classes                 int // K
}

// Fits checks that a manifest fits a network of these sizes; it may have no classes. The error is an *Error.
func (m Manifest) Fits(s Sizes) error {
	switch {
	case m.Crop != (Crop{s.Height, s.Width}):
		return wrong("crop", "%v, but the network takes %d×%d", m.Crop, s.Height, s.Width)
	case m.ChannelCount() != s.Channels:
		return wrong("channels", "%s, but the network takes %d channels", m.ChannelsOf(), s.Channels)
	case len(m.Classes) != 0 && len(m.Classes) != s.Classes:
		return wrong("classes", "%d names, but the network has %d classes", len(m.Classes), s.Classes)
	}
	return nil
}

// CannotAnswer says why the answers of a network with this manifest cannot be used, "" if no reason is known. Manifests that were
// stored before these checks may have such a fault.
func (m Manifest) CannotAnswer() string {
	if field, reason := scale(m.Mean, m.Std); field != "" {
		return fmt.Sprintf("its manifest's %s: %s", field, reason)
	}
	if len(m.Classes) == 1 {
		return "it has " + OneLogit
	}
	return ""
}
