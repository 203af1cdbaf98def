package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/trainer"
)

// trainingImages are the labelled pictures of a data set, as training and evaluation want them. A
// sample's ID is its place in paths.
type trainingImages struct {
	preprocessor *inference.Preprocessor
	paths        []string
	splits       []string
	samples      []trainer.Sample
	unlabelled   int
	broken       []string // pictures that cannot be opened, and why
}

// openTrainingImages hashes the pictures of a data set and matches their classes to the model's. masks
// is a folder of masks named after the images ("": those the data set names itself); they are averaged
// to a grid of height × width cells. An unlabelled picture is counted and left out. It is the meter's stage progress.Reading.
func openTrainingImages(ctx context.Context, set *dataset.Dataset, classes []string, p *inference.Preprocessor, masks string, height, width int, meter *progress.Meter) (*trainingImages, error) {
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
	samples, faults := make([]trainer.Sample, len(set.Samples)), make([]error, len(set.Samples))
	meter.Begin(progress.Reading, 0)
	var read atomic.Int64
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(4) // two cores to hash and decode masks, and some to wait for the disk
	for i, s := range set.Samples {
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
			samples[i] = trainer.Sample{Name: s.Name, Hash: hash, Group: s.Group, Label: label[s.Class]}
			mask := s.Mask
			if masks != "" {
				mask = findMask(masks, s.Name)
			}
			if mask != "" {
				samples[i].Mask, err = maskOnGrid(inner, p, mask, s.Path, height, width)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	t := &trainingImages{preprocessor: p}
	for i, s := range set.Samples {
		switch {
		case faults[i] != nil:
			t.broken = append(t.broken, fmt.Sprintf("%s: %v", s.Name, faults[i]))
		case s.Class == "":
			t.unlabelled++
		default:
			samples[i].ID = int64(len(t.paths))
			t.paths, t.splits, t.samples = append(t.paths, s.Path), append(t.splits, s.Split), append(t.samples, samples[i])
		}
	}
	return t, nil
}

// readingPlan is what openTrainingImages has to do.
func readingPlan(set *dataset.Dataset) progress.Plan {
	return progress.Plan{Stage: progress.Reading, Total: len(set.Samples), Each: time.Millisecond}
}

// workloadOf counts what a training on a data set works on, as far as its lists tell: what trainedOn, heldOut and validation
// will give where every file can be read. asked is the split to measure on, edited the number of maps.
func workloadOf(set *dataset.Dataset, asked string, edited int) trainer.Workload {
	n := map[string]int{}
	for _, s := range set.Samples {
		if s.Class != "" {
			n[s.Split]++
		}
	}
	measured := dataset.Validation
	if split, ok := dataset.SplitName(asked); asked != "" && ok {
		measured = split
	} else if n[dataset.Test] > 0 {
		measured = dataset.Test
	}
	w := trainer.Workload{Train: n[dataset.Train] + n[""], Edited: edited, Heldout: n[measured]}
	if measured != dataset.Validation {
		w.Validation = n[dataset.Validation]
	}
	return w
}

// pixels implements trainer.PixelReader.
func (t *trainingImages) pixels(ctx context.Context, s trainer.Sample, dst []float32) error {
	return pixelsOf(ctx, t.preprocessor, t.paths[s.ID], dst)
}

// pixelsOf writes the network's input for a picture file.
func pixelsOf(ctx context.Context, p *inference.Preprocessor, path string, dst []float32) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return p.Pixels(ctx, file, dst)
}

// of returns the samples of some splits.
func (t *trainingImages) of(splits ...string) []trainer.Sample {
	var out []trainer.Sample
	for i, s := range t.samples {
		if slices.Contains(splits, t.splits[i]) {
			out = append(out, s)
		}
	}
	return out
}

// heldOut names the split to measure on: the one asked for, else test, else validation, else "" with
// no samples.
func (t *trainingImages) heldOut(asked string) (string, []trainer.Sample, error) {
	if asked != "" {
		split, ok := dataset.SplitName(asked)
		if !ok {
			return "", nil, fmt.Errorf("%q is no split: use train, validation, test or pool", asked)
		}
		list := t.of(split)
		if len(list) == 0 {
			return "", nil, fmt.Errorf("there are no labelled images in the split %s", split)
		}
		return split, list, nil
	}
	for _, split := range []string{dataset.Test, dataset.Validation} {
		if list := t.of(split); len(list) > 0 {
			return split, list, nil
		}
	}
	return "", nil, nil
}

// findMask looks for an image's mask: a picture of the image's path below the data set's root, of that
// path without its first folders, or of its file name alone. "" if there is none.
func findMask(dir, name string) string {
	stem := strings.TrimSuffix(name, path.Ext(name))
	for {
		for _, suffix := range []string{".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"} {
			file := filepath.Join(dir, filepath.FromSlash(stem+suffix))
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
				return file
			}
		}
		_, rest, more := strings.Cut(stem, "/")
		if !more {
			return ""
		}
		stem = rest
	}
}

// maskOnGrid reads an object's mask and averages it over the cells of what the network sees of the
// picture. A mask is taken to be oriented as the picture is after its EXIF orientation, where the manifest applies that.
func maskOnGrid(ctx context.Context, p *inference.Preprocessor, mask, path string, height, width int) (m attention.Map, err error) {
	f, err := os.Open(path)
	if err != nil {
		return m, err
	}
	header, err := picture.Process().Header(f)
	f.Close()
	if err != nil {
		return m, nil // a broken picture: reported when it is decoded
	}
	view := p.View(header.Width, header.Height, 1)
	w, h := float64(header.Width), float64(header.Height)
	region := [4]float64{view.X / w, view.Y / h, view.Width / w, view.Height / h}
	err = dataset.Mask(ctx, mask, func(grey *image.Gray) error {
		m = attention.FromMask(grey, region, height, width)
		return nil
	})
	return m, err
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
