package picture

import (
	"image"
	"io"
)

// tiffOrientation is the orientation (1 to 8) that a TIFF structure names, as EXIF is one; 1 where there is none or it makes no sense.
func tiffOrientation(file io.ReaderAt, size int64) int {
	if v := tiffTags(file, size, tagOrientation)[tagOrientation]; v >= 1 && v <= 8 {
		return int(v)
	}
	return 1
}

// Upright is a picture turned as an EXIF orientation (1 to 8) wants it shown, or what lies over it, such as its mask.
func Upright[Pixels *image.Gray | *image.RGBA](pixels Pixels, orientation int) Pixels {
	return turned(any(pixels).(image.Image), orientation).(Pixels) //nolint:forcetypeassert // turned keeps the type
}

// Stored undoes Upright: it turns what lies over a picture as it is shown, so that it lies over the picture as it is stored.
func Stored(grey *image.Gray, orientation int) *image.Gray {
	switch orientation {
	case 6:
		orientation = 8
	case 8:
		orientation = 6
	}
	return Upright(grey, orientation)
}

// Shown is the size at which a picture is shown, once its EXIF orientation is applied.
func (h Header) Shown() (width, height int) {
	if h.Orientation >= 5 && h.Orientation <= 8 {
		return h.Height, h.Width
	}
	return h.Width, h.Height
}
