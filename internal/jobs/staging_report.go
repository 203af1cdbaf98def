package jobs

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/image/draw"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// mostListed is how many files of each kind a report names.
const mostListed = 100

// describe is what a data set is.
func describe(set *dataset.Dataset, choices annotator.ImportChoices) *annotator.StagedReport {
	r := &annotator.StagedReport{Format: set.Format, Why: set.Why, SkippedFiles: len(set.Skipped), MissingFiles: len(set.Missing),
		Skipped: firstProblems(set.Skipped), Missing: firstProblems(set.Missing), Notes: firstProblems(set.Notes)}
	seen := set.MasksSeen()
	if seen.Broken > 0 {
		r.Notes = append(r.Notes, annotator.StagedProblem{Reason: fmt.Sprintf("without %s that cannot be read, the first: %s", text.Plural(seen.Broken, "mask"), seen.FirstBroken)})
	}
	r.Notes = append(firstProblems(seen.Notes), r.Notes...)
	r.Masks -= seen.Broken + seen.Empty
	type place struct {
		split annotator.Split
		class string
	}
	counts := map[place]int{}
	for _, sample := range set.All() {
		counts[place{cmp.Or(annotator.Split(sample.Split), choices.Split, annotator.SplitTrain), sample.Class}]++
		if set.HasMask(sample) {
			r.Masks++
		}
	}
	for p, n := range counts {
		r.Counts = append(r.Counts, annotator.StagedCount{Split: p.split, Class: p.class, Images: n})
	}
	slices.SortFunc(r.Counts, func(a, b annotator.StagedCount) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Split, b.Split))
	})
	return r
}

func firstProblems(all []dataset.Problem) (list []annotator.StagedProblem) {
	for _, p := range all[:min(mostListed, len(all))] {
		list = append(list, annotator.StagedProblem{Path: p.Path, Reason: inChoices(p.Reason)})
	}
	return list
}

// exampleCount is how many images of a data set are shown.
const exampleCount = 12

// exampleSamples are some samples, one of each class before a second of any.
func exampleSamples(set *dataset.Dataset) (chosen []dataset.Sample) {
	var classes []string
	first := map[string][]dataset.Sample{} // of each of those classes
	for _, sample := range set.All() {
		list, known := first[sample.Class]
		if !known {
			if len(classes) == exampleCount {
				continue
			}
			classes = append(classes, sample.Class)
		}
		if len(list) < exampleCount {
			first[sample.Class] = append(list, sample)
		}
	}
	for n := range exampleCount {
		for _, class := range classes {
			if list := first[class]; n < len(list) && len(chosen) < exampleCount {
				chosen = append(chosen, list[n])
			}
		}
	}
	return chosen
}

// exampleSide is the longer side of an example, in pixels.
const exampleSide = 160

// writeExample makes a small JPEG of a picture, upright as people know it.
func writeExample(ctx context.Context, from, to string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return picture.Process().Decode(ctx, file, nil, func(_ context.Context, pixels image.Image, h picture.Header) error {
		size := pixels.Bounds().Size()
		scale := min(1, float64(exampleSide)/float64(max(size.X, size.Y)))
		small := image.NewRGBA(image.Rect(0, 0, max(1, int(float64(size.X)*scale)), max(1, int(float64(size.Y)*scale))))
		draw.Draw(small, small.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
		draw.ApproxBiLinear.Scale(small, small.Bounds(), pixels, pixels.Bounds(), draw.Over, nil)
		return durable.Write(to, func(w io.Writer) error {
			return jpeg.Encode(w, picture.Upright(small, h.Orientation), &jpeg.Options{Quality: 85})
		})
	})
}
