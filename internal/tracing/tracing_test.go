package tracing

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestConfigured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  map[string]string
		want bool
		says string // in the error
	}{
		{nil, false, ""},
		{map[string]string{"OTEL_SERVICE_NAME": "studio"}, false, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, true, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces", "OTEL_TRACES_EXPORTER": "otlp"}, true, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, false, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, "http/protobuf"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "zipkin"}, false, "otlp alone"},
	} {
		got, err := Configured(func(name string) string { return c.env[name] })
		if got != c.want || (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, %v", c.env, got, err)
		}
	}
}

// Without a tracer nothing is made, not even garbage.
func TestNoTracerCostsNothing(t *testing.T) {
	// AllocsPerRun counts what the whole process allocates, so this runs alone.
	var none *Tracer
	ctx := t.Context()
	if none.Queries() != nil {
		t.Error("pgx would be given a tracer")
	}
	if n := testing.AllocsPerRun(100, func() {
		_, request := none.Request(ctx, "GET", "")
		_, job := none.Job(ctx, "scan", "", 1, 2, 3)
		none.Run(ctx, "the network", 1)(nil)
		job("finished", false)
		request("/", 200)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := none.Close(ctx); err != nil {
		t.Error(err)
	}
}

// One trace leads from a request to the job; spans hold neither arguments nor what the server says of them; a job with a million runs has a
// bounded number of spans.
func TestSpans(t *testing.T) {
	t.Parallel()
	kept := tracetest.NewInMemoryExporter()
	tracer := newTracer(trace.WithSyncer(kept), trace.WithSampler(trace.AlwaysSample()))
	const secret = "ana@example.org"

	request, ended := tracer.Request(t.Context(), "POST", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	parent := Parent(request)
	queries := Queries{tracer}
	query := queries.TraceQueryStart(request, nil, pgx.TraceQueryStartData{SQL: "INSERT INTO users\n\t(email) VALUES ($1)", Args: []any{secret}})
	queries.TraceQueryEnd(query, nil, pgx.TraceQueryEndData{Err: &pgconn.PgError{Code: "22P02", Message: "invalid input syntax: " + secret}})
	ended("/people", 500)

	job, finished := tracer.Job(context.Background(), "scan", parent, 7, 8, 1)
	for range maxSpans + 10 {
		tracer.Run(job, "the network", 32)(nil)
	}
	query = queries.TraceQueryStart(job, nil, pgx.TraceQueryStartData{SQL: "SELECT 1"}) // past the bound
	queries.TraceQueryEnd(query, nil, pgx.TraceQueryEndData{})
	finished("finished", false)
	alone := queries.TraceQueryStart(t.Context(), nil, pgx.TraceQueryStartData{SQL: "SELECT 2"}) // of nothing that is traced
	queries.TraceQueryEnd(alone, nil, pgx.TraceQueryEndData{Err: errors.New("away")})

	spans := kept.GetSpans()
	if len(spans) != 3+maxSpans {
		t.Errorf("%d spans, want %d", len(spans), 3+maxSpans)
	}
	names := map[string]int{}
	for _, span := range spans {
		names[span.Name]++
		if id := span.SpanContext.TraceID().String(); id != "4bf92f3577b34da6a3ce929d0e0e4736" {
			t.Errorf("%s is in trace %s", span.Name, id)
		}
		for _, a := range span.Attributes {
			if strings.Contains(a.Value.String(), secret) {
				t.Errorf("%s has %s=%s", span.Name, a.Key, a.Value.String())
			}
		}
		if strings.Contains(span.Status.Description, secret) || len(span.Events) > 0 {
			t.Errorf("%s says %q, with %d events", span.Name, span.Status.Description, len(span.Events))
		}
		if span.Name == "job scan" && span.Parent.SpanID().String() != strings.Split(parent, "-")[2] {
			t.Errorf("the job's parent is %s, want that of %s", span.Parent.SpanID(), parent)
		}
	}
	for name, want := range map[string]int{"POST /people": 1, "postgresql insert": 1, "job scan": 1, "run the network": maxSpans} {
		if names[name] != want {
			t.Errorf("%d spans %s, want %d", names[name], name, want)
		}
	}
	if err := tracer.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
