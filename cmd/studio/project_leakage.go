package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/progress"
)

// projectLeakageCommand shows held-out images that are like training images, and leaves them out of measures.
type projectLeakageCommand struct {
	storageFlags
	Slug     string  `arg:"" help:"The project, as 'studio project list' names it."`
	Within   int     `default:"${nearBits}" placeholder:"BITS" help:"Bits of 64 in which the fingerprints of two pictures may differ, 0 to ${maxNearBits}: copies that were saved again or resized differ in 4 at most, slightly cropped ones in about 8. Where all pictures look alike, ask for fewer."`
	LeaveOut bool    `xor:"change" help:"Leave what is found out of what rounds and figures measure from now on, or the images of --image."`
	Restore  bool    `xor:"change" help:"Measure again on all that is left out, or on the images of --image."`
	Images   []int64 `name:"image" placeholder:"ID" help:"Change these images only; may be repeated."`
	Limit    int     `default:"50" help:"How many are listed, 0 to 1000."`
	JSON     bool    `name:"json" help:"Print one JSON document."`
}

// Help says what counts, below the flags.
func (c *projectLeakageCommand) Help() string {
	return "Found are images of test and validation whose file is also one of train or pool, or whose picture looks like one of theirs. Pictures that no worker has looked at yet are looked at first. " +
		"Left out of measures, they are still scanned and shown; rounds and figures say how many they do without. While a round runs nothing can be changed."
}

// Run looks at what nobody has looked at, changes what it is asked to, and shows what is found.
func (c *projectLeakageCommand) Run(ctx context.Context, streams *stdio) error {
	if c.Limit < 0 || c.Limit > annotator.MaxLeaks {
		return fmt.Errorf("--limit %d: want 0 to %d", c.Limit, annotator.MaxLeaks)
	}
	if len(c.Images) > 0 && !c.LeaveOut && !c.Restore {
		return errors.New("--image says which images to change: add --leave-out or --restore")
	}
	return c.withStore(ctx, streams, func(s *storage, service *annotator.Service) error {
		project, err := projectNamed(ctx, service, c.Slug)
		if err != nil {
			return err
		}
		before, err := service.Leakage(ctx, annotator.System, c.Slug, c.Within, 0)
		if err != nil {
			return err
		}
		if before.Pending > 0 {
			line := newProgressLine(streams.Err)
			meter := line.meter(progress.Plan{Stage: progress.Reading, Total: before.Pending, Each: 3 * time.Millisecond})
			meter.Begin(progress.Reading, 0)
			err := jobs.Fingerprint(ctx, s.Store, s.Blobs, project.ID, func(done int) { meter.Advance(progress.Reading, done) })
			line.done()
			if err != nil {
				return err
			}
		}
		changed := ""
		switch {
		case c.LeaveOut:
			n, err := service.LeaveOut(ctx, annotator.System, c.Slug, c.Within, c.Images)
			if err != nil {
				return err
			}
			changed = fmt.Sprintf("%d images are left out of measures from now on.", n)
		case c.Restore:
			n, err := service.TakeIn(ctx, annotator.System, c.Slug, c.Images)
			if err != nil {
				return err
			}
			changed = fmt.Sprintf("%d images are measured on again from now on.", n)
		}
		found, err := service.Leakage(ctx, annotator.System, c.Slug, c.Within, c.Limit)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(streams.Out, found)
		}
		if changed != "" {
			fmt.Fprintln(streams.Out, changed)
		}
		return printLeakage(streams, project.Project, found)
	})
}

// printLeakage lists what was found.
func printLeakage(streams *stdio, p annotator.Project, l annotator.Leakage) error {
	text := l.Text()
	if text == "" {
		text = fmt.Sprintf("None of %d held-out images is like one of %d training images within %d bits", l.HeldOut, l.Training, l.Within)
	}
	fmt.Fprintf(streams.Out, "%s.\n", text)
	if l.LeftOut > 0 {
		fmt.Fprintf(streams.Out, "%d images are left out of measures.\n", l.LeftOut)
	}
	if len(l.Leaks) == 0 {
		return nil
	}
	class := func(i annotator.Image) string {
		if i.Label == nil || *i.Label >= len(p.Classes) {
			return "-"
		}
		return p.Classes[*i.Label].Key
	}
	table := tabwriter.NewWriter(streams.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "IMAGE\tHELD OUT\tSPLIT\tCLASS\tTRAINING\tSPLIT\tCLASS\tBITS\tMEASURED")
	for _, leak := range l.Leaks {
		bits, measured := fmt.Sprint(leak.Distance), "yes"
		if leak.Exact {
			bits = "same file"
		}
		if !leak.HeldOut.Measured() {
			measured = "left out"
		}
		h, t := leak.HeldOut, leak.Training
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", h.ID, h.Name, h.Split, class(h), t.Name, t.Split, class(t), bits, measured)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if rest := l.Found() - len(l.Leaks); rest > 0 {
		fmt.Fprintf(streams.Out, "and %d more: --limit, --json\n", rest)
	}
	return nil
}
