package web

import (
	"net/http"
	"net/url"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// languageCookie keeps which language a person chose. Without it their browser's Accept-Language decides.
const languageCookie = "language"

// speak gives a request its language: pages and the details of problems are written in it.
func speak(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chosen := ""
		if c, err := r.Cookie(languageCookie); err == nil {
			chosen = c.Value
		}
		l := words.Choose(chosen, r.Header.Get("Accept-Language"))
		next.ServeHTTP(w, r.WithContext(words.With(r.Context(), l)))
	})
}

// chooseLanguage keeps the language that a person chose, for a year, and leads back to the page they chose it on.
func (s *Server) chooseLanguage(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	l := words.Language(form.Get("language"))
	if !l.Valid() {
		return &annotator.ValidationError{Field: "language", Message: "the pages are in en and ja"}
	}
	http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: string(l), Path: "/", MaxAge: 365 * 24 * 3600,
		Secure: s.sessions.overTLS(r), HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, localAddress(form.Get("next")), http.StatusSeeOther)
	return nil
}

// pageAddress is the address at which a browser gets the page of this request again: its own, or of a form the one that it was sent from.
func pageAddress(r *http.Request) string {
	if r.Method == http.MethodGet {
		return r.URL.RequestURI()
	}
	from, err := url.Parse(r.Referer())
	if err != nil || from.Host != r.Host {
		return "/"
	}
	return from.RequestURI()
}
