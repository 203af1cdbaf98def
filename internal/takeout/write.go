package takeout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

// DefaultThreshold is the least value of a cell that COCO and Label Studio have, where none is asked for.
const DefaultThreshold = 0.5

// Request says what is written.
type Request struct {
	Project   string // slug
	What      annotator.ExportKind
	Format    string // a Format's key
	Filter    annotator.ExportFilter
	Threshold float64 // of COCO and Label Studio; 0: DefaultThreshold
}

// Check returns the request's format, or a *annotator.ValidationError for what cannot be written.
func (r Request) Check() (Format, error) {
	if err := r.Filter.Check(r.What); err != nil {
		return Format{}, err
	}
	format, err := FormatFor(r.Format, r.What)
	switch {
	case err != nil:
		return format, err
	case r.Filter.Revisions && format.newest:
		return format, &annotator.ValidationError{Field: "revisions", Message: format.Key + " has one map an image: ask for jsonl, csv or parquet, or leave revisions out"}
	case r.Threshold != 0 && !format.Thresholded():
		return format, &annotator.ValidationError{Field: "threshold", Message: format.Key + " has all values: leave it out; coco and labelstudio have one"}
	case r.Threshold < 0 || r.Threshold > 1 || r.Threshold != r.Threshold:
		return format, &annotator.ValidationError{Field: "threshold", Message: "is above 0 and at most 1"}
	}
	return format, nil
}

// FileName is what the file is called.
func (r Request) FileName(f Format) string {
	name := r.Project + "-" + string(r.What)
	if f.files {
		name += "-" + f.Key
	}
	return name + f.Suffix
}

// Write writes what a request asks for to w, and returns how many records it has. For a format of files (Format.Folder) it is a zip of
// them.
func Write(ctx context.Context, service *annotator.Service, actor annotator.User, r Request, w io.Writer) (int, error) {
	return write(ctx, service, actor, r, w, "")
}

// WriteFolder writes a format of files into the folder dir, which is made if it is not there.
func WriteFolder(ctx context.Context, service *annotator.Service, actor annotator.User, r Request, dir string) (int, error) {
	return write(ctx, service, actor, r, nil, dir)
}

func write(ctx context.Context, service *annotator.Service, actor annotator.User, r Request, w io.Writer, dir string) (int, error) {
	format, err := r.Check()
	if err != nil {
		return 0, err
	}
	if dir != "" && !format.files {
		return 0, fmt.Errorf("%s is one file, not a folder: give the file's name", format.Key)
	}
	if err := service.TellExport(ctx, actor, r.Project, r.What, format.Key); err != nil {
		return 0, err
	}
	if r.Threshold == 0 {
		r.Threshold = DefaultThreshold
	}
	switch r.What {
	case annotator.ExportMaps:
		to, err := mapWriter(ctx, service, actor, r, format, w, dir)
		if err != nil {
			return 0, err
		}
		return drain(service.ExportMaps(ctx, actor, r.Project, r.Filter), to)
	case annotator.ExportPredictions:
		records := service.ExportPredictions(ctx, actor, r.Project, r.Filter)
		if format.newest {
			return drain(records, newGrids(format, w, dir, func(p annotator.ExportedPrediction) (annotator.ExportedImage, attention.Map) {
				return p.ExportedImage, p.Grid()
			}))
		}
		return drainTable(records, format, w)
	case annotator.ExportReviews:
		return drainTable(service.ExportReviews(ctx, actor, r.Project, r.Filter), format, w)
	case annotator.ExportTasks:
		return drainTable(service.ExportTasks(ctx, actor, r.Project, r.Filter), format, w)
	}
	return drainTable(service.ExportAudit(ctx, actor, r.Project, r.Filter), format, w)
}

func mapWriter(ctx context.Context, service *annotator.Service, actor annotator.User, r Request, format Format, w io.Writer, dir string) (writer[annotator.ExportedMap], error) {
	switch {
	case format.Thresholded():
		region, err := service.ExportRegions(ctx, actor, r.Project)
		if err != nil {
			return nil, err
		}
		project, err := service.Project(ctx, actor, r.Project)
		if err != nil {
			return nil, err
		}
		if format.Key == "coco" {
			return newCOCO(w, project.Project, region, r.Threshold)
		}
		return newLabelStudio(w, project.Project, region, r.Threshold), nil
	case format.newest:
		return newGrids(format, w, dir, func(m annotator.ExportedMap) (annotator.ExportedImage, attention.Map) {
			return m.ExportedImage, m.Edited()
		}), nil
	}
	return newTable[annotator.ExportedMap](format, w)
}

// writer writes records of one kind. finish completes what was written; close frees what it holds, whether or not that is complete.
type writer[T any] interface {
	write(record T) error
	finish() error
	close() error
}

// drain writes all records of a sequence.
func drain[T any](records iter.Seq2[T, error], to writer[T]) (n int, err error) {
	defer func() { err = errors.Join(err, to.close()) }()
	for record, err := range records {
		if err != nil {
			return n, err
		}
		if err := to.write(record); err != nil {
			return n, err
		}
		n++
	}
	return n, to.finish()
}

func drainTable[T any](records iter.Seq2[T, error], format Format, w io.Writer) (int, error) {
	to, err := newTable[T](format, w)
	if err != nil {
		return 0, err
	}
	return drain(records, to)
}

// WriteTrail writes the whole studio's trail as jsonl or csv.
func WriteTrail(lines iter.Seq2[annotator.TrailLine, error], format Format, w io.Writer) error {
	_, err := drainTable(lines, format, w)
	return err
}

// ParseDate reads a date (the start of that day, UTC) or a moment (RFC 3339); "" is the zero time.
func ParseDate(typed string) (time.Time, error) {
	if typed == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if t, err := time.Parse(layout, typed); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date: write 2026-11-28, or with a time 2026-11-28T15:04:05Z", typed)
}
