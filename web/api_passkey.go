package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/passkey"
	"github.com/abn-studio/studio/internal/text"
)

// errPasskey is what somebody is told whose passkey is not right; the log has why.
var errPasskey = errors.New("the passkey was not taken: try again, or sign in with your password")

// passkeyOptions are what a browser hands to its authenticator.
type passkeyOptions struct {
	Options json.RawMessage `json:"options" doc:"For navigator.credentials, with bytes as base64url."`
}

// party is the studio as authenticators know it, at the address that people use.
func (s *Server) party(r *http.Request) (*passkey.Party, error) {
	p, err := passkey.NewParty(s.home(r))
	if err == nil && p == nil {
		err = annotator.Conflict("passkeys are bound to a name: open the studio by a name such as localhost, not by a number")
	}
	return p, err
}

// keepCeremony keeps a ceremony in the browser's session until it ends. A session of nobody lasts as long as the ceremony.
func (s *Server) keepCeremony(ctx context.Context, kept []byte) {
	if s.session(ctx) == 0 && s.sessions.GetInt64(ctx, sessionPending) == 0 {
		s.sessions.SetDeadline(ctx, time.Now().Add(passkey.CeremonyLasts))
	}
	s.sessions.Put(ctx, sessionCeremony, kept)
}

// beginPasskeyIn begins a sign-in by a passkey.
func (s *Server) beginPasskeyIn(r *http.Request) (json.RawMessage, error) {
	party, err := s.party(r)
	if err != nil {
		return nil, err
	}
	address := addressKey(s.sessions.address(r))
	if _, wait := s.sessions.ceremonies.take(address, address); wait > 0 { // each makes a row
		return nil, &throttledError{after: wait}
	}
	c, err := party.SignIn()
	if err != nil {
		return nil, err
	}
	s.keepCeremony(r.Context(), c.Kept)
	return c.Options, nil
}

// signInByPasskey signs in whose passkey it is.
func (s *Server) signInByPasskey(r *http.Request, answer []byte) (annotator.User, error) {
	ctx := r.Context()
	party, err := s.party(r)
	if err != nil {
		return annotator.User{}, err
	}
	kept := s.sessions.PopBytes(ctx, sessionCeremony) // good once
	var used annotator.Passkey
	err = s.withKey(r, "passkey", func(err error) bool { return errors.Is(err, passkey.ErrRefused) }, func() (err error) {
		used, err = party.SignedIn(kept, answer, func(handle []byte) (annotator.Passkey, annotator.User, error) {
			return s.service.PasskeyOwner(ctx, handle)
		})
		return err
	})
	if errors.Is(err, passkey.ErrRefused) {
		s.metrics.signIns.WithLabelValues("refused").Inc()
		s.log.WarnContext(ctx, "a passkey was refused", "error", text.Cut(err.Error(), maxErrorLogged))
		if err := s.service.RefusePasskey(ctx, used, s.client(r)); err != nil {
			return annotator.User{}, err
		}
		return annotator.User{}, errPasskey
	}
	if err != nil {
		return annotator.User{}, err
	}
	user, err := s.service.SignInByPasskey(ctx, used, s.client(r))
	if errors.Is(err, annotator.ErrUnauthorized) {
		return annotator.User{}, errPasskey
	}
	if err != nil {
		return annotator.User{}, err
	}
	return s.startSession(r, user, annotator.Shown{By: annotator.ByPasskey, At: s.service.Now()})
}

// passkeys registers making passkeys, and signing in by one.
func (a *api) passkeys() {
	begin := post("beginPasskeySignIn", "/session/passkey/begin", "Begin to sign in by a passkey")
	begin.Middlewares = huma.Middlewares{withRequest}
	handle(a, anyone, begin, func(ctx context.Context, _ annotator.User, _ *nothing) (*answer[passkeyOptions], error) {
		options, err := a.server.beginPasskeyIn(requestBehind(ctx))
		return &answer[passkeyOptions]{passkeyOptions{options}}, err
	})
	type passkeyAnswer struct {
		Body struct {
			Credential json.RawMessage `json:"credential" doc:"What the authenticator answered, as PublicKeyCredential.toJSON writes it."`
		}
	}
	signIn := post("passkeySignIn", "/session/passkey", "Sign in by a passkey: sets the session's cookie")
	signIn.Description = "After beginPasskeySignIn, in the same browser, within five minutes and once."
	signIn.Middlewares = huma.Middlewares{withRequest}
	handle(a, anyone, signIn, func(ctx context.Context, _ annotator.User, in *passkeyAnswer) (*answer[signedIn], error) {
		user, err := a.server.signInByPasskey(requestBehind(ctx), in.Body.Credential)
		if err != nil {
			return nil, err
		}
		return &answer[signedIn]{signedIn{User: user, Role: user.Role}}, nil
	})
	type beginPasskeyRequest struct {
		Body struct {
			Password string `json:"current_password" bound:"present password" doc:"Your present password."`
		}
	}
	add := post("beginPasskey", "/passkeys/begin", "Begin to add a passkey of your own")
	add.Middlewares = huma.Middlewares{withRequest}
	handle(a, annotator.RoleAnnotator, add, func(ctx context.Context, actor annotator.User, in *beginPasskeyRequest) (*answer[passkeyOptions], error) {
		r := requestBehind(ctx)
		party, err := a.server.party(r)
		if err != nil {
			return nil, err
		}
		var there []annotator.Passkey
		err = a.server.withPassword(r, actor.Email, func() (err error) {
			there, err = a.server.service.MayAddPasskey(ctx, actor, in.Body.Password)
			return err
		})
		if err != nil {
			return nil, err
		}
		c, err := party.Add(actor, there)
		if err != nil {
			return nil, err
		}
		a.server.keepCeremony(ctx, c.Kept)
		return &answer[passkeyOptions]{passkeyOptions{c.Options}}, nil
	})
	type addPasskeyRequest struct {
		Body struct {
			Name       string          `json:"name" bound:"token name" doc:"What you call it."`
			Credential json.RawMessage `json:"credential" doc:"What the authenticator answered, as PublicKeyCredential.toJSON writes it."`
		}
	}
	added := created(post("addPasskey", "/passkeys", "Add a passkey of your own"))
	added.Description = "After beginPasskey, in the same browser, within five minutes and once."
	added.Middlewares = huma.Middlewares{withRequest}
	handle(a, annotator.RoleAnnotator, added, func(ctx context.Context, actor annotator.User, in *addPasskeyRequest) (*answer[annotator.Passkey], error) {
		party, err := a.server.party(requestBehind(ctx))
		if err != nil {
			return nil, err
		}
		k, err := party.Added(actor, a.server.sessions.PopBytes(ctx, sessionCeremony), in.Body.Credential)
		if errors.Is(err, passkey.ErrRefused) {
			a.server.log.WarnContext(ctx, "a passkey was refused", "error", text.Cut(err.Error(), maxErrorLogged))
			return nil, &annotator.ValidationError{Field: "credential", Message: "the passkey was not taken: begin again"}
		}
		if err != nil {
			return nil, err
		}
		k.Name = in.Body.Name
		k, err = a.server.service.AddPasskey(ctx, actor, k)
		return &answer[annotator.Passkey]{k}, err
	})
	type byPasskey struct {
		User    int64 `path:"user"`
		Passkey int64 `path:"passkey"`
	}
	remove := noContent(huma.Operation{OperationID: "removePasskey", Method: http.MethodDelete, Path: "/users/{user}/passkeys/{passkey}", Summary: "Remove a passkey of a person's",
		Description: "Nobody signs in by it from then on. Everybody may remove their own, an admin anybody's."})
	handle(a, annotator.RoleAnnotator, remove, func(ctx context.Context, actor annotator.User, in *byPasskey) (*nothing, error) {
		return nil, a.server.service.RemovePasskey(ctx, actor, in.User, in.Passkey)
	})
}
