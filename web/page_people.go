package web

import (
	"errors"
	"net/http"

	"github.com/abn-studio/studio/annotator"
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
	return s.render(v.ResponseWriter, v.Request, status, templates.PeoplePage(v.frame("People", "people"), view))
}

func (s *Server) addPerson(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	user, err := s.service.CreateUser(v.Context(), v.actor, annotator.NewUser{
		Email: form.Get("email"), Name: form.Get("name"), Password: form.Get("password"), Role: annotator.Role(form.Get("role"))})
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showPeople(v, http.StatusUnprocessableEntity, templates.People{Problem: problem,
			Form: templates.PersonForm{Open: true, Email: form.Get("email"), Name: form.Get("name"), Role: form.Get("role")}})
	}
	v.say("Added %s as %s.", user.Name, user.Role)
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
		change.Password = &password
	case "disable":
		change.Disabled = &yes
	case "enable":
		change.Disabled = &no
	default:
		return errBadForm
	}
	user, err := s.changeUser(v.Context(), v.actor, id, change)
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warn("Not changed: %s", problem)
		return v.redirect("/people")
	}
	v.say("Changed %s.", user.Name)
	return v.redirect("/people")
}

func (s *Server) accountPage(v *visit) error {
	return v.render(templates.AccountPage(v.frame("Account", "account"), templates.AccountView{}))
}

// showAccount answers a form of the account page that was refused, or made a token.
func (s *Server) showAccount(v *visit, view templates.AccountView) error {
	status := http.StatusOK
	if view.Problem != "" {
		status = http.StatusUnprocessableEntity
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.AccountPage(v.frame("Account", "account"), view))
}

func (s *Server) changeOwnName(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	name := form.Get("name")
	if _, err := s.changeUser(v.Context(), v.actor, v.actor.ID, annotator.UserChange{Name: &name}); err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showAccount(v, templates.AccountView{Field: "name", Problem: problem})
	}
	v.say("Saved.")
	return v.redirect("/account")
}

// changeOwnPassword asks for the present password first, so that an unattended screen gives nothing
// away; guesses count as failed sign-ins.
func (s *Server) changeOwnPassword(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	user, err := s.signIn(v.Request, v.actor.Email, form.Get("current"))
	if errors.Is(err, errBadPassword) || err == nil && user.ID != v.actor.ID {
		return s.showAccount(v, templates.AccountView{Field: "password", Problem: "The present password is another one."})
	}
	if err == nil {
		password := form.Get("password")
		_, err = s.changeUser(v.Context(), v.actor, v.actor.ID, annotator.UserChange{Password: &password})
	}
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showAccount(v, templates.AccountView{Field: "password", Problem: problem})
	}
	v.say("The password is changed.")
	return v.redirect("/account")
}

func (s *Server) makeToken(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	token, err := s.service.CreateToken(v.Context(), v.actor, form.Get("name"))
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		return s.showAccount(v, templates.AccountView{Field: "token", Problem: problem})
	}
	return s.showAccount(v, templates.AccountView{Token: token})
}
