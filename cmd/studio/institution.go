package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/oidc"
	"github.com/abn-studio/studio/internal/sealed"
)

// institutionFlags say who signs people in besides the studio.
type institutionFlags struct {
	Issuer      string   `name:"oidc-issuer" env:"STUDIO_OIDC_ISSUER" placeholder:"URL" help:"The provider's address, such as https://login.example.org. Without it people sign in with passwords alone."`
	Client      string   `name:"oidc-client" env:"STUDIO_OIDC_CLIENT" placeholder:"ID" help:"What the studio is called there. Its redirect address is the studio's own, with ${oidc_redirect} behind it."`
	SecretFile  string   `name:"oidc-secret-file" env:"STUDIO_OIDC_SECRET_FILE" type:"path" placeholder:"FILE" help:"A file with the client's secret; else it is in STUDIO_OIDC_SECRET. A public client has none."`
	Name        string   `name:"oidc-name" env:"STUDIO_OIDC_NAME" placeholder:"NAME" help:"What the button calls it (default: the issuer's host)."`
	Groups      []string `name:"oidc-group" env:"STUDIO_OIDC_GROUPS" sep:";" placeholder:"GROUP=ROLE" help:"What people of a group are: in the studio (GROUP=annotator, reviewer or admin), or in a project (GROUP=PROJECT:annotator, reviewer or lead). May be given several times; in the variable a semicolon stands between. Who is in none of the groups is not let in."`
	GroupsClaim string   `name:"oidc-groups-claim" env:"STUDIO_OIDC_GROUPS_CLAIM" default:"${oidc_groups_claim}" placeholder:"CLAIM" help:"The claim that lists a person's groups; a point leads into an object: realm_access.roles."`
	Scopes      []string `name:"oidc-scope" env:"STUDIO_OIDC_SCOPES" placeholder:"SCOPE" help:"A scope to ask for besides openid, profile and email, such as groups. May be given several times."`
	LinkByEmail bool     `name:"oidc-link-by-email" env:"STUDIO_OIDC_LINK_BY_EMAIL" help:"Who comes with the verified address of an account owns it. Without this the account's owner connects it on the page Account."`
	TrustEmail  bool     `name:"oidc-trust-email" env:"STUDIO_OIDC_TRUST_EMAIL" help:"Take addresses as verified where the provider does not say whether they are: only where nobody there can change their own."`
}

// open returns the institution and the client of its provider, nil where there is none. It asks nothing of the provider.
func (f institutionFlags) open() (*annotator.Institution, *oidc.Client, error) {
	if f.Issuer == "" {
		if f.Client != "" || strings.Join(f.Groups, "") != "" {
			return nil, nil, errors.New("--oidc-client and --oidc-group need --oidc-issuer, the provider's address")
		}
		return nil, nil, nil
	}
	secret, err := f.secret()
	if err != nil {
		return nil, nil, err
	}
	client, err := oidc.New(oidc.Settings{Issuer: f.Issuer, ClientID: f.Client, Secret: secret, GroupsClaim: f.GroupsClaim, Scopes: f.Scopes, TrustEmail: f.TrustEmail})
	if err != nil {
		return nil, nil, fmt.Errorf("--oidc-issuer: %w", err)
	}
	i := &annotator.Institution{Issuer: f.Issuer, Name: strings.TrimSpace(cmp.Or(f.Name, client.Host())), LinkByEmail: f.LinkByEmail}
	for _, group := range f.Groups {
		if strings.TrimSpace(group) == "" {
			continue
		}
		rule, err := annotator.ParseGroupRole(group)
		if err != nil {
			return nil, nil, fmt.Errorf("--oidc-group: %w", err)
		}
		i.Groups = append(i.Groups, rule)
	}
	if len(i.Groups) == 0 {
		return nil, nil, errors.New("--oidc-issuer lets nobody in without groups: say with --oidc-group GROUP=ROLE who may use the studio, and as what")
	}
	return i, client, nil
}

// secret reads the client's secret, from the file or the environment: a flag could be seen by everybody on the machine.
func (f institutionFlags) secret() (string, error) {
	if f.SecretFile == "" {
		return os.Getenv("STUDIO_OIDC_SECRET"), nil
	}
	return secretIn("--oidc-secret-file", f.SecretFile)
}

// secretIn reads the secret that a flag's file has.
func secretIn(flag, file string) (string, error) {
	secret, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	return strings.TrimSpace(string(secret)), nil
}

// sealingFlags say under which key small secrets are kept in the database.
type sealingFlags struct {
	SecretKeyFile string `env:"STUDIO_SECRET_KEY_FILE" type:"path" placeholder:"FILE" help:"A file with a long random text, under which the secrets of authenticator apps are kept; else it is in STUDIO_SECRET_KEY. Without either they are kept as they are. Keep it: with another they are worth nothing."`
}

// key is the key, or none.
func (f sealingFlags) key() (sealed.Key, error) {
	text := os.Getenv("STUDIO_SECRET_KEY")
	if f.SecretKeyFile != "" {
		var err error
		if text, err = secretIn("--secret-key-file", f.SecretKeyFile); err != nil {
			return sealed.Key{}, err
		}
	}
	key, err := sealed.NewKey(text)
	if err != nil {
		return key, fmt.Errorf("STUDIO_SECRET_KEY: %w", err)
	}
	return key, nil
}
