package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

func (s *Server) peoplePage(v *visit) error {
	return s.showPeople(v, http.StatusOK, templates.People{})
}

func (s *Server) showPeople(v *visit, status int, view templates.People) error {
	var err error
	if view.Users, err = s.service.Users(v.Context(), v.actor); err != nil {
		return err
	}
	if view.Projects, err = s.service.Projects(v.Context(), v.actor, annotator.ProjectOpen); err != nil {
		return err
	}
	if view.Invitations, err = s.service.Invitations(v.Context(), v.actor); err != nil {
		return err
	}
	ways, err := s.service.SignInWays(v.Context(), v.actor, v.actor.ID)
	if err != nil {
		return err
	}
	if view.Presence, err = s.presence(v, ways); err != nil {
		return err
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.PeoplePage(v.frame(words.T(v.Context(), "People"), "people"), view))
}

func (s *Server) addPerson(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	person := annotator.NewUser{Email: form.Get("email"), Name: form.Get("name"), Password: form.Get("password"), Role: annotator.Role(form.Get("role"))}
	if form.Get("join") != "true" {
		person.Projects = []string{}
	}
	user, err := s.service.CreateUser(v.Context(), v.actor, person)
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showPeople(v, http.StatusUnprocessableEntity, templates.People{Problem: problem,
			Form: templates.PersonForm{Open: true, Email: form.Get("email"), Name: form.Get("name"), Role: form.Get("role"), Apart: person.Projects != nil}})
	}
	v.say("Added {name} as {role}.", "name", user.Name, "role", words.Say(v.Context(), string(user.Role)))
	return v.redirect("/people")
}

func (s *Server) changePerson(v *visit) error {
	id, err := v.id("user")
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	var change annotator.UserChange
	yes, no := true, false
	switch form.Get("action") {
	case "role":
		role := annotator.Role(form.Get("role"))
		change.Role = &role
	case "password":
		password := form.Get("password")
		change.Password, change.Present, change.KeepTokens = &password, form.Get("current"), form.Get("revoke_tokens") == ""
	case "disable":
		change.Disabled = &yes
	case "enable":
		change.Disabled = &no
	default:
		return errBadForm
	}
	user, err := s.changeUser(v.Request, v.actor, id, change)
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warn("Not changed: {problem}", "problem", words.Say(v.Context(), problem))
		return v.redirect("/people")
	}
	if change.Password != nil {
		v.say("{name} has a new password and is signed out everywhere. {tokens}", "name", user.Name, "tokens", tokensAfter(v.Context(), change))
	} else {
		v.say("Changed {name}.", "name", user.Name)
	}
	return v.redirect("/people")
}

func (s *Server) accountPage(v *visit) error {
	return s.showAccount(v, templates.AccountView{})
}

// showAccount shows the account page, also after a form of it was refused or made a token.
func (s *Server) showAccount(v *visit, view templates.AccountView) error {
	status := http.StatusOK
	if view.Problem != "" {
		status = http.StatusUnprocessableEntity
	}
	var err error
	if view.Highest, err = s.service.Highest(v.Context(), v.actor); err != nil {
		return err
	}
	if view.Ways, err = s.service.SignInWays(v.Context(), v.actor, v.actor.ID); err != nil {
		return err
	}
	if view.Presence, err = s.presence(v, view.Ways); err != nil {
		return err
	}
	view.Presence.Back = "/account"
	party, _ := s.party(v.Request)
	view.Named = party != nil
	if view.Field == "factor" && !view.Ways.Code { // it is shown to who has just typed their password, or a code
		switch setup, err := s.service.FactorBegun(v.Context(), v.actor); {
		case err == nil:
			view.Setup = &setup
		case !errors.Is(err, annotator.ErrNotFound):
			return err
		}
	}
	if view.Projects, err = s.service.Memberships(v.Context(), v.actor); err != nil {
		return err
	}
	if view.Tokens, err = s.service.Tokens(v.Context(), v.actor, v.actor.ID); err != nil {
		return err
	}
	if view.Sessions, err = s.service.Sessions(v.Context(), v.actor, v.actor.ID, s.session(v.Context())); err != nil {
		return err
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.AccountPage(v.frame(words.T(v.Context(), "Account"), "account"), view))
}

func (s *Server) changeOwnName(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	name := form.Get("name")
	if _, err := s.changeUser(v.Request, v.actor, v.actor.ID, annotator.UserChange{Name: &name}); err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showAccount(v, templates.AccountView{Field: "name", Problem: problem})
	}
	v.say("Saved.")
	return v.redirect("/account")
}

// tokensAfter says what happened to a person's tokens when their password was changed.
func tokensAfter(ctx context.Context, c annotator.UserChange) string {
	if c.KeepTokens {
		return words.T(ctx, "API tokens stay valid until they expire or are revoked.")
	}
	return words.T(ctx, "API tokens are revoked.")
}

func (s *Server) changeOwnPassword(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	password := form.Get("password")
	change := annotator.UserChange{Password: &password, Present: form.Get("current"), KeepTokens: form.Get("revoke_tokens") == ""}
	if _, err = s.changeUser(v.Request, v.actor, v.actor.ID, change); err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showAccount(v, templates.AccountView{Field: "password", Problem: problem})
	}
	v.say("The password is changed, and you are signed out everywhere else. {tokens}", "tokens", tokensAfter(v.Context(), change))
	return v.redirect("/account")
}

// endOwnSessions signs whoever asks out of another browser, or of all others.
func (s *Server) endOwnSessions(v *visit) error {
	return s.endSessionsOf(v, v.actor.ID, "/account#sessions")
}

// endSessions signs another person out of a browser, or of all.
func (s *Server) endSessions(v *visit) error {
	id, err := v.id("user")
	if err != nil {
		return err
	}
	return s.endSessionsOf(v, id, fmt.Sprintf("/people/%d/sessions", id))
}

func (s *Server) endSessionsOf(v *visit, user int64, back string) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	if form.Get("session") == "all" {
		n, err := s.service.EndSessions(v.Context(), v.actor, user, s.session(v.Context()))
		if err != nil {
			return err
		}
		v.note("", words.N(v.Context(), n, "Signed out of {n} browser.", "Signed out of {n} browsers."))
		return v.redirect(back)
	}
	id, err := strconv.ParseInt(form.Get("session"), 10, 64)
	if err != nil {
		return errBadForm
	}
	switch err := s.service.EndSession(v.Context(), v.actor, id); {
	case errors.Is(err, annotator.ErrNotFound):
		v.warn("That browser is signed out already.")
	case err != nil:
		return err
	default:
		v.say("Signed out there.")
	}
	return v.redirect(back)
}

// sessionsPage lists in which browsers another person is signed in.
func (s *Server) sessionsPage(v *visit) error {
	id, err := v.id("user")
	if err != nil {
		return err
	}
	person, err := s.service.Person(v.Context(), v.actor, id)
	if err != nil {
		return err
	}
	sessions, err := s.service.Sessions(v.Context(), v.actor, id, s.session(v.Context()))
	if err != nil {
		return err
	}
	return v.render(templates.SessionsPage(v.frame(words.T(v.Context(), "Open sign-ins"), "people"), person, sessions))
}

func (s *Server) makeToken(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	wanted := annotator.NewToken{Name: form.Get("name"), Password: form.Get("current")}
	for _, scope := range form["scope"] {
		wanted.Scopes = append(wanted.Scopes, annotator.Scope(scope))
	}
	view := templates.AccountView{Field: "token", Wanted: wanted}
	if wanted.Days, err = strconv.Atoi(form.Get("days")); err != nil {
		view.Problem = "Say for how many days."
		return s.showAccount(v, view)
	}
	view.Wanted.Days = wanted.Days
	secret, _, err := s.makeBearer(v.Request, v.actor, wanted)
	if err != nil {
		if view.Problem, err = problemText(err); err != nil {
			return err
		}
		return s.showAccount(v, view)
	}
	return s.showAccount(v, templates.AccountView{Token: secret})
}

// revokeToken revokes a token: one's own, or, by an admin, anybody's.
func (s *Server) revokeToken(v *visit) error {
	id, err := v.id("token")
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	switch err := s.service.RevokeToken(v.Context(), v.actor, id); {
	case errors.Is(err, annotator.ErrNotFound):
		v.warn("That token is gone already.")
	case err != nil:
		return err
	default:
		v.say("Revoked: the token is worth nothing from now on.")
	}
	if owner, err := strconv.ParseInt(form.Get("user"), 10, 64); err == nil && owner != v.actor.ID {
		return v.redirect("/people/" + strconv.FormatInt(owner, 10) + "/tokens")
	}
	return v.redirect("/account")
}

// tokensPage lists another person's tokens.
func (s *Server) tokensPage(v *visit) error {
	id, err := v.id("user")
	if err != nil {
		return err
	}
	person, err := s.service.Person(v.Context(), v.actor, id)
	if err != nil {
		return err
	}
	tokens, err := s.service.Tokens(v.Context(), v.actor, id)
	if err != nil {
		return err
	}
	return v.render(templates.TokensPage(v.frame(words.T(v.Context(), "API tokens"), "people"), person, tokens))
}

// personalData sends all that the studio holds of a person.
func (s *Server) personalData(v *visit) error {
	id, err := v.id("user")
	if err != nil {
		return err
	}
	if _, err := s.service.Person(v.Context(), v.actor, id); err != nil {
		return err
	}
	s.sendPersonalData(v.ResponseWriter, v.Request, v.actor, id)
	return nil
}

// ownData sends all that the studio holds of whoever asks.
func (s *Server) ownData(v *visit) error {
	s.sendPersonalData(v.ResponseWriter, v.Request, v.actor, v.actor.ID)
	return nil
}

func (s *Server) sendPersonalData(w http.ResponseWriter, r *http.Request, actor annotator.User, id int64) {
	s.sendWhileWritten(w, r, streamed{annotator.RoleAnnotator, "application/json", annotator.PersonalDataName(id), time.Hour}, func(out io.Writer) error {
		return s.service.PersonalData(r.Context(), actor, id, out)
	})
}

// removePerson removes a person whose e-mail address was typed.
func (s *Server) removePerson(v *visit) error {
	id, err := v.id("user")
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	user, err := s.service.RemovePerson(v.Context(), v.actor, id, form.Get("email"))
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warn("Not removed: {problem}", "problem", words.Say(v.Context(), problem))
		return v.redirect("/people")
	}
	if id != v.actor.ID { // who removed themself has no session for it any more
		v.say("Removed. What they made and judged stands under {name}.", "name", user.Name)
	}
	return v.redirect("/people")
}
