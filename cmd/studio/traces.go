package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/tracing"
)

// traceWithin is how long a process that ends goes on sending the last traces.
const traceWithin = 3 * time.Second

// openTracer opens a tracer if OpenTelemetry's variables ask for one; else it returns nil.
func openTracer(ctx context.Context, log *slog.Logger) (*tracing.Tracer, error) {
	wanted, err := tracing.Configured(os.Getenv)
	if err != nil || !wanted {
		return nil, err
	}
	tracing.OnError(func(err error) { log.WarnContext(ctx, "traces are not sent", "err", err) })
	log.InfoContext(ctx, "traces are made and sent")
	return tracing.Open(ctx, cmp.Or(version, "development"))
}

// closeTracer sends the last traces. A collector that is away does not make a process fail: the log has said so.
func closeTracer(tracer *tracing.Tracer) {
	ctx, cancel := context.WithTimeout(context.Background(), traceWithin)
	defer cancel()
	_ = tracer.Close(ctx)
}

// watchRuns has the runs of networks counted and traced.
func watchRuns(figures *runMetrics, tracer *tracing.Tracer) {
	ort.Watch(func(ctx context.Context, run ort.Run) func(error) {
		counted, traced := figures.watch(ctx, run), tracer.Run(ctx, run.Network, run.Rows)
		return func(err error) {
			counted(err)
			traced(err)
		}
	})
}
