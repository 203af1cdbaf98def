// Package picture opens picture files, whoever sent them. It is the only door to a decoder of pictures: a file's header is
// read first, and from it follows how many bytes decoding takes at most (its weight), the coefficients of a progressive
// JPEG and the passes of an interlaced PNG among them. What is over the limit of one picture is refused; for the rest the
// weight is taken from a budget that all decoders of a process share, and held as long as the pixels live.
//
//	decoder.go  Limits, Decoder: the budget, and decoding within it
//	header.go   Header: what a file says of itself, read in a few places of the file
//	suffix.go   how files of pictures are named
//	jpeg.go, png.go, webp.go, bmp.go, tiff.go  where each format says it, what of it is refused, what decodes it and allocates
//	exif.go     the orientation
//	t81/        JPEGs that the standard library's decoder refuses
//	chroma/     RGB of luma and chroma
//	testdata/   make.py: a file of every kind, with PIL's pixels
package picture
