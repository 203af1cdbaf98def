package picture

import "io"

// tiffOrientation is the orientation (1 to 8) that a TIFF structure names, as EXIF is one; 1 where there is none or it makes no sense.
func tiffOrientation(file io.ReaderAt, size int64) int {
	if v := tiffTags(file, size, tagOrientation)[tagOrientation]; v >= 1 && v <= 8 {
		return int(v)
	}
	return 1
}
