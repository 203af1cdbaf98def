package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// invitationPath is the page that an invitation's link opens; the link has its secret as the query "key". Access logs have no queries.
const invitationPath = "/invitation"

// invitationLink is the whole address of an invitation's page.
func (s *Server) invitationLink(r *http.Request, secret string) string {
	return s.home(r) + invitationPath + "?key=" + url.QueryEscape(secret)
}

// invitationPage asks who is invited for a name and a password, or lets them join with the account that they have.
func (s *Server) invitationPage(w http.ResponseWriter, r *http.Request) error {
	return s.showInvitation(w, r, templates.Invited{Key: r.URL.Query().Get("key")}, nil)
}

// acceptInvitation makes the account and signs it in, or lets whoever is signed in join.
func (s *Server) acceptInvitation(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	view := templates.Invited{Key: form.Get("key"), Name: form.Get("name")}
	if _, is := tokenOf(r.Context()); is {
		return annotator.ErrForbidden
	}
	if actor, is := r.Context().Value(keyActor).(annotator.User); is {
		if err := s.withInvitation(r, func() error { return s.service.JoinByInvitation(r.Context(), actor, view.Key) }); err != nil {
			return s.showInvitation(w, r, view, err)
		}
		http.Redirect(w, r, "/projects", http.StatusSeeOther)
		return nil
	}
	var user annotator.User
	err = s.withInvitation(r, func() (err error) {
		user, err = s.service.AcceptInvitation(r.Context(), view.Key, view.Name, form.Get("password"))
		return err
	})
	if err != nil {
		return s.showInvitation(w, r, view, err)
	}
	if _, err := s.startSession(r, user, s.byPassword()); err != nil {
		return err
	}
	http.Redirect(w, r, "/projects", http.StatusSeeOther)
	return nil
}

// withInvitation bounds how often links are tried from an address.
func (s *Server) withInvitation(r *http.Request, do func() error) error {
	return s.withKey(r, invitationPath, func(err error) bool { return errors.Is(err, annotator.ErrInvitation) }, do)
}

// showInvitation renders the page of a link, with what is wrong with it or with the form.
func (s *Server) showInvitation(w http.ResponseWriter, r *http.Request, view templates.Invited, refused error) error {
	err := s.withInvitation(r, func() (err error) {
		view.Invitation, view.Account, err = s.service.OpenInvitation(r.Context(), view.Key)
		return err
	})
	status := http.StatusOK
	if err == nil {
		err = refused
	} else {
		view.Closed = true
	}
	if err != nil {
		f := outcome(err)
		if f.status >= 500 {
			return err
		}
		status = f.status
		if f.retry > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.retry))
		}
		view.Problem, view.Field = words.Say(r.Context(), f.detail), f.field
		if f.field == "" {
			view.Problem = words.Sentence(r.Context(), view.Problem)
		}
	}
	f := s.frame(r, words.T(r.Context(), "Invitation"))
	if f.User != nil && !strings.EqualFold(f.User.Email, view.Invitation.Email) {
		view.Other = true
	}
	return s.render(w, r, status, templates.InvitationPage(f, view))
}

// inviteByAdmin makes an invitation to the studio and shows its link.
func (s *Server) inviteByAdmin(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	n := annotator.NewInvitation{Email: form.Get("email"), Role: annotator.Role(form.Get("role")), Projects: []annotator.Joining{}}
	for name := range form {
		if slug, is := strings.CutPrefix(name, "project-"); is && form.Get(name) != "" {
			n.Projects = append(n.Projects, annotator.Joining{Project: slug, Role: annotator.Role(form.Get(name))})
		}
	}
	view := templates.People{Invite: templates.InviteForm{Open: true, Email: n.Email, Role: string(n.Role)}}
	secret, i, err := s.service.Invite(v.Context(), v.actor, n)
	if err != nil {
		if view.Invite.Problem, err = problemText(err); err != nil {
			return err
		}
		return s.showPeople(v, http.StatusUnprocessableEntity, view)
	}
	return s.showPeople(v, http.StatusOK, templates.People{Invite: templates.InviteForm{Link: s.invitationLink(v.Request, secret), For: i.Email}})
}

// revokeInvitation ends an invitation.
func (s *Server) revokeInvitation(v *visit) error {
	id, err := v.id("invitation")
	if err != nil {
		return err
	}
	return s.revoked(v, s.service.RevokeInvitation(v.Context(), v.actor, id), "/people")
}

// inviteToProject makes an invitation to a project and shows its link.
func (s *Server) inviteToProject(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	invite := templates.InviteForm{Open: true, Email: form.Get("email"), Role: form.Get("role")}
	secret, i, err := s.service.InviteTo(v.Context(), v.actor, v.project.Slug, invite.Email, annotator.Role(invite.Role))
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		invite.Problem = sentenceOf(v.Context(), problem)
		return s.showWork(v, http.StatusUnprocessableEntity, templates.Members{Invite: invite})
	}
	return s.showWork(v, http.StatusOK, templates.Members{Invite: templates.InviteForm{Link: s.invitationLink(v.Request, secret), For: i.Email}})
}

// revokeInvitationTo ends an invitation that was made in the project.
func (s *Server) revokeInvitationTo(v *visit) error {
	id, err := v.id("invitation")
	if err != nil {
		return err
	}
	return s.revoked(v, s.service.RevokeInvitationTo(v.Context(), v.actor, v.project.Slug, id), v.to("people#members"))
}

func (s *Server) revoked(v *visit, err error, back string) error {
	switch {
	case errors.Is(err, annotator.ErrNotFound):
		v.warn("That invitation is open no longer.")
	case err != nil:
		return err
	default:
		v.say("Revoked: the link is worth nothing from now on.")
	}
	return v.redirect(back)
}
