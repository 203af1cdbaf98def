package jobs

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/webhook"
)

// receiver is a server that webhooks send to, and answers with a status.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []arrival
}

type arrival struct {
	webhook.Message
	id     string
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		a := arrival{id: q.Header.Get(standard.HeaderWebhookID), header: q.Header.Clone(), body: body}
		_ = json.Unmarshal(body, &a.Message)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, a)
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) arrived() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]arrival(nil), r.got...)
}

// hooked is a world with a worker that sends to the machine itself.
func hooked(t *testing.T) *pgtest.World {
	t.Helper()
	ctx, w := t.Context(), pgtest.NewWorld(t)
	blobs, err := blob.Open(ctx, t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	worker, err := NewWorker(Config{
		Store: w.Store, Blobs: blobs, Data: t.TempDir(), Logger: slog.New(slog.DiscardHandler),
		Webhooks: webhook.NewSender(webhook.Options{Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := worker.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	return w
}

// hook makes a webhook of the project, or, with slug "", of the studio.
func hook(t *testing.T, w *pgtest.World, slug, url string, kinds ...annotator.TrailKind) (secret string, made annotator.Webhook) {
	t.Helper()
	secret, made, err := w.Service.AddWebhook(t.Context(), w.Admin, slug, annotator.NewWebhook{URL: url, Kinds: kinds})
	if err != nil {
		t.Fatal(err)
	}
	return secret, made
}

// sentBy waits until all that a webhook has to send is done, or, if they are to be tried again, has been tried once more than before; those are made due.
func sentBy(t *testing.T, w *pgtest.World, id int64, done func([]annotator.Delivery) bool) []annotator.Delivery {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		all, err := w.Store.Deliveries(t.Context(), id, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		if done(all) {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing more is sent: %+v", all)
		}
		// What is put off is due now.
		if _, err := w.Store.Pool().Exec(t.Context(), `UPDATE river_job SET state = 'available', scheduled_at = now() WHERE kind = 'delivery' AND state = 'scheduled'`); err != nil {
			t.Fatal(err)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func over(n int) func([]annotator.Delivery) bool {
	return func(all []annotator.Delivery) bool {
		ended := 0
		for _, d := range all {
			if d.DeliveredAt != nil || d.FailedAt != nil {
				ended++
			}
		}
		return ended == n && ended == len(all)
	}
}

// A line of the trail arrives, signed, at the webhooks that take it: of its project and of the studio, of its kind, and at no others; a transaction that
// is undone sends nothing.
func TestLinesArriveAtWebhooks(t *testing.T) {
	t.Parallel()
	w := hooked(t)
	ctx := t.Context()
	r := newReceiver(t)
	secret, ofProject := hook(t, w, "birds", r.URL+"/project", "members", "webhooks")
	_, ofStudio := hook(t, w, "", r.URL+"/studio")
	_, others := hook(t, w, "birds", r.URL+"/rounds", "rounds")
	if _, err := w.Service.SetMember(ctx, w.Admin, "birds", w.Reviewer.ID, annotator.RoleLead); err != nil {
		t.Fatal(err)
	}
	if err := w.Store.InTx(ctx, func(tx annotator.Store) error {
		if err := tx.InsertAudit(ctx, &w.Project.ID, w.Admin, annotator.AuditEntry{At: time.Now(), Action: "member.add", Subject: "user 1"}); err != nil {
			t.Error(err)
		}
		return annotator.ErrConflict
	}); err == nil {
		t.Error("the transaction was not undone")
	}
	if err := w.Service.TryWebhook(ctx, w.Admin, "birds", ofProject.ID); err != nil {
		t.Fatal(err)
	}
	sent := sentBy(t, w, ofProject.ID, over(4)) // that it and another were made, the member, and the test
	if sent[0].Line.Action != annotator.WebhookTest || sent[1].Line.Action != "member.change" || sent[2].Line.Action != "webhook.create" {
		t.Errorf("the project's sent %+v", sent)
	}
	all := sentBy(t, w, ofStudio.ID, over(3)) // a test is sent to the one that is tried alone
	if all[0].Line.ID != sent[1].Line.ID || all[0].Status != http.StatusOK || all[0].Attempts != 1 {
		t.Errorf("the studio's sent %+v", all)
	}
	if none := sentBy(t, w, others.ID, over(0)); len(none) != 0 {
		t.Errorf("one that takes rounds sent %+v", none)
	}
	verifier, err := standard.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	ids, verified := map[string]bool{}, 0
	for _, a := range r.arrived() {
		if ids[a.id] {
			t.Errorf("%s came twice", a.id)
		}
		ids[a.id] = true
		if verifier.Verify(a.body, a.header) == nil {
			verified++
		}
		if a.Type != a.Data.Action || a.Data.ID == 0 || a.Timestamp.IsZero() {
			t.Errorf("arrived: %+v", a.Message)
		}
	}
	if len(ids) != 7 || verified != 4 {
		t.Errorf("%d arrived, %d of them signed by the project's", len(ids), verified)
	}
}

// What does not arrive is tried again under the same id, later each time. After the last attempt the webhook is switched off, and the trail says so; what
// was given up is sent when it is switched on.
func TestWebhooksTryAgain(t *testing.T) {
	t.Parallel()
	w := hooked(t)
	ctx := t.Context()
	r := newReceiver(t)
	r.answers(http.StatusServiceUnavailable)
	_, made := hook(t, w, "birds", r.URL, "rounds") // takes nothing that happens here
	try := func() {
		t.Helper()
		if err := w.Service.TryWebhook(ctx, w.Admin, "birds", made.ID); err != nil {
			t.Fatal(err)
		}
	}
	tried := func(n int) func([]annotator.Delivery) bool {
		return func(all []annotator.Delivery) bool { return all[0].Attempts >= n }
	}
	try()
	sentBy(t, w, made.ID, tried(2))
	r.answers(http.StatusOK)
	sent := sentBy(t, w, made.ID, over(1))
	if sent[0].DeliveredAt == nil || sent[0].Attempts < 3 || sent[0].Status != http.StatusOK || sent[0].Problem != "" {
		t.Errorf("arrived in the end: %+v", sent)
	}
	for _, a := range r.arrived() {
		if a.id != r.arrived()[0].id {
			t.Errorf("another id: %s", a.id)
		}
	}
	r.answers(http.StatusServiceUnavailable)
	try()
	sentBy(t, w, made.ID, tried(1))
	if _, err := w.Store.Pool().Exec(ctx, `UPDATE webhook_deliveries SET attempts = $1 WHERE failed_at IS NULL AND delivered_at IS NULL`, annotator.WebhookAttempts-2); err != nil {
		t.Fatal(err)
	}
	sent = sentBy(t, w, made.ID, over(2))
	if sent[0].FailedAt == nil || sent[0].Attempts != annotator.WebhookAttempts || !strings.Contains(sent[0].Problem, "503") {
		t.Errorf("given up: %+v", sent[0])
	}
	var off []annotator.Webhook
	sentBy(t, w, made.ID, func([]annotator.Delivery) bool {
		var err error
		if off, err = w.Service.Webhooks(ctx, w.Admin, "birds"); err != nil {
			t.Fatal(err)
		}
		return off[0].OffAt != nil
	})
	if off[0].OffAt == nil || off[0].Failed != 1 || !strings.Contains(off[0].OffWhy, "10 attempts") {
		t.Errorf("after the last attempt: %+v", off)
	}
	if err := w.Service.TryWebhook(ctx, w.Admin, "birds", made.ID); err == nil {
		t.Error("one that is off is tried")
	}
	r.answers(http.StatusOK)
	if err := w.Service.SwitchOn(ctx, w.Admin, "birds", made.ID); err != nil {
		t.Fatal(err)
	}
	sent = sentBy(t, w, made.ID, over(2))
	if sent[0].DeliveredAt == nil || sent[0].Attempts != 1 {
		t.Errorf("after it was switched on: %+v", sent[0])
	}
	lines, err := w.Service.Trail(ctx, w.Admin, annotator.TrailFilter{Kind: "webhooks"}, 0)
	var actions []string
	for _, l := range lines {
		actions = append(actions, l.Action)
	}
	if err != nil || strings.Join(actions, " ") != "webhook.on webhook.off webhook.test webhook.test webhook.create" {
		t.Errorf("the trail: %v, %v", actions, err)
	}
}

// A webhook whose holder may not read its lines any more sends nothing, until somebody who may switches it on; so does one whose receiver is gone.
func TestWebhooksEndWithTheirHoldersRight(t *testing.T) {
	t.Parallel()
	w := hooked(t)
	ctx := t.Context()
	r := newReceiver(t)
	if _, err := w.Service.SetMember(ctx, w.Admin, "birds", w.Reviewer.ID, annotator.RoleLead); err != nil {
		t.Fatal(err)
	}
	_, made, err := w.Service.AddWebhook(ctx, w.Reviewer, "birds", annotator.NewWebhook{URL: r.URL, Kinds: []annotator.TrailKind{"members"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.SetMember(ctx, w.Admin, "birds", w.Reviewer.ID, annotator.RoleReviewer); err != nil { // a line that it would send
		t.Fatal(err)
	}
	sent := sentBy(t, w, made.ID, over(1))
	if sent[0].FailedAt == nil || len(r.arrived()) != 0 {
		t.Errorf("sent for who is a lead no longer: %+v, %d arrived", sent, len(r.arrived()))
	}
	is := func() annotator.Webhook {
		t.Helper()
		all, err := w.Service.Webhooks(ctx, w.Admin, "birds")
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0]
	}
	if now := is(); now.OffAt == nil || !strings.Contains(now.OffWhy, "holder") {
		t.Errorf("it is on: %+v", now)
	}
	if err := w.Service.SwitchOn(ctx, w.Admin, "birds", made.ID); err != nil {
		t.Fatal(err)
	}
	if sent = sentBy(t, w, made.ID, over(1)); sent[0].DeliveredAt == nil || is().HeldByID != w.Admin.ID {
		t.Errorf("held by an admin: %+v", sent)
	}
	r.answers(http.StatusGone)
	if err := w.Service.TryWebhook(ctx, w.Admin, "birds", made.ID); err != nil {
		t.Fatal(err)
	}
	sentBy(t, w, made.ID, func(all []annotator.Delivery) bool { return over(2)(all) && is().OffAt != nil })
	if now := is(); !strings.Contains(now.OffWhy, "410") {
		t.Errorf("after a 410: %+v", now)
	}
	// Removed: what waits is not sent, and nothing breaks.
	if err := w.Service.RemoveWebhook(ctx, w.Admin, "birds", made.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.Posting(ctx, sent[0].ID); err == nil {
		t.Error("a removed webhook sends")
	}
	var left int
	if err := w.Store.Pool().QueryRow(ctx, `SELECT count(*) FROM webhook_deliveries`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d deliveries are left, %v", left, err)
	}
}
