package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/text"
)

// InsertWebhook implements annotator.WebhookStore.
func (s *Store) InsertWebhook(ctx context.Context, projectID *int64, w annotator.Webhook, secret string) (id int64, err error) {
	err = s.inTx(ctx, func(tx *Store) error {
		// Others that add one at the same time wait here, so that none sees one too few.
		if _, err := tx.q.Exec(ctx, `LOCK TABLE webhooks IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		n, err := one(ctx, tx, pgx.RowTo[int], `SELECT count(*)::int FROM webhooks WHERE project_id IS NOT DISTINCT FROM $1::bigint`, projectID)
		if err != nil {
			return err
		}
		if n >= annotator.MaxWebhooks {
			return annotator.Conflict("there are %s webhooks, and more there cannot be: remove one first", text.Count(n))
		}
		id, err = one(ctx, tx, pgx.RowTo[int64], `
			INSERT INTO webhooks (project_id, url, secret, kinds, held_by, created_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
			projectID, w.URL, secret, texts(w.Kinds), w.HeldByID, w.CreatedAt)
		return err
	})
	return id, wrap(err, "adding a webhook")
}

// webhooks are webhooks w with what pages show of them.
const webhooks = `
	SELECT w.id, coalesce(p.slug, ''), w.url, w.kinds, u.name, w.held_by, w.created_at, w.off_at, w.off_why,
		(SELECT count(*)::int FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.delivered_at IS NULL AND d.failed_at IS NULL),
		(SELECT count(*)::int FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.failed_at IS NOT NULL),
		(SELECT max(d.delivered_at) FROM webhook_deliveries d WHERE d.webhook_id = w.id)
	FROM webhooks w JOIN users u ON u.id = w.held_by LEFT JOIN projects p ON p.id = w.project_id`

func scanWebhook(row pgx.CollectableRow) (w annotator.Webhook, err error) {
	err = row.Scan(&w.ID, &w.Project, &w.URL, &w.Kinds, &w.HeldBy, &w.HeldByID, &w.CreatedAt, &w.OffAt, &w.OffWhy, &w.Waiting, &w.Failed, &w.DeliveredAt)
	return w, err
}

// Webhooks implements annotator.WebhookStore.
func (s *Store) Webhooks(ctx context.Context, projectID *int64) ([]annotator.Webhook, error) {
	all, err := list(ctx, s, scanWebhook, webhooks+` WHERE w.project_id IS NOT DISTINCT FROM $1::bigint ORDER BY w.id`, projectID)
	return all, wrap(err, "listing webhooks")
}

// SwitchWebhook implements annotator.WebhookStore.
func (s *Store) SwitchWebhook(ctx context.Context, id int64, why string, holder int64, at time.Time) error {
	n, err := s.exec(ctx, `
		UPDATE webhooks SET off_why = $2, off_at = CASE WHEN $2 <> '' THEN $4::timestamptz END, held_by = $3 WHERE id = $1`, id, why, holder, at)
	return changed(n, err, "webhook %d", id)
}

// DeleteWebhook implements annotator.WebhookStore.
func (s *Store) DeleteWebhook(ctx context.Context, id int64) error {
	n, err := s.exec(ctx, `DELETE FROM webhooks WHERE id = $1`, id)
	return changed(n, err, "webhook %d", id)
}

// deliveries are deliveries d of lines a.
const deliveries = `
	SELECT d.id, a.id, a.at, coalesce(a.actor_id, 0), a.actor, coalesce(p.slug, ''), a.action, a.subject, a.detail,
		d.created_at, d.attempts, d.attempted_at, d.status, d.problem, d.delivered_at, d.failed_at
	FROM webhook_deliveries d JOIN audit a ON a.id = d.audit_id LEFT JOIN projects p ON p.id = a.project_id`

func scanDelivery(row pgx.CollectableRow) (d annotator.Delivery, err error) {
	err = row.Scan(&d.ID, &d.Line.ID, &d.Line.At, &d.Line.ActorID, &d.Line.Actor, &d.Line.Project, &d.Line.Action, &d.Line.Subject, &d.Line.Detail,
		&d.CreatedAt, &d.Attempts, &d.AttemptedAt, &d.Status, &d.Problem, &d.DeliveredAt, &d.FailedAt)
	return d, err
}

// Deliveries implements annotator.WebhookStore.
func (s *Store) Deliveries(ctx context.Context, webhook, before int64, limit int) ([]annotator.Delivery, error) {
	all, err := list(ctx, s, scanDelivery, deliveries+` WHERE d.webhook_id = $1 AND ($2::bigint = 0 OR d.id < $2) ORDER BY d.id DESC LIMIT $3`, webhook, before, limit)
	return all, wrap(err, "listing the deliveries of webhook %d", webhook)
}

// again makes deliveries wait that have ended, all attempts before them.
const again = `UPDATE webhook_deliveries SET attempts = 0, delivered_at = NULL, failed_at = NULL`

// Redeliver implements annotator.WebhookStore.
func (s *Store) Redeliver(ctx context.Context, webhook, delivery int64) error {
	err := s.inTx(ctx, func(tx *Store) error {
		n, err := tx.exec(ctx, again+` WHERE id = $2 AND webhook_id = $1 AND (delivered_at IS NOT NULL OR failed_at IS NOT NULL)`, webhook, delivery)
		if err := changed(n, err, "delivery %d", delivery); err != nil {
			return err
		}
		return tx.enqueueDeliveries(ctx, []int64{delivery})
	})
	return wrap(err, "sending delivery %d again", delivery)
}

// RedeliverFailed implements annotator.WebhookStore. Those that waited when the webhook was switched off are among them.
func (s *Store) RedeliverFailed(ctx context.Context, webhook int64) (n int, err error) {
	err = s.inTx(ctx, func(tx *Store) error {
		ids, err := list(ctx, tx, pgx.RowTo[int64], again+` WHERE webhook_id = $1 AND failed_at IS NOT NULL RETURNING id`, webhook)
		n = len(ids)
		if err != nil {
			return err
		}
		return tx.enqueueDeliveries(ctx, ids)
	})
	return n, wrap(err, "sending again what webhook %d has not delivered", webhook)
}

// Posting implements annotator.WebhookStore.
func (s *Store) Posting(ctx context.Context, delivery int64) (p annotator.Posting, err error) {
	type at struct {
		ID     int64
		Secret string
	}
	of, err := one(ctx, s, pgx.RowToStructByPos[at], `SELECT w.id, w.secret FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id WHERE d.id = $1`, delivery)
	if err == nil {
		p.Secret = of.Secret
		p.Webhook, err = one(ctx, s, scanWebhook, webhooks+` WHERE w.id = $1`, of.ID)
	}
	if err == nil {
		p.Delivery, err = one(ctx, s, scanDelivery, deliveries+` WHERE d.id = $1`, delivery)
	}
	return p, wrap(err, "delivery %d", delivery)
}

// EndAttempt implements annotator.WebhookStore.
func (s *Store) EndAttempt(ctx context.Context, delivery int64, a annotator.DeliveryAttempt, failed bool) error {
	n, err := s.exec(ctx, `
		UPDATE webhook_deliveries SET attempts = attempts + 1, attempted_at = $2, status = $3, problem = $4,
			delivered_at = CASE WHEN $4 = '' THEN $2::timestamptz END, failed_at = CASE WHEN $5 THEN $2::timestamptz END
		WHERE id = $1`, delivery, a.At, a.Status, a.Problem, failed)
	return changed(n, err, "delivery %d", delivery)
}

// GiveUpDelivery implements annotator.WebhookStore.
func (s *Store) GiveUpDelivery(ctx context.Context, delivery int64, problem string, at time.Time) error {
	_, err := s.exec(ctx, `UPDATE webhook_deliveries SET problem = $2, failed_at = $3 WHERE id = $1 AND delivered_at IS NULL`, delivery, problem, at)
	return wrap(err, "giving up delivery %d", delivery)
}

// ForgetDeliveries implements annotator.WebhookStore.
func (s *Store) ForgetDeliveries(ctx context.Context, before time.Time) (int, error) {
	n, err := s.exec(ctx, `DELETE FROM webhook_deliveries WHERE created_at < $1 AND (delivered_at IS NOT NULL OR failed_at IS NOT NULL)`, before)
	return int(n), wrap(err, "forgetting old deliveries")
}

// enqueueDeliveries has workers send deliveries, in the store's transaction.
func (s *Store) enqueueDeliveries(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	parts := make([]river.InsertManyParams, len(ids))
	for n, id := range ids {
		parts[n] = river.InsertManyParams{Args: DeliveryArgs{DeliveryID: id}, InsertOpts: &river.InsertOpts{Queue: Outbound, MaxAttempts: maxAttempts}}
	}
	_, err := s.river.InsertManyTx(ctx, s.tx, parts)
	return err
}
