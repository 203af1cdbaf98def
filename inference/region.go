package inference

import (
	"context"
	"image"
	"io"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/picture"
)

// Region decodes a picture file and returns a rectangle of it in side × side pixels, resampled as networks see pictures (bilinear with
// antialias, in fixed point: the same to the bit on every machine). The picture is turned upright by its EXIF orientation; of is asked for the rectangle, given the
// size it then has in pixels. The rectangle may reach beyond the picture, and is black there. Errors are those of picture.Decoder.Decode.
func Region(ctx context.Context, file io.ReadSeeker, of func(size image.Point) image.Rectangle, side int) (*image.RGBA, error) {
	own := func(h picture.Header) int64 { return 6*h.Pixels() + 7*int64(side)*int64(side) } // turned, and resampled along one axis
	var out *image.RGBA
	err := decode(ctx, file, own, func(r *raster, h picture.Header) error {
		r = r.orient(h.Orientation)
		out = crop(r, regionOf(of(image.Pt(r.width, r.height)), 1, 1), float64(side), float64(side)).image()
		return nil
	})
	return out, err
}

// RegionOfMask is Region of what lies over a picture as that is shown, such as its mask, which may have another size. size is the
// picture's, in which the rectangle is given.
func RegionOfMask(mask *image.Gray, size image.Point, rectangle image.Rectangle, side int) *image.Gray {
	r := toRaster(mask, false)
	cut := crop(r, regionOf(rectangle, float64(r.width)/float64(size.X), float64(r.height)/float64(size.Y)), float64(side), float64(side))
	out := image.NewGray(image.Rect(0, 0, side, side))
	for i := range out.Pix {
		out.Pix[i] = cut.pix[3*i]
	}
	return out
}

// regionOf is a rectangle on a grid that has sx × sy times as many pixels.
func regionOf(r image.Rectangle, sx, sy float64) annotator.ViewRegion {
	return annotator.ViewRegion{X: float64(r.Min.X) * sx, Y: float64(r.Min.Y) * sy, Width: float64(r.Dx()) * sx, Height: float64(r.Dy()) * sy}
}
