package tracing

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	api "go.opentelemetry.io/otel/trace"
)

// Queries makes spans of pgx's queries, batches and copies. There are libraries that do (otelpgx), but they put the server's messages
// into spans, and PostgreSQL quotes values in them. Here a span has the statement, which has $1 where values are, and of an error its
// code.
type Queries struct{ tracer *Tracer }

// Queries returns what pgx is to be configured with; nil for a nil Tracer.
func (t *Tracer) Queries() pgx.QueryTracer {
	if t == nil {
		return nil
	}
	return Queries{t}
}

var (
	_ pgx.QueryTracer    = Queries{}
	_ pgx.BatchTracer    = Queries{}
	_ pgx.CopyFromTracer = Queries{}
)

// TraceQueryStart implements pgx.QueryTracer.
func (q Queries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return q.begin(ctx, verb(data.SQL), attribute.String("db.query.text", statement(data.SQL)))
}

// TraceQueryEnd implements pgx.QueryTracer.
func (q Queries) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	end(ctx, data.Err)
}

// TraceBatchStart implements pgx.BatchTracer.
func (q Queries) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	n := 0
	if data.Batch != nil {
		n = data.Batch.Len()
	}
	return q.begin(ctx, "batch", attribute.Int("db.operation.batch.size", n))
}

// TraceBatchQuery implements pgx.BatchTracer.
func (Queries) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements pgx.BatchTracer.
func (q Queries) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	end(ctx, data.Err)
}

// TraceCopyFromStart implements pgx.CopyFromTracer.
func (q Queries) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	return q.begin(ctx, "copy", attribute.String("db.collection.name", strings.Join(data.TableName, ".")))
}

// TraceCopyFromEnd implements pgx.CopyFromTracer.
func (q Queries) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	end(ctx, data.Err)
}

// spanKey keys the span that a query began: pgx hands its context to the end of the query.
type spanKey struct{}

func (q Queries) begin(ctx context.Context, what string, attr attribute.KeyValue) context.Context {
	ctx, span := q.tracer.below(ctx, "postgresql "+what, attribute.String("db.system.name", "postgresql"), attr)
	return context.WithValue(ctx, spanKey{}, span)
}

func end(ctx context.Context, err error) {
	span, begun := ctx.Value(spanKey{}).(api.Span)
	if !begun {
		return
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		var pg *pgconn.PgError
		if errors.As(err, &pg) {
			span.SetAttributes(attribute.String("db.response.status_code", pg.Code))
		}
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// maxStatement is how much of a statement a span has, in bytes.
const maxStatement = 2000

// statement returns a statement on one line.
func statement(sql string) string {
	sql = strings.Join(strings.Fields(sql), " ")
	return strings.ToValidUTF8(sql[:min(len(sql), maxStatement)], "")
}

// verb is a statement's first word.
func verb(sql string) string {
	sql = strings.TrimSpace(sql)
	if i := strings.IndexAny(sql, " \n\t("); i > 0 {
		sql = sql[:i]
	}
	return strings.ToLower(sql[:min(len(sql), 20)])
}
