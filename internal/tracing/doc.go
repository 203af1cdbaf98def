// Package tracing sends OpenTelemetry traces of requests, of the jobs that they ask for, of queries and of runs of networks, if
// OpenTelemetry's variables ask for them. Without them there is a nil Tracer, which does nothing.
//
//	POST /api/v1/versions/{version}/scan       Tracer.Request, web
//	├ postgresql insert …                      Tracer.Queries, internal/postgres
//	└ job scan                                 Tracer.Job, internal/jobs: in another process, perhaps hours later
//	  ├ postgresql update …
//	  └ run the network                        Tracer.Run, internal/ort's watcher
//
// The traceparent of a request (Parent) is written beside each part of a job, as the request's id is (internal/postgres.PartMetadata).
//
// A span says which route, statement or network something was, never whose or with what: no addresses, names, paths, arguments or
// messages of errors, which may quote them.
package tracing
