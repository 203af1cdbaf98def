// Package web serves the studio: the pages, the JSON API and the event streams, on chi.
//
//	server.go      Config, NewServer, Serve: what the outside constructs
//	routes.go      every address there is, each with the role it needs
//	middleware.go  request ids, access log, recovery, security headers
//	session.go     who is asking: session cookie or bearer token; throttle.go bounds guessing
//	loopback.go    which Host names are answered to if only this machine can reach the studio
//	language.go    which language a request is answered in; the words are package words'
//	error.go       the one table from errors to statuses; problem.go (API) and pages show them
//	asset.go       embedded CSS, scripts, icons and fonts under content-hashed addresses; compress.go compresses pages
//	health.go, metrics.go  /healthz, /metrics; /readyz is internal/health
//	legible.go     refusing requests whose address, headers or JSON are not valid text
//	api.go         /api/v1, described by its OpenAPI document (huma); api_*.go its operations, api_bound.go and api_query.go what they take, scopes.go what tokens may call
//	upload.go      receiving models as they come; state_dict.go receiving the reference for a state_dict
//	api_label.go   what is said of labels, and which are suspect; page_label.go the pages
//	api_import.go  receiving data sets in chunks; page_import.go says what they are and what an import would do
//	api_trail.go   the whole studio's trail; page_trail.go the page
//	api_export.go  streaming what internal/takeout writes
//	maps.go        receiving maps that internal/takeout reads; api_maps.go and page_maps.go tell what became of them
//	page.go        what all pages share; page_*.go the pages, one file per section, rendered by package templates; page_setup.go makes the first admin, page_invitation.go who is invited; page_webhook.go webhooks of a project and of the studio
//	pages/         their scripts (TypeScript), bundled into static/ by `go generate ./web`
//	editor/        the editor (TypeScript), bundled the same way
//	words/         what the scripts say, found in their code: their part of the catalogue, and a test that nothing goes past it
//	styles/        the style sheet and the icon of all pages; static/ gets them, with the fonts of an npm package
//	static/        built files, embedded; none is written by hand
//
// A handler returns an error and does nothing else with it; one adapter turns it into a status and a
// page or a problem (RFC 9457). Pages and API call the same annotator.Service, which checks every
// actor's role itself; the routes check it too, so that neither relies on the other.
package web

//go:generate sh -c "cd .. && go tool esbuild web/styles/studio.css web/styles/icon.svg --bundle --minify --loader:.svg=copy --loader:.woff2=copy --asset-names=[name] --outdir=web/static --log-level=warning"
//go:generate sh -c "cd .. && install -m 644 node_modules/@fontsource-variable/inter/LICENSE web/static/inter-LICENSE.txt"
//go:generate sh -c "cd .. && go tool esbuild web/pages/pages.ts web/pages/review.ts web/pages/round.ts --bundle --format=esm --target=es2022 --minify --legal-comments=none --outdir=web/static --log-level=warning"
//go:generate sh -c "cd .. && go tool esbuild web/editor/src/main.ts --bundle --minify --format=esm --target=es2022 --outfile=web/static/editor.js --log-level=warning"
//go:generate sh -c "cd .. && go tool esbuild web/editor/src/editor.css --bundle --minify --outfile=web/static/editor.css --log-level=warning"
