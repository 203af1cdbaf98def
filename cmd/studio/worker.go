package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/abn-studio/studio/internal/health"
	"github.com/abn-studio/studio/internal/jobs"
)

// workerCommand does background work, beside a server on the same database.
type workerCommand struct {
	storageFlags
	featureFlags
	webhookFlags
	logFlags
	Threads      int    `default:"0" help:"Threads of ONNX Runtime; 0: all cores."`
	HealthListen string `placeholder:"HOST:PORT" help:"Answer /readyz and /metrics on this address, which outsiders must not reach."`
}

// Run works until it is interrupted; then running jobs stop where another worker can resume them.
func (c *workerCommand) Run(ctx context.Context, streams *stdio) (err error) {
	featureBytes, err := c.bytes()
	if err != nil {
		return err
	}
	webhooks, err := c.sender()
	if err != nil {
		return err
	}
	log := c.newLog(streams.Err)
	s, err := c.openToServe(ctx, log, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	metrics, ready := prometheus.NewRegistry(), s.ready(s.disks(log))
	watchRuns(registerProcess(metrics, s, ready), s.Tracer)
	worker, err := jobs.NewWorker(jobs.Config{Store: s.Store, Blobs: s.Blobs, Data: s.Data, Threads: c.Threads, FeatureBytes: featureBytes, Webhooks: webhooks, Logger: log, Metrics: metrics, Tracer: s.Tracer})
	if err != nil {
		return err
	}
	if c.HealthListen != "" {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
		mux.Handle("/", health.Handler(ready)) // /readyz, whatever path a health check asks for
		address, stop, err := aside("--health-listen", c.HealthListen, mux)
		if err != nil {
			return err
		}
		defer stop()
		fmt.Fprintf(streams.Out, "Health: http://%s/readyz\n", address)
	}
	if err := worker.Start(ctx); err != nil {
		return err
	}
	fmt.Fprintln(streams.Out, "worker is ready")
	outdated := whileCurrent(ctx, s, func(ctx context.Context) error { <-ctx.Done(); return nil })
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	return errors.Join(outdated, worker.Stop(stopping))
}
