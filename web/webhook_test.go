package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// An admin adds webhooks to the studio, a lead to their project, each seeing their own alone. The secret is told once; addresses that cannot be sent to
// are refused; what is on its way is listed.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	ctx, boss := t.Context(), s.people[annotator.RoleAdmin]
	_, err := s.service.SetMember(ctx, boss, "birds", s.people[annotator.RoleReviewer].ID, annotator.RoleLead)
	must(t, err)
	admin, lead, painter := s.as(annotator.RoleAdmin), s.as(annotator.RoleReviewer), s.as(annotator.RoleAnnotator)
	const there = "/projects/birds/webhooks"
	for _, typed := range []string{
		"", "ci.example.org", "ftp://ci.example.org/", "https://", "https:///x", "javascript:alert(1)", "https://user:secret@ci.example.org/", "https://ci.example.org/#part",
		"https://ci.example.org/" + strings.Repeat("x", 2000), "https://ci.example.org/\u0000", "https://ci.example.org:x/", "//ci.example.org/",
	} {
		lead.post(there, url.Values{"url": {typed}}).want(http.StatusUnprocessableEntity)
		lead.api(http.MethodPost, there, map[string]any{"url": typed}).want(http.StatusUnprocessableEntity)
	}
	lead.api(http.MethodPost, there, map[string]any{"url": "https://ci.example.org/", "kinds": []string{"weather"}}).want(http.StatusUnprocessableEntity)
	lead.api(http.MethodPost, there, map[string]any{"url": "https://ci.example.org/", "kinds": []string{"rounds", "rounds"}}).want(http.StatusUnprocessableEntity)
	lead.post(there, url.Values{"url": {"https://ci.example.org/"}, "kind": {"weather"}}).want(http.StatusUnprocessableEntity).has(".notice-bad", "sessions")

	page := lead.post(there, url.Values{"url": {"https://ci.example.org/hook?key=k"}, "kind": {"members", "rounds"}}).want(http.StatusOK)
	secret := page.page().Find("[data-secret]").Text()
	if !strings.HasPrefix(secret, "whsec_") || len(secret) < 40 {
		t.Errorf("the secret is %q", secret)
	}
	made := into[webhookMade](admin.api(http.MethodPost, "/webhooks", map[string]any{"url": "https://log.example.org/"}).want(http.StatusCreated))
	ofStudio := into[webhookList](admin.api(http.MethodGet, "/webhooks", nil).want(http.StatusOK)).Webhooks
	ofBirds := into[webhookList](lead.api(http.MethodGet, there, nil).want(http.StatusOK)).Webhooks
	if len(ofStudio) != 1 || ofStudio[0].ID != made.Details.ID || len(ofBirds) != 1 || ofBirds[0].Project != "birds" || ofBirds[0].HeldBy != s.people[annotator.RoleReviewer].Name {
		t.Fatalf("the studio's: %+v, the project's: %+v", ofStudio, ofBirds)
	}
	own := fmt.Sprintf("%s/%d", there, ofBirds[0].ID)
	for _, b := range []*browser{lead, admin} {
		for _, page := range []string{there, own} {
			if body := b.get(page).want(http.StatusOK).body; strings.Contains(string(body), secret) || strings.Contains(string(body), strings.TrimPrefix(secret, "whsec_")) {
				t.Errorf("%s shows the secret again", page)
			}
		}
	}
	painter.get(there).want(http.StatusForbidden)
	lead.get("/webhooks").want(http.StatusForbidden)
	lead.get(fmt.Sprintf("%s/%d", there, made.Details.ID)).want(http.StatusNotFound) // the studio's, asked for below the project
	admin.get(fmt.Sprintf("/webhooks/%d", ofBirds[0].ID)).want(http.StatusNotFound)  // the project's, asked for in the studio
	for _, do := range []string{"test", "on", "off", "remove"} {
		lead.post(fmt.Sprintf("%s/%d", there, made.Details.ID), url.Values{"do": {do}}).want(http.StatusNotFound)
	}

	_, err = s.service.SetMember(ctx, boss, "birds", s.people[annotator.RoleAnnotator].ID, annotator.RoleReviewer)
	must(t, err)
	lead.post(own, url.Values{"do": {"test"}}).want(http.StatusSeeOther)
	sent := into[deliveryList](lead.api(http.MethodGet, own+"/deliveries", nil).want(http.StatusOK)).Deliveries
	if len(sent) != 2 || sent[0].Line.Action != annotator.WebhookTest || sent[1].Line.Action != "member.change" || sent[0].DeliveredAt != nil {
		t.Errorf("to be sent: %+v", sent)
	}
	lead.get(own).want(http.StatusOK).has(`[data-delivery]`, "member.change")
	lead.api(http.MethodPost, fmt.Sprintf("%s/deliveries/%d/again", own, sent[0].ID), nil).want(http.StatusNotFound) // it waits already
	must(t, s.store.EndAttempt(ctx, sent[0].ID, annotator.DeliveryAttempt{At: time.Now(), Status: http.StatusOK}, false))
	lead.api(http.MethodPost, fmt.Sprintf("%s/deliveries/%d/again", own, sent[0].ID), nil).want(http.StatusNoContent)
	admin.api(http.MethodPost, fmt.Sprintf("/webhooks/%d/deliveries/%d/again", made.Details.ID, sent[1].ID), nil).want(http.StatusNotFound) // another's

	lead.api(http.MethodPost, own+"/on", nil).want(http.StatusConflict)
	lead.api(http.MethodPost, own+"/off", nil).want(http.StatusNoContent)
	lead.api(http.MethodPost, own+"/test", nil).want(http.StatusConflict)
	lead.get(own).want(http.StatusOK).has(".notice-bad", "by hand")
	_, err = s.service.SetMember(ctx, boss, "birds", s.people[annotator.RoleAnnotator].ID, annotator.RoleAnnotator)
	must(t, err)
	if now := into[deliveryList](lead.api(http.MethodGet, own+"/deliveries", nil).want(http.StatusOK)).Deliveries; len(now) != len(sent) {
		t.Errorf("one that is off takes %+v", now[0])
	}
	lead.api(http.MethodDelete, own, nil).want(http.StatusNoContent)
	lead.get(own).want(http.StatusNotFound)
	for range annotator.MaxWebhooks {
		lead.api(http.MethodPost, there, map[string]any{"url": "https://ci.example.org/"}).want(http.StatusCreated)
	}
	lead.api(http.MethodPost, there, map[string]any{"url": "https://ci.example.org/"}).want(http.StatusConflict)
	// The trail names the host and not the rest of an address, which may hold a key.
	for _, l := range into[trailList](admin.api(http.MethodGet, "/audit?kind=webhooks", nil).want(http.StatusOK)).Entries {
		if strings.Contains(l.Detail, "key=k") {
			t.Errorf("the trail says %q", l.Detail)
		}
	}
}
