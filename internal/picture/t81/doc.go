// Package t81 decodes JPEGs (ITU-T T.81) that libjpeg reads and the standard library's decoder refuses: components sampled
// in any proportion, four components without Adobe's marker, arithmetic coding, lossless coding, component identifiers that
// repeat. Its pixels are libjpeg's to the bit: the same inverse transform, interpolation and guess of the colours, so that what
// a network was trained on through PIL is what it sees here.
//
// Package picture uses it for such files, and for RGB, CMYK and YCCK with coarser planes, whose samples the standard library's
// repeats; that one is faster for all others. Like that one it is strict
// where libjpeg warns: data that ends early or makes no sense is an error. 12 bits a sample, hierarchical coding and lossless
// arithmetic coding are refused by name.
//
//	frame.go       Frame: what stands before the first scan
//	decoder.go     segments, tables, and the walk over the blocks of a scan
//	huffman.go     blocks in Huffman codes, sequential and progressive
//	arithmetic.go  the same in arithmetic codes
//	lossless.go    samples predicted from their neighbours
//	idct.go        coefficients to samples
//	output.go      planes to an image
package t81
