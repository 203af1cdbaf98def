package web

import (
	"errors"
	"strconv"

	"github.com/abn-studio/studio/annotator"
)

// changePasskey renames or removes a passkey of whoever asks.
func (s *Server) changePasskey(v *visit) error {
	id, err := v.id("passkey")
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	switch form.Get("action") {
	case "rename":
		return s.passkeyChanged(v, s.service.RenamePasskey(v.Context(), v.actor, id, form.Get("name")), "/account#passkeys")
	case "remove":
		return s.passkeyChanged(v, s.service.RemovePasskey(v.Context(), v.actor, v.actor.ID, id), "/account#passkeys")
	}
	return errBadForm
}

// removePasskeyOf removes another person's.
func (s *Server) removePasskeyOf(v *visit) error {
	user, err := v.id("user")
	if err != nil {
		return err
	}
	id, err := v.id("passkey")
	if err != nil {
		return err
	}
	return s.passkeyChanged(v, s.service.RemovePasskey(v.Context(), v.actor, user, id), "/people/"+strconv.FormatInt(user, 10)+"/ways")
}

func (s *Server) passkeyChanged(v *visit, err error, back string) error {
	switch {
	case errors.Is(err, annotator.ErrNotFound):
		v.warn("That passkey is gone already.")
	case err != nil:
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warnOf(problem)
	default:
		v.say("Saved.")
	}
	return v.redirect(back)
}
