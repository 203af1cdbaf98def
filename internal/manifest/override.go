package manifest

// Overrides are fields of a manifest that a command line may replace; nil fields are not replaced.
type Overrides struct {
	Resize        *int // 0: no resizing
	Crop          *[2]int
	Interpolation *string
	Channels      *string
	EXIF          *bool
	Mean, Std     []float32
	Classes       []string
}

// With applies overrides and checks the outcome.
func (m Manifest) With(o Overrides) (Manifest, error) {
	if o.Resize != nil {
		m.Fit, m.Resize = "", Shorter(*o.Resize)
		if *o.Resize == 0 {
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
