// Package oidc signs people in by an institution: it speaks OpenID Connect to the institution's provider (authorization code with PKCE,
// state and nonce; RFC 6749, RFC 7636, OpenID Connect Core 1.0) and says whom that vouches for. What this means for accounts and roles is
// package annotator's (ADR 48).
//
//	settings.go  which provider, and as which client
//	client.go    Begin: the address that a browser is sent to; Finish: who came back
//	claims.go    what a provider says of a person
package oidc
