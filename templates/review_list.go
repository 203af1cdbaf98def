package templates

import (
	"context"
	"net/url"
	"slices"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/internal/words"
)

// ParseReviewOrder reads the order of a form or an address; the usual one where it is none.
func ParseReviewOrder(q url.Values) annotator.ReviewOrder {
	if order := annotator.ReviewOrder(q.Get("order")); slices.Contains(annotator.ReviewOrders, order) {
		return order
	}
	return annotator.ReviewOldest
}

// ordered adds an order to a query, where it is not the usual one.
func ordered(q url.Values, order annotator.ReviewOrder) url.Values {
	if order != "" && order != annotator.ReviewOldest {
		q.Set("order", string(order))
	}
	return q
}

// withQuery adds a query to an address that has none.
func withQuery(address string, q url.Values) string {
	if len(q) == 0 {
		return address
	}
	return address + "?" + q.Encode()
}

// ReviewAddress is that of what waits for review in an order or, with a task, of that task's page.
func ReviewAddress(f Frame, order annotator.ReviewOrder, task int64) string {
	address := f.To("review")
	if task > 0 {
		address = f.To("review/%d", task)
	}
	return withQuery(address, ordered(url.Values{}, order))
}

// more is the address of the list's next page.
func (v Reviews) more(f Frame) string {
	return withQuery(f.To("review"), ordered(url.Values{"after": {id(v.Page.Next)}}, v.Order))
}

// approvedBy says who or what approved a map.
func approvedBy(ctx context.Context, v Review, r annotator.Review) string {
	if r.Rule != "" {
		return words.T(ctx, "✓ Approved by the rule ({rule}), not by a person:", "rule", words.Say(ctx, r.Rule))
	}
	return v.approvedWord(ctx, r)
}

// commentOf is what was written with a verdict; a rule's is a sentence of the studio's.
func commentOf(ctx context.Context, r annotator.Review) string {
	if r.Rule != "" {
		return words.Say(ctx, r.Comment)
	}
	return r.Comment
}

// forJudging reports whether a person may judge a map that waits, and nobody else has it.
func forJudging(t annotator.ReviewCard, u *annotator.User) bool {
	return u != nil && t.MayJudge(*u) == nil && (t.ReviewerID == nil || *t.ReviewerID == u.ID)
}

// gainWord is how much the edit changes the true class's score; "" where that is not known.
func gainWord(t annotator.ReviewCard) string {
	if t.Gain == nil {
		return ""
	}
	return text.Signed(float64(*t.Gain), 2)
}

// farWord is how far the edit is from the model's map; "" where that is not known.
func farWord(t annotator.ReviewCard) string {
	if t.Disagreement == nil {
		return ""
	}
	return Fraction(*t.Disagreement)
}
