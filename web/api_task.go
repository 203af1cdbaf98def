package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/words"
)

type (
	// nextTask is a task that also has its most needed parts under short names: the task itself, the label's index, the model's map.
	nextTask struct {
		annotator.TaskDetail
		Task  annotator.Task `json:"task"`
		Label *int           `json:"label,omitempty"`
		Map   attention.Map  `json:"map"`
	}
	maybeTask struct {
		Status int
		Body   *nextTask
	}
	revisionList struct {
		Revisions []annotator.Edit `json:"revisions"`
	}
	// TaskQuery has the parameters that filter a queue.
	TaskQuery struct {
		Project string `query:"project" required:"true" bound:"slug" doc:"The project's slug."`
		TaskSelection
	}
	// TaskSelection has those that select tasks of a project.
	TaskSelection struct {
		State         []annotator.TaskState `query:"state,explode" doc:"Any of these; all without it."`
		Label         int                   `query:"label" default:"-1" minimum:"-1" maximum:"2147483647" doc:"True class; -1: any."`
		Predicted     int                   `query:"predicted" default:"-1" minimum:"-1" maximum:"2147483647" doc:"Predicted class; -1: any."`
		MinConfidence float32               `query:"min_confidence" minimum:"0" maximum:"1"`
		MaxConfidence float32               `query:"max_confidence" minimum:"0" maximum:"1" default:"1"`
		Author        int64                 `query:"author" doc:"Who paints or painted it (user id)."`
		Assignee      int64                 `query:"assignee" default:"-1" minimum:"-1" doc:"To whom it is assigned (user id); 0: to nobody; -1: any."`
		Search        string                `query:"q" bound:"search" doc:"Part of the image's name. One or two letters are looked for at the beginning of its words."`
	}
)

func (q TaskQuery) filter() annotator.TaskFilter { return q.of(q.Project) }

// of returns the filter that selects these tasks of a project.
func (q TaskSelection) of(project string) annotator.TaskFilter {
	f := annotator.TaskFilter{Project: project, Search: q.Search, States: q.State}
	if q.Label >= 0 {
		f.Label = &q.Label
	}
	if q.Predicted >= 0 {
		f.Predicted = &q.Predicted
	}
	if q.MinConfidence != 0 { // passes NaN on too, which the service refuses
		f.MinConfidence = &q.MinConfidence
	}
	if q.MaxConfidence != 1 {
		f.MaxConfidence = &q.MaxConfidence
	}
	if q.Author != 0 {
		f.Author = &q.Author
	}
	if q.Assignee >= 0 {
		f.Assignee = &q.Assignee
	}
	return f
}

// MapBody is a map in a request: with its grid, or only its values, on the task's own grid.
type MapBody struct {
	Map    *attention.Map `json:"map,omitempty" doc:"The map with its grid."`
	Values []float32      `json:"values,omitempty" bound:"cells' values" doc:"Instead of map: h·w values in [0,1], row by row, on the grid of the task's version; no cell has a mark."`
}

// of returns the map of a request. If it has only values, the task gives the grid.
func (b MapBody) of(ctx context.Context, s *annotator.Service, actor annotator.User, task int64) (attention.Map, error) {
	if b.Map != nil {
		return *b.Map, nil
	}
	if b.Values == nil {
		return attention.Map{}, &annotator.ValidationError{Field: "map", Message: "send map {h, w, values}, or values alone"}
	}
	t, err := s.Task(ctx, actor, task)
	if err != nil {
		return attention.Map{}, err
	}
	return attention.Map{Height: t.Version.GridHeight, Width: t.Version.GridWidth, Values: b.Values}, nil
}

// DraftBody is a revision of a task's map in a request.
type DraftBody struct {
	MapBody
	BaseRevision int                  `json:"base_revision" minimum:"0" doc:"The revision it was made from; 0: none yet."`
	Source       annotator.EditSource `json:"source,omitempty" bound:"draft's source" default:"painted" doc:"model: the model's own map, confirmed as it is."`
	Changes      *annotator.Changes   `json:"changes,omitempty" doc:"Instead of map: what changed since base_revision, or of the model's own map where that is 0."`
	History      json.RawMessage      `json:"history,omitempty" doc:"The editor's undo stack, an object with a list of steps, at most 1 MiB; comes back with the task."`
	KeptSteps    *annotator.KeptSteps `json:"kept_steps,omitempty" doc:"Steps of base_revision's stack that stand before those of history; left out: history is the whole stack."`
	Provenance   json.RawMessage      `json:"provenance,omitempty" doc:"What it was made under: strokes by tool, seconds, feedback shown."`
	Origin       *annotator.Origin    `json:"origin,omitempty" doc:"What it began with; left out: what base_revision began with, and at first the model's map. It stands in the provenance."`
}

func (b DraftBody) draft(ctx context.Context, s *annotator.Service, actor annotator.User, task int64) (annotator.Draft, error) {
	d := annotator.Draft{BaseRevision: b.BaseRevision, Source: b.Source, Changes: b.Changes, History: b.History, KeptSteps: b.KeptSteps, Provenance: b.Provenance, Origin: b.Origin}
	if d.Source == "" {
		d.Source = annotator.SourcePainted
	}
	switch {
	case b.Changes == nil:
		var err error
		d.Map, err = b.of(ctx, s, actor, task)
		return d, err
	case b.Map != nil || b.Values != nil:
		return d, &annotator.ValidationError{Field: "changes", Message: "stands instead of a map: send one of the two"}
	}
	return d, nil
}

// tasks registers the queue and the work on one task.
func (a *api) tasks() {
	role := annotator.RoleAnnotator
	next := post("nextTask", "/projects/{project}/tasks/next", "Take the next task")
	next.Description = fmt.Sprintf("Of those that the query selects, as for the list of tasks; 204 when nothing is waiting. First one whose changes were requested, then one held already, then one that is assigned to the caller, then the first of the order that is furthest behind its share of the project's mix; `why` says which. "+
		"Whoever holds %d tasks, as many as one person may, gets one of those again.", annotator.MaxLeases)
	next.Responses = map[string]*huma.Response{"204": {Description: "Nothing is waiting"}}
	type nextRequest struct {
		ByProject
		TaskSelection
		Except int64 `query:"except" minimum:"1" doc:"A task that is not given out: the one that the caller is submitting meanwhile."`
	}
	handle(a, role, next, func(ctx context.Context, actor annotator.User, in *nextRequest) (*maybeTask, error) {
		f := in.of(in.Project)
		f.Except = in.Except
		t, err := a.server.service.NextTask(ctx, actor, f)
		if errors.Is(err, annotator.ErrNoTask) {
			return &maybeTask{Status: http.StatusNoContent}, nil
		}
		if err != nil {
			return nil, err
		}
		t = tidy(ctx, t)
		return &maybeTask{Status: http.StatusOK, Body: &nextTask{TaskDetail: t, Task: t.Task, Label: t.Image.Label, Map: t.Prediction.Map}}, nil
	})

	type listRequest struct {
		TaskQuery
		Cursor string `query:"cursor" maxLength:"500" doc:"From the page before."`
		Limit  int    `query:"limit" bound:"page of tasks"`
	}
	handle(a, role, get("tasks", "/tasks", "Tasks of a project, the most confident mistakes first"),
		func(ctx context.Context, actor annotator.User, in *listRequest) (*answer[annotator.TaskPage], error) {
			f := in.filter()
			f.Cursor, f.Limit = in.Cursor, in.Limit
			page, err := a.server.service.Tasks(ctx, actor, f)
			page.Tasks = orEmpty(page.Tasks)
			for i := range page.Tasks {
				page.Tasks[i] = tidyCard(ctx, page.Tasks[i])
			}
			return &answer[annotator.TaskPage]{page}, err
		})
	handle(a, role, get("facets", "/tasks/facets", "What each filter would leave"),
		func(ctx context.Context, actor annotator.User, in *TaskQuery) (*answer[annotator.Facets], error) {
			facets, err := a.server.service.Facets(ctx, actor, in.filter())
			facets.Confusion, facets.Authors, facets.Assignees = orEmpty(facets.Confusion), orEmpty(facets.Authors), orEmpty(facets.Assignees)
			return &answer[annotator.Facets]{facets}, err
		})
	handle(a, role, get("task", "/tasks/{task}", "One task, without taking it"), a.onTask((*annotator.Service).Task))
	claim := post("claimTask", "/tasks/{task}/claim", "Take this task")
	claim.Description = fmt.Sprintf("409 when somebody else holds it, or when the caller holds %d others.", annotator.MaxLeases)
	handle(a, role, claim, a.onTask((*annotator.Service).ClaimTask))
	handle(a, role, post("renewLease", "/tasks/{task}/lease", "Keep the task for another while"),
		func(ctx context.Context, actor annotator.User, in *ByTask) (*answer[annotator.Lease], error) {
			lease, err := a.server.service.RenewLease(ctx, actor, in.Task)
			return &answer[annotator.Lease]{lease}, err
		})
	handle(a, role, get("revisions", "/tasks/{task}/revisions", "A task's edits, oldest first"),
		func(ctx context.Context, actor annotator.User, in *ByTask) (*answer[revisionList], error) {
			edits, err := a.server.service.Revisions(ctx, actor, in.Task)
			return &answer[revisionList]{revisionList{orEmpty(edits)}}, err
		})

	type scoreRequest struct {
		ByTask
		Body MapBody
	}
	score := post("score", "/tasks/{task}/score", "What the model says with this map in place of its own; nothing is stored")
	score.Description = "403 where the project shows no answers while a map is painted (its `feedback`)."
	score.MaxBodyBytes = 8 << 20
	handle(a, role, score, func(ctx context.Context, actor annotator.User, in *scoreRequest) (*answer[annotator.Scores], error) {
		start := time.Now()
		m, err := in.Body.of(ctx, a.server.service, actor, in.Task)
		if err != nil {
			return nil, err
		}
		scores, err := a.server.service.Score(ctx, actor, in.Task, m)
		if err != nil {
			return nil, err
		}
		a.server.metrics.scores.Observe(time.Since(start).Seconds())
		return &answer[annotator.Scores]{scores}, nil
	})

	type draftRequest struct {
		ByTask
		Body DraftBody
	}
	draft := huma.Operation{OperationID: "saveDraft", Method: http.MethodPut, Path: "/tasks/{task}/draft", Summary: "Save a new revision",
		Description:  "409 with the current revision in the problem's `current` when the base is not the latest; nothing is overwritten.",
		MaxBodyBytes: 8 << 20, BodyReadTimeout: 30 * time.Second}
	handle(a, role, draft, func(ctx context.Context, actor annotator.User, in *draftRequest) (*answer[annotator.Edit], error) {
		d, err := in.Body.draft(ctx, a.server.service, actor, in.Task)
		if err != nil {
			return nil, err
		}
		edit, err := a.server.service.SaveDraft(ctx, actor, in.Task, d)
		return &answer[annotator.Edit]{edit}, err
	})

	type submitRequest struct {
		ByTask
		Body struct {
			Revision int `json:"revision" minimum:"1" doc:"The latest revision, the one to be judged."`
		}
	}
	handle(a, role, post("submitTask", "/tasks/{task}/submit", "Hand the latest revision to review"),
		func(ctx context.Context, actor annotator.User, in *submitRequest) (*answer[annotator.TaskDetail], error) {
			t, err := a.server.service.Submit(ctx, actor, in.Task, in.Body.Revision)
			return &answer[annotator.TaskDetail]{tidy(ctx, t)}, err
		})
	takeBack := post("takeBackTask", "/tasks/{task}/take-back", "Take back what one submitted, while nobody has judged it")
	takeBack.Description = "The caller holds the task again. 409 once it is judged. The submitted revision stays in the history as taken back."
	handle(a, role, takeBack, a.onTask((*annotator.Service).TakeBack))
	type skipRequest struct {
		ByTask
		Body struct {
			Reason string `json:"reason" bound:"reason" doc:"Why it is not worth a map."`
		}
	}
	handle(a, role, noContent(post("skipTask", "/tasks/{task}/skip", "Put a task aside: one's own, or an open one")),
		func(ctx context.Context, actor annotator.User, in *skipRequest) (*nothing, error) {
			return nil, a.server.service.Skip(ctx, actor, in.Task, in.Body.Reason)
		})
	handle(a, role, noContent(post("releaseTask", "/tasks/{task}/release", "Give a task back; its drafts stay")),
		func(ctx context.Context, actor annotator.User, in *ByTask) (*nothing, error) {
			return nil, a.server.service.GiveBack(ctx, actor, in.Task)
		})
	handle(a, annotator.RoleReviewer, noContent(post("reopenTask", "/tasks/{task}/reopen", "Put a skipped task back into the queue")),
		func(ctx context.Context, actor annotator.User, in *ByTask) (*nothing, error) {
			return nil, a.server.service.Reopen(ctx, actor, in.Task)
		})
}

// onTask makes an operation of a Service method that takes a task and returns its detail.
func (a *api) onTask(method func(*annotator.Service, context.Context, annotator.User, int64) (annotator.TaskDetail, error)) func(context.Context, annotator.User, *ByTask) (*answer[annotator.TaskDetail], error) {
	return func(ctx context.Context, actor annotator.User, in *ByTask) (*answer[annotator.TaskDetail], error) {
		t, err := method(a.server.service, ctx, actor, in.Task)
		return &answer[annotator.TaskDetail]{tidy(ctx, t)}, err
	}
}

// tidy replaces the nil lists of a task, so that JSON writes [] for them, and says what it has for people in the language of ctx.
func tidy(ctx context.Context, t annotator.TaskDetail) annotator.TaskDetail {
	t.TaskCard = tidyCard(ctx, t.TaskCard)
	m := &t.Mechanism
	for _, said := range []*string{&m.Zero, &m.Values, &m.Dark, &m.Spotlight, &m.Clear} {
		*said = words.Say(ctx, *said)
	}
	if t.Start != nil {
		start := *t.Start
		start.Problem = words.Say(ctx, start.Problem)
		t.Start = &start
	}
	t.Reviews = orEmpty(t.Reviews)
	t.Project.Classes = orEmpty(t.Project.Classes)
	return t
}

// tidyCard is tidy for a task in a list.
func tidyCard(ctx context.Context, c annotator.TaskCard) annotator.TaskCard {
	c.Why = words.Say(ctx, c.Why)
	c.Prediction.Top = orEmpty(c.Prediction.Top)
	return c
}

// reviews registers reviewing.
func (a *api) reviews() {
	role := annotator.RoleReviewer
	type nextRequest struct {
		ByProject
		Order  annotator.ReviewOrder `query:"order" default:"oldest" doc:"In which order; those that the caller has come first in any."`
		After  int64                 `query:"after" doc:"A task id: first come those that follow it in the order."`
		Except []int64               `query:"except,explode" maxItems:"20" doc:"Task ids that are not given out, such as the one that the caller is judging meanwhile."`
	}
	type maybeDetail struct {
		Status int
		Body   *annotator.TaskDetail
	}
	next := post("nextReview", "/projects/{project}/reviews/next", "Take the next submitted task to judge")
	next.Description = fmt.Sprintf("Nobody else gets it meanwhile. First one that the caller has already, then the first in the order, which is the one waiting longest; never one of which the caller drew any revision since the last verdict. "+
		"204 when nothing is waiting. Whoever has %d of them, as many as one person may, gets one of those again.", annotator.MaxLeases)
	next.Responses = map[string]*huma.Response{"204": {Description: "Nothing is waiting"}}
	handle(a, role, next, func(ctx context.Context, actor annotator.User, in *nextRequest) (*maybeDetail, error) {
		t, err := a.server.service.NextReviewIn(ctx, actor, in.Project, in.Order, in.After, in.Except...)
		if errors.Is(err, annotator.ErrNoTask) {
			return &maybeDetail{Status: http.StatusNoContent}, nil
		}
		t = tidy(ctx, t)
		return &maybeDetail{Status: http.StatusOK, Body: &t}, err
	})
	claim := post("claimReview", "/tasks/{task}/review/claim", "Take this submitted task to judge")
	claim.Description = fmt.Sprintf("409 when somebody else has it, or when the caller has %d others.", annotator.MaxLeases)
	handle(a, role, claim, a.onTask((*annotator.Service).ClaimReview))
	handle(a, role, post("renewReview", "/tasks/{task}/review/lease", "Keep the task to judge for another while"),
		func(ctx context.Context, actor annotator.User, in *ByTask) (*answer[annotator.Lease], error) {
			lease, err := a.server.service.RenewReview(ctx, actor, in.Task)
			return &answer[annotator.Lease]{lease}, err
		})
	handle(a, role, noContent(post("releaseReview", "/tasks/{task}/review/release", "Leave the task for others to judge")),
		func(ctx context.Context, actor annotator.User, in *ByTask) (*nothing, error) {
			return nil, a.server.service.ReleaseReview(ctx, actor, in.Task)
		})
	type reasonList struct {
		Reasons []annotator.ReasonCount `json:"reasons"`
	}
	handle(a, annotator.RoleAnnotator, get("reasonCounts", "/projects/{project}/reviews/reasons", "How many verdicts have which reason"),
		func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[reasonList], error) {
			counts, err := a.server.service.ReasonCounts(ctx, actor, in.Project)
			return &answer[reasonList]{reasonList{orEmpty(counts)}}, err
		})
	type reviewRequest struct {
		Edit int64 `path:"edit"`
		Body struct {
			Verdict annotator.Verdict  `json:"verdict" doc:"approve or reject; a correction comes with its map (correctEdit)."`
			Comment string             `json:"comment,omitempty" bound:"comment" doc:"Goes back to the author; a rejection needs one, a reason or a pin."`
			Reasons []annotator.Reason `json:"reasons,omitempty" maxItems:"5" doc:"What is wrong with the map."`
			Pins    []annotator.Pin    `json:"pins,omitempty" bound:"pins" doc:"Cells of the edit's map that the verdict points at, each with words."`
		}
	}
	review := post("review", "/edits/{edit}/review", "Judge a submitted edit of somebody else")
	review.Description = "409 when another reviewer has it to judge, or has judged it. It need not be taken before."
	handle(a, role, review,
		func(ctx context.Context, actor annotator.User, in *reviewRequest) (*answer[annotator.TaskDetail], error) {
			t, err := a.server.service.Judge(ctx, actor, in.Edit, annotator.Judgement{Verdict: in.Body.Verdict, Comment: in.Body.Comment, Reasons: in.Body.Reasons, Pins: in.Body.Pins})
			return &answer[annotator.TaskDetail]{tidy(ctx, t)}, err
		})
	type correctRequest struct {
		ByTask
		Edit int64 `path:"edit"`
		Body struct {
			DraftBody
			Comment string             `json:"comment,omitempty" bound:"comment" doc:"What was wrong with the submitted map: it stays in its history, for its author."`
			Reasons []annotator.Reason `json:"reasons,omitempty" maxItems:"5" doc:"What was wrong with it."`
			Pins    []annotator.Pin    `json:"pins,omitempty" bound:"pins" doc:"Cells of the submitted map that this is about, each with words."`
		}
	}
	correct := huma.Operation{OperationID: "correctEdit", Method: http.MethodPost, Path: "/tasks/{task}/edits/{edit}/correct", Summary: "Change a submitted map and approve it in one step",
		Description: "The change becomes a revision of the caller's own, which names the painter's; base_revision is the edit's. It is approved with that or, where the project asks for a second reviewer, waits for another person's verdict. " +
			"For who may judge the edit, and who has corrected it before. 409 when another reviewer has it to judge, or has judged it.",
		MaxBodyBytes: 8 << 20, BodyReadTimeout: 30 * time.Second}
	handle(a, role, correct, func(ctx context.Context, actor annotator.User, in *correctRequest) (*answer[annotator.TaskDetail], error) {
		d, err := in.Body.draft(ctx, a.server.service, actor, in.Task)
		if err != nil {
			return nil, err
		}
		t, err := a.server.service.Correct(ctx, actor, in.Edit, d, annotator.Judgement{Comment: in.Body.Comment, Reasons: in.Body.Reasons, Pins: in.Body.Pins})
		return &answer[annotator.TaskDetail]{tidy(ctx, t)}, err
	})
	type byEdit struct {
		Edit int64 `path:"edit"`
	}
	retract := post("retractReview", "/edits/{edit}/review/retract", "Take a verdict back")
	retract.Description = "The edit waits for review again, and the verdict stays in the history. 409 once a round learns from the edit, or its author has gone on painting."
	handle(a, annotator.RoleReviewer, retract,
		func(ctx context.Context, actor annotator.User, in *byEdit) (*answer[annotator.TaskDetail], error) {
			t, err := a.server.service.Retract(ctx, actor, in.Edit)
			return &answer[annotator.TaskDetail]{tidy(ctx, t)}, err
		})
}
