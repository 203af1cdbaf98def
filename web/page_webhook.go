package web

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// The pages of webhooks are the same for a project and for the studio, whose have no project in their address.

// slugOrStudio is the project of a visit, "" for the studio.
func (v *visit) slugOrStudio() string {
	if v.project == nil {
		return ""
	}
	return v.project.Slug
}

// webhooksPage lists webhooks.
func (s *Server) webhooksPage(v *visit) error {
	return s.showWebhooks(v, http.StatusOK, templates.Webhooks{})
}

func (s *Server) showWebhooks(v *visit, status int, view templates.Webhooks) (err error) {
	if view.All, err = s.service.Webhooks(v.Context(), v.actor, v.slugOrStudio()); err != nil {
		return err
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.WebhooksPage(v.frame(words.T(v.Context(), "Webhooks"), "activity"), view))
}

// addWebhook makes a webhook and shows its secret.
func (s *Server) addWebhook(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	typed := templates.WebhookForm{Open: true, URL: form.Get("url")}
	for _, kind := range form["kind"] {
		typed.Kinds = append(typed.Kinds, annotator.TrailKind(kind))
	}
	secret, made, err := s.service.AddWebhook(v.Context(), v.actor, v.slugOrStudio(), annotator.NewWebhook{URL: typed.URL, Kinds: typed.Kinds})
	if err != nil {
		if typed.Problem, err = problemText(err); err != nil {
			return err
		}
		var field *annotator.ValidationError
		if errors.As(err, &field) {
			typed.Field = field.Field
		}
		return s.showWebhooks(v, http.StatusUnprocessableEntity, templates.Webhooks{Form: typed})
	}
	return s.showWebhooks(v, http.StatusOK, templates.Webhooks{Secret: secret, MadeURL: made.URL})
}

// webhookPage shows one webhook and what it sends.
func (s *Server) webhookPage(v *visit) error {
	id, err := v.id("webhook")
	if err != nil {
		return err
	}
	w, err := s.service.Webhook(v.Context(), v.actor, v.slugOrStudio(), id)
	if err != nil {
		return err
	}
	before, _ := strconv.ParseInt(v.URL.Query().Get("before"), 10, 64) // anything but a number: from the newest
	sent, err := s.service.Deliveries(v.Context(), v.actor, v.slugOrStudio(), id, before)
	if err != nil {
		return err
	}
	return v.render(templates.WebhookPage(v.frame(words.T(v.Context(), "Webhook"), "activity"), templates.Webhook{Webhook: w, Deliveries: sent, Older: olderIn(sent, annotator.DeliveryPage, deliveryID)}))
}

// changeWebhook does what a button of a webhook's page says.
func (s *Server) changeWebhook(v *visit) error {
	id, err := v.id("webhook")
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	slug, list := v.slugOrStudio(), templates.WebhooksPath(templates.Frame{Project: v.project})
	back := list + "/" + strconv.FormatInt(id, 10)
	var told string // in words
	switch form.Get("do") {
	case "test":
		told, err = words.T(v.Context(), "A test is on its way: look again in a moment."), s.service.TryWebhook(v.Context(), v.actor, slug, id)
	case "on":
		told, err = words.T(v.Context(), "Switched on: what was given up is sent."), s.service.SwitchOn(v.Context(), v.actor, slug, id)
	case "off":
		told, err = words.T(v.Context(), "Switched off: nothing is sent."), s.service.SwitchOff(v.Context(), v.actor, slug, id)
	case "remove":
		back = list
		told, err = words.T(v.Context(), "Removed."), s.service.RemoveWebhook(v.Context(), v.actor, slug, id)
	case "again":
		delivery, bad := strconv.ParseInt(form.Get("delivery"), 10, 64)
		if bad != nil {
			return errBadForm
		}
		told, err = words.T(v.Context(), "It is sent again: look again in a moment."), s.service.Redeliver(v.Context(), v.actor, slug, id, delivery)
	default:
		return errBadForm
	}
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warnOf(problem)
		return v.redirect(back)
	}
	v.note("", told)
	return v.redirect(back)
}
