package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	api "go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/abn-studio/studio/internal/logs"
)

// Configured reports whether OpenTelemetry's variables ask for traces: an endpoint is named and nothing switches them off. The error
// says what the studio cannot do of what they ask for.
func Configured(env func(string) string) (bool, error) {
	either := func(name string) string { // of traces, else of everything
		if v := env("OTEL_EXPORTER_OTLP_TRACES_" + name); v != "" {
			return v
		}
		return env("OTEL_EXPORTER_OTLP_" + name)
	}
	exporter := env("OTEL_TRACES_EXPORTER")
	switch {
	case strings.EqualFold(env("OTEL_SDK_DISABLED"), "true"), either("ENDPOINT") == "", exporter == "none":
		return false, nil
	case exporter != "" && exporter != "otlp":
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER=%s: the studio sends traces by otlp alone", exporter)
	}
	if protocol := either("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return false, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL=%s: the studio speaks http/protobuf alone (usually port 4318)", protocol)
	}
	return true, nil
}

// OnError has what goes wrong with sending told to a function, once a minute at most: a collector may be away for long. It holds for the
// process.
func OnError(tell func(error)) {
	var last atomic.Int64 // when it was told, in nanoseconds
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		now, before := time.Now().UnixNano(), last.Load()
		if now-before > int64(time.Minute) && last.CompareAndSwap(before, now) {
			tell(err)
		}
	}))
}

// Tracer makes spans and sends them. A nil Tracer makes none, at no cost. It is safe for concurrent use.
type Tracer struct {
	provider *trace.TracerProvider
	tracer   api.Tracer
}

// Open starts to send spans to where OpenTelemetry's variables say, unless options say otherwise. Close sends the last.
func Open(ctx context.Context, release string, options ...otlptracehttp.Option) (*Tracer, error) {
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("abn-studio"), semconv.ServiceVersion(release)),
		resource.WithTelemetrySDK(), resource.WithFromEnv()) // the last says more than the first, as OTEL_SERVICE_NAME
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("traces: %w", err)
	}
	return newTracer(trace.WithBatcher(exporter), trace.WithResource(about)), nil
}

func newTracer(options ...trace.TracerProviderOption) *Tracer {
	provider := trace.NewTracerProvider(options...) // its sampler is OTEL_TRACES_SAMPLER
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/abn-studio/studio")}
}

// Close sends what was not sent. It gives up when ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// maxSpans bounds the spans below one request or one attempt at a job: a round runs its network a million times.
const maxSpans = 1000

type budgetKey struct{}

// root begins a span below which there may be maxSpans others. Its context says in which trace it is, for the log.
func (t *Tracer) root(ctx context.Context, name string, kind api.SpanKind, attrs ...attribute.KeyValue) (context.Context, api.Span) {
	ctx, span := t.tracer.Start(ctx, name, api.WithSpanKind(kind), api.WithAttributes(attrs...)) //nolint:spancheck // its caller ends it
	budget := &atomic.Int64{}
	budget.Store(maxSpans)
	ctx = context.WithValue(ctx, budgetKey{}, budget)
	return logs.With(ctx, slog.String(logs.KeyTrace, span.SpanContext().TraceID().String())), span //nolint:spancheck // its caller ends it
}

// unrecorded is a span that is none. As a variable it is made once.
var unrecorded api.Span = noop.Span{}

// below begins a span below the one of a context, if that is recorded and may have more.
func (t *Tracer) below(ctx context.Context, name string, attrs ...attribute.KeyValue) (context.Context, api.Span) {
	if t == nil || !api.SpanFromContext(ctx).IsRecording() {
		return ctx, unrecorded
	}
	if budget, bounded := ctx.Value(budgetKey{}).(*atomic.Int64); bounded && budget.Add(-1) < 0 {
		return ctx, unrecorded
	}
	return t.tracer.Start(ctx, name, api.WithSpanKind(api.SpanKindClient), api.WithAttributes(attrs...)) //nolint:spancheck // its caller ends it
}

// Request begins the span of a request. parent is the traceparent that a trusted proxy sent, or "". The function that it returns ends the
// span; route is the pattern that the request went by.
func (t *Tracer) Request(ctx context.Context, method, parent string) (context.Context, func(route string, status int)) {
	if t == nil {
		return ctx, func(string, int) {}
	}
	ctx, span := t.root(continued(ctx, parent), method, api.SpanKindServer, semconv.HTTPRequestMethodKey.String(method))
	return ctx, func(route string, status int) {
		if route != "" {
			span.SetName(method + " " + route)
			span.SetAttributes(semconv.HTTPRoute(route))
		}
		span.SetAttributes(semconv.HTTPResponseStatusCode(status))
		if status >= 500 {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Job begins the span of an attempt at a part of a job. parent is the traceparent of what asked for it (Parent), or "". The function
// that it returns ends the span.
func (t *Tracer) Job(ctx context.Context, kind, parent string, job, part int64, attempt int) (context.Context, func(how string, failed bool)) {
	if t == nil {
		return ctx, func(string, bool) {}
	}
	attrs := []attribute.KeyValue{attribute.String("studio.kind", kind), attribute.Int64("studio.part", part), attribute.Int("studio.attempt", attempt)}
	if job != 0 {
		attrs = append(attrs, attribute.Int64("studio.job", job))
	}
	ctx, span := t.root(continued(ctx, parent), "job "+kind, api.SpanKindConsumer, attrs...)
	return ctx, func(how string, failed bool) {
		span.SetAttributes(attribute.String("studio.how", how))
		if failed {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// Run begins the span of a run of a network; it is there below a request or a job alone. The function that it returns ends the span.
func (t *Tracer) Run(ctx context.Context, network string, rows int64) func(error) {
	if t == nil {
		return func(error) {}
	}
	_, span := t.below(ctx, "run "+network)
	if !span.IsRecording() {
		return func(error) {}
	}
	span.SetAttributes(attribute.String("studio.network", network), attribute.Int64("studio.rows", rows))
	return func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

var format propagation.TraceContext

const traceparent = "traceparent"

// Parent returns the traceparent (W3C Trace Context) of the span of a context, for what goes on elsewhere; "" if there is none.
func Parent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	format.Inject(ctx, carrier)
	return carrier[traceparent]
}

// continued returns a context below the span of a traceparent; of one that is none, ctx.
func continued(ctx context.Context, parent string) context.Context {
	if parent == "" {
		return ctx
	}
	return format.Extract(ctx, propagation.MapCarrier{traceparent: parent})
}
