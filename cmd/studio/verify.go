package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/progress"
)

// verifyCommand reads every file of the blob store and compares it with its hash, and the store with the database.
type verifyCommand struct {
	storageFlags
	JSON bool `name:"json" help:"Print one JSON document."`
}

// errLost is the error that ends the command with exit code 3.
var errLost = errors.New("files are missing or damaged: put them back from a backup (studio restore --files), or import or add them again")

// verifyReport is what --json prints.
type verifyReport struct {
	Files         int        `json:"files"` // in the store
	Bytes         int64      `json:"bytes"` // read
	Referenced    int        `json:"referenced"`
	Missing       []lostBlob `json:"missing"`
	Damaged       []lostBlob `json:"damaged"`
	Unreadable    []lostBlob `json:"unreadable"` // the disk or the bucket gave an error
	Orphaned      int        `json:"orphaned"`   // nothing refers to them; a worker removes them a day after they came
	OrphanedBytes int64      `json:"orphaned_bytes"`
	Seconds       float64    `json:"seconds"`
}

// lostBlob is a file that is missing, damaged or unreadable.
type lostBlob struct {
	Hash   string   `json:"sha256"`
	Uses   []string `json:"uses"` // the rows that refer to it; none for an orphan
	Reason string   `json:"reason,omitempty"`
}

// Run verifies.
func (c *verifyCommand) Run(ctx context.Context, streams *stdio) error {
	return c.withStore(ctx, streams, func(s *storage, _ *annotator.Service) error {
		report, err := verifyBlobs(ctx, s, newProgressLine(streams.Err))
		if err != nil {
			return err
		}
		if c.JSON {
			err = printJSON(streams.Out, report)
		} else {
			report.print(streams.Out)
		}
		if n := len(report.Missing) + len(report.Damaged) + len(report.Unreadable); n > 0 && err == nil {
			return fmt.Errorf("%d %w", n, errLost)
		}
		return err
	})
}

// verifyBlobs reads every file, a few at a time.
func verifyBlobs(ctx context.Context, s *storage, line *progressLine) (verifyReport, error) {
	start := time.Now()
	report := verifyReport{Missing: []lostBlob{}, Damaged: []lostBlob{}, Unreadable: []lostBlob{}}
	// The rows are read first. A file that is stored meanwhile may then be counted as an orphan, but no file that a row needs is missed.
	rows, err := s.Store.BlobUses(ctx)
	if err != nil {
		return report, err
	}
	uses := map[string][]string{}
	for _, row := range rows {
		uses[row.Hash] = append(uses[row.Hash], row.Use)
	}
	files, err := s.Blobs.List(ctx)
	if err != nil {
		return report, err
	}
	report.Files, report.Referenced = len(files), len(uses)
	there := make(map[string]bool, len(files))
	var total int64
	for _, f := range files {
		there[f.Hash] = true
		total += f.Size
		if uses[f.Hash] == nil {
			report.Orphaned++
			report.OrphanedBytes += f.Size
		}
	}
	for hash, by := range uses {
		if !there[hash] {
			report.Missing = append(report.Missing, lostBlob{Hash: hash, Uses: by})
		}
	}
	faults := make([]error, len(files))
	var read atomic.Int64
	meter := line.meter(progress.Plan{Stage: progress.Verifying, Total: int(total >> 20)})
	defer line.done()
	meter.Begin(progress.Verifying, 0)
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0) + 1) // one more than cores, so that the disk is read while all cores hash
	for i, f := range files {
		group.Go(func() error {
			if inner.Err() != nil {
				return context.Cause(inner)
			}
			faults[i] = s.Blobs.Verify(inner, f.Hash)
			meter.Advance(progress.Verifying, int(read.Add(f.Size)>>20))
			return context.Cause(inner)
		})
	}
	if err := group.Wait(); err != nil {
		return report, err
	}
	meter.Finish()
	for i, fault := range faults {
		lost := lostBlob{Hash: files[i].Hash, Uses: uses[files[i].Hash]}
		switch {
		case fault == nil:
		case errors.Is(fault, annotator.ErrDamaged):
			report.Damaged = append(report.Damaged, lost)
		case errors.Is(fault, annotator.ErrMissing): // if no row refers to it, it was swept meanwhile
			if lost.Uses != nil {
				report.Missing = append(report.Missing, lost)
			}
		default:
			lost.Reason = fault.Error()
			report.Unreadable = append(report.Unreadable, lost)
		}
	}
	for _, list := range [][]lostBlob{report.Missing, report.Damaged, report.Unreadable} {
		slices.SortFunc(list, func(a, b lostBlob) int { return strings.Compare(strings.Join(a.Uses, ""), strings.Join(b.Uses, "")) })
	}
	report.Bytes, report.Seconds = total, time.Since(start).Seconds()
	return report, nil
}

// print writes the report for people.
func (r verifyReport) print(out io.Writer) {
	fmt.Fprintf(out, "%d files, %.1f MB, read in %.1f s; %d are referred to\n", r.Files, float64(r.Bytes)/1e6, r.Seconds, r.Referenced)
	for _, kind := range []struct {
		what string
		list []lostBlob
	}{{"missing", r.Missing}, {"damaged", r.Damaged}, {"cannot be read", r.Unreadable}} {
		for _, b := range kind.list {
			by := "nothing refers to it"
			if len(b.Uses) > 0 {
				by = b.Uses[0]
			}
			if more := len(b.Uses) - 1; more > 0 {
				by += fmt.Sprintf(" and %d more", more)
			}
			fmt.Fprintf(out, "%s: %s (%s)", kind.what, b.Hash, by)
			if b.Reason != "" {
				fmt.Fprintf(out, ": %s", b.Reason)
			}
			fmt.Fprintln(out)
		}
	}
	if r.Orphaned > 0 {
		fmt.Fprintf(out, "%d files (%.1f MB) that nothing refers to: a worker removes them once they are a day old\n", r.Orphaned, float64(r.OrphanedBytes)/1e6)
	}
	if len(r.Missing)+len(r.Damaged)+len(r.Unreadable) == 0 {
		fmt.Fprintln(out, "all is well")
	}
}
