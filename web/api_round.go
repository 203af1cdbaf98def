package web

import (
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
	roundMade struct {
		Round annotator.Round `json:"round"`
	}
	roundDefaults struct {
		Settings annotator.RoundSettings  `json:"settings"`
		Edits    int                      `json:"edits" doc:"Approved edits a round would learn from now."`
		Data     annotator.RoundData      `json:"data" doc:"What it would work on now."`
		Training []annotator.Trainability `json:"training,omitempty" doc:"What each engine can train of the active version, and which nodes keep it from the rest; absent where nobody has asked yet."`
	}
	// roundRequest is annotator.RoundSettings with every field optional: what is absent is automatic, the project's default.
	roundRequest struct {
		Strategy     *string  `json:"strategy,omitempty" doc:"Which branches are updated."`
		Gamma        *float64 `json:"gamma,omitempty" doc:"Scale of L_map."`
		MapLoss      *string  `json:"map_loss,omitempty" doc:"l2 is the paper's."`
		Epochs       *int     `json:"epochs,omitempty"`
		BatchSize    *int     `json:"batch_size,omitempty"`
		LearningRate *float64 `json:"learning_rate,omitempty" doc:"Its peak. Absent: what suits the active version, of SGD; adamw needs one."`
		Rates        *string  `json:"rates,omitempty" doc:"Whether all layers learn at one rate, or an attention branch whose BatchNorms are folded away at less."`
		Momentum     *float64 `json:"momentum,omitempty"`
		WeightDecay  *float64 `json:"weight_decay,omitempty"`
		Schedule     *string  `json:"schedule,omitempty"`
		BatchNorm    *string  `json:"batch_norm,omitempty" doc:"Whose statistics a kept BatchNorm uses."`
		Flip         *bool    `json:"flip,omitempty" doc:"Horizontal flips, the map flipped too."`
		Seed         *int64   `json:"seed,omitempty"`
		Engine       *string  `json:"engine,omitempty" doc:"gorgonia is a slower second opinion; training of GET …/rounds/defaults says what it lacks."`
		Optimizer    *string  `json:"optimizer,omitempty"`
		WarmUp       *float64 `json:"warm_up,omitempty" doc:"Share of the steps in which the learning rate rises to its peak."`
		SpareNorms   *bool    `json:"spare_norms,omitempty" doc:"Weight decay leaves biases and BatchNorms alone."`
		ClipNorm     *float64 `json:"clip_norm,omitempty" doc:"Gradients are scaled down to this L2 norm; 0: never."`
		Balanced     *bool    `json:"balanced,omitempty" doc:"Every class equally often."`
		Patience     *int     `json:"patience,omitempty" doc:"Epochs without a better validation before it stops with its best state; 0: never."`
		Anchor       *float64 `json:"anchor,omitempty" doc:"Scale of L_anchor, which holds the maps of unedited images to the parent's; 0: none."`
		Crop         *float64 `json:"crop,omitempty" doc:"Least share of the area that random crops keep; 0: no crops."`
	}
)

// over is the settings with what the request says in place of theirs.
func (r roundRequest) over(s annotator.RoundSettings) annotator.RoundSettings {
	put(&s.Strategy, r.Strategy)
	put(&s.Gamma, r.Gamma)
	put(&s.MapLoss, r.MapLoss)
	put(&s.Epochs, r.Epochs)
	put(&s.BatchSize, r.BatchSize)
	put(&s.LearningRate, r.LearningRate)
	put(&s.Rates, r.Rates)
	put(&s.Momentum, r.Momentum)
	put(&s.WeightDecay, r.WeightDecay)
	put(&s.Schedule, r.Schedule)
	put(&s.BatchNorm, r.BatchNorm)
	put(&s.Flip, r.Flip)
	put(&s.Seed, r.Seed)
	put(&s.Engine, r.Engine)
	put(&s.Optimizer, r.Optimizer)
	put(&s.WarmUp, r.WarmUp)
	put(&s.SpareNorms, r.SpareNorms)
	put(&s.ClipNorm, r.ClipNorm)
	put(&s.Balanced, r.Balanced)
	put(&s.Patience, r.Patience)
	put(&s.Anchor, r.Anchor)
	put(&s.Crop, r.Crop)
	return s
}

// TransformSchema writes the bounds and words of internal/recipe into the schema.
func (roundRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	for name, property := range s.Properties {
		f, known := recipe.FieldNamed(name)
		if !known {
			continue
		}
		for _, choice := range f.Choices {
			property.Enum = append(property.Enum, choice)
		}
		if f.Number {
			low, high := f.Low, f.High
			if property.Maximum = &high; f.Above {
				property.ExclusiveMinimum = &low
			} else {
				property.Minimum = &low
			}
		}
	}
	return s
}

// startRoundID names the operation that starts a round.
const startRoundID = "startRound"

// inWordsOfRecipe says of settings that huma refused by their schema what internal/recipe says of them, as the form does.
func (p *Problem) inWordsOfRecipe() {
	for _, wrong := range p.Errors {
		name, inBody := strings.CutPrefix(wrong.Location, "body.")
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

func put[T any](field *T, value *T) {
	if value != nil {
		*field = *value
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
		Key  string `header:"Idempotency-Key" maxLength:"200" doc:"The same key gives the same round again."`
		Body roundRequest
	}
	handle(a, annotator.RoleAdmin, created(post(startRoundID, "/projects/{project}/rounds", "Start a round from the active version")),
		func(ctx context.Context, actor annotator.User, in *startRequest) (*answer[roundMade], error) {
			if o := in.Body.Optimizer; o != nil && *o == "adamw" && in.Body.LearningRate == nil { // the default is SGD's
				return nil, &annotator.ValidationError{Field: "learning_rate", Message: "is needed with adamw, whose rates are not SGD's: 0.0003 where BatchNorms are folded away, 0.008 where they are kept"}
			}
			defaults, _, err := a.server.service.RoundDefaults(ctx, actor, in.Project)
			if err != nil {
				return nil, err
			}
			round, err := a.server.service.StartRound(ctx, actor, in.Project, in.Body.over(defaults), in.Key)
			return &answer[roundMade]{roundMade{round}}, err
		})
	handle(a, annotator.RoleAnnotator, get("round", "/rounds/{round}", "One round"),
		func(ctx context.Context, actor annotator.User, in *ByRound) (*answer[annotator.Round], error) {
			round, _, err := a.server.service.Round(ctx, actor, in.Round)
			return &answer[annotator.Round]{round}, err
		})
	handle(a, annotator.RoleAdmin, post("cancelRound", "/rounds/{round}/cancel", "Ask a round to stop within one step"),
		func(ctx context.Context, actor annotator.User, in *ByRound) (*answer[annotator.Round], error) {
			round, err := a.server.service.CancelRound(ctx, actor, in.Round)
			return &answer[annotator.Round]{round}, err
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
			if _, _, err := a.server.service.Round(ctx, actor, in.Round); err != nil {
				return nil, err
			}
			return &huma.StreamResponse{Body: func(hc huma.Context) {
				r, w := humachi.Unwrap(hc)
				a.server.streamRound(ctx, w, a.server.still(r, annotator.RoleAnnotator), actor, in.Round, max(in.LastEventID, in.After))
			}}, nil
		})
}

// heartbeat is how often a silent stream says that it is alive, and how soon it ends once its reader may not read it any
// more.
const heartbeat = 5 * time.Second

// streamRound writes a round's events after an id until the round is over, the client goes, may not read on (still), or
// the server shuts down.
func (s *Server) streamRound(ctx context.Context, w http.ResponseWriter, still func(context.Context) error, actor annotator.User, id, after int64) {
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
	for {
		wait, stop := context.WithTimeout(ctx, s.heartbeat)
		events, err := s.service.RoundEvents(wait, actor, id, after)
		silent := wait.Err() != nil
		stop()
		if ctx.Err() != nil {
			return
		}
		if err := still(ctx); err != nil {
			s.log.Info("event stream ended", "why", err, "round", id)
			return
		}
		switch {
		case err != nil && silent, err == nil && silent && len(events) == 0:
			if !send(": still here\n\n") {
				return
			}
			continue
		case errors.Is(err, annotator.ErrDatabaseAway): // a browser does not come back to a stream that answers 503
			s.log.Warn("round events", "error", err, "round", id)
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
				s.log.Error("round events", "error", err, "round", id)
			}
			return // the browser comes back with Last-Event-ID
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
				s.log.Error("round events", "error", err, "round", id)
				return
			}
			if !send("id: %d\nevent: %s\ndata: %s\n\n", e.ID, kind, data) {
				return
			}
			after = e.ID
		}
	}
}
