// Package logs writes the studio's log: lines of text or JSON, each with what its context says it is about.
//
//	log := logs.New(os.Stderr, logs.JSON, slog.LevelInfo)
//	ctx = logs.WithRequest(ctx, "XIPJ7R4CMTZK2Q3D")       // web, once per request
//	ctx = logs.With(ctx, slog.Int64("job", 7))            // a worker, once per part of a job
//	log.WarnContext(ctx, "image left out of the scan")    // … request=XIPJ7R4CMTZK2Q3D job=7
//
// The id of a request goes with the work that the request asked for: internal/postgres writes it beside each part of a job, the worker
// that takes the part up reads it from there. One search for the id then finds the request and all that came of it, in every process.
package logs
