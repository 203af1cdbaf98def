package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/fingerprint"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/text"
)

// importCommand brings a data set into a project.
type importCommand struct {
	storageFlags
	Source  []string `arg:"" name:"source" help:"The data set: a folder, a table, an archive (zip, tar), or a prefix in a bucket (s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, azblob://CONTAINER/PREFIX); before it, its layout where it is not to be told: ${formats}."`
	Project string   `placeholder:"SLUG" help:"The project, as 'studio project list' names it."`
	Split   string   `enum:"${splits}" default:"train" help:"Split of pictures whose data set names none: one of ${enum}."`
	Pool    float64  `placeholder:"FRACTION" help:"Share of the test split, chosen by name, that becomes the pool: tasks come from there, and the rest still measures."`
	Name    string   `name:"source" placeholder:"NAME" help:"Name of the source: image names are told apart within it. Import a data set again under its name; give a second one another, even where its files are called the same. Default: main."`
	Update  bool     `help:"Take over what differs from the project: pictures, classes, splits, groups, masks. Without it that is said, and nothing that is there is changed."`
	Prune   bool     `help:"Take out images that are gone from the source. They are kept with their edits, and used for nothing."`
	DryRun  bool     `help:"Read and report only. With --project, say what an import would find there and do; without, no database is needed."`
	Report  string   `placeholder:"FILE" help:"Write every difference from the project to this CSV file: kind, name, was, is, and maps: painted or approved where an update or a prune concerns people's maps."`
	JSON    bool     `name:"json" help:"Print one JSON document."`
	layoutFlags

	dir string // of Source
}

// Help says what is read, below the flags.
func (c *importCommand) Help() string {
	var out strings.Builder
	out.WriteString("Layouts:\n")
	for _, l := range dataset.About() {
		fmt.Fprintf(&out, "  %-12s %s\n", l[0], l[1])
	}
	out.WriteString("\nFiles that are skipped, files that a list names but that are missing, and values that are changed while reading are counted and listed. --dry-run shows all this and changes nothing.")
	return out.String()
}

// gcPercent is how much garbage an import lets gather, in percent of what it holds: a million images stay below 256 MB with it.
const gcPercent = 25

// importSummary is what --json prints.
type importSummary struct {
	annotator.ImportReport
	Advice   []string          `json:"advice,omitempty"` // what to do about differences
	Skipped  int               `json:"skipped"`          // files that are no pictures
	Missing  int               `json:"missing"`          // files that the data set's lists name and that do not exist
	Format   string            `json:"format"`
	Why      string            `json:"read_as"` // how the format was recognised
	Classes  int               `json:"classes"`
	Splits   map[string]int    `json:"splits"`
	Problems []dataset.Problem `json:"problems,omitempty"` // skipped and missing, at most 100
	Notes    []dataset.Problem `json:"notes,omitempty"`    // how unclear things were read, at most 100
	Masks    int               `json:"masks"`              // images whose object is shown, without Unmasked
	// Unmasked counts the masks that cannot be read, whose images are imported without one.
	Unmasked  int    `json:"masks_broken,omitempty"`
	FirstMask string `json:"first_mask_broken,omitempty"`
	DryRun    bool   `json:"dry_run"`
	// Leakage is what of the project's held-out images is in its training splits too, counted when the import is in.
	Leakage *annotator.Leakage `json:"leakage,omitempty"`
}

// Run imports.
func (c *importCommand) Run(ctx context.Context, streams *stdio) (err error) {
	if err := c.source(); err != nil {
		return err
	}
	options, err := c.options(c.Format)
	if err != nil {
		return err
	}
	if c.Project == "" && (!c.DryRun || c.Report != "") {
		return errors.New("name the project with --project, or try --dry-run alone")
	}
	var differences *differenceFile
	if c.Report != "" {
		if differences, err = c.openReport(); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
		defer func() {
			failed := differences.close()
			if failed != nil && err == nil && !c.DryRun {
				failed = fmt.Errorf("%w; the import itself is done, as said above", failed)
			}
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("--report %s: %w", c.Report, failed))
			}
		}()
	}
	// What is held of a data set is nearly all of what is held, and it lives to the end: the collector may come more often than elsewhere.
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	fetching := newProgressLine(streams.Err)
	meter := fetching.meter(progress.Plan{Stage: progress.Fetching, Total: 1, Each: 20 * time.Millisecond})
	var once sync.Once
	options.Context, options.Fetched = ctx, func(done, all int) {
		once.Do(func() { meter.Expect(progress.Fetching, all, 0); meter.Begin(progress.Fetching, 0) })
		meter.Advance(progress.Fetching, done)
	}
	d, err := dataset.Read(c.dir, options)
	fetching.done()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if c.Pool < 0 || c.Pool >= 1 {
		return fmt.Errorf("--pool %v: want a fraction from 0 to below 1", c.Pool)
	}
	takePool(d, c.Pool)
	summary := importSummary{Format: d.Format, Why: d.Why, Classes: len(d.Classes), Splits: map[string]int{}, DryRun: c.DryRun}
	for _, s := range d.All() {
		if d.HasMask(s) {
			summary.Masks++
		}
		split := s.Split
		if split == "" {
			split = c.Split
		}
		summary.Splits[split]++
	}
	summary.Problems = append(summary.Problems, d.Skipped[:min(100, len(d.Skipped))]...)
	summary.Problems = append(summary.Problems, d.Missing[:min(100-len(summary.Problems), len(d.Missing))]...)
	summary.Images, summary.Skipped, summary.Missing = d.Len(), len(d.Skipped), len(d.Missing)
	if c.Project != "" {
		if summary.ImportReport, err = c.store(ctx, streams, d, differences, &summary); err != nil {
			return err
		}
		summary.Advice = c.advice(summary.ImportReport)
	} else if err := readMasks(ctx, d); err != nil {
		return err
	}
	seen := d.MasksSeen()
	summary.Unmasked, summary.FirstMask = seen.Broken, seen.FirstBroken
	summary.Masks -= seen.Broken + seen.Empty
	notes := slices.Concat(seen.Notes, d.Notes)
	summary.Notes = notes[:min(100, len(notes))]
	if c.JSON {
		return json.NewEncoder(verbatim(streams.Out)).Encode(summary)
	}
	c.print(streams, summary)
	return nil
}

// readMasks reads the masks as an import would.
func readMasks(ctx context.Context, d *dataset.Dataset) error {
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, sample := range d.All() {
		if !d.HasMask(sample) {
			continue
		}
		group.Go(func() error {
			_ = d.ObjectMask(reading, sample, func(*image.Gray) error { return nil }) // MasksSeen counts what cannot be read
			return context.Cause(reading)
		})
	}
	return group.Wait()
}

// source reads the arguments: a data set, and its format before it.
func (c *importCommand) source() error {
	switch len(c.Source) {
	case 1:
		c.dir = c.Source[0]
	case 2:
		if c.Format != dataset.Auto && c.Format != c.Source[0] {
			return fmt.Errorf("the layout is named twice, %s and --format %s", c.Source[0], c.Format)
		}
		c.Format, c.dir = c.Source[0], c.Source[1]
		if c.Format != dataset.Auto && !slices.Contains(dataset.Formats(), c.Format) {
			return fmt.Errorf("%w %q: want one of %s before the data set", dataset.ErrFormat, c.Format, formatNames())
		}
	default:
		return fmt.Errorf("%d arguments: want the data set, and its layout before it or not at all", len(c.Source))
	}
	return nil
}

// differenceFile is --report: it is written as differences are found, so that an import that fails leaves those it found.
type differenceFile struct {
	file  *os.File
	lines *text.CSV
	begun int64 // bytes of the first line
}

// cutShort is the last line of a report that the disk did not take whole.
const cutShort = "\ncut short,the disk took no more: the differences after this are not in the report,,,\n"

// openReport begins --report before anything is read. Its first line goes to the disk at once, so that a full one is told now.
func (c *importCommand) openReport() (*differenceFile, error) {
	if err := refuseOverwriting([]namedFile{{"--report", c.Report}}, nil, namedFile{"the data set", c.dir}); err != nil {
		return nil, err
	}
	file, err := os.Create(c.Report)
	if err != nil {
		return nil, err
	}
	f := &differenceFile{file: file, lines: text.NewCSV(file)}
	f.write("kind", "name", "was", "is", "maps")
	f.lines.Flush()
	if err := cmp.Or(f.lines.Error(), file.Sync()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f.begun, err = file.Seek(0, io.SeekCurrent)
	return f, err
}

// write adds a line. An error stays, and close returns it.
func (f *differenceFile) write(cells ...string) { _ = f.lines.Write(cells) }

func (f *differenceFile) close() error {
	f.lines.Flush()
	err := f.lines.Error()
	if err != nil {
		err = fmt.Errorf("the report is cut short: %w", errors.Join(err, f.mark()))
	}
	return errors.Join(err, f.file.Close())
}

// mark ends a report that is cut short with a line that says so. A full disk takes no more bytes, so the line replaces the last ones.
func (f *differenceFile) mark() error {
	size, err := f.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	const looked = 64 << 10 // more than a line has
	at := max(f.begun-1, size-int64(len(cutShort))-looked)
	tail := make([]byte, max(0, size-int64(len(cutShort))-at))
	if _, err := f.file.ReadAt(tail, at); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	at += int64(max(0, bytes.LastIndexByte(tail, '\n'))) // where a line ends
	if _, err := f.file.WriteAt([]byte(cutShort), at); err != nil {
		return err
	}
	return f.file.Truncate(at + int64(len(cutShort)))
}

// takePool moves a share of the test split to the pool. It chooses images by their names alone, so that a repeated import chooses the
// same ones.
func takePool(d *dataset.Dataset, share float64) {
	if share == 0 {
		return
	}
	d.Assign(func(s dataset.Sample) string {
		if s.Split == dataset.Test {
			sum := sha256.Sum256([]byte(s.Name))
			if float64(binary.BigEndian.Uint32(sum[:]))/(1<<32) < share {
				return dataset.Pool
			}
		}
		return s.Split
	})
}

// store imports the images, or previews the import. The project's pages show the progress too.
func (c *importCommand) store(ctx context.Context, streams *stdio, d *dataset.Dataset, differences *differenceFile, summary *importSummary) (report annotator.ImportReport, err error) {
	log := warnings(streams.Err)
	s, err := c.open(ctx, log, true)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	service := s.service(log)
	if _, err := projectNamed(ctx, service, c.Project); err != nil {
		return report, err
	}
	line := newProgressLine(streams.Err)
	defer line.done()
	in := jobs.ImageImport(s.Blobs, d.Format+" "+dataset.BaseName(c.dir), d, jobs.ImportOptions{
		Source: c.Name, Split: annotator.Split(c.Split), Update: c.Update, Prune: c.Prune,
	})
	if differences != nil {
		in.Differs = func(d annotator.ImageDifference) {
			differences.write(string(d.Kind), d.Name, d.Was, d.Is, string(d.Maps))
		}
	}
	if c.DryRun {
		return service.PreviewImport(ctx, annotator.System, c.Project, in, line.show)
	}
	out, err := service.ImportImages(ctx, annotator.System, c.Project, in, line.show)
	if err != nil {
		return out.ImportReport, err
	}
	leakage, err := service.Leakage(ctx, annotator.System, c.Project, fingerprint.Bound, 0)
	summary.Leakage = &leakage
	return out.ImportReport, err
}

func (c *importCommand) print(streams *stdio, s importSummary) {
	var splits []string
	read := 0 // without those that the project has and whose files are not read
	for _, name := range []string{"train", "validation", "test", "pool"} {
		if n := s.Splits[name]; n > 0 {
			read += n
			splits = append(splits, fmt.Sprintf("%d %s", n, name))
		}
	}
	fmt.Fprintf(streams.Out, "%s: %s of %s (%s), %s with a mask\n", dataset.BaseName(c.dir), text.Plural(read, "image"), text.Plural(s.Classes, "class"), strings.Join(splits, ", "), text.Count(s.Masks))
	if s.Why != "" {
		fmt.Fprintf(streams.Out, "read as %s\n", s.Why)
	}
	if c.Project != "" {
		c.printSync(streams, s.ImportReport)
		c.printLeakage(streams, s.Leakage)
	}
	if s.Unmasked > 0 {
		fmt.Fprintf(streams.Out, "without %s that cannot be read, the first: %s\n", text.Plural(s.Unmasked, "mask"), s.FirstMask)
	}
	fmt.Fprintf(streams.Out, "%s skipped, %s named and not there\n", text.Plural(s.Skipped, "file"), text.Count(s.Missing))
	for _, p := range s.Problems[:min(10, len(s.Problems))] {
		fmt.Fprintf(streams.Out, "  %s: %s\n", p.Path, p.Reason)
	}
	if rest := s.Skipped + s.Missing - 10; rest > 0 {
		fmt.Fprintf(streams.Out, "  and %d more\n", rest)
	}
	if len(s.Notes) > 0 {
		fmt.Fprintln(streams.Out, "to know:")
	}
	for _, n := range s.Notes[:min(20, len(s.Notes))] {
		fmt.Fprintf(streams.Out, "  %s\n", noteLine(n))
	}
	if rest := len(s.Notes) - 20; rest > 0 {
		fmt.Fprintf(streams.Out, "  and %d more\n", rest)
	}
}

// printSync prints what the import found and did, and what to do about the differences that are left.
func (c *importCommand) printSync(streams *stdio, r annotator.ImportReport) {
	would := ""
	if c.DryRun {
		would = "an import would find and do: "
	}
	fmt.Fprintf(streams.Out, "source %s: %s%s\n", r.Source, would, r.Text())
	for _, k := range annotator.Differences {
		n := r.Changes[k.Kind]
		if n == 0 {
			continue
		}
		heading := fmt.Sprintf("%s: %d", k.Words, n)
		if maps := r.Painted[k.Kind].Text(); maps != "" {
			heading += " (" + maps + ")"
		}
		fmt.Fprintln(streams.Out, heading)
		listed := 0
		for _, d := range r.Differences {
			if d.Kind != k.Kind {
				continue
			}
			if listed++; listed > 5 {
				fmt.Fprintf(streams.Out, "  and %d more\n", n-5)
				break
			}
			line := "  " + d.Name
			if says := d.Text(); says != "" {
				line += ": " + says
			}
			fmt.Fprintln(streams.Out, line)
		}
	}
	if r.NoRoom != "" {
		fmt.Fprintf(streams.Out, "an import would be refused: %s\n", r.NoRoom)
	}
	for _, advice := range c.advice(r) {
		fmt.Fprintln(streams.Out, advice)
	}
}

// printLeakage warns of held-out images that are like training images, and says how many pictures are not compared yet.
func (c *importCommand) printLeakage(streams *stdio, l *annotator.Leakage) {
	if l == nil || l.HeldOut == 0 || l.Training == 0 {
		return
	}
	if text := l.Text(); text != "" {
		fmt.Fprintf(streams.Out, "%s: 'studio project leakage %s' lists them, and leaves them out of measures\n", text, c.Project)
	}
	if l.Pending > 0 {
		fmt.Fprintf(streams.Out, "%s still to be compared for near duplicates across splits: a worker does so, or 'studio project leakage %s'\n", text.Plural(l.Pending, "picture"), c.Project)
	}
}

// advice says what can be done about the differences that an import left.
func (c *importCommand) advice(r annotator.ImportReport) (lines []string) {
	if changed := r.NotUpdated(); changed > 0 && !c.Update {
		lines = append(lines, fmt.Sprintf("%d that differ are left as they are: --update takes over what changed at the source. If this is another data set with the same names, give it a name of its own with --source.", changed))
	}
	if gone := r.Gone - r.Retired; gone > 0 {
		lines = append(lines, fmt.Sprintf("%d that are gone from the source are kept: --prune takes them out.", gone))
	}
	if r.Waiting > 0 {
		lines = append(lines, fmt.Sprintf("%d wait for the round that runs: import again when it is over.", r.Waiting))
	}
	return lines
}
