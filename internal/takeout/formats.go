package takeout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/abn-studio/studio/annotator"
)

// Format is a way to write records.
type Format struct {
	Key    string // "jsonl", as flags and addresses have it
	Name   string // as people read it
	About  string
	Suffix string // of the file, with its dot
	Media  string // its type (RFC 6838)
	Of     []annotator.ExportKind
	files  bool // a file a map: may be written into a folder
	newest bool // one map an image
}

var (
	withMaps = []annotator.ExportKind{annotator.ExportMaps, annotator.ExportPredictions}
	mapsOnly = []annotator.ExportKind{annotator.ExportMaps}
)

// Formats are all of them.
var Formats = []Format{
	{Key: "jsonl", Name: "JSON Lines", About: "A line a record, with all that is known of it. Maps can be brought back, equal to the bit.", Suffix: ".jsonl", Media: "application/x-ndjson", Of: annotator.ExportKinds},
	{Key: "csv", Name: "CSV", About: "A row a record, for spreadsheets and pandas.", Suffix: ".csv", Media: "text/csv", Of: annotator.ExportKinds},
	{Key: "parquet", Name: "Parquet", About: "A row a record, for pandas, DuckDB and Spark.", Suffix: ".parquet", Media: "application/vnd.apache.parquet", Of: annotator.ExportKinds},
	{Key: "npz", Name: "NumPy, one .npz", About: "A float32 array (h, w) a map, by the image's name. Can be brought back, equal to the bit.", Suffix: ".npz", Media: "application/zip", Of: withMaps, newest: true},
	{Key: "npy", Name: "NumPy, a .npy a map", About: "The same arrays, a file each, in a .zip.", Suffix: ".zip", Media: "application/zip", Of: withMaps, files: true, newest: true},
	{Key: "png8", Name: "PNG, 8 bit", About: "A grey picture a map, a pixel a cell: round(255·M).", Suffix: ".zip", Media: "application/zip", Of: withMaps, files: true, newest: true},
	{Key: "png16", Name: "PNG, 16 bit", About: "A grey picture a map, a pixel a cell: round(65535·M). Can be brought back.", Suffix: ".zip", Media: "application/zip", Of: withMaps, files: true, newest: true},
	{Key: "coco", Name: "COCO", About: "The cells that are at least the threshold, as polygons on the picture.", Suffix: ".json", Media: "application/json", Of: mapsOnly, newest: true},
	{Key: "labelstudio", Name: "Label Studio", About: "The cells that are at least the threshold, as brush strokes.", Suffix: ".json", Media: "application/json", Of: mapsOnly, newest: true},
}

// FormatKeys lists the keys of all formats.
func FormatKeys() (keys []string) {
	for _, f := range Formats {
		keys = append(keys, f.Key)
	}
	return keys
}

// FormatFor finds the format of a key for a kind of records, or returns a *annotator.ValidationError that names those that there are.
func FormatFor(key string, kind annotator.ExportKind) (Format, error) {
	var able []string
	for _, f := range Formats {
		if !slices.Contains(f.Of, kind) {
			continue
		}
		if f.Key == key {
			return f, nil
		}
		able = append(able, f.Key)
	}
	if len(able) == 0 {
		return Format{}, &annotator.ValidationError{Field: "what", Message: fmt.Sprintf("is one of %v", annotator.ExportKinds)}
	}
	return Format{}, &annotator.ValidationError{Field: "format", Message: fmt.Sprintf("%q is no format of %s: want %s", key, kind, strings.Join(able, ", "))}
}

// Thresholded reports whether the format has only the cells that are at least a threshold.
func (f Format) Thresholded() bool { return f.Key == "coco" || f.Key == "labelstudio" }

// Folder reports whether the format can be written into a folder, a file a map.
func (f Format) Folder() bool { return f.files }
