package archive

import (
	"time"
)

// Format and FormatVersion are what archive.json says of itself. A version is read by the studios that write it and by later ones.
const (
	Format        = "abn-studio-project"
	FormatVersion = 4 // 2: the marks of edits. 3: what adopted maps are made of, scores of checks, draws, pins. 4: what is said of corrected maps
)

// since are the tables that archives of earlier formats do not have.
var since = map[string]int{"edit_sources": 3, "check_scores": 3, "draws": 3}

// aboutName is the entry with the description; those of rows are rows/TABLE.jsonl, those of files files/SHA256.
const (
	aboutName   = "archive.json"
	rowsFolder  = "rows/"
	rowsSuffix  = ".jsonl"
	filesFolder = "files/"
)

// MediaType is what a download is.
const MediaType = "application/zip"

// About is an archive's description.
type About struct {
	Format    string           `json:"format"`
	Version   int              `json:"version"`
	Studio    string           `json:"studio"` // the release that wrote it
	At        time.Time        `json:"at"`
	Project   string           `json:"project"`             // slug
	Pictures  bool             `json:"pictures"`            // whether the images' files are in it; else they are named by their SHA-256
	Anonymous bool             `json:"anonymous,omitempty"` // whether people have invented names
	Tables    map[string]Table `json:"tables"`
	Files     int              `json:"files"`
	Bytes     int64            `json:"bytes"`             // of the files
	Missing   []Missing        `json:"missing,omitempty"` // files that the studio that wrote it had lost
}

// Table describes the rows of a table.
type Table struct {
	Rows   int    `json:"rows"`
	SHA256 string `json:"sha256"` // of the entry's bytes
}

// Missing is a file that was lost.
type Missing struct {
	SHA256 string `json:"sha256"`
	Use    string `json:"use"`
}
