package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
)

type webhookMade struct {
	Secret  string            `json:"secret" doc:"Signs what is sent (Standard Webhooks). Shown this once."`
	Details annotator.Webhook `json:"details"`
}

type webhookList struct {
	Webhooks []annotator.Webhook `json:"webhooks"`
}

type deliveryList struct {
	Deliveries []annotator.Delivery `json:"deliveries"`
	Older      int64                `json:"older,omitempty" doc:"Where there are more: before of the next page."`
}

type (
	// ByWebhook addresses a webhook of the studio.
	ByWebhook struct {
		Webhook int64 `path:"webhook"`
	}
	// ByWebhookOf addresses a webhook of a project.
	ByWebhookOf struct {
		ByProject
		ByWebhook
	}
)

// WebhookBody is what a webhook is made of. It is exported because huma reads embedded types only if they are.
type WebhookBody struct {
	Body struct {
		URL   string                `json:"url" bound:"webhook url" doc:"Where lines are sent to, by POST: https://, or http:// to a private network that the operator allows."`
		Kinds []annotator.TrailKind `json:"kinds,omitempty" bound:"trail kinds" doc:"Which kinds of actions; left out: all."`
	}
}

func (b WebhookBody) webhook() annotator.NewWebhook {
	return annotator.NewWebhook{URL: b.Body.URL, Kinds: orEmpty(b.Body.Kinds)}
}

// DeliveriesQuery is which page of deliveries is asked for.
type DeliveriesQuery struct {
	Before int64 `query:"before" minimum:"0" doc:"Deliveries older than this id; 0: the newest."`
}

// webhooks registers webhooks: those of the studio (for admins) and those of a project (for its leads). Their operations are not for bearer tokens:
// what a webhook sends goes on when the token has ended.
func (a *api) webhooks() {
	const (
		all       = "/webhooks"
		ofProject = "/projects/{project}/webhooks"
		one       = "/{webhook}"
		admins    = annotator.RoleAdmin
		leads     = annotator.RoleLead
	)
	s := func() *annotator.Service { return a.server.service }
	described := func(o huma.Operation, description string) huma.Operation {
		o.Description = description
		return o
	}
	list := func(ctx context.Context, actor annotator.User, slug string) (*answer[webhookList], error) {
		hooks, err := s().Webhooks(ctx, actor, slug)
		return &answer[webhookList]{webhookList{orEmpty(hooks)}}, err
	}
	handle(a, admins, get("webhooks", all, "The webhooks of the studio, oldest first"), func(ctx context.Context, actor annotator.User, _ *nothing) (*answer[webhookList], error) {
		return list(ctx, actor, "")
	})
	handle(a, leads, get("webhooksOf", ofProject, "The webhooks of a project, oldest first"), func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[webhookList], error) {
		return list(ctx, actor, in.Project)
	})

	type addWebhookRequest struct{ WebhookBody }
	type addWebhookRequestOf struct {
		ByProject
		WebhookBody
	}
	add := func(ctx context.Context, actor annotator.User, slug string, n annotator.NewWebhook) (*answer[webhookMade], error) {
		secret, w, err := s().AddWebhook(ctx, actor, slug, n)
		return &answer[webhookMade]{webhookMade{secret, w}}, err
	}
	const what = "Every line of the trail that it takes is sent as JSON by POST, signed, and tried again for three days until an answer is a 2xx. "
	handle(a, admins, created(described(post("addWebhook", all, "Send lines of the studio's trail to an address"), what+"It gets the lines of all projects too.")),
		func(ctx context.Context, actor annotator.User, in *addWebhookRequest) (*answer[webhookMade], error) {
			return add(ctx, actor, "", in.webhook())
		})
	handle(a, leads, created(described(post("addWebhookOf", ofProject, "Send lines of a project's trail to an address"), what)),
		func(ctx context.Context, actor annotator.User, in *addWebhookRequestOf) (*answer[webhookMade], error) {
			return add(ctx, actor, in.Project, in.webhook())
		})

	type deliveriesRequest struct {
		ByWebhook
		DeliveriesQuery
	}
	type deliveriesRequestOf struct {
		ByWebhookOf
		DeliveriesQuery
	}
	deliveries := func(ctx context.Context, actor annotator.User, slug string, id, before int64) (*answer[deliveryList], error) {
		sent, err := s().Deliveries(ctx, actor, slug, id, before)
		return &answer[deliveryList]{deliveryList{orEmpty(sent), olderIn(sent, annotator.DeliveryPage, deliveryID)}}, err
	}
	const sent = "What a webhook has sent and is to send, newest first"
	handle(a, admins, get("deliveries", all+one+"/deliveries", sent), func(ctx context.Context, actor annotator.User, in *deliveriesRequest) (*answer[deliveryList], error) {
		return deliveries(ctx, actor, "", in.Webhook, in.Before)
	})
	handle(a, leads, get("deliveriesOf", ofProject+one+"/deliveries", sent), func(ctx context.Context, actor annotator.User, in *deliveriesRequestOf) (*answer[deliveryList], error) {
		return deliveries(ctx, actor, in.Project, in.Webhook, in.Before)
	})

	type againRequest struct {
		ByWebhook
		Delivery int64 `path:"delivery"`
	}
	type againRequestOf struct {
		ByWebhookOf
		Delivery int64 `path:"delivery"`
	}
	const again = "Send a line again that arrived or was given up"
	handle(a, admins, noContent(post("redeliver", all+one+"/deliveries/{delivery}/again", again)), func(ctx context.Context, actor annotator.User, in *againRequest) (*nothing, error) {
		return nil, s().Redeliver(ctx, actor, "", in.Webhook, in.Delivery)
	})
	handle(a, leads, noContent(post("redeliverOf", ofProject+one+"/deliveries/{delivery}/again", again)), func(ctx context.Context, actor annotator.User, in *againRequestOf) (*nothing, error) {
		return nil, s().Redeliver(ctx, actor, in.Project, in.Webhook, in.Delivery)
	})

	for _, change := range []struct {
		name, method, path, summary string
		do                          func(ctx context.Context, actor annotator.User, slug string, id int64) error
	}{
		{"switchWebhookOn", http.MethodPost, "/on", "Switch a webhook on again, and hold it; what was given up is sent", func(ctx context.Context, actor annotator.User, slug string, id int64) error {
			return s().SwitchOn(ctx, actor, slug, id)
		}},
		{"switchWebhookOff", http.MethodPost, "/off", "Have a webhook send nothing until it is switched on", func(ctx context.Context, actor annotator.User, slug string, id int64) error {
			return s().SwitchOff(ctx, actor, slug, id)
		}},
		{"tryWebhook", http.MethodPost, "/test", "Send a line that says it is a test", func(ctx context.Context, actor annotator.User, slug string, id int64) error {
			return s().TryWebhook(ctx, actor, slug, id)
		}},
		{"removeWebhook", http.MethodDelete, "", "Remove a webhook; what waits is not sent", func(ctx context.Context, actor annotator.User, slug string, id int64) error {
			return s().RemoveWebhook(ctx, actor, slug, id)
		}},
	} {
		handle(a, admins, noContent(huma.Operation{OperationID: change.name, Method: change.method, Path: all + one + change.path, Summary: change.summary}),
			func(ctx context.Context, actor annotator.User, in *ByWebhook) (*nothing, error) {
				return nil, change.do(ctx, actor, "", in.Webhook)
			})
		handle(a, leads, noContent(huma.Operation{OperationID: change.name + "Of", Method: change.method, Path: ofProject + one + change.path, Summary: change.summary}),
			func(ctx context.Context, actor annotator.User, in *ByWebhookOf) (*nothing, error) {
				return nil, change.do(ctx, actor, in.Project, in.Webhook)
			})
	}
}

func deliveryID(d annotator.Delivery) int64 { return d.ID }
