// Package templates renders the studio's pages: templ components over small view models, one file
// per page. It decides how things look and read, and never what a person may do: package web asks the
// service, fills a view model, and renders it.
//
//	frame.go, layout.templ       the frame of every page: top bar, tabs, notices
//	components.templ, icons.templ the pieces pages share
//	words.go                     texts with elements in them, in the reader's language (internal/words)
//	format.go                    figures and maps as people (and canvases) read them
//	PAGE.go, PAGE.templ          the view model of a page, and the page
//
// The *_templ.go files are written by `go tool templ generate -path templates` and committed.
package templates
