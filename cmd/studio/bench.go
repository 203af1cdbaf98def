package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/architecture"
)

// benchCommand times the studio's work against what the runtime does bare, each as a ratio of things
// measured in turn within one run, so that figures of different machines can be compared.
type benchCommand struct {
	All      benchAllCommand      `cmd:"" default:"withargs" help:"All that time something, one after the other (this is what \"bench\" alone does)."`
	Scan     benchScanCommand     `cmd:"" help:"A scan of files against runs of the same pictures from memory."`
	Score    benchScoreCommand    `cmd:"" help:"Live scores against bare runs of the perception branch."`
	Features benchFeaturesCommand `cmd:"" help:"An epoch over cached features against reading their files."`
	Train    benchTrainCommand    `cmd:"" help:"Training steps against a large matrix product."`
	Recipe   benchRecipeCommand   `cmd:"" help:"A round's defaults on many networks: does a branch die, and what are maps worth. Hours, so \"bench\" alone leaves it out."`
}

// benchAllCommand runs every benchmark; its JSON document has the keys of all of them.
type benchAllCommand struct {
	benchSubject
	JSON bool `name:"json" help:"Print one JSON document."`
}

// benchmark is one of them with its settings.
type benchmark struct {
	name string
	run  func(ctx context.Context, streams *stdio) error // prints one JSON document if asked to
}

// Run runs them all.
func (c *benchAllCommand) Run(ctx context.Context, streams *stdio) error {
	scan := benchScanCommand{benchSubject: c.benchSubject, Limit: defaultScanLimit, Batch: 16, Rounds: 5, JSON: c.JSON}
	score := benchScoreCommand{benchSubject: c.benchSubject, Runs: defaultScoreRuns, JSON: c.JSON}
	train := benchTrainCommand{Arch: "resnet18", Classes: 200, Batch: 32, Steps: 5, Strategy: "both", Norm: "batch", JSON: c.JSON}
	all := map[string]json.RawMessage{}
	features := benchFeaturesCommand{Images: 512, Channels: 1024, Side: 14, Rounds: 5, JSON: c.JSON}
	for _, b := range []benchmark{{"scan", scan.Run}, {"score", score.Run}, {"features", features.Run}, {"train", train.Run}} {
		out := streams.Out
		reader, writer := io.Pipe()
		inner := *streams
		if c.JSON {
			inner.Out = writer
		}
		done := make(chan error, 1)
		go func() {
			var err error
			if c.JSON {
				err = json.NewDecoder(reader).Decode(&all) // adds to the keys that are there
				_, _ = io.Copy(io.Discard, reader)
			}
			done <- err
		}()
		if !c.JSON {
			fmt.Fprintf(out, "%s\n", b.name)
		}
		err := b.run(ctx, &inner)
		writer.Close()
		if decode := <-done; err == nil {
			err = decode
		}
		if err != nil {
			return fmt.Errorf("bench %s: %w", b.name, err)
		}
	}
	if c.JSON {
		return printJSON(streams.Out, all)
	}
	return nil
}

// benchSubject is the network and the pictures that scan and score are timed on.
type benchSubject struct {
	Model  string `help:"ABN to time, an ONNX file; without it one of --arch at random weights." type:"existingfile"`
	Arch   string `help:"Architecture to time where there is no --model, as in \"studio train\"." default:"resnet18"`
	Images string `help:"Folder of pictures; without it Aviary's are drawn." type:"existingdir"`
	Format string `help:"Layout of the folder." enum:"folder,cub,idrid,csv" default:"folder"`
}

// open returns the model and its manifest, a path that has them, and the pictures, at most limit of
// them. What had to be made is in a folder that close removes.
func (s benchSubject) open(ctx context.Context, limit int) (b *benchOpened, err error) {
	b = &benchOpened{path: s.Model}
	if b.dir, err = os.MkdirTemp("", "studio-bench-"); err != nil {
		return nil, err
	}
	opened := b // what goes wrong is returned without it
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.close())
		}
	}()
	if s.Model == "" {
		if err := b.build(s.Arch); err != nil {
			return nil, err
		}
	} else if err := b.read(ctx); err != nil {
		return nil, err
	}
	images, format := s.Images, s.Format
	if images == "" {
		images, format = filepath.Join(b.dir, "aviary"), "folder"
		each := max(4, (limit/len(aviary.Birds())-1)/8*4)
		if err := aviary.Generate(ctx, images, aviary.Options{Seed: 1, Train: 1, Validation: each, Test: each, HomePercent: 95}, nil); err != nil {
			return nil, err
		}
	}
	set, err := dataset.Open(format, images)
	if err != nil {
		return nil, err
	}
	for _, sample := range set.Samples[:min(limit, len(set.Samples))] {
		b.pictures = append(b.pictures, sample.Path)
	}
	return b, nil
}

// benchOpened is a subject that is ready to be timed.
type benchOpened struct {
	dir      string // of what was made for the occasion
	path     string
	model    *onnx.Model
	manifest onnx.Manifest
	pictures []string
}

func (b *benchOpened) build(name string) error {
	a, err := architecture.Named(name)
	if err != nil {
		return err
	}
	if b.model, err = a.Build(14, 1); err != nil {
		return err
	}
	resize := a.ImageSize
	b.manifest = onnx.Manifest{
		Resize: &resize, Crop: [2]int{a.ImageSize, a.ImageSize}, Interpolation: "bilinear", Channels: "RGB",
		Mean: []float32{0.485, 0.456, 0.406}, Std: []float32{0.229, 0.224, 0.225},
	}
	b.path = filepath.Join(b.dir, "network.onnx")
	return b.model.WriteFile(b.path)
}

func (b *benchOpened) read(ctx context.Context) (err error) {
	if b.model, err = onnx.ReadFile(ctx, b.path); err != nil {
		return err
	}
	b.manifest, err = onnx.LoadManifest(b.path, b.model)
	return err
}

func (b *benchOpened) close() error { return os.RemoveAll(b.dir) }

// quantile is the value that a share q of list is not above.
func quantile(list []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, int(math.Ceil(q*float64(len(sorted))))-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
