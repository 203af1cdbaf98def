package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/abn-studio/studio/internal/logs"
	"github.com/abn-studio/studio/internal/tracing"
)

// PartMetadata is what is kept beside a part of a job, in River's metadata, of why it is there. A part that another worker takes over,
// and the parts that a part leads to, have the same.
type PartMetadata struct {
	Request string `json:"request,omitempty"`     // the id of the request that asked for it; "": none did
	Trace   string `json:"traceparent,omitempty"` // of that request or job, if it is traced (internal/tracing)
}

// MetadataOf reads a part's metadata. What others wrote there is left aside.
func MetadataOf(part *rivertype.JobRow) (m PartMetadata) {
	_ = json.Unmarshal(part.Metadata, &m)
	return m
}

// tellPartsWhy writes PartMetadata of the context into the parts that are inserted.
func tellPartsWhy() rivertype.Middleware {
	return river.JobInsertMiddlewareFunc(func(ctx context.Context, parts []*rivertype.JobInsertParams, insert func(context.Context) ([]*rivertype.JobInsertResult, error)) ([]*rivertype.JobInsertResult, error) {
		m := PartMetadata{Request: logs.Request(ctx), Trace: tracing.Parent(ctx)}
		if m == (PartMetadata{}) {
			return insert(ctx)
		}
		for _, part := range parts {
			with := map[string]any{}
			if len(part.Metadata) > 0 {
				if err := json.Unmarshal(part.Metadata, &with); err != nil {
					return nil, fmt.Errorf("the metadata of a part: %w", err)
				}
			}
			for key, value := range map[string]string{"request": m.Request, "traceparent": m.Trace} {
				if value != "" {
					with[key] = value
				}
			}
			var err error
			if part.Metadata, err = json.Marshal(with); err != nil {
				return nil, err
			}
		}
		return insert(ctx)
	})
}
