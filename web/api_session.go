package web

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/abn-studio/studio/annotator"
)

// signedIn is the answer that says to whom a session or token belongs.
type signedIn struct {
	User annotator.User `json:"user"`
	Role annotator.Role `json:"role"`
}

type tokenMade struct {
	Token   string          `json:"token" doc:"Shown this once; only its hash is kept."`
	Details annotator.Token `json:"details"`
}

// keyRequest is the key of an operation's request, whose address the throttle needs.
const keyRequest contextKey = 100

func withRequest(ctx huma.Context, next func(huma.Context)) {
	next(huma.WithValue(ctx, keyRequest, requestOf(ctx)))
}

func requestBehind(ctx context.Context) *http.Request {
	return ctx.Value(keyRequest).(*http.Request).WithContext(ctx)
}

// sessions registers signing in and out.
func (a *api) sessions() {
	type signInRequest struct {
		Body struct {
			Email    string `json:"email" bound:"typed e-mail"`
			Password string `json:"password" bound:"present password"`
			Code     string `json:"code,omitempty" bound:"code" doc:"Of whom one is asked for: of their authenticator app, or a recovery code. Without it they get 401, with the field code."`
		}
	}
	signIn := post("signIn", "/session", "Sign in: sets the session's cookie")
	signIn.Middlewares = huma.Middlewares{withRequest}
	handle(a, anyone, signIn, func(ctx context.Context, _ annotator.User, in *signInRequest) (*answer[signedIn], error) {
		user, err := a.server.signIn(requestBehind(ctx), in.Body.Email, in.Body.Password, in.Body.Code)
		if err != nil {
			return nil, err
		}
		return &answer[signedIn]{signedIn{User: user, Role: user.Role}}, nil
	})
	handle(a, annotator.RoleAnnotator, get("session", "/session", "Who is signed in"),
		func(_ context.Context, actor annotator.User, _ *nothing) (*answer[signedIn], error) {
			return &answer[signedIn]{signedIn{User: actor, Role: actor.Role}}, nil
		})
	signOut := noContent(huma.Operation{OperationID: "signOut", Method: http.MethodDelete, Path: "/session", Summary: "Sign out"})
	handle(a, annotator.RoleAnnotator, signOut, func(ctx context.Context, _ annotator.User, _ *nothing) (*nothing, error) {
		return nil, a.server.signOut(ctx)
	})
	handle(a, annotator.RoleAnnotator, get("sessions", "/sessions", "The browsers in which you are signed in, the one seen last first"),
		func(ctx context.Context, actor annotator.User, _ *nothing) (*answer[sessionList], error) {
			sessions, err := a.server.service.Sessions(ctx, actor, actor.ID, a.server.session(ctx))
			return &answer[sessionList]{sessionList{orEmpty(sessions)}}, err
		})
	end := noContent(huma.Operation{OperationID: "endSession", Method: http.MethodDelete, Path: "/sessions/{session}", Summary: "Sign out of one browser",
		Description: "It is refused at its next request. Everybody may end their own, an admin anybody's."})
	type bySession struct {
		Session int64 `path:"session"`
	}
	handle(a, annotator.RoleAnnotator, end, func(ctx context.Context, actor annotator.User, in *bySession) (*nothing, error) {
		return nil, a.server.service.EndSession(ctx, actor, in.Session)
	})
	handle(a, annotator.RoleAnnotator, huma.Operation{OperationID: "endOtherSessions", Method: http.MethodDelete, Path: "/sessions", Summary: "Sign out of all browsers but the one that asks"},
		func(ctx context.Context, actor annotator.User, _ *nothing) (*answer[sessionsEnded], error) {
			n, err := a.server.service.EndSessions(ctx, actor, actor.ID, a.server.session(ctx))
			return &answer[sessionsEnded]{sessionsEnded{n}}, err
		})
	type tokenRequest struct {
		Body struct {
			Name     string            `json:"name" bound:"token name" doc:"What it is for."`
			Scopes   []annotator.Scope `json:"scopes" minItems:"1" doc:"What it may be used for, where your role allows that. Every token reads."`
			Days     *int              `json:"days,omitempty" bound:"token's days" doc:"Until it expires."`
			Password string            `json:"current_password,omitempty" bound:"present password" doc:"Your present password. Who has none, since an institution signs them in, has signed in in this session within ten minutes."`
		}
	}
	createToken := created(post("createToken", "/tokens", "Make a bearer token for yourself"))
	createToken.Description = fmt.Sprintf("It expires after %d days where nothing is said, after %d at most.", annotator.DefaultTokenDays, annotator.MaxTokenDays)
	createToken.Middlewares = huma.Middlewares{withRequest}
	handle(a, annotator.RoleAnnotator, createToken,
		func(ctx context.Context, actor annotator.User, in *tokenRequest) (*answer[tokenMade], error) {
			wanted := annotator.NewToken{Name: in.Body.Name, Scopes: in.Body.Scopes, Days: annotator.DefaultTokenDays, Password: in.Body.Password}
			if in.Body.Days != nil {
				wanted.Days = *in.Body.Days
			}
			secret, token, err := a.server.makeBearer(requestBehind(ctx), actor, wanted)
			return &answer[tokenMade]{tokenMade{secret, token}}, err
		})
	handle(a, annotator.RoleAnnotator, get("tokens", "/tokens", "Your own bearer tokens that were not revoked, newest first"),
		func(ctx context.Context, actor annotator.User, _ *nothing) (*answer[tokenList], error) {
			tokens, err := a.server.service.Tokens(ctx, actor, actor.ID)
			return &answer[tokenList]{tokenList{orEmpty(tokens)}}, err
		})
	revoke := noContent(huma.Operation{OperationID: "revokeToken", Method: http.MethodDelete, Path: "/tokens/{token}", Summary: "Revoke a bearer token",
		Description: "It is worth nothing from then on. Everybody may revoke their own, an admin anybody's."})
	type byToken struct {
		Token int64 `path:"token"`
	}
	handle(a, annotator.RoleAnnotator, revoke, func(ctx context.Context, actor annotator.User, in *byToken) (*nothing, error) {
		return nil, a.server.service.RevokeToken(ctx, actor, in.Token)
	})
}

type sessionList struct {
	Sessions []annotator.Session `json:"sessions"`
}

type sessionsEnded struct {
	Ended int `json:"ended"`
}

type tokenList struct {
	Tokens []annotator.Token `json:"tokens"`
}

// people registers the accounts.
func (a *api) people() {
	type byUser struct {
		User int64 `path:"user"`
	}
	handle(a, annotator.RoleAdmin, get("userTokens", "/users/{user}/tokens", "A person's bearer tokens that were not revoked, newest first"),
		func(ctx context.Context, actor annotator.User, in *byUser) (*answer[tokenList], error) {
			tokens, err := a.server.service.Tokens(ctx, actor, in.User)
			return &answer[tokenList]{tokenList{orEmpty(tokens)}}, err
		})
	handle(a, annotator.RoleAdmin, get("userSessions", "/users/{user}/sessions", "The browsers in which a person is signed in, the one seen last first"),
		func(ctx context.Context, actor annotator.User, in *byUser) (*answer[sessionList], error) {
			sessions, err := a.server.service.Sessions(ctx, actor, in.User, a.server.session(ctx))
			return &answer[sessionList]{sessionList{orEmpty(sessions)}}, err
		})
	handle(a, annotator.RoleAdmin, huma.Operation{OperationID: "endUserSessions", Method: http.MethodDelete, Path: "/users/{user}/sessions", Summary: "Sign a person out of all browsers",
		Description: "The one that asks stays signed in. To keep them out, disable the account (changeUser)."},
		func(ctx context.Context, actor annotator.User, in *byUser) (*answer[sessionsEnded], error) {
			n, err := a.server.service.EndSessions(ctx, actor, in.User, a.server.session(ctx))
			return &answer[sessionsEnded]{sessionsEnded{n}}, err
		})
	ways := get("signInWays", "/users/{user}/ways", "How a person signs in")
	ways.Description = "Everybody may read their own, an admin anybody's."
	handle(a, annotator.RoleAnnotator, ways, func(ctx context.Context, actor annotator.User, in *byUser) (*answer[annotator.SignInWays], error) {
		w, err := a.server.service.SignInWays(ctx, actor, in.User)
		w.Identities, w.Passkeys = orEmpty(w.Identities), orEmpty(w.Passkeys)
		return &answer[annotator.SignInWays]{w}, err
	})
	type byIdentity struct {
		User     int64 `path:"user"`
		Identity int64 `path:"identity"`
	}
	unlink := noContent(huma.Operation{OperationID: "unlinkIdentity", Method: http.MethodDelete, Path: "/users/{user}/identities/{identity}", Summary: "End that an institution signs a person in",
		Description: "Everybody may end their own, an admin anybody's. 409 for who has no password."})
	handle(a, annotator.RoleAnnotator, unlink, func(ctx context.Context, actor annotator.User, in *byIdentity) (*nothing, error) {
		return nil, a.server.service.UnlinkIdentity(ctx, actor, in.User, in.Identity)
	})
	takeOff := noContent(huma.Operation{OperationID: "takeOffFactor", Method: http.MethodDelete, Path: "/users/{user}/factor", Summary: "Ask a person for no code any more",
		Description: "For somebody who has lost their authenticator app and their recovery codes. One's own is turned off on the page Account (409)."})
	handle(a, annotator.RoleAdmin, takeOff, func(ctx context.Context, actor annotator.User, in *byUser) (*nothing, error) {
		return nil, a.server.service.TakeOffFactor(ctx, actor, in.User)
	})
	handle(a, annotator.RoleAdmin, get("users", "/users", "Everybody"),
		func(ctx context.Context, actor annotator.User, _ *nothing) (*answer[userList], error) {
			users, err := a.server.service.Users(ctx, actor)
			return &answer[userList]{userList{orEmpty(users)}}, err
		})
	type newUserRequest struct {
		Body struct {
			Email    string         `json:"email" bound:"e-mail"`
			Name     string         `json:"name" bound:"person's name"`
			Password string         `json:"password" bound:"password"`
			Role     annotator.Role `json:"role" doc:"annotator, reviewer or admin."`
			Projects []string       `json:"projects,omitempty" maxItems:"1000" doc:"Slugs of the projects that they join, with their role; an empty list: none. Left out: all that there are."`
		}
	}
	handle(a, annotator.RoleAdmin, created(post("createUser", "/users", "Add a person")),
		func(ctx context.Context, actor annotator.User, in *newUserRequest) (*answer[annotator.User], error) {
			u, err := a.server.service.CreateUser(ctx, actor, annotator.NewUser{
				Email: in.Body.Email, Name: in.Body.Name, Password: in.Body.Password, Role: in.Body.Role, Projects: in.Body.Projects})
			return &answer[annotator.User]{u}, err
		})
	type changeUserRequest struct {
		User int64 `path:"user"`
		Body struct {
			Name     *string         `json:"name,omitempty" bound:"person's name"`
			Role     *annotator.Role `json:"role,omitempty"`
			Disabled *bool           `json:"disabled,omitempty"`
			Password *string         `json:"password,omitempty" bound:"password"`
			Present  string          `json:"current_password,omitempty" bound:"present password" doc:"With password: your own present one."`
			Keep     bool            `json:"keep_tokens,omitempty" doc:"With password: leave the person's bearer tokens valid; else they are revoked."`
		}
	}
	change := huma.Operation{OperationID: "changeUser", Method: http.MethodPatch, Path: "/users/{user}", Summary: "Change a person",
		Description: "Anybody may change their own name and password, an admin everything of everybody. A new password, one's own or another's, needs your own present one; it ends the person's other sessions and, unless keep_tokens is true, revokes their bearer tokens.",
		Middlewares: huma.Middlewares{withRequest}}
	handle(a, annotator.RoleAnnotator, change,
		func(ctx context.Context, actor annotator.User, in *changeUserRequest) (*answer[annotator.User], error) {
			u, err := a.server.changeUser(requestBehind(ctx), actor, in.User, annotator.UserChange{
				Name: in.Body.Name, Role: in.Body.Role, Disabled: in.Body.Disabled,
				Password: in.Body.Password, Present: in.Body.Present, KeepTokens: in.Body.Keep})
			return &answer[annotator.User]{u}, err
		})
}

// personal registers what is held of a person, and removing them.
func (a *api) personal() {
	type byUser struct {
		User int64 `path:"user"`
	}
	data := get("personalData", "/users/{user}/data", "All that the studio holds of a person")
	data.Description = "Everybody may read their own, an admin anybody's: the account, tokens without their secrets, and the rows that name the person (tasks, edits, reviews, labels, rounds, uploads, lines of the trail), each with id and times. It is streamed while it is read."
	data.Responses = map[string]*huma.Response{"200": {Description: "The document", Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: "object"}}}}}
	handle(a, annotator.RoleAnnotator, data, func(ctx context.Context, actor annotator.User, in *byUser) (*huma.StreamResponse, error) {
		if _, err := a.server.service.Person(ctx, actor, in.User); err != nil { // what can be refused is refused before the answer begins
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			request, w := humachi.Unwrap(hc)
			a.server.sendPersonalData(w, request, actor, in.User)
		}}, nil
	})
	type removeRequest struct {
		User int64 `path:"user"`
		Body struct {
			Email string `json:"email" bound:"typed e-mail" doc:"The person's e-mail address, typed once more; the name of somebody who has no account."`
		}
	}
	remove := post("removeUser", "/users/{user}/remove", "Remove a person for good")
	remove.Description = "Nobody signs in with the account again; sessions and tokens end, tasks they hold are everybody's. A pseudonym takes the place of name and address everywhere; what they made and judged stays, under the same id. 409 for the last admin. To be able to undo it, disable the account (changeUser)."
	handle(a, annotator.RoleAdmin, remove, func(ctx context.Context, actor annotator.User, in *removeRequest) (*answer[annotator.User], error) {
		u, err := a.server.service.RemovePerson(ctx, actor, in.User, in.Body.Email)
		return &answer[annotator.User]{u}, err
	})
}

type userList struct {
	Users []annotator.User `json:"users"`
}

// orEmpty makes a nil list an empty one, which JSON writes as [].
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
