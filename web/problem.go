package web

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/logs"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/internal/words"
)

// Problem is an error in the API's answers (RFC 9457, application/problem+json).
type Problem struct {
	Title   string              `json:"title" doc:"What happened, in a few words."`
	Status  int                 `json:"status" doc:"The HTTP status."`
	Detail  string              `json:"detail,omitempty" doc:"Which thing, and what to do about it."`
	Errors  []*huma.ErrorDetail `json:"errors,omitempty" doc:"The fields that are wrong, each with its place in the request, such as body.gamma."`
	Current *annotator.Edit     `json:"current,omitempty" doc:"Of a stale save (409): the latest revision, to rebase on."`
	Request string              `json:"request,omitempty" doc:"The request's id, under which the log has more."`

	retry int // seconds until the client should try again; 0: not said
}

// Error makes a Problem an error.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus makes a Problem a huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders makes a Problem a huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	if p.retry == 0 {
		return nil
	}
	return http.Header{"Retry-After": {strconv.Itoa(p.retry)}}
}

// ContentType names the media type of problems.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func newProblem(ctx context.Context, f failure) *Problem {
	p := &Problem{Title: words.Say(ctx, f.title), Status: f.status, Detail: words.Say(ctx, f.detail), Current: f.current, Request: logs.Request(ctx), retry: f.retry}
	if f.field != "" {
		location := f.field
		if place, _, _ := strings.Cut(location, "."); !slices.Contains(append(parameterPlaces, "body"), place) {
			location = "body." + location
		}
		p.Errors = []*huma.ErrorDetail{{Message: p.Detail, Location: location}}
	}
	return p
}

// add appends one of huma's details. It leaves out a body that could not be parsed, writes as text a number that JSON cannot write (an
// infinite one in a query), and names the place of a string that is not valid text.
func (p *Problem) add(d *huma.ErrorDetail) {
	if strings.Contains(d.Location, "password") || strings.Contains(d.Location, "current") {
		d.Value = nil // it stands in nobody's log
	}
	switch v := d.Value.(type) {
	case string:
		if d.Location == "body" {
			d.Value = nil
			if path, found := text.InJSON([]byte(v)); found {
				d.Location, d.Message, p.Status = inBody(path), text.Problem, http.StatusUnprocessableEntity
				p.Title = notValid
			}
		}
	case map[string]any:
		d.Value = nil // the whole of a body, with its secrets
	case float32:
		d.Value = finite(float64(v))
	case float64:
		d.Value = finite(v)
	}
	p.Errors = append(p.Errors, d)
}

func finite(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Sprint(x)
	}
	return x
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client has gone if this fails
}

// init makes huma's own errors, as of a body that does not fit its schema, problems of the same form.
func init() {
	huma.DefaultArrayNullable = false // the API writes [] for an empty list
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		p := &Problem{Title: titleOf(status), Status: status, Detail: message}
		for _, err := range errs {
			if detailed, ok := err.(huma.ErrorDetailer); ok {
				p.add(detailed.ErrorDetail())
			} else if err != nil {
				p.Errors = append(p.Errors, &huma.ErrorDetail{Message: err.Error()})
			}
		}
		return p
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		p := huma.NewError(status, message, errs...).(*Problem)
		p.Request = logs.Request(ctx.Context())
		if o := ctx.Operation(); o != nil {
			p.inWordsOfBounds(o)
			if o.OperationID == startRoundID {
				p.inWordsOfRecipe()
			}
		}
		p.say(ctx.Context())
		return p
	}
}

// titleOf is the title of what huma refuses, as outcome has it.
func titleOf(status int) string {
	switch status {
	case http.StatusUnprocessableEntity:
		return notValid
	case http.StatusBadRequest, http.StatusUnsupportedMediaType:
		return "Not understood"
	case http.StatusRequestEntityTooLarge:
		return "Too large"
	}
	return http.StatusText(status)
}

// say puts a problem that was made in English, as huma's are, into the language of whoever reads it.
func (p *Problem) say(ctx context.Context) {
	p.Title, p.Detail = words.Say(ctx, p.Title), words.Say(ctx, p.Detail)
	for _, wrong := range p.Errors {
		wrong.Message = words.Say(ctx, wrong.Message)
	}
}
