package annotator

import (
	"context"
	"fmt"
	"time"
)

// Likeness says how alike the places of a picture are to a network: the click that selects a region is answered from it. Its grid is
// the map's, or one with fewer cells where the map has very many.
type Likeness struct {
	Height       int     `json:"h"`
	Width        int     `json:"w"`
	Cosines      []byte  `json:"cosines" doc:"(h·w)·(h·w) signed bytes, row by row, in base64: 127 times the cosine of the angle between two cells' features, each channel standardised over the picture."`
	Milliseconds float64 `json:"milliseconds"` // time the model took
}

// Likener compares the places of a picture (inference.LiveScorer).
type Likener interface {
	Likeness(ctx context.Context, version Version, image Image) (Likeness, error)
}

// Likeness compares the places of a task's image by the task's version. Nothing is stored.
func (s *Service) Likeness(ctx context.Context, actor User, taskID int64) (Likeness, error) {
	_, err := s.in(ctx, actor, RoleAnnotator, ThingTask.Of(taskID))
	if err != nil {
		return Likeness{}, err
	}
	card, version, _, err := s.scored(ctx, taskID)
	if err != nil {
		return Likeness{}, err
	}
	if s.likener == nil {
		return Likeness{}, fmt.Errorf("comparing places of image %d: %w: this process runs no model", card.Image.ID, ErrUnavailable)
	}
	start := time.Now()
	l, err := s.likener.Likeness(ctx, version, card.Image)
	l.Milliseconds = float64(time.Since(start)) / float64(time.Millisecond)
	return l, err
}
