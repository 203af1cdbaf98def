package jobs

import (
	"context"
	"errors"

	"github.com/riverqueue/river"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/webhook"
)

// deliveriesAtOnce is how many lines a worker sends at the same time: each waits for another's server.
const deliveriesAtOnce = 4

// deliveryWorker sends lines of the trail to webhooks. That a receiver is away is no failure of the studio's: the part is put off, and the
// delivery says what is wrong.
type deliveryWorker struct {
	river.WorkerDefaults[postgres.DeliveryArgs]
	worker *Worker
}

// Work makes one attempt. A line may arrive twice, as when the worker stops before it has written that it arrived: its receiver knows it by its id.
func (d *deliveryWorker) Work(ctx context.Context, part *river.Job[postgres.DeliveryArgs]) error {
	w := d.worker
	p, err := w.service.Posting(ctx, part.Args.DeliveryID)
	if errors.Is(err, annotator.ErrWebhookOff) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.DeliveredAt != nil || p.FailedAt != nil {
		return nil // an earlier attempt was taken over after it had ended
	}
	studio, err := w.config.Store.Installation(ctx)
	if err != nil {
		return err
	}
	body, err := webhook.Of(p.Line)
	if err != nil {
		return err
	}
	a := annotator.DeliveryAttempt{}
	a.Status, err = w.sender.Send(ctx, p.Webhook.URL, p.Secret, webhook.ID(studio, p.ID), w.service.Now(), body)
	if ctx.Err() != nil {
		return river.JobSnooze(0) // the worker stops: another goes on
	}
	if err != nil {
		a.Problem, a.Gone = err.Error(), a.Status == 410
	}
	next, err := w.service.EndAttempt(ctx, p, a)
	if err != nil || a.Problem == "" {
		return err
	}
	w.log.WarnContext(ctx, "a line of the trail did not arrive", "webhook", p.Webhook.ID, "delivery", p.ID, "attempt", p.Attempts+1, "why", a.Problem, "again_in", next.String())
	if next > 0 {
		return river.JobSnooze(next)
	}
	return nil
}
