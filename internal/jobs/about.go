package jobs

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/riverqueue/river/rivertype"

	"github.com/abn-studio/studio/internal/logs"
	"github.com/abn-studio/studio/internal/postgres"
)

// about returns the attributes of all lines about a part: its job, where it has one, and the request that asked for it, where one did.
func about(part *rivertype.JobRow) []slog.Attr {
	attrs := []slog.Attr{slog.String(logs.KeyKind, part.Kind), slog.Int64(logs.KeyPart, part.ID)}
	if job := jobOf(part); job != 0 {
		attrs = append(attrs, slog.Int64(logs.KeyJob, job))
	}
	if request := postgres.MetadataOf(part).Request; request != "" {
		attrs = append(attrs, slog.String(logs.KeyRequest, request))
	}
	return attrs
}

// jobOf returns the job that a part is of; 0: of none.
func jobOf(part *rivertype.JobRow) int64 {
	var args struct {
		JobID int64 `json:"job_id"`
	}
	_ = json.Unmarshal(part.EncodedArgs, &args)
	return args.JobID
}

// tell logs that an attempt at a part began or ended. What no page shows, because nobody asked for it, is told to who looks closely.
func (w *Worker) tell(ctx context.Context, message string, attrs ...slog.Attr) {
	level := slog.LevelDebug
	if logs.Has(ctx, logs.KeyJob) {
		level = slog.LevelInfo
	}
	w.log.LogAttrs(ctx, level, message, attrs...)
}

// milliseconds is how long something took, for a line of the log.
func milliseconds(took time.Duration) slog.Attr {
	return slog.Float64("ms", float64(took.Microseconds())/1000)
}

// quiet drops River's own log lines below a warning, of which there are many. To the others it adds what they are about: River names
// the part alone.
type quiet struct {
	slog.Handler
	holds *holds
}

// Enabled lets warnings and errors through.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	kept := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	var job, kind []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "job_id":
			job = append([]slog.Attr{slog.Int64(logs.KeyPart, a.Value.Int64())}, q.holds.about(a.Value.Int64())...)
		case "job_kind":
			kind = []slog.Attr{{Key: logs.KeyKind, Value: a.Value}}
		default:
			kept.AddAttrs(a)
		}
		return true
	})
	return q.Handler.Handle(logs.With(logs.With(ctx, job...), kind...), kept)
}

// WithAttrs keeps the filter on derived handlers.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quiet{q.Handler.WithAttrs(attrs), q.holds}
}

// WithGroup keeps the filter on derived handlers.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name), q.holds} }
