package web

import (
	"net/http"
	"net/url"
)

// signInAddress is where a visitor without a session is sent; it brings them back afterwards.
func signInAddress(r *http.Request) string {
	if r.URL.Path == "/" {
		return "/signin"
	}
	return "/signin?next=" + url.QueryEscape(r.URL.RequestURI())
}

func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, f failure) {
	http.Error(w, f.title+": "+f.detail, f.status)
}
