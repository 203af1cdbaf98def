package jobs

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// weighingStore measures what is live while an evaluation reads its predictions.
type weighingStore struct {
	Store
	read int
	most uint64 // live bytes at any thousandth prediction
}

func (s *weighingStore) EachPrediction(ctx context.Context, v annotator.Version, split annotator.Split, each func(annotator.Image, annotator.Prediction) error) error {
	return s.Store.EachPrediction(ctx, v, split, func(image annotator.Image, p annotator.Prediction) error {
		if s.read++; s.read%1000 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			s.most = max(s.most, m.HeapAlloc)
		}
		return each(image, p)
	})
}

// What an evaluation holds does not grow with the number of images: of ten thousand more it keeps nothing.
//
//nolint:paralleltest // it measures the heap of the whole process
func TestAnEvaluationKeepsNoPrediction(t *testing.T) {
	w := pgtest.NewWorld(t)
	ctx := t.Context()
	added := 0
	weigh := func(more int) uint64 {
		t.Helper()
		images := make([]annotator.NewImage, more)
		for i := range images {
			images[i] = annotator.NewImage{
				Name: fmt.Sprintf("more/%05d.png", added+i), Split: annotator.SplitTest, Class: "class-1", Group: fmt.Sprint(i % 3), Hash: pgtest.Hash(2000 + added + i), Width: 8, Height: 8,
			}
		}
		added += more
		if _, err := w.Store.AddImages(ctx, w.Project.ID, images); err != nil {
			t.Fatal(err)
		}
		clear(images)
		if err := w.Scan(ctx, w.Version.ID); err != nil {
			t.Fatal(err)
		}
		s := &weighingStore{Store: w.Store}
		if err := Evaluate(ctx, s, nil, w.Version.ID); err != nil {
			t.Fatal(err)
		}
		if s.read < added {
			t.Errorf("%d predictions were read of %d", s.read, added)
		}
		return s.most
	}
	few := weigh(2000)
	if many := weigh(10000); many > few+1<<20 { // a prediction and its image take more than 1 KB: kept, they would be 10 MB
		t.Errorf("an evaluation of 2,000 images holds %d KB, one of 12,000 images %d KB", few>>10, many>>10)
	}
}
