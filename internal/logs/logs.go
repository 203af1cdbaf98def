package logs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// The keys of attributes by which lines are searched for.
const (
	KeyRequest = "request" // the id of the request that something was asked for by, as in answers (X-Request-Id, a problem's "request")
	KeyJob     = "job"     // the id of a job, as pages and API have it
	KeyPart    = "part"    // the id of a part of a job in River's table
	KeyKind    = "kind"    // of a part
	KeyTrace   = "trace"   // the id of the trace, where there is one (internal/tracing)
)

// Format is how a line is written.
type Format string

// The formats.
const (
	Text Format = "text" // key=value
	JSON Format = "json" // an object a line
)

// Formats are all of them.
var Formats = []Format{Text, JSON}

// New returns a log that writes lines from level on. It panics if there is no such format.
func New(w io.Writer, format Format, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	switch format {
	case Text:
		return Wrap(slog.New(slog.NewTextHandler(w, options)))
	case JSON:
		return Wrap(slog.New(slog.NewJSONHandler(w, options)))
	default:
		panic(fmt.Sprintf("logs: there is no format %q", format))
	}
}

// Wrap returns a log whose lines have the attributes of their context too. A log that does so already is returned as it is.
func Wrap(log *slog.Logger) *slog.Logger {
	if _, wrapped := log.Handler().(handler); wrapped {
		return log
	}
	return slog.New(handler{log.Handler()})
}

// handler adds the attributes of a line's context to the line.
type handler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if about := attrs(ctx); len(about) > 0 {
		r = r.Clone()
		r.AddAttrs(about...)
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the attributes of contexts on derived handlers.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the attributes of contexts on derived handlers.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }

type key struct{}

func attrs(ctx context.Context) []slog.Attr {
	about, _ := ctx.Value(key{}).([]slog.Attr)
	return about
}

// With returns a context whose lines have further attributes. One of a key that is there already replaces it.
func With(ctx context.Context, more ...slog.Attr) context.Context {
	about := slices.DeleteFunc(slices.Clone(attrs(ctx)), func(a slog.Attr) bool {
		return slices.ContainsFunc(more, func(b slog.Attr) bool { return a.Key == b.Key })
	})
	return context.WithValue(ctx, key{}, append(about, more...))
}

// Carry returns to with the attributes of from: for work that goes on when the request that asked for it has ended.
func Carry(to, from context.Context) context.Context { return With(to, attrs(from)...) }

// WithRequest returns a context of the request with an id; "": of none.
func WithRequest(ctx context.Context, id string) context.Context {
	if id == "" {
		return ctx
	}
	return With(ctx, slog.String(KeyRequest, id))
}

// Has reports whether the lines of a context have an attribute.
func Has(ctx context.Context, key string) bool {
	return slices.ContainsFunc(attrs(ctx), func(a slog.Attr) bool { return a.Key == key })
}

// Request returns the id of the request that asked for what is done in a context, "" if no request did.
func Request(ctx context.Context) string {
	for _, a := range attrs(ctx) {
		if a.Key == KeyRequest {
			return a.Value.String()
		}
	}
	return ""
}
