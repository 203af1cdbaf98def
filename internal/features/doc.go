// Package features keeps g(x), what the frozen extractor makes of a picture: it is computed once and serves every scan, every
// round and every live score of all versions that descend from one import, since fine-tuning never touches the extractor.
//
//	key.go       Key: what features are of
//	reader.go    Reader: the features of an image, kept or computed; prepare.go computes those of many beforehand
//	store.go     Store: on disk, for scans and trainings, within a bound (package bounded); float16.go  how numbers are kept there
//	view.go      View: a Store as one scan or training sees it, which nobody evicts from under it
//	memory.go    Memory: in memory, for live scores; flights.go  computed once however many ask
package features
