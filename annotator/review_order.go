package annotator

import (
	"context"
	"strconv"

	"github.com/abn-studio/studio/internal/attention"
)

// ReviewOrder is the order in which maps in review are listed and given out.
type ReviewOrder string

// The orders. Maps without the figure come last; of equal ones, the one that waits longest comes first.
const (
	ReviewOldest ReviewOrder = "oldest"
	ReviewNewest ReviewOrder = "newest"
	ReviewAuthor ReviewOrder = "author"
	ReviewLoss   ReviewOrder = "loss"
	ReviewGain   ReviewOrder = "gain"
	ReviewFar    ReviewOrder = "far"
	ReviewNear   ReviewOrder = "near"
)

// ReviewOrders are all of them, in the order in which they are offered. The first is the usual one.
var ReviewOrders = []ReviewOrder{ReviewOldest, ReviewNewest, ReviewAuthor, ReviewLoss, ReviewGain, ReviewFar, ReviewNear}

// Name is what people read.
func (o ReviewOrder) Name() string {
	switch o {
	case ReviewNewest:
		return "Newest first"
	case ReviewAuthor:
		return "By author"
	case ReviewLoss:
		return "True class fell most"
	case ReviewGain:
		return "True class rose most"
	case ReviewFar:
		return "Farthest from the model's map"
	case ReviewNear:
		return "Nearest to the model's map"
	}
	return "Waiting longest"
}

// ReviewFigures are what ReviewLoss to ReviewNear order by. A figure is nil where it is not known.
type ReviewFigures struct {
	Gain         *float32 `json:"gain,omitempty" doc:"Probability of the true class with the edit less that with the network's own map, in [-1,1]."`
	Disagreement *float32 `json:"disagreement,omitempty" doc:"1 less the soft IoU of the network's map and the edit, in [0,1]; 0: the same map."`
}

// ReviewCard is a map in review as the list of them shows it.
type ReviewCard struct {
	TaskCard
	ReviewFigures
	EditID int64 `json:"edit_id"` // what is to be judged
}

// ReviewPage is one page of what waits for review.
type ReviewPage struct {
	Reviews []ReviewCard `json:"reviews"`
	Total   int          `json:"total"`
	Next    int64        `json:"next,omitempty" doc:"The task after which the following page begins; absent at the end."`
}

// EditBeside is a submitted edit and the map of the version that it was made against.
type EditBeside struct {
	Edit Edit
	Own  attention.Map
}

// ReviewOrderStore lists what waits for review.
type ReviewOrderStore interface {
	// ReviewCards lists tasks of a project in review in an order, those after a task (0: all), at most limit.
	ReviewCards(ctx context.Context, projectID int64, order ReviewOrder, after int64, limit int) (ReviewPage, error)
	// UnmeasuredEdits returns submitted edits of a project that have no figures, at most limit.
	UnmeasuredEdits(ctx context.Context, projectID int64, limit int) ([]EditBeside, error)
	// InsertReviewFigures keeps figures by the edit. What is there stays.
	InsertReviewFigures(ctx context.Context, all map[int64]ReviewFigures) error
}

// figures are those of an edit beside the version's own map.
func (e EditBeside) figures() (f ReviewFigures) {
	if before, after := e.Edit.Before, e.Edit.After; before != nil && after != nil && after.Label != nil {
		if label := *after.Label; label >= 0 && label < len(before.Probabilities) && label < len(after.Probabilities) {
			gain := after.Probabilities[label] - before.Probabilities[label]
			if gain >= -1 && gain <= 1 { // not where one is NaN
				f.Gain = &gain
			}
		}
	}
	if len(e.Own.Values) == len(e.Edit.Map.Values) {
		if iou, ok := attention.SoftIoU(e.Own, e.Edit.Map); ok && iou >= 0 && iou <= 1 {
			disagreement := float32(1 - iou)
			f.Disagreement = &disagreement
		}
	}
	return f
}

// measuredChunk is how many edits are measured at once.
const measuredChunk = 200

// measureReviews works out the figures of all maps in review that have none.
func (s *Service) measureReviews(ctx context.Context, projectID int64) error {
	for {
		edits, err := s.store.UnmeasuredEdits(ctx, projectID, measuredChunk)
		if err != nil || len(edits) == 0 {
			return err
		}
		all := make(map[int64]ReviewFigures, len(edits))
		for _, e := range edits {
			all[e.Edit.ID] = e.figures()
		}
		if err := s.store.InsertReviewFigures(ctx, all); err != nil {
			return err
		}
		if len(edits) < measuredChunk {
			return nil
		}
	}
}

// ReviewQuery selects a page of what waits for review.
type ReviewQuery struct {
	Order ReviewOrder // "": ReviewOldest
	After int64       // ReviewPage.Next of the page before; 0: from the beginning
	Limit int         // 1 to MaxPage; 0: DefaultPage
}

// Reviews lists what waits for review in a project (reviewer). Listing takes nothing.
func (s *Service) Reviews(ctx context.Context, actor User, slug string, q ReviewQuery) (ReviewPage, error) {
	actor, project, err := s.project(ctx, actor, RoleReviewer, slug)
	if err != nil {
		return ReviewPage{}, err
	}
	if q.Limit == 0 {
		q.Limit = DefaultPage
	}
	if q.Limit < 1 || q.Limit > MaxPage {
		return ReviewPage{}, &ValidationError{Field: "limit", Message: "is between 1 and " + strconv.Itoa(MaxPage)}
	}
	if q.Order, err = s.reviewOrder(ctx, project, q.Order); err != nil {
		return ReviewPage{}, err
	}
	if err := s.store.ExpireLeases(ctx, project.ID, s.now()); err != nil {
		return ReviewPage{}, err
	}
	page, err := s.store.ReviewCards(ctx, project.ID, q.Order, q.After, q.Limit)
	if err != nil {
		return ReviewPage{}, err
	}
	for i := range page.Reviews {
		page.Reviews[i].Task = page.Reviews[i].Expire(s.now())
		if card := &page.Reviews[i]; card.hidesFrom(actor) {
			card.EditMap, card.Gain, card.Disagreement = nil, nil, nil
		}
		nameCard(&page.Reviews[i].TaskCard, project.Classes)
	}
	return page, nil
}

// reviewOrder checks an order and sees that what it orders by is known.
func (s *Service) reviewOrder(ctx context.Context, p Project, order ReviewOrder) (ReviewOrder, error) {
	if order == "" {
		return ReviewOldest, nil
	}
	if err := oneOf("order", order, ReviewOrders); err != nil {
		return "", err
	}
	return order, s.measureReviews(ctx, p.ID)
}
