package annotator

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/abn-studio/studio/internal/text"
)

// This file has webhooks: lines of the trail that are sent on to an address outside (ADR 50).

// MaxWebhooks is how many webhooks a project has at most, and how many the studio has.
const MaxWebhooks = 20

// WebhookTest is the action of a line that is written to try one webhook. It is sent to that one, whatever kinds it takes.
const WebhookTest = "webhook.test"

// WebhookAttempts is how often a line is sent before it is given up, and its webhook switched off.
const WebhookAttempts = 10

// webhookPauses are how long after each failed attempt the next one is due: three days in all.
var webhookPauses = [WebhookAttempts - 1]time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// DeliveriesLast is how long it is kept what became of a line that was sent.
const DeliveriesLast = 30 * 24 * time.Hour

// DeliveryPage is how many deliveries a page lists.
const DeliveryPage = 50

// ErrWebhookOff is the error of a delivery whose webhook sends nothing any more.
var ErrWebhookOff = errors.New("the webhook is switched off")

// Webhook is an address that lines of the trail are sent to as they are written.
type Webhook struct {
	ID          int64       `json:"id"`
	Project     string      `json:"project" doc:"The slug of the project whose lines it gets; empty: it gets those of the whole studio."`
	URL         string      `json:"url"`
	Kinds       []TrailKind `json:"kinds" doc:"Which kinds of actions it gets; none: all."`
	HeldBy      string      `json:"held_by" doc:"Whose right to the lines it rests on: it is switched off when they lose it."`
	HeldByID    int64       `json:"held_by_id"`
	CreatedAt   time.Time   `json:"created_at"`
	OffAt       *time.Time  `json:"off_at,omitempty" doc:"Since when it is switched off."`
	OffWhy      string      `json:"off_why,omitempty"`
	Waiting     int         `json:"waiting" doc:"Lines that are to be sent."`
	Failed      int         `json:"failed" doc:"Lines of the last 30 days that were given up."`
	DeliveredAt *time.Time  `json:"delivered_at,omitempty" doc:"When a line last arrived."`
}

// NewWebhook describes a webhook to be made.
type NewWebhook struct {
	URL   string
	Kinds []TrailKind // none: all
}

// Delivery is a line of the trail on its way to a webhook.
type Delivery struct {
	ID          int64      `json:"id"`
	Line        TrailLine  `json:"line"`
	CreatedAt   time.Time  `json:"created_at"`
	Attempts    int        `json:"attempts"`
	AttemptedAt *time.Time `json:"attempted_at,omitempty"`
	Status      int        `json:"status" doc:"The HTTP status of the last answer; 0: none came."`
	Problem     string     `json:"problem" doc:"Why the last attempt failed."`
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
	FailedAt    *time.Time `json:"failed_at,omitempty" doc:"When it was given up. Neither this nor delivered_at: it waits."`
}

// Posting is what one attempt of a delivery needs.
type Posting struct {
	Delivery
	Webhook Webhook
	Secret  string
}

// DeliveryAttempt is what came of an attempt.
type DeliveryAttempt struct {
	At      time.Time
	Status  int    // HTTP status of the answer; 0: none came
	Problem string // "": the line arrived
	Gone    bool   // the receiver wants no more
}

// WebhookStore keeps webhooks and what they have sent. InsertAudit (AuditStore) queues a line for those that take it.
type WebhookStore interface {
	// InsertWebhook adds one to a project, or, with nil, to the studio; ErrConflict where there are MaxWebhooks.
	InsertWebhook(ctx context.Context, projectID *int64, w Webhook, secret string) (id int64, err error)
	// Webhooks lists those of a project, or, with nil, of the studio, oldest first.
	Webhooks(ctx context.Context, projectID *int64) ([]Webhook, error)
	// SwitchWebhook switches one off, with the reason why, or, with why empty, on, which the holder holds from then on; ErrNotFound where there
	// is none.
	SwitchWebhook(ctx context.Context, id int64, why string, holder int64, at time.Time) error
	// DeleteWebhook removes one and its deliveries.
	DeleteWebhook(ctx context.Context, id int64) error
	// Deliveries lists a webhook's deliveries, newest first; before is the id to continue from, 0 for the newest.
	Deliveries(ctx context.Context, webhook, before int64, limit int) ([]Delivery, error)
	// Redeliver queues a delivery again that has ended; ErrNotFound where the webhook has none such.
	Redeliver(ctx context.Context, webhook, delivery int64) error
	// RedeliverFailed queues a webhook's deliveries again that were given up, and returns how many.
	RedeliverFailed(ctx context.Context, webhook int64) (int, error)
	// Posting returns what an attempt needs; ErrNotFound where the webhook was removed.
	Posting(ctx context.Context, delivery int64) (Posting, error)
	// EndAttempt stores an attempt; failed says that it was the last.
	EndAttempt(ctx context.Context, delivery int64, a DeliveryAttempt, failed bool) error
	// GiveUpDelivery ends a delivery that is not to be tried any more, unless it arrived.
	GiveUpDelivery(ctx context.Context, delivery int64, problem string, at time.Time) error
	// ForgetDeliveries removes those that ended before a moment, and returns how many.
	ForgetDeliveries(ctx context.Context, before time.Time) (int, error)
}

// KindsOf returns the kinds that an action is of.
func KindsOf(action string) []TrailKind {
	var kinds []TrailKind
	for _, k := range TrailKinds {
		if slices.ContainsFunc(k.Actions, func(pattern string) bool { return like(pattern, action) }) {
			kinds = append(kinds, k.Kind)
		}
	}
	return kinds
}

// like reports whether a word matches a pattern of SQL's LIKE with one % at most.
func like(pattern, word string) bool {
	before, after, open := strings.Cut(pattern, "%")
	if !open {
		return word == pattern
	}
	return len(word) >= len(before)+len(after) && strings.HasPrefix(word, before) && strings.HasSuffix(word, after)
}

// webhooksOf is who acts on the webhooks of a project, and its number; of the studio where the slug is empty. Leads have those of their
// project, admins all.
func (s *Service) webhooksOf(ctx context.Context, actor User, slug string) (User, *int64, error) {
	if slug == "" {
		return actor, nil, may(actor, RoleAdmin)
	}
	actor, project, err := s.project(ctx, actor, RoleLead, slug)
	return actor, &project.ID, err
}

// Webhooks lists the webhooks of a project (lead), or of the studio (slug "", admin).
func (s *Service) Webhooks(ctx context.Context, actor User, slug string) ([]Webhook, error) {
	_, projectID, err := s.webhooksOf(ctx, actor, slug)
	if err != nil {
		return nil, err
	}
	return s.store.Webhooks(ctx, projectID)
}

// Webhook returns one of a project (lead), or of the studio (slug "", admin); ErrNotFound for one of another.
func (s *Service) Webhook(ctx context.Context, actor User, slug string, id int64) (Webhook, error) {
	_, projectID, err := s.webhooksOf(ctx, actor, slug)
	if err != nil {
		return Webhook{}, err
	}
	return webhookIn(ctx, s.store, projectID, id)
}

func webhookIn(ctx context.Context, store Store, projectID *int64, id int64) (Webhook, error) {
	all, err := store.Webhooks(ctx, projectID)
	if err != nil {
		return Webhook{}, err
	}
	at := slices.IndexFunc(all, func(w Webhook) bool { return w.ID == id })
	if at < 0 {
		return Webhook{}, fmt.Errorf("webhook %d: %w", id, ErrNotFound)
	}
	return all[at], nil
}

// AddWebhook makes a webhook of a project (lead), or of the studio (slug "", admin). Its secret, which signs what is sent, is told this once.
func (s *Service) AddWebhook(ctx context.Context, actor User, slug string, n NewWebhook) (secret string, w Webhook, err error) {
	actor, projectID, err := s.webhooksOf(ctx, actor, slug)
	if err != nil {
		return "", Webhook{}, err
	}
	if actor.ID == 0 {
		return "", Webhook{}, fmt.Errorf("%w: a webhook is held by a person", ErrForbidden)
	}
	if n.URL, err = checkWebhookURL(n.URL); err != nil {
		return "", Webhook{}, err
	}
	for at, kind := range n.Kinds {
		if err := oneOf("kinds", kind, TrailKindNames()); err != nil {
			return "", Webhook{}, err
		}
		if slices.Contains(n.Kinds[:at], kind) {
			return "", Webhook{}, &ValidationError{Field: "kinds", Message: fmt.Sprintf("%s is named twice", kind)}
		}
	}
	random := make([]byte, 32)
	rand.Read(random)
	secret = "whsec_" + base64.StdEncoding.EncodeToString(random) // as Standard Webhooks writes them
	w = Webhook{Project: slug, URL: n.URL, Kinds: n.Kinds, HeldBy: actor.Name, HeldByID: actor.ID, CreatedAt: s.now()}
	err = s.store.InTx(ctx, func(tx Store) (err error) {
		if w.ID, err = tx.InsertWebhook(ctx, projectID, w, secret); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, projectID, "webhook.create", webhookSubject(w.ID), w.host())
	})
	if err != nil {
		return "", Webhook{}, fmt.Errorf("adding a webhook: %w", err)
	}
	return secret, w, nil
}

// checkWebhookURL returns an address that can be sent to. Which hosts may be is decided when it is (package webhook).
func checkWebhookURL(typed string) (string, error) {
	typed, err := BoundWebhookURL.check("url", typed)
	if err != nil {
		return "", err
	}
	refuse := func(message string) (string, error) { return "", &ValidationError{Field: "url", Message: message} }
	u, err := url.Parse(typed)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return refuse("is no address that begins with https:// and names a host")
	case u.User != nil:
		return refuse("has a name or a password before the host, which others would read here: the signature proves who sends")
	case u.Fragment != "":
		return refuse("has a part after #, which is never sent")
	}
	return u.String(), nil
}

// host is what the trail says of an address, which may hold a secret in its path.
func (w Webhook) host() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func webhookSubject(id int64) string { return fmt.Sprintf("webhook %d", id) }

// RemoveWebhook ends a webhook of a project (lead), or of the studio (slug "", admin). What waits is not sent.
func (s *Service) RemoveWebhook(ctx context.Context, actor User, slug string, id int64) error {
	return s.changeWebhook(ctx, actor, slug, id, "webhook.remove", func(tx Store, _ User, _ Webhook) error { return tx.DeleteWebhook(ctx, id) })
}

// SwitchOn switches a webhook on again (lead of its project, or admin), whose holder the actor becomes, and sends what was given up.
func (s *Service) SwitchOn(ctx context.Context, actor User, slug string, id int64) error {
	return s.changeWebhook(ctx, actor, slug, id, "webhook.on", func(tx Store, actor User, w Webhook) error {
		if w.OffAt == nil {
			return Conflict("the webhook is on already")
		}
		if err := tx.SwitchWebhook(ctx, id, "", actor.ID, s.now()); err != nil {
			return err
		}
		_, err := tx.RedeliverFailed(ctx, id)
		return err
	})
}

// SwitchOff has a webhook send nothing until it is switched on (lead of its project, or admin).
func (s *Service) SwitchOff(ctx context.Context, actor User, slug string, id int64) error {
	return s.changeWebhook(ctx, actor, slug, id, "webhook.off", func(tx Store, actor User, w Webhook) error {
		if w.OffAt != nil {
			return Conflict("the webhook is off already")
		}
		return tx.SwitchWebhook(ctx, id, "by hand", w.HeldByID, s.now())
	})
}

// TryWebhook sends a line of the trail to a webhook that says so (lead of its project, or admin).
func (s *Service) TryWebhook(ctx context.Context, actor User, slug string, id int64) error {
	return s.changeWebhook(ctx, actor, slug, id, WebhookTest, func(_ Store, _ User, w Webhook) error {
		if w.OffAt != nil {
			return Conflict("the webhook is off: switch it on first")
		}
		return nil
	})
}

// changeWebhook changes a webhook and writes that into the trail.
func (s *Service) changeWebhook(ctx context.Context, actor User, slug string, id int64, action string, change func(tx Store, actor User, w Webhook) error) error {
	actor, projectID, err := s.webhooksOf(ctx, actor, slug)
	if err != nil {
		return err
	}
	err = s.store.InTx(ctx, func(tx Store) error {
		w, err := webhookIn(ctx, tx, projectID, id)
		if err != nil {
			return err
		}
		if err := change(tx, actor, w); err != nil {
			return err
		}
		return s.audit(ctx, tx, actor, projectID, action, webhookSubject(id), w.host())
	})
	if err != nil {
		return fmt.Errorf("webhook %d: %w", id, err)
	}
	return nil
}

// Deliveries lists what a webhook has sent and is to send, newest first, at most DeliveryPage (lead of its project, or admin); before is the
// id to continue from, 0 for the newest.
func (s *Service) Deliveries(ctx context.Context, actor User, slug string, id, before int64) ([]Delivery, error) {
	if _, err := s.Webhook(ctx, actor, slug, id); err != nil {
		return nil, err
	}
	return s.store.Deliveries(ctx, id, before, DeliveryPage)
}

// Redeliver sends a line again that arrived or was given up (lead of the webhook's project, or admin).
func (s *Service) Redeliver(ctx context.Context, actor User, slug string, id, delivery int64) error {
	return s.changeWebhook(ctx, actor, slug, id, "webhook.again", func(tx Store, _ User, w Webhook) error {
		if w.OffAt != nil {
			return Conflict("the webhook is off: switch it on first")
		}
		return tx.Redeliver(ctx, id, delivery)
	})
}

// Posting returns what a worker needs to send a line; ErrWebhookOff where it is not to be sent any more: the webhook was removed or switched
// off, or whoever holds it may not read its lines any more, which switches it off. The line is given up then, and sent after all when the
// webhook is switched on.
func (s *Service) Posting(ctx context.Context, delivery int64) (Posting, error) {
	p, err := s.store.Posting(ctx, delivery)
	if isNotFound(err) {
		return p, ErrWebhookOff // it was removed
	}
	if err != nil {
		return p, err
	}
	off := p.Webhook.OffAt != nil
	if !off {
		holds, err := s.holdsWebhook(ctx, p.Webhook)
		if err != nil || holds {
			return p, err
		}
		if err := s.switchOff(ctx, p.Webhook, "its holder may not read what it sends any more: whoever switches it on holds it"); err != nil {
			return p, err
		}
	}
	if err := s.store.GiveUpDelivery(ctx, delivery, ErrWebhookOff.Error(), s.now()); err != nil {
		return p, err
	}
	return p, ErrWebhookOff
}

// holdsWebhook reports whether whoever holds a webhook may still read the lines that it sends.
func (s *Service) holdsWebhook(ctx context.Context, w Webhook) (bool, error) {
	by, err := s.store.User(ctx, w.HeldByID)
	if err != nil {
		return false, err
	}
	switch {
	case by.Disabled || by.RemovedAt != nil:
		return false, nil
	case by.Role == RoleAdmin || w.Project == "":
		return by.Role == RoleAdmin, nil
	}
	role, err := s.store.MemberRole(ctx, by.ID, ThingProject.Called(w.Project))
	if isNotFound(err) {
		return false, nil
	}
	return role.May(RoleLead), err
}

// switchOff switches a webhook off because of what happened to it.
func (s *Service) switchOff(ctx context.Context, w Webhook, why string) error {
	return s.store.InTx(ctx, func(tx Store) error {
		var projectID *int64
		if w.Project != "" {
			p, err := tx.ProjectBySlug(ctx, w.Project)
			if err != nil {
				return err
			}
			projectID = &p.ID
		}
		if err := tx.SwitchWebhook(ctx, w.ID, why, w.HeldByID, s.now()); err != nil {
			return err
		}
		return s.audit(ctx, tx, System, projectID, "webhook.off", webhookSubject(w.ID), why)
	})
}

// EndAttempt stores what came of an attempt. If it failed it returns how long after it the next is due, 0 after the last: then the webhook is
// switched off, as it is when its receiver wants no more.
func (s *Service) EndAttempt(ctx context.Context, p Posting, a DeliveryAttempt) (next time.Duration, err error) {
	a.At = s.now()
	if a.Problem != "" && !a.Gone && p.Attempts < len(webhookPauses) {
		next = webhookPauses[p.Attempts]
	}
	if err := s.store.EndAttempt(ctx, p.ID, a, a.Problem != "" && next == 0); err != nil {
		return 0, err
	}
	switch {
	case a.Gone:
		return 0, s.switchOff(ctx, p.Webhook, "the receiver answered that it is gone (410)")
	case a.Problem != "" && next == 0:
		return 0, s.switchOff(ctx, p.Webhook, fmt.Sprintf("a line did not arrive in %s attempts: %s", text.Count(p.Attempts+1), a.Problem))
	}
	return next, nil
}
