package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/recipe"
)

type (
	roundList struct {
		Rounds []annotator.Round `json:"rounds"`
	}
	shownList struct {
		Images []annotator.ShownImage `json:"images"`
	}
	roundMade struct {
		Round annotator.Round `json:"round"`
	}
	roundDefaults struct {
		Settings recipe.Settings          `json:"settings"`
		Edits    int                      `json:"edits" doc:"Approved edits a round would learn from now."`
		Data     annotator.RoundData      `json:"data" doc:"What it would work on now."`
		Training []annotator.Trainability `json:"training,omitempty" doc:"What each engine can train of the active version, and which nodes keep it from the rest; absent where nobody has asked yet."`
	}
	// roundRequest is some of recipe.Settings; a setting that is absent gets the project's default.
	roundRequest struct{ given json.RawMessage }
)

// UnmarshalJSON keeps the settings that are given.
func (r *roundRequest) UnmarshalJSON(data []byte) error {
	r.given = bytes.Clone(data)
	_, err := r.over(recipe.Settings{})
	return err
}

// over returns s with the settings that the request gives in place of its own.
func (r roundRequest) over(s recipe.Settings) (recipe.Settings, error) {
	err := json.Unmarshal(r.given, &s)
	return s, err
}

// TransformSchema writes the settings of internal/recipe into the schema, none of them required.
func (roundRequest) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	s.Properties = map[string]*huma.Schema{}
	for _, f := range recipe.Fields {
		if f.Group != "" {
			s.Properties[f.Name] = settingSchema(r, f)
		}
	}
	return s
}

// settingSchema returns a setting's schema: its type, its bounds or words, and its description.
func settingSchema(r huma.Registry, f recipe.Field) *huma.Schema {
	s := huma.SchemaFromType(r, reflect.TypeOf(f.Default))
	s.Description = f.API
	words := s
	if f.Type == recipe.Several { // a word may stand twice: huma's check for that panics on a list in the list
		s.Type, s.Format, s.Minimum = huma.TypeArray, "", nil
		s.Items = &huma.Schema{Type: huma.TypeString}
		words = s.Items
	}
	for _, word := range f.Words() {
		words.Enum = append(words.Enum, word)
	}
	if f.Numeric() {
		low, high := f.Low, f.High
		if s.Maximum = &high; f.Above {
			s.ExclusiveMinimum = &low
		} else {
			s.Minimum = &low
		}
	}
	return s
}

// startRoundID names the operation that starts a round.
const startRoundID = "startRound"

// inWordsOfRecipe replaces huma's messages about settings that violate their schema by internal/recipe's, which the form shows too.
func (p *Problem) inWordsOfRecipe() {
	for _, wrong := range p.Errors {
		name, inBody := strings.CutPrefix(wrong.Location, "body.")
		if list, _, one := strings.Cut(name, "["); one { // of a list one word is refused, and the list is what the setting is
			name, wrong.Location = list, "body."+list
		}
		if _, known := recipe.FieldNamed(name); !inBody || !known {
			continue
		}
		var refused *recipe.Error
		if errors.As(recipe.Refusal(name, wrong.Value), &refused) {
			wrong.Message = refused.Message
			p.Title, p.Detail = notValid, p.Errors[0].Message
		}
	}
}

// rounds registers fine-tuning.
func (a *api) rounds() {
	handle(a, annotator.RoleAnnotator, get("rounds", "/projects/{project}/rounds", "Rounds, newest first"),
		func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[roundList], error) {
			rounds, err := a.server.service.Rounds(ctx, actor, in.Project)
			return &answer[roundList]{roundList{orEmpty(rounds)}}, err
		})
	handle(a, annotator.RoleAnnotator, get("roundDefaults", "/projects/{project}/rounds/defaults", "The settings a round starts with"),
		func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[roundDefaults], error) {
			plan, err := a.server.service.RoundPlan(ctx, actor, in.Project)
			return &answer[roundDefaults]{roundDefaults{plan.Settings, plan.Data.Edits, plan.Data, plan.Training}}, err
		})
	type startRequest struct {
		ByProject
		Key  string `header:"Idempotency-Key" bound:"idempotency key" doc:"The same key gives the same round again."`
		Body roundRequest
	}
	handle(a, annotator.RoleLead, created(post(startRoundID, "/projects/{project}/rounds", "Start a round from the active version")),
		func(ctx context.Context, actor annotator.User, in *startRequest) (*answer[roundMade], error) {
			asked, err := in.Body.over(recipe.Settings{})
			if err != nil {
				return nil, err
			}
			var refused *recipe.Error
			if errors.As(asked.CheckRate(), &refused) {
				return nil, &annotator.ValidationError{Field: refused.Field, Message: refused.Message}
			}
			defaults, _, err := a.server.service.RoundDefaults(ctx, actor, in.Project)
			if err != nil {
				return nil, err
			}
			settings, err := in.Body.over(defaults)
			if err != nil {
				return nil, err
			}
			round, err := a.server.service.StartRound(ctx, actor, in.Project, settings, in.Key)
			return &answer[roundMade]{roundMade{round}}, err
		})
	handle(a, annotator.RoleAnnotator, get("round", "/rounds/{round}", "One round"),
		func(ctx context.Context, actor annotator.User, in *ByRound) (*answer[annotator.Round], error) {
			round, _, err := a.server.service.Round(ctx, actor, in.Round)
			return &answer[annotator.Round]{round}, err
		})
	handle(a, annotator.RoleLead, post("cancelRound", "/rounds/{round}/cancel", "Ask a round to stop within one step"),
		func(ctx context.Context, actor annotator.User, in *ByRound) (*answer[annotator.Round], error) {
			round, err := a.server.service.CancelRound(ctx, actor, in.Round)
			return &answer[annotator.Round]{round}, err
		})

	type rowsRequest struct {
		ByRound
		Format annotator.RowFormat `query:"format" bound:"row format" default:"jsonl" doc:"jsonl: what studio finetune --rows writes; csv: the same as a table."`
	}
	rows := get("roundRows", "/rounds/{round}/rows", "What a round's networks answered to each image, from which its figures follow")
	rows.Description = "A row for each arm, seed and image: of the held-out images, of those that the baseline was chosen on, and of the edited ones. 404 where none are kept: in rounds that are not finished, or are of old releases."
	rows.Responses = map[string]*huma.Response{"200": {Description: "The rows", Content: map[string]*huma.MediaType{
		"application/jsonl": {Schema: &huma.Schema{Type: "string"}}, "text/csv": {Schema: &huma.Schema{Type: "string"}}}}}
	handle(a, annotator.RoleAnnotator, rows,
		func(ctx context.Context, actor annotator.User, in *rowsRequest) (*huma.StreamResponse, error) {
			d, err := a.server.service.RoundRows(ctx, actor, in.Round, in.Format)
			return a.sending(d), err
		})
	images := get("roundImages", "/rounds/{round}/images", "Images that a round fixed, broke or moved the map of, with its networks' answers and maps")
	images.Description = "At most 24 of each kind, those that stand first in the result's lists, and as many that the candidate fixed or broke against the parent; answers are of the first seed."
	handle(a, annotator.RoleAnnotator, images,
		func(ctx context.Context, actor annotator.User, in *ByRound) (*answer[shownList], error) {
			shown, err := a.server.service.ShownImages(ctx, actor, in.Round)
			return &answer[shownList]{shownList{orEmpty(shown)}}, err
		})

	type eventsRequest struct {
		ByRound
		LastEventID int64 `header:"Last-Event-ID" doc:"The last event seen; those after it follow."`
		After       int64 `query:"after" doc:"The same, for clients that cannot set headers."`
	}
	events := get("roundEvents", "/rounds/{round}/events", "A round as it happens (server-sent events)")
	events.Description = "`point` events carry a RoundPoint, `round` events a Round; `end` closes a round that is over. A comment every 5 s keeps proxies awake. It ends, too, when the reader's session or token does, or their account is disabled."
	events.Responses = map[string]*huma.Response{"200": {Description: "The stream", Content: map[string]*huma.MediaType{
		"text/event-stream": {Schema: huma.SchemaFromType(a.huma.OpenAPI().Components.Schemas, reflect.TypeFor[annotator.RoundEvent]())}}}}
	handle(a, annotator.RoleAnnotator, events,
		func(ctx context.Context, actor annotator.User, in *eventsRequest) (*huma.StreamResponse, error) {
			follow, err := a.server.service.FollowRound(ctx, actor, in.Round)
			if err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(hc huma.Context) {
				r, w := humachi.Unwrap(hc)
				a.server.streamRound(ctx, w, a.server.still(r, annotator.RoleAnnotator), follow, in.Round, max(in.LastEventID, in.After))
			}}, nil
		})
}

// heartbeat is how often a stream without events sends a sign of life. It is also how soon the stream ends once its reader loses the
// right to read it.
const heartbeat = 5 * time.Second

// streamRound writes a round's events after an id until the round is over, the client goes or loses the right to read (still), or the
// server shuts down.
func (s *Server) streamRound(ctx context.Context, w http.ResponseWriter, still func(context.Context) error, follow annotator.RoundReader, id, after int64) {
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.streams, cancel)()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	control := http.NewResponseController(w)
	send := func(format string, args ...any) bool {
		_ = control.SetWriteDeadline(time.Now().Add(max(30*time.Second, 2*s.heartbeat)))
		if _, err := fmt.Fprintf(w, format, args...); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	if !send("retry: 2000\n\n") {
		return
	}
	asked := time.Now() // whether the reader may
	for {
		wait, stop := context.WithTimeout(ctx, s.heartbeat)
		events, err := follow(wait, after)
		silent := wait.Err() != nil
		stop()
		if ctx.Err() != nil {
			return
		}
		if silent || err != nil || len(events) == 0 || time.Since(asked) >= s.heartbeat {
			if err := still(ctx); err != nil {
				s.log.InfoContext(ctx, "event stream ended", "why", err, "round", id)
				return
			}
			asked = time.Now()
		}
		switch {
		case err != nil && silent, err == nil && silent && len(events) == 0:
			if !send(": still here\n\n") {
				return
			}
			continue
		case errors.Is(err, annotator.ErrDatabaseAway): // no 503 here: a browser would not reconnect after it
			s.log.WarnContext(ctx, "round events", "error", err, "round", id)
			if !send(": the database does not answer\n\n") {
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(tryAgain * time.Second):
			}
			continue
		case err != nil:
			if !errors.Is(err, context.Canceled) {
				s.log.ErrorContext(ctx, "round events", "error", err, "round", id)
			}
			return // the browser reconnects with Last-Event-ID
		case len(events) == 0:
			send("event: end\ndata: {}\n\n")
			return
		}
		for _, e := range events {
			kind, value := "point", any(e.Point)
			if e.Round != nil {
				kind, value = "round", e.Round
			}
			data, err := json.Marshal(value)
			if err != nil {
				s.log.ErrorContext(ctx, "round events", "error", err, "round", id)
				return
			}
			if !send("id: %d\nevent: %s\ndata: %s\n\n", e.ID, kind, data) {
				return
			}
			after = e.ID
		}
	}
}
