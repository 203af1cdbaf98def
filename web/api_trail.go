package web

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/takeout"
)

// TrailQuery is the filter of the studio's trail as an address has it. It is exported because huma reads embedded types only if they are.
type TrailQuery struct {
	Person  int64               `query:"person" minimum:"0" doc:"Only what this person did, and what was done to their account: their number."`
	Kind    annotator.TrailKind `query:"kind" bound:"trail kind" doc:"Only such actions."`
	Project string              `query:"project" bound:"slug" doc:"Only of this project: its slug."`
	Since   string              `query:"since" maxLength:"40" doc:"Only what was done then or later: a date, or a moment (RFC 3339)."`
	Until   string              `query:"until" maxLength:"40" doc:"Only what was done before."`
}

func (q TrailQuery) filter() (annotator.TrailFilter, error) {
	f := annotator.TrailFilter{Person: q.Person, Kind: q.Kind, Project: q.Project}
	for _, date := range []struct {
		field, typed string
		to           *time.Time
	}{{"since", q.Since, &f.Since}, {"until", q.Until, &f.Until}} {
		var err error
		if *date.to, err = takeout.ParseDate(date.typed); err != nil {
			return f, &annotator.ValidationError{Field: date.field, Message: err.Error()}
		}
	}
	return f, f.Check()
}

type trailList struct {
	Entries []annotator.TrailLine `json:"entries"`
	Older   int64                 `json:"older,omitempty" doc:"Where there are more: before of the next page."`
}

// trail registers the whole studio's trail.
func (a *api) trail() {
	type trailRequest struct {
		TrailQuery
		Before int64 `query:"before" minimum:"0" doc:"Entries older than this id; 0: the newest."`
	}
	o := get("trail", "/audit", "Who did what in the whole studio, newest first")
	o.Description = "Sign-ins and what failed of them, accounts, tokens, memberships, exports and all that is done in projects. Nobody's address is kept of a sign-in that failed, unless somebody has an account under it."
	handle(a, annotator.RoleAdmin, o, func(ctx context.Context, actor annotator.User, in *trailRequest) (*answer[trailList], error) {
		f, err := in.filter()
		if err != nil {
			return nil, err
		}
		lines, err := a.server.service.Trail(ctx, actor, f, in.Before)
		return &answer[trailList]{trailList{orEmpty(lines), olderThan(lines)}}, err
	})
	type exportRequest struct {
		TrailQuery
		Format string `query:"format" required:"true" bound:"trail format" doc:"csv or jsonl. In csv a text that a spreadsheet would take for a formula has an apostrophe before it."`
	}
	e := get("exportTrail", "/audit/export", "The studio's trail as a file, oldest first")
	e.Description = "It is streamed while it is read. The trail says that it was taken."
	e.Responses = map[string]*huma.Response{"200": {Description: "The file: text/csv or application/jsonl", Content: map[string]*huma.MediaType{"*/*": {Schema: &huma.Schema{Format: "binary"}}}}}
	handle(a, annotator.RoleAdmin, e, func(_ context.Context, actor annotator.User, in *exportRequest) (*huma.StreamResponse, error) {
		f, err := in.filter()
		if err != nil {
			return nil, err
		}
		format, err := takeout.FormatFor(in.Format, annotator.ExportAudit)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			r, w := humachi.Unwrap(hc)
			a.server.sendTrail(w, r, actor, f, format)
		}}, nil
	})
}

func (s *Server) sendTrail(w http.ResponseWriter, r *http.Request, actor annotator.User, f annotator.TrailFilter, format takeout.Format) {
	s.sendWhileWritten(w, r, streamed{annotator.RoleAdmin, format.Media, "trail" + format.Suffix, time.Hour}, func(out io.Writer) error {
		return takeout.WriteTrail(s.service.ExportTrail(r.Context(), actor, f), format, out)
	})
}

// olderThan is where the next page of the trail begins, 0 after the last.
func olderThan(lines []annotator.TrailLine) int64 {
	return olderIn(lines, annotator.TrailPage, func(l annotator.TrailLine) int64 { return l.ID })
}

// olderIn is the number of a page's last thing, from which the next page goes on; 0 where the page is not full, and so the last.
func olderIn[T any](page []T, full int, id func(T) int64) int64 {
	if len(page) < full {
		return 0
	}
	return id(page[len(page)-1])
}
