// Package takeout writes what people take out of a project, and reads maps that they bring back. docs/exports.md says what each
// format holds.
//
//	formats.go      Format: the formats, of which records each is made, what they are called
//	write.go        Write: records of annotator.Service → a file, a folder or a stream, one record at a time
//	table.go        JSON Lines, CSV, Parquet: a row a record, of every kind of record
//	grids.go        .npz, .npy, grey PNG: a file a map, in an archive or a folder
//	threshold.go    which cells of a map are at least a threshold, as rectangles on the picture
//	coco.go         those as polygons
//	labelstudio.go  those as brush strokes, run by run
//	read.go         Read: maps of .npz, .npy, .png and JSON Lines, with what JSON Lines says of each
//	incoming.go     Incoming: such files as they come over the network
//
// A writer keeps one record in memory, and of each file in an archive its name. What has to stand behind something that is still
// being written is in a temporary file meanwhile.
package takeout
