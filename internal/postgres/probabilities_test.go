package postgres_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// Of a thousand classes the hundred most probable are kept, in a fifth of the room; labels are judged and predictions exported by them.
func TestThousandClassesKeepTheMostProbable(t *testing.T) {
	t.Parallel()
	const classes = 1000
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	project, err := w.Service.CreateProject(ctx, w.Admin, "thousand", "Thousand", "")
	if err != nil {
		t.Fatal(err)
	}
	name := func(k int) string { return fmt.Sprintf("class-%03d", k) }
	known := make([]annotator.Class, classes)
	for k := range known {
		known[k] = annotator.Class{Key: name(k), Name: name(k)}
	}
	version := pgtest.NewVersion(7)
	version.Classes = known
	v, err := w.Store.AddVersion(ctx, project.ID, version)
	if err != nil {
		t.Fatal(err)
	}
	labels := []int{3, 999, 500, 2}
	var images []annotator.NewImage
	for i, k := range labels {
		images = append(images, annotator.NewImage{Name: fmt.Sprintf("test/%d.png", i), Split: annotator.SplitTest, Class: name(k), Hash: pgtest.Hash(3000 + i), Width: 64, Height: 48})
	}
	if _, err := w.Store.AddImages(ctx, project.ID, images); err != nil {
		t.Fatal(err)
	}
	job, err := w.Store.EnqueueScan(ctx, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.Store.ClaimChunk(ctx, job.ID, "one", 0)
	if err != nil || len(c.Images) != len(labels) {
		t.Fatalf("%d images, %v", len(c.Images), err)
	}
	// Image i answers class 10·i with the most, and its label with the 1st, the 50th, the 99th and the 101st largest probability.
	ranks := []int{1, 50, 99, 101}
	answers := make([][]float32, len(labels))
	var predictions []annotator.Prediction
	for i, image := range c.Images {
		p := make([]float32, classes)
		for k := range p {
			p[k] = 1e-7
		}
		var order []int
		for k := 10 * i; len(order) <= 110; k = (k + 7) % classes { // 7 and 1000 have no divisor in common
			if k != *image.Label {
				order = append(order, k)
			}
		}
		order[ranks[i]-1] = *image.Label
		for place, k := range order {
			p[k] = float32(math.Pow(0.9, float64(place))) / 10
		}
		answers[i] = p
		class := order[0]
		predictions = append(predictions, annotator.Prediction{
			VersionID: v.ID, ImageID: image.ID, Class: class, Confidence: p[class], Probabilities: p, AttClass: class, Map: pgtest.Map(0.5),
		})
	}
	if _, err := w.Store.CompleteChunk(ctx, c, predictions, nil); err != nil {
		t.Fatal(err)
	}

	rows, _ := w.Store.Pool().Query(ctx, `SELECT octet_length(probabilities) + 4 * cardinality(kept_classes) FROM predictions WHERE version_id = $1`, v.ID)
	sizes, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil || len(sizes) != len(labels) {
		t.Fatalf("%d predictions, %v", len(sizes), err)
	}
	for _, size := range sizes {
		if size > classes*4/5 {
			t.Errorf("a prediction of %d classes takes %d bytes", classes, size)
		}
	}

	given := map[int64]float32{}
	if err := w.Store.LabelAnswers(ctx, v.ID, classes, false, func(e annotator.LabelEvidence) { given[e.ImageID] = e.Probability }); err != nil {
		t.Fatal(err)
	}
	kept := func(i, k int) float32 { // what is kept of the probability of class k of image i
		larger := 0
		for _, p := range answers[i] {
			if p > answers[i][k] {
				larger++
			}
		}
		if larger >= 100 {
			return 0
		}
		return answers[i][k]
	}
	for i, image := range c.Images {
		if got, want := given[image.ID], kept(i, labels[i]); got != want {
			t.Errorf("image %d gives its label %v, want %v", i, got, want)
		}
	}
	seen := 0
	err = w.Store.LabelAnswers(ctx, v.ID, classes, true, func(e annotator.LabelEvidence) {
		for i, image := range c.Images {
			if image.ID == e.ImageID {
				seen++
				same(t, i, e.Probabilities, kept)
			}
		}
	})
	if err != nil || seen != len(labels)-1 {
		t.Errorf("%d wrong answers, %v; want %d", seen, err, len(labels)-1)
	}
	exported, err := w.Store.ExportPredictions(ctx, project.ID, annotator.ExportFilter{}, 0, 100)
	if err != nil || len(exported) != len(labels) {
		t.Fatalf("%d exported, %v", len(exported), err)
	}
	for i, p := range exported {
		same(t, i, p.Probabilities, kept)
	}
}

func same(t *testing.T, image int, got []float32, want func(image, class int) float32) {
	t.Helper()
	if len(got) != 1000 {
		t.Fatalf("image %d: %d probabilities", image, len(got))
	}
	for k, p := range got {
		if p != want(image, k) {
			t.Errorf("image %d, class %d: %v, want %v", image, k, p, want(image, k))
		}
	}
}
