// Package webhook sends signed messages to addresses that people typed (ADR 50).
//
//	sender.go   Sender: one attempt; which addresses are never dialled
//	message.go  Message: what is sent of a line of the trail
//
// Messages follow Standard Webhooks (https://www.standardwebhooks.com): the headers webhook-id, webhook-timestamp and webhook-signature,
// HMAC-SHA256 over the three of id, time and body. Who repeats attempts, and when, is decided elsewhere (annotator.Service.EndAttempt).
package webhook
