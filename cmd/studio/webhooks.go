package main

import (
	"fmt"
	"net/netip"

	"github.com/abn-studio/studio/internal/webhook"
)

// webhookFlags are the flags of processes that send to webhooks.
type webhookFlags struct {
	WebhookPrivate []string `env:"STUDIO_WEBHOOK_PRIVATE" placeholder:"NETWORK" help:"Let webhooks send to a private network too, such as 10.1.0.0/16 or 127.0.0.1/32, also over http://; may be given several times. Without it they send to the public internet alone."`
}

// sender is what sends.
func (f webhookFlags) sender() (*webhook.Sender, error) {
	var o webhook.Options
	for _, typed := range f.WebhookPrivate {
		network, err := netip.ParsePrefix(typed)
		if err != nil {
			return nil, fmt.Errorf("--webhook-private %s: want a network, such as 10.1.0.0/16, or of one address 127.0.0.1/32", typed)
		}
		o.Private = append(o.Private, network.Masked())
	}
	return webhook.NewSender(o), nil
}
