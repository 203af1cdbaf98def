package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/samples"
	"github.com/abn-studio/studio/internal/text"
)

// predictCommand writes a model's answer for every picture of a folder, or of a project, and its attention maps.
type predictCommand struct {
	Model  string `help:"The ABN, an ONNX file; with --project the number of a version (default: the active one)." placeholder:"FILE|N"`
	Images string `help:"Folder of pictures: split/class/image or class/image." type:"existingdir" xor:"pictures"`
	projectPredictions
	Out    string `help:"What to write: FILE.jsonl, one JSON line per picture, or FILE.npz, numpy's arrays." required:"" placeholder:"FILE"`
	Scores string `help:"What is written of the classes (${enum}): the five most likely, the probabilities of all, or the logits of all from both branches. An .npz has those of all: without logits, probabilities." enum:"top5,probabilities,logits" default:"top5"`
	layoutFlags
	partFlags
	Split   string `help:"Only this split."`
	Batch   int    `help:"Pictures per run." default:"16"`
	Threads int    `help:"Threads of the runtime; 0: all cores." default:"0"`
	JSON    bool   `name:"json" help:"Print the summary as one JSON document."`
}

// Help says what is written.
func (predictCommand) Help() string {
	return `FILE.jsonl has a line for each picture: name, split, label, class, probability, correct, top5, attention_class and map; with --scores probabilities or logits
also the list probabilities, or logits_per and logits_att, in the order of the manifest's classes. A picture that cannot be used has name and error.

FILE.npz has for N pictures and K classes: names (N), probabilities (N,K), or logits_per and logits_att (N,K) with --scores logits, maps (N,1,h,w), classes (K), and for
pictures that could not be used refused (their names) and reasons. numpy.load reads it.

With --project nothing is run: what is written is what the version's scan found.`
}

// prediction is one line of the output.
type prediction struct {
	Name        string       `json:"name"`
	Split       string       `json:"split,omitempty"`
	Error       string       `json:"error,omitempty"` // why the picture could not be used; only name and label are set then
	Label       string       `json:"label,omitempty"` // the folder's class
	Class       string       `json:"class,omitempty"` // the perception branch's answer
	Probability float32      `json:"probability,omitempty"`
	Correct     *bool        `json:"correct,omitempty"` // absent if the label is unknown or not a class of the model
	Top5        []classScore `json:"top5,omitempty"`
	AttClass    string       `json:"attention_class,omitempty"` // the attention branch's answer
	// For all K classes, in the order of the logits; only if they are asked for.
	Probabilities []float32      `json:"probabilities,omitempty"`
	LogitsPer     []float32      `json:"logits_per,omitempty"`
	LogitsAtt     []float32      `json:"logits_att,omitempty"`
	Map           *attention.Map `json:"map,omitempty"`
}

type classScore struct {
	Class       string  `json:"class"`
	Probability float32 `json:"probability"`
}

// predictSummary is what --json prints. Accuracies are fractions of the labelled pictures.
type predictSummary struct {
	accuracy
	Splits    map[string]*accuracy `json:"splits,omitempty"`
	Unknown   map[string]int       `json:"unknown_classes,omitempty"` // images by their class, where the model has no such class: no accuracy counts them
	Broken    []brokenImage        `json:"broken"`
	PerSecond float64              `json:"images_per_second"`
	Out       string               `json:"out"`
}

// accuracy counts answers; the figures are absent if no picture was labelled.
type accuracy struct {
	Images   int      `json:"images"` // predicted
	Labelled int      `json:"labelled"`
	Top1     *float64 `json:"top1,omitempty"`
	Top5     *float64 `json:"top5,omitempty"`
	AttTop1  *float64 `json:"attention_top1,omitempty"`

	hits, hits5, hitsAtt int
}

func (a *accuracy) count(label int, r inference.ScanResult, top []int) {
	a.Images++
	if label < 0 {
		return
	}
	a.Labelled++
	if r.Class == label {
		a.hits++
	}
	if slices.Contains(top, label) {
		a.hits5++
	}
	if r.AttClass == label {
		a.hitsAtt++
	}
}

func (a *accuracy) finish() {
	if a.Labelled == 0 {
		return
	}
	share := func(hits int) *float64 {
		f := float64(hits) / float64(a.Labelled)
		return &f
	}
	a.Top1, a.Top5, a.AttTop1 = share(a.hits), share(a.hits5), share(a.hitsAtt)
}

func (a *accuracy) String() string {
	if a.Labelled == 0 {
		return fmt.Sprintf("%d images, none labelled with a class of the model", a.Images)
	}
	return fmt.Sprintf("%d images, %d labelled: top-1 %.2f%%, top-5 %.2f%%, attention branch %.2f%%",
		a.Images, a.Labelled, 100**a.Top1, 100**a.Top5, 100**a.AttTop1)
}

// Validate is called when the flags have been read.
func (c *predictCommand) Validate() error {
	if c.Project != "" {
		return nil
	}
	if c.Model == "" || c.Images == "" {
		return errors.New("say what predicts what: --model FILE --images DIR, or --project SLUG for what a project's scan found")
	}
	if info, err := os.Stat(c.Model); err != nil || info.IsDir() {
		return fmt.Errorf("--model: there is no file %s", c.Model)
	}
	return nil
}

// Run predicts. The output file gets its name only when it is complete.
func (c *predictCommand) Run(ctx context.Context, streams *stdio) (err error) {
	if c.Project != "" {
		return c.writeProject(ctx, streams)
	}
	if err := refuseOverwriting([]namedFile{{"--out", c.Out}}, wholeModel("--model", c.Model), namedFile{"--images", c.Images}); err != nil {
		return err
	}
	network, manifest, err := openModel(ctx, c.Model, c.partFlags, c.Threads, streams.Err)
	if err != nil {
		return err
	}
	defer network.Close()
	set, err := c.read(c.Images, streams.Err)
	if err != nil {
		return err
	}
	defer set.Close()
	pictures := set.Samples()
	if c.Split != "" {
		split, ok := dataset.SplitName(c.Split)
		if !ok {
			return fmt.Errorf("%q is no split: use train, validation, test or pool", c.Split)
		}
		if pictures = set.Split(split); len(pictures) == 0 {
			return fmt.Errorf("there are no images in the split %s of %s", split, c.Images)
		}
	}
	out, err := durable.Create(c.Out)
	if err != nil {
		return fmt.Errorf("writing %s: %w", c.Out, err)
	}
	defer func() { _ = out.Cleanup() }() // removes an unfinished file
	p := predictor{pictures: pictures, names: classNames(manifest.Classes, network.Sizes().Classes)}
	if p.answers, err = newAnswerFile(c.Out, c.Scores, p.names, network.Sizes(), out); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.answers.close()) }()
	p.summary.Splits, p.summary.Unknown, p.summary.Broken = map[string]*accuracy{}, map[string]int{}, []brokenImage{}
	for _, s := range unusable(set, c.Split) {
		if err := p.refuse(prediction{Name: s.Path, Error: s.Reason}); err != nil {
			return fmt.Errorf("writing %s: %w", c.Out, err)
		}
	}
	line := newProgressLine(streams.Err)
	defer line.done()
	meter := line.meter(plan{Stage: progress.Scanning, Total: len(pictures), Each: scanPrior})
	files := samples.Files(len(pictures), func(i int) samples.File { return samples.File{Name: pictures[i].Name, Path: pictures[i].Path} })
	done, err := inference.Scan(ctx, network, files, p.write, inference.ScanOptions{
		Batch: c.Batch, Total: len(pictures),
		Progress: line.scanned(meter),
	})
	if err != nil {
		return err
	}
	if done.Broken == done.Done {
		return fmt.Errorf("none of the %d images can be used, the first: %s: %s", done.Done, p.summary.Broken[0].Image, p.summary.Broken[0].Error)
	}
	if err := p.answers.finish(); err != nil {
		return fmt.Errorf("writing %s: %w", c.Out, err)
	}
	if err := out.Finish(); err != nil {
		return fmt.Errorf("writing %s: %w", c.Out, err)
	}
	meter.Finish()
	line.done()
	p.summary.PerSecond, p.summary.Out = done.PerSecond, c.Out
	p.summary.finish()
	for _, a := range p.summary.Splits {
		a.finish()
	}
	if c.JSON {
		return printJSON(streams.Out, p.summary)
	}
	p.summary.print(streams.Out)
	return nil
}

// unusable returns the files that were found not to be pictures when the data set was read. If one split is asked for, files in folders
// of other splits are left out.
func unusable(set *dataset.Dataset, split string) []dataset.Problem {
	asked, ok := dataset.SplitName(split)
	if split == "" || !ok {
		return set.Skipped
	}
	var list []dataset.Problem
	for _, s := range set.Skipped {
		folder, _, _ := strings.Cut(s.Path, "/")
		if of, known := dataset.SplitName(folder); !known || of == asked {
			list = append(list, s)
		}
	}
	return list
}

// predictor turns scan results into answers and counts them.
type predictor struct {
	pictures []dataset.Sample
	names    []string // of the K classes
	answers  answerFile
	summary  predictSummary
}

// refuse writes the line of a picture that could not be used, and counts it.
func (p *predictor) refuse(line prediction) error {
	p.summary.Broken = append(p.summary.Broken, brokenImage{line.Name, line.Error})
	return p.answers.refused(line)
}

func (p *predictor) write(_ context.Context, results []inference.ScanResult) error {
	for _, r := range results {
		s := p.pictures[r.Image.ID]
		line := prediction{Name: s.Name, Split: s.Split, Label: s.Class}
		if r.Err != nil {
			line.Error = r.Err.Error()
			if err := p.refuse(line); err != nil {
				return err
			}
			continue
		}
		label := slices.Index(p.names, s.Class)
		top := largest(r.Probabilities, 5)
		line.Class, line.Probability, line.AttClass, line.Map = p.names[r.Class], r.Confidence, p.names[r.AttClass], &r.Map
		for _, k := range top {
			line.Top5 = append(line.Top5, classScore{p.names[k], r.Probabilities[k]})
		}
		if label >= 0 {
			correct := r.Class == label
			line.Correct = &correct
		}
		if label < 0 && s.Class != "" {
			p.summary.Unknown[s.Class]++
		}
		p.summary.count(label, r, top)
		if s.Split != "" {
			if p.summary.Splits[s.Split] == nil {
				p.summary.Splits[s.Split] = &accuracy{}
			}
			p.summary.Splits[s.Split].count(label, r, top)
		}
		if err := p.answers.answered(line, r); err != nil {
			return err
		}
	}
	return nil
}

// largest lists the indices of the n largest values, falling, equals in order.
func largest(values []float32, n int) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[b], values[a]) })
	return order[:min(n, len(order))]
}

// classNames returns the manifest's classes, or "0", "1", … if it has none.
func classNames(classes []string, n int) []string {
	if len(classes) == n {
		return classes
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	return names
}

// print writes the summary for people.
func (s predictSummary) print(out io.Writer) {
	fmt.Fprintf(out, "%s; %.3g images/s\n", s.String(), s.PerSecond)
	if len(s.Splits) > 1 {
		for _, split := range []string{dataset.Train, dataset.Validation, dataset.Test, dataset.Pool} {
			if a := s.Splits[split]; a != nil {
				fmt.Fprintf(out, "  %s: %s\n", split, a)
			}
		}
	}
	if n := len(s.Unknown); n > 0 {
		images := 0
		for _, of := range s.Unknown {
			images += of
		}
		names := slices.Sorted(maps.Keys(s.Unknown))
		fmt.Fprintf(out, "%d images are of classes that the model does not have (%d), and no accuracy counts them: %s\n", images, n, text.Cut(strings.Join(names, ", "), 200))
	}
	if n := len(s.Broken); n > 0 {
		fmt.Fprintf(out, "%d images could not be used, the first: %s: %s\n", n, s.Broken[0].Image, s.Broken[0].Error)
	}
	fmt.Fprintf(out, "written to %s\n", s.Out)
}
