package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/measure"
)

// evaluateCommand measures a model on labelled pictures.
type evaluateCommand struct {
	Model  string `help:"The ABN, an ONNX file." required:"" type:"existingfile"`
	Images string `help:"Folder of labelled pictures: split/class/image." required:"" type:"existingdir"`
	layoutFlags
	partFlags
	Split   string `help:"Split to measure on; without it test, else validation, else everything."`
	Masks   string `help:"Folder of object masks named after the images, for what the map has to do with the object." type:"existingdir"`
	Maps    string `help:"People's maps of the images: a folder of .npy or grey .png named after them, or an .npz; for how near the network's are." type:"path"`
	Compare string `help:"Another ABN, to compare the model with on the same images: intervals, McNemar's test, Holm's adjustment." type:"existingfile" placeholder:"FILE"`
	Rows    string `help:"Write what is known of each image as JSON, a line an image (with --compare, of each network): every figure follows from these rows." type:"path" placeholder:"FILE"`
	Curves  int    `help:"Compute deletion and insertion on so many of the images, evenly spread; each image takes hundreds of passes. 0: on none." default:"0" placeholder:"N"`
	Step    int    `help:"Pixels that deletion and insertion replace at a time; 0: as many as a row has." default:"0" placeholder:"PIXELS"`
	HoldMap bool   `help:"In deletion and insertion, keep the map of the whole picture; without it the attention branch looks anew at each changed picture."`
	Threads int    `help:"Threads of the runtime; 0: all cores." default:"0"`
	JSON    bool   `name:"json" help:"Print one JSON document."`
}

// evaluateReport is evaluate's JSON document.
type evaluateReport struct {
	Model string `json:"model"`
	Split string `json:"split"` // "" where the folder has none
	measure.Evaluation
	Classes     []string            `json:"classes"`
	Measures    []measure.Figure    `json:"measures"` // all of them, by name
	Calibration []measure.Bin       `json:"calibration"`
	Confusion   []measure.Confusion `json:"confusion"`                        // classes by their place in Classes; pairs that do not occur are left out
	Activation  *float64            `json:"wrong_reason_threshold,omitempty"` // above which a scaled map is active
	Compared    *comparedReport     `json:"compared,omitempty"`
	Unused      []string            `json:"unused_maps,omitempty"`
	Broken      []brokenImage       `json:"broken"` // pictures that could not be used
	Seconds     float64             `json:"seconds"`
}

// comparedReport is the model beside another one.
type comparedReport struct {
	Model    string               `json:"model"` // the other one
	Measures []measure.Comparison `json:"measures"`
}

type brokenImage struct {
	Image string `json:"image"`
	Error string `json:"error"`
}

// Run measures.
func (c *evaluateCommand) Run(ctx context.Context, io *stdio) error {
	start := time.Now()
	if err := c.check(); err != nil {
		return err
	}
	set, err := c.read(c.Images, io.Err)
	if err != nil {
		return err
	}
	defer set.Close()
	m, err := c.measure(ctx, c.Model, set, io.Err)
	if err != nil {
		return err
	}
	rows := m.rows
	report := m.report
	report.Model, report.Classes = c.Model, m.classes
	report.Measures, report.Calibration, report.Confusion = measure.Table(rows, len(m.classes)), measure.Reliability(rows), measure.ConfusionMatrix(rows)
	if c.Compare != "" {
		other, err := c.measure(ctx, c.Compare, set, io.Err)
		if err != nil {
			return err
		}
		if report.Compared, err = c.compare(m, other); err != nil {
			return err
		}
		rows = append(rows, other.rows...)
	}
	if c.Rows != "" {
		if err := writeRows(c.Rows, rows); err != nil {
			return fmt.Errorf("writing %s: %w", c.Rows, err)
		}
	}
	report.Seconds = time.Since(start).Seconds()
	if c.JSON {
		return printJSON(io.Out, report)
	}
	report.print(io.Out)
	return nil
}

// check refuses flags that ask for nothing, or for too much.
func (c *evaluateCommand) check() error {
	switch {
	case c.Curves < 0 || c.Step < 0:
		return errors.New("--curves and --step are numbers of images and of pixels: 0 or more")
	case c.Curves == 0 && (c.HoldMap || c.Step > 0):
		return errors.New("--hold-map and --step are of deletion and insertion: say with --curves N on how many images they are computed")
	case c.Rows == "":
		return nil
	}
	read := wholeModel("--model", c.Model)
	if c.Compare != "" {
		read = append(read, wholeModel("--compare", c.Compare)...)
	}
	if c.Maps != "" {
		read = append(read, namedFile{"--maps", c.Maps})
	}
	return refuseOverwriting([]namedFile{{"--rows", c.Rows}}, read, namedFile{"--images", c.Images}, namedFile{"--masks", c.Masks}, namedFile{"--maps", c.Maps})
}

// compare compares the model with another one on the images that both could read.
func (c *evaluateCommand) compare(m, other answers) (*comparedReport, error) {
	if !slices.Equal(m.classes, other.classes) {
		return nil, fmt.Errorf("--compare %s has other classes than --model %s, or has them in another order: compare networks of the same classes", c.Compare, c.Model)
	}
	a, b := measure.Shared(m.rows, other.rows)
	compared, err := measure.Compare(a, b, len(m.classes), bootstrapSeed)
	return &comparedReport{c.Compare, compared}, err
}

// bootstrapSeed makes intervals the same each time.
const bootstrapSeed = 1

// writeRows writes rows as JSON Lines.
func writeRows[R any](path string, rows []R) error {
	return durable.Write(path, func(w io.Writer) error {
		lines := json.NewEncoder(w)
		for _, r := range rows {
			if err := lines.Encode(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// scanPrior is the time that an image of a scan is expected to take, before one has been timed.
const scanPrior = 20 * time.Millisecond

// plan is a stage of a command's work, for its progress.
type plan = progress.Plan

// openModel opens an ABN and its manifest on the runtime, tries it and writes the warnings on it.
func openModel(ctx context.Context, path string, names partFlags, threads int, warn io.Writer) (*inference.Network, manifest.Manifest, error) {
	model, err := onnx.ReadFile(ctx, path)
	if err != nil {
		return nil, manifest.Manifest{}, err
	}
	opened, err := openABN(ctx, path, model, names)
	if err != nil {
		return nil, manifest.Manifest{}, err
	}
	ready, err := runABN(path, opened, threads)
	if err != nil {
		return nil, manifest.Manifest{}, err
	}
	trial, err := ready.Try(ctx, opened)
	if err != nil {
		return nil, manifest.Manifest{}, errors.Join(fmt.Errorf("%s: %w", path, err), ready.Close())
	}
	tellWarnings(warn, path, trial.Warnings)
	return ready, opened.Manifest(), nil
}

// tellWarnings writes what is known against a network that is used all the same.
func tellWarnings(w io.Writer, path string, warnings []string) {
	for _, warning := range warnings {
		fmt.Fprintf(w, "studio: %s: %s\n", path, warning)
	}
}

// tryABN runs an opened ABN on test pictures, in sessions that are closed again.
func tryABN(ctx context.Context, opened *network.Network) (inference.Trial, error) {
	if err := ort.Init(os.Getenv("STUDIO_ORT_LIB")); err != nil {
		return inference.Trial{}, err
	}
	return inference.TryOpened(ctx, opened, inference.NetworkOptions{})
}

// openABN finds the parts of a model that was read from path, with its manifest and the names that flags give.
func openABN(ctx context.Context, path string, model *onnx.Model, names partFlags) (*network.Network, error) {
	m, err := manifest.Load(path, model.MetadataValue)
	if err != nil {
		return nil, err
	}
	m = names.over(m)
	opened, err := network.Open(ctx, model, m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, onnx.AttachAdvice(ctx, model, m.PartNames(), err))
	}
	return opened, nil
}

// runABN makes an opened ABN ready to run. The caller closes it.
func runABN(path string, opened *network.Network, threads int) (*inference.Network, error) {
	if err := ort.Init(os.Getenv("STUDIO_ORT_LIB")); err != nil {
		return nil, err
	}
	ready, err := inference.NewNetwork(opened, inference.NetworkOptions{Session: ort.Options{IntraOpThreads: threads}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ready, nil
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(verbatim(out))
	e.SetIndent("", "  ")
	return e.Encode(v)
}
