package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/takeout"
)

// exports registers what is taken out of a project.
func (a *api) exports() {
	type exportRequest struct {
		ByProject
		What      annotator.ExportKind `query:"what" bound:"export" default:"maps" doc:"Which records."`
		Format    string               `query:"format" required:"true" bound:"export format" doc:"jsonl, csv and parquet have records of every kind; npz, npy, png8 and png16 maps and predictions; coco and labelstudio maps."`
		Threshold float64              `query:"threshold" minimum:"0" maximum:"1" doc:"Of coco and labelstudio: the least value of a cell that they have; 0.5 without it."`
		State     []string             `query:"state" doc:"Only these states; maps without it: approved."`
		Split     []annotator.Split    `query:"split" doc:"Only images of these splits."`
		Class     string               `query:"class" bound:"search" doc:"Only images of this class, by its key or name."`
		Author    string               `query:"author" bound:"search" doc:"Only what this person drew, holds or did: a name, or an e-mail address, of which admins give any and others their own."`
		Search    string               `query:"search" bound:"search" doc:"Only images whose name contains this."`
		Round     int                  `query:"round" minimum:"0" maximum:"1000000" doc:"Only what the round of this number learned from."`
		Version   int                  `query:"version" minimum:"0" maximum:"1000000" doc:"Only of the version of this number; predictions without it: the active one's."`
		Since     string               `query:"since" maxLength:"40" doc:"Only what was made then or later: a date, or a moment (RFC 3339)."`
		Until     string               `query:"until" maxLength:"40" doc:"Only what was made before."`
		Revisions bool                 `query:"revisions" doc:"Every revision of a map, not only the latest of an image."`
	}
	o := get("export", "/projects/{project}/export", "Maps, predictions, reviews, tasks or the audit trail as a file")
	o.Description = "The file is streamed while it is read. If that fails halfway, the connection is broken off, so that half a file is not taken for a whole one. A filter that the records do not have is refused."
	var media []string
	for _, f := range takeout.Formats {
		if !slices.Contains(media, f.Media) {
			media = append(media, f.Media)
		}
	}
	// As one of any type: generated clients would read a file of every format as they read the first of a list, JSON.
	o.Responses = map[string]*huma.Response{"200": {Description: "The file, of its format's type: " + strings.Join(media, ", "), Content: map[string]*huma.MediaType{
		"*/*": {Schema: &huma.Schema{Format: "binary"}}}}} // no type: a file of JSON is no text to who reads it as JSON
	handle(a, annotator.RoleAnnotator, o, func(ctx context.Context, actor annotator.User, in *exportRequest) (*huma.StreamResponse, error) {
		r := takeout.Request{Project: in.Project, What: in.What, Format: in.Format, Threshold: in.Threshold, Filter: annotator.ExportFilter{
			States: in.State, Splits: in.Split, Class: in.Class, Author: in.Author, Search: in.Search, Round: in.Round, Version: in.Version, Revisions: in.Revisions}}
		for _, date := range []struct {
			field, typed string
			to           *time.Time
		}{{"since", in.Since, &r.Filter.Since}, {"until", in.Until, &r.Filter.Until}} {
			var err error
			if *date.to, err = takeout.ParseDate(date.typed); err != nil {
				return nil, &annotator.ValidationError{Field: date.field, Message: err.Error()}
			}
		}
		format, err := r.Check()
		if err != nil {
			return nil, err
		}
		if _, err := a.server.service.CountExport(ctx, actor, r.Project, r.What, r.Filter); err != nil { // what can be refused is refused before the answer begins
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			request, w := humachi.Unwrap(hc)
			a.server.sendExport(w, request, actor, r, format)
		}}, nil
	})
}

// sendExport streams an export.
func (s *Server) sendExport(w http.ResponseWriter, r *http.Request, actor annotator.User, export takeout.Request, format takeout.Format) {
	s.sendWhileWritten(w, r, streamed{annotator.RoleAnnotator, format.Media, export.FileName(format), time.Hour}, func(out io.Writer) error {
		_, err := takeout.Write(r.Context(), s.service, actor, export, out)
		return err
	})
}

// streamed is a file that is sent while it is written.
type streamed struct {
	role        annotator.Role // who may read it
	media, name string
	within      time.Duration // it may be large and the line slow
}

// sendWhileWritten streams a file. It ends once the reader loses the right to read it.
func (s *Server) sendWhileWritten(w http.ResponseWriter, r *http.Request, file streamed, write func(io.Writer) error) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(file.within))
	w.Header().Set("Content-Type", file.media)
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", file.name))
	out := bufio.NewWriterSize(&watchedWriter{Writer: w, ctx: r.Context(), still: s.still(r, file.role), asked: time.Now()}, 1<<16)
	err := write(out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		s.note(r.Context(), s.outcome(r.Context(), err), err)
		panic(http.ErrAbortHandler) // the answer has begun: a broken connection is the only way to say that it is not whole
	}
}

// watchedWriter is an answer whose writing fails once its reader loses the right to it.
type watchedWriter struct {
	io.Writer
	ctx   context.Context
	still func(context.Context) error
	asked time.Time
}

// Write implements io.Writer.
func (f *watchedWriter) Write(p []byte) (int, error) {
	if time.Since(f.asked) > heartbeat {
		if err := f.still(f.ctx); err != nil {
			return 0, err
		}
		f.asked = time.Now()
	}
	return f.Writer.Write(p)
}
