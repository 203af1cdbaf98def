// Package features keeps g(x), the output of the frozen extractor for a picture. Fine-tuning never changes the extractor, so that
// g(x) is computed once and used by every scan, round and live score of all versions that descend from one import.
//
//	key.go       Key: what features are of
//	reader.go    Reader: the features of an image, kept or computed; prepare.go computes those of many beforehand
//	store.go     Store: on disk, for scans and trainings, within a bound (package bounded); float16.go  how numbers are kept there
//	view.go      View: one scan's or training's use of a Store, whose entries are not evicted meanwhile
//	memory.go    Memory: in memory, for live scores
package features
