package inference

import (
	"context"
	"fmt"
	"image"
	"io"
	"math"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/picture"
)

// Preprocessor turns picture files into a network's input as torchvision's Resize, CenterCrop,
// ToTensor and Normalize do on PIL images, or Resize(antialias=False) on tensors where the manifest says so. It is safe for concurrent use.
type Preprocessor struct {
	manifest manifest.Manifest
	channels int // of the input: 3, or 1 for "L"
	kernel   *kernel
	// normal[c][v] is (v/255 − mean[c]) / std[c].
	normal [3][256]float32
}

// NewPreprocessor checks the parts of a manifest that concern pixels and prepares its tables. A wrong field is a *manifest.Error.
func NewPreprocessor(m manifest.Manifest) (*Preprocessor, error) {
	if err := m.CheckPixels(); err != nil {
		return nil, err
	}
	p := &Preprocessor{manifest: m, channels: m.ChannelCount(), kernel: kernels[m.InterpolationOf()]}
	if !m.Antialiased() {
		p.kernel = p.kernel.sharp()
	}
	for c := range p.channels {
		mean, std := float32(0), float32(1)
		if len(m.Mean) != 0 {
			mean = m.Mean[c]
		}
		if len(m.Std) != 0 {
			std = m.Std[c]
		}
		for v := range 256 {
			p.normal[c][v] = (float32(v)/255 - mean) / std
		}
	}
	return p, nil
}

// Size is the number of values of one image: channels · H · W.
func (p *Preprocessor) Size() int { return p.channels * p.manifest.Crop[0] * p.manifest.Crop[1] }

// Channels is 3, or 1 where the manifest asks for grey.
func (p *Preprocessor) Channels() int { return p.channels }

// Manifest is what the Preprocessor was made from.
func (p *Preprocessor) Manifest() manifest.Manifest { return p.manifest }

// Pixels decodes a picture file and writes the network's input [channels, H, W], (v/255 − mean)/std, to dst, which has Size
// values. While memory for pictures is short it waits, at most until ctx ends. Errors: picture.ErrNotPicture,
// *picture.TooLargeError, what is wrong with the file, or the context's.
func (p *Preprocessor) Pixels(ctx context.Context, file io.ReadSeeker, dst []float32) error {
	if len(dst) != p.Size() {
		return fmt.Errorf("preprocessing: room for %d values, want %d", len(dst), p.Size())
	}
	return p.view(ctx, file, func(view *raster) error {
		p.normalise(view, dst)
		return nil
	})
}

// normalise writes a view [H, W, RGB] as the network's input [channels, H, W].
func (p *Preprocessor) normalise(view *raster, dst []float32) {
	plane := view.width * view.height
	for c := range p.channels {
		from := c
		if p.manifest.Channels == manifest.BGR {
			from = 2 - c
		}
		table := &p.normal[c]
		to := dst[c*plane:][:plane]
		for i := range to {
			to[i] = table[view.pix[3*i+from]]
		}
	}
}

// view decodes a picture and calls use with what the network sees of it, before normalisation: H×W pixels.
func (p *Preprocessor) view(ctx context.Context, file io.ReadSeeker, use func(*raster) error) error {
	own := func(h picture.Header) int64 {
		width, height, turned := h.Width, h.Height, int64(0)
		if p.manifest.EXIF && h.Orientation > 1 {
			width, height = h.Shown()
			turned = 3 * h.Pixels()
		}
		g := p.geometry(width, height)
		// The rows that the crop is made of, resampled along one axis; then along the other; then put into the crop.
		rows := min(float64(height), float64(g.bottom-g.top+8)*max(1, float64(height)/float64(g.height))+8)
		return turned + int64(3*float64(g.right-g.left)*rows) + 6*int64(g.cropWidth)*int64(g.cropHeight)
	}
	return decode(ctx, file, own, func(r *raster, h picture.Header) error {
		if p.manifest.EXIF {
			r = r.orient(h.Orientation)
		}
		if p.manifest.Channels == "L" {
			r.luma()
		}
		return use(p.crop(r))
	})
}

// crop resizes a picture and cuts out what the network sees.
func (p *Preprocessor) crop(r *raster) *raster {
	g := p.geometry(r.width, r.height)
	part := resample(r, p.kernel, g.width, g.height, g.left, g.top, g.right, g.bottom)
	if part.width == g.cropWidth && part.height == g.cropHeight {
		return part
	}
	out := newRaster(g.cropWidth, g.cropHeight) // black where the crop reaches beyond the picture, unless the manifest says otherwise
	if pad := p.manifest.Pad; len(pad) != 0 {
		for i := range out.pix {
			out.pix[i] = uint8(pad[i%3%len(pad)])
		}
	}
	for y := range part.height {
		copy(out.pix[3*((g.padTop+y)*out.width+g.padLeft):], part.pix[3*y*part.width:][:3*part.width])
	}
	return out
}

// geometry is where the crop lies: the picture is resized to width × height, of which the rectangle
// left ≤ x < right, top ≤ y < bottom is kept and put at (padLeft, padTop) of the crop.
type geometry struct {
	width, height            int
	left, top, right, bottom int
	padLeft, padTop          int
	cropWidth, cropHeight    int
}

// geometry follows torchvision: the side that is not given is rounded down (manifest.Manifest.Resized); a picture smaller than the
// crop is padded, the odd pixel to the right and bottom; the crop's corner is round((size−crop)/2)
// with halves to the even number, as Python rounds. With crop_floor halves are rounded down, as in Hugging Face's center_crop.
func (p *Preprocessor) geometry(width, height int) geometry {
	g := geometry{cropHeight: p.manifest.Crop[0], cropWidth: p.manifest.Crop[1]}
	g.width, g.height = p.manifest.Resized(width, height)
	g.left, g.right, g.padLeft = cropAxis(g.width, g.cropWidth, p.manifest.CropFloor)
	g.top, g.bottom, g.padTop = cropAxis(g.height, g.cropHeight, p.manifest.CropFloor)
	return g
}

// cropAxis crops one axis of size pixels to crop: the kept range, and the padding before it.
func cropAxis(size, crop int, floor bool) (from, to, pad int) {
	switch {
	case crop >= size:
		return 0, size, (crop - size) / 2
	case floor:
		from = (size - crop) / 2
		return from, from + crop, 0
	}
	from = int(math.RoundToEven(float64(size-crop) / 2))
	return from, from + crop, 0
}

// View is the rectangle of the oriented original that the network sees, in pixels. width × height is the picture's size as
// stored, orientation its EXIF orientation (1 to 8; used only if the manifest says so). The rectangle may reach beyond the
// picture, where the network sees black.
func (p *Preprocessor) View(width, height, orientation int) annotator.ViewRegion {
	if p.manifest.EXIF {
		width, height = picture.Header{Width: width, Height: height, Orientation: orientation}.Shown()
	}
	g := p.geometry(width, height)
	sx, sy := float64(width)/float64(g.width), float64(height)/float64(g.height)
	return annotator.ViewRegion{
		X: float64(g.left-g.padLeft) * sx, Y: float64(g.top-g.padTop) * sy,
		Width: float64(g.cropWidth) * sx, Height: float64(g.cropHeight) * sy, Picture: [2]int{width, height},
	}
}

// ViewOfMask returns a mask, which lies over a picture as that is stored, as it lies over what the network sees, and the part of it that
// the network sees, as shares of its width and height (attention.FromMask). The mask may have another size than the picture.
func (p *Preprocessor) ViewOfMask(mask *image.Gray, h picture.Header) (turned *image.Gray, region [4]float64) {
	if p.manifest.EXIF {
		mask = picture.Upright(mask, h.Orientation)
	}
	return mask, p.region(h)
}

// ViewOfClicks does the same for clicks, as shares of the picture's width and height.
func (p *Preprocessor) ViewOfClicks(clicks [][2]float64, h picture.Header) (turned [][2]float64, region [4]float64) {
	if p.manifest.EXIF && h.Orientation > 1 {
		turned = make([][2]float64, len(clicks))
		for i, c := range clicks {
			x, y := c[0], c[1]
			switch h.Orientation { // the place in the picture as it is shown
			case 2:
				x = 1 - x
			case 3:
				x, y = 1-x, 1-y
			case 4:
				y = 1 - y
			case 5:
				x, y = y, x
			case 6:
				x, y = 1-y, x
			case 7:
				x, y = 1-y, 1-x
			case 8:
				x, y = y, 1-x
			}
			turned[i] = [2]float64{x, y}
		}
		clicks = turned
	}
	return clicks, p.region(h)
}

// region is what the network sees of a picture, as shares of its width and height.
func (p *Preprocessor) region(h picture.Header) [4]float64 {
	view := p.View(h.Width, h.Height, h.Orientation)
	width, height := float64(view.Picture[0]), float64(view.Picture[1])
	return [4]float64{view.X / width, view.Y / height, view.Width / width, view.Height / height}
}
