package oidc

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
)

// Settings say which provider signs people in, and as which of its clients the studio asks.
type Settings struct {
	Issuer   string // the provider's address: https://login.example.org
	ClientID string
	Secret   string // of the client; "": it is a public one, which PKCE alone protects

	GroupsClaim string   // the claim that lists a person's groups; a point leads into an object: realm_access.roles
	Scopes      []string // asked for besides openid, profile and email

	// TrustEmail takes an address as verified where the provider does not say whether it is. One that it says is not verified is never taken.
	TrustEmail bool
}

// DefaultGroupsClaim is where most providers list groups.
const DefaultGroupsClaim = "groups"

// Check says what is wrong with the settings.
func (s Settings) Check() error {
	issuer, err := url.Parse(s.Issuer)
	if err != nil || issuer.Host == "" || issuer.RawQuery != "" || issuer.Fragment != "" || issuer.User != nil {
		return fmt.Errorf("the issuer %q is no address such as https://login.example.org", s.Issuer)
	}
	if issuer.Scheme != "https" && (issuer.Scheme != "http" || !onThisMachine(issuer.Hostname())) {
		return fmt.Errorf("the issuer %s is not https: whoever is between it and the studio could sign in as anybody", s.Issuer)
	}
	if s.ClientID == "" {
		return errors.New("the issuer needs a client id: register the studio there, and give what it is called")
	}
	return nil
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// scopes are all that is asked for, each once.
func (s Settings) scopes() []string {
	all := []string{"openid", "profile", "email"}
	for _, scope := range s.Scopes {
		if scope != "" && !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	return all
}
