package templates

import (
	"context"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// Webhooks is the view model of the webhooks of a project, or, without one in the frame, of the studio.
type Webhooks struct {
	All     []annotator.Webhook
	Form    WebhookForm
	Secret  string // of the one that was just made: shown once
	MadeURL string
}

// WebhookForm is what somebody typed to make a webhook.
type WebhookForm struct {
	URL     string
	Kinds   []annotator.TrailKind
	Open    bool
	Problem string
	Field   string
}

// problem is what is wrong with a field.
func (v WebhookForm) problem(field string) string {
	if v.Field == field {
		return v.Problem
	}
	return ""
}

// Webhook is the view model of one webhook and of what it sends.
type Webhook struct {
	annotator.Webhook
	Deliveries []annotator.Delivery
	Older      int64 // id to continue from, 0 at the end
}

// WebhooksPath is the address of the webhooks of the frame's project, or, without one, of the studio.
func WebhooksPath(f Frame) string {
	if f.Project != nil {
		return f.To("webhooks")
	}
	return "/webhooks"
}

// kindsTaken says which kinds a webhook takes.
func kindsTaken(ctx context.Context, kinds []annotator.TrailKind) string {
	if len(kinds) == 0 {
		return words.T(ctx, "Everything")
	}
	var parts []string
	for _, k := range kinds {
		parts = append(parts, words.Say(ctx, kindWords[k]))
	}
	return strings.Join(parts, " · ")
}

// deliveryState is how a delivery stands: the chip's look, and its words.
func deliveryState(d annotator.Delivery) (look, said string) {
	switch {
	case d.DeliveredAt != nil:
		return "approved", words.Key("arrived")
	case d.FailedAt != nil:
		return "failed", words.Key("given up")
	case d.Attempts > 0:
		return "queued", words.Key("is tried again")
	default:
		return "queued", words.Key("waits")
	}
}

// lastTry is when something last happened to a delivery.
func lastTry(d annotator.Delivery) time.Time {
	if d.AttemptedAt != nil {
		return *d.AttemptedAt
	}
	return d.CreatedAt
}
