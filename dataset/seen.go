package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"
	"sync"

	"github.com/abn-studio/studio/internal/picture"
)

// MasksSeen is what ObjectMask has found in the masks that it has read.
type MasksSeen struct {
	Broken      int // that cannot be read
	FirstBroken string
	Empty       int       // that show no object
	Notes       []Problem // what people should know of all of them
}

// masksSeen gathers it, for several goroutines.
type masksSeen struct {
	mutex                                                sync.Mutex
	read                                                 int // with an object, from files
	broken, empty, full, turned, unclear, stretched, lit firstOf
	scaled                                               firstOf
	lossy                                                bool // of those that are lit
}

// firstOf counts images and keeps the first by its name, with what is said of it.
type firstOf struct {
	n          int
	name, says string
}

func (f *firstOf) add(name, says string) {
	if f.n++; f.n == 1 || name < f.name {
		f.name, f.says = name, says
	}
}

// count counts what came of a mask.
func (m *masksSeen) count(name string, err error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	switch {
	case errors.Is(err, ErrNoObject):
		m.empty.add(name, "")
	case err != nil:
		m.broken.add(name, err.Error())
	}
}

// sameShape reports whether a mask has the shape of a picture, but for what rounding makes of it.
func sameShape(mask image.Point, width, height int) bool {
	return abs(mask.X*height-mask.Y*width) <= max(width, height, mask.X*height/50)
}

func abs(n int) int { return max(n, -n) }

// fit turns a mask that was made on the picture as it is shown, and counts those of another shape than their picture. file is "" for one
// that is drawn.
func (m *masksSeen) fit(mask *image.Gray, name, file string, header picture.Header) *image.Gray {
	if header.Width == 0 {
		return mask
	}
	size, stored := mask.Rect.Size(), image.Pt(header.Width, header.Height)
	width, height := header.Shown()
	turns := width != header.Width
	fitsShown, fitsStored := sameShape(size, width, height), sameShape(size, header.Width, header.Height)
	m.mutex.Lock()
	defer m.mutex.Unlock()
	switch {
	case turns && size != stored && (size == image.Pt(width, height) || fitsShown && !fitsStored):
		m.turned.add(name, "")
		return picture.Stored(mask, header.Orientation)
	case !fitsStored:
		m.stretched.add(name, fmt.Sprintf("%d×%d over %d×%d", size.X, size.Y, header.Width, header.Height))
	case header.Orientation > 1 && fitsShown && (!turns || size != stored) && file != "":
		m.unclear.add(name, "")
	}
	return mask
}

// bare counts marks of a picture with an orientation that do not say on what they were drawn.
func (m *masksSeen) bare(name string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.unclear.add(name, "")
}

// scale counts marks that were drawn on a picture of another size.
func (m *masksSeen) scale(name string, width, height int, header picture.Header) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.scaled.add(name, fmt.Sprintf("%d×%d, it has %d×%d", width, height, header.Width, header.Height))
}

// judge counts masks in which the object is what lies all along the edge: where most do, black may be the object.
func (m *masksSeen) judge(mask *image.Gray, name, file string) {
	if file == "" {
		return
	}
	edge, pixels := 0, 0
	width, height := mask.Rect.Dx(), mask.Rect.Dy()
	for y := range height {
		step := max(1, width-1)
		if y == 0 || y == height-1 {
			step = 1
		}
		for x := 0; x < width; x += step {
			edge += int(mask.Pix[y*mask.Stride+x])
			pixels++
		}
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.read++
	switch {
	case !slices.ContainsFunc(mask.Pix, func(v uint8) bool { return v < 128 }):
		m.full.add(name, "")
		return
	case 10*edge < 9*255*pixels:
		return
	}
	m.lit.add(name, "")
	m.lossy = m.lossy || slices.Contains([]string{".jpg", ".jpeg", ".jpe", ".jfif"}, suffix(file))
}

// MasksSeen returns what ObjectMask has found so far.
func (d *Dataset) MasksSeen() MasksSeen {
	m := d.seen
	m.mutex.Lock()
	defer m.mutex.Unlock()
	out := MasksSeen{Broken: m.broken.n, Empty: m.empty.n}
	if m.broken.n > 0 {
		out.FirstBroken = m.broken.name + ": " + strings.ReplaceAll(m.broken.says, d.Dir+"/", "")
	}
	note := func(f firstOf, reason string) {
		switch {
		case f.n == 0:
			return
		case f.says != "":
			reason += " (" + f.says + ")"
		}
		out.Notes = append(out.Notes, Problem{Path: f.name, Reason: such(reason, f.n)})
	}
	note(m.empty, "its mask shows no object, and is taken as unknown")
	note(m.full, "its mask covers all of the picture")
	note(m.turned, "its mask was made on the picture as its EXIF orientation shows it, and is turned")
	note(m.unclear, "the picture has an EXIF orientation, and its mask is taken as made on the picture as it is stored")
	note(m.stretched, "its mask has another shape than the picture, and is stretched over it")
	note(m.scaled, "its annotations were made on a picture of another size, and are scaled")
	if d.options.Mask == nil && 2*m.lit.n > m.read {
		black := "0"
		if m.lossy {
			black = "0-127"
		}
		note(m.lit, fmt.Sprintf("in its mask, of %d, the object lies all along the edge: if black is the object, say --mask-object %s", m.read, black))
	}
	slices.SortFunc(out.Notes, func(a, b Problem) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason)) })
	return out
}
