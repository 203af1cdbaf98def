// Package picture opens picture files, whoever sent them. It is the only door to a decoder of pictures: a file's header is
// read first, and from it follows how many bytes decoding takes at most (its weight), the coefficients of a progressive
// JPEG and the passes of an interlaced PNG among them. What is over the limit of one picture is refused; for the rest the
// weight is taken from a budget that all decoders of a process share, and held as long as the pixels live.
//
//	decoder.go  Limits, Decoder: the budget, and decoding within it
//	header.go   Header: what a file says of itself, read in a few places of the file
//	jpeg.go, png.go, webp.go, tiff.go  where each format says it, and what its decoder allocates
//	exif.go     the orientation
package picture
