package samples

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/trainer/sample"
)

// Set holds the labelled pictures of a data set.
type Set struct {
	Samples      []sample.Sample // a sample's ID is its place here
	Broken       []string        // pictures that cannot be opened, and why
	preprocessor *inference.Preprocessor
	view         View
	data         *dataset.Dataset
	pictures     []dataset.Sample // by ID, with the mask that the view names
	paths        []string         // by ID
	splits       []string         // by ID
}

// View is how a network sees pictures, and the classes that it knows.
type View struct {
	Classes       []string // the model's: a class's index is its label
	Preprocessor  *inference.Preprocessor
	Height, Width int // cells of the map
	// Masks is a folder of object masks named after the images; "": those that the data set names itself.
	Masks string
}

// ViewOf is the view of an open network. masks is View.Masks.
func ViewOf(n *inference.Network, classes []string, masks string) View {
	sizes := n.Sizes()
	return View{Classes: classes, Preprocessor: n.Preprocessor, Height: sizes.GridHeight, Width: sizes.GridWidth, Masks: masks}
}

// Open hashes the pictures of a data set, matches their classes to the model's and averages their masks to its grid. An
// unlabelled picture is left out. It is the meter's stage progress.Reading. A class that the model does not have is an error, and
// so is a folder of masks of which none is named like an image.
func Open(ctx context.Context, set *dataset.Dataset, v View, meter *progress.Meter) (*Set, error) {
	classes := v.Classes
	label := make(map[string]int, len(classes))
	for i, c := range classes {
		label[c] = i
	}
	for _, c := range set.Classes {
		if _, ok := label[c]; !ok {
			return nil, fmt.Errorf("class %q of %s is none of the model's %d (%s, …): name the folders as its manifest does",
				c, set.Dir, len(classes), strings.Join(classes[:min(3, len(classes))], ", "))
		}
	}
	samples, faults := make([]sample.Sample, set.Len()), make([]error, set.Len())
	meter.Begin(progress.Reading, 0)
	var read, masked atomic.Int64
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(4) // two cores to hash and decode masks, and some to wait for the disk
	for i, s := range set.All() {
		group.Go(func() error {
			if inner.Err() != nil {
				return context.Cause(inner)
			}
			defer func() { meter.Advance(progress.Reading, int(read.Add(1))) }()
			hash, err := hashOfFile(s.Path)
			if err != nil {
				faults[i] = err
				return nil
			}
			samples[i] = sample.Sample{Name: s.Name, Hash: hash, Group: s.Group, Cluster: s.Cluster, Label: label[s.Class]}
			s = v.Masked(s)
			if set.HasMask(s) {
				masked.Add(1)
				samples[i].Mask, err = maskOnGrid(inner, v, set, s)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if v.Masks != "" && masked.Load() == 0 {
		return nil, fmt.Errorf("none of the masks in %s is named like an image of %s: a mask has its image's path below the data set's folder, or its file name, and the suffix .png", v.Masks, set.Dir)
	}
	t := &Set{preprocessor: v.Preprocessor, view: v, data: set}
	for i, s := range set.All() {
		switch {
		case faults[i] != nil:
			t.Broken = append(t.Broken, fmt.Sprintf("%s: %v", s.Name, faults[i]))
		case s.Class == "": // unlabelled
		default:
			samples[i].ID = int64(len(t.paths))
			t.pictures = append(t.pictures, v.Masked(s))
			t.paths, t.splits, t.Samples = append(t.paths, s.Path), append(t.splits, s.Split), append(t.Samples, samples[i])
		}
	}
	return t, nil
}

// Plan is what Open has to do.
func Plan(set *dataset.Dataset) progress.Plan {
	return progress.Plan{Stage: progress.Reading, Total: set.Len(), Each: time.Millisecond}
}

// Pixels writes the network's input for a sample; it is a trainer.PixelReader.
func (t *Set) Pixels(ctx context.Context, s sample.Sample, dst []float32) error {
	return Pixels(ctx, t.preprocessor, t.paths[s.ID], dst)
}

// Pixels writes the network's input for a picture file.
func Pixels(ctx context.Context, p *inference.Preprocessor, path string, dst []float32) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return p.Pixels(ctx, file, dst)
}

// hashOfFile is the SHA-256 of a file's bytes.
func hashOfFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
