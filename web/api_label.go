package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
)

// labels registers what people say of the labels of images, and the history of each.
func (a *api) labels() {
	type imageRequest struct {
		Image int64 `path:"image"`
	}
	handle(a, annotator.RoleAnnotator, get("labelHistory", "/images/{image}/label", "What was said of an image's label, and how it changed"),
		func(ctx context.Context, actor annotator.User, in *imageRequest) (*answer[annotator.LabelHistory], error) {
			h, err := a.server.service.LabelHistory(ctx, actor, in.Image)
			h.Changes, h.Verdicts = orEmpty(h.Changes), orEmpty(h.Verdicts)
			return &answer[annotator.LabelHistory]{h}, err
		})

	type proposeRequest struct {
		Image int64 `path:"image"`
		Body  struct {
			Says    annotator.LabelAnswer `json:"says" doc:"class: it should be another class; none-of-these: the image shows none of the classes; ambiguous: nobody can tell; right: somebody looked, and it is right."`
			Class   *int                  `json:"class,omitempty" minimum:"0" maximum:"2147483647" doc:"The class that it should have, by its index; with says class only."`
			Comment string                `json:"comment,omitempty" bound:"comment" doc:"Why; the reviewer reads it."`
		}
	}
	ask := created(post("askForMap", "/images/{image}/task", "Make a task of an image that the network gets right"))
	ask.Description = "Or get the task that it has. A network that is right may look at the wrong place, and a map that is fine can be confirmed. 409, with the reason, for an image whose map would teach nothing."
	handle(a, annotator.RoleAnnotator, ask, func(ctx context.Context, actor annotator.User, in *imageRequest) (*answer[annotator.Task], error) {
		t, err := a.server.service.AskForMap(ctx, actor, in.Image)
		return &answer[annotator.Task]{t}, err
	})
	propose := created(post("proposeLabel", "/images/{image}/label", "Say that an image's label is wrong, or that it is right"))
	propose.Description = "Another person, a reviewer, decides; until then the image is not painted. That it is right needs no decision. " +
		"409 when something is said of it already, when somebody else paints the image, and before the project's first model."
	handle(a, annotator.RoleAnnotator, propose, func(ctx context.Context, actor annotator.User, in *proposeRequest) (*answer[annotator.LabelVerdict], error) {
		v, err := a.server.service.ProposeLabel(ctx, actor, in.Image, annotator.LabelProposal{Says: in.Body.Says, Class: in.Body.Class, Comment: in.Body.Comment})
		return &answer[annotator.LabelVerdict]{v}, err
	})

	type listRequest struct {
		ByProject
		State  annotator.LabelState `query:"state" doc:"Only those of this state."`
		Before int64                `query:"before" minimum:"0" doc:"Only those with ids below this."`
		Limit  int                  `query:"limit" bound:"page of tasks"`
	}
	type verdictList struct {
		Verdicts []annotator.LabelVerdict `json:"verdicts"`
	}
	handle(a, annotator.RoleAnnotator, get("labelVerdicts", "/projects/{project}/labels", "What was said of a project's labels, the newest first"),
		func(ctx context.Context, actor annotator.User, in *listRequest) (*answer[verdictList], error) {
			all, err := a.server.service.LabelVerdicts(ctx, actor, in.Project, annotator.LabelFilter{State: in.State, Before: in.Before, Limit: in.Limit})
			return &answer[verdictList]{verdictList{orEmpty(all)}}, err
		})

	type nextRequest struct {
		ByProject
		After int64 `query:"after" doc:"A verdict's id; the answer is one after it."`
	}
	type maybeVerdict struct {
		Status int
		Body   *annotator.LabelVerdict
	}
	next := get("nextLabelVerdict", "/projects/{project}/labels/next", "What waits longest of what was said of labels")
	next.Description = "Never what the caller said. 204 when nothing is waiting."
	next.Responses = map[string]*huma.Response{"204": {Description: "Nothing is waiting"}}
	handle(a, annotator.RoleReviewer, next, func(ctx context.Context, actor annotator.User, in *nextRequest) (*maybeVerdict, error) {
		v, err := a.server.service.NextLabelVerdict(ctx, actor, in.Project, in.After)
		if errors.Is(err, annotator.ErrNoTask) {
			return &maybeVerdict{Status: http.StatusNoContent}, nil
		}
		return &maybeVerdict{Status: http.StatusOK, Body: &v}, err
	})

	type suspectsRequest struct {
		ByProject
		Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many are listed, the most suspect first."`
	}
	suspects := get("suspects", "/projects/{project}/suspects", "Images whose labels are probably wrong")
	suspects.Description = "By confident learning (arXiv 1911.00068) on what up to five versions answer. Images whose label somebody vouched for, or that is being decided, are not listed."
	handle(a, annotator.RoleAnnotator, suspects, func(ctx context.Context, actor annotator.User, in *suspectsRequest) (*answer[annotator.Suspects], error) {
		found, err := a.server.service.Suspects(ctx, actor, in.Project, in.Limit)
		return &answer[annotator.Suspects]{found}, err
	})

	type byVerdict struct {
		Verdict int64 `path:"verdict"`
	}
	handle(a, annotator.RoleAnnotator, get("labelVerdict", "/labels/{verdict}", "One thing that was said of a label"),
		func(ctx context.Context, actor annotator.User, in *byVerdict) (*answer[annotator.LabelVerdict], error) {
			v, err := a.server.service.LabelVerdict(ctx, actor, in.Verdict)
			return &answer[annotator.LabelVerdict]{v}, err
		})
	type judgeRequest struct {
		Verdict int64 `path:"verdict"`
		Body    struct {
			Verdict annotator.LabelJudgement `json:"verdict"`
			Comment string                   `json:"comment,omitempty" bound:"comment" doc:"Its author reads it; a rejection needs one."`
		}
	}
	judge := post("judgeLabel", "/labels/{verdict}/review", "Confirm or reject what somebody else said of a label")
	judge.Description = "Once confirmed, the label changes, or the image is left out; its tasks and the figures of versions follow. 409 while a round runs."
	handle(a, annotator.RoleReviewer, judge, func(ctx context.Context, actor annotator.User, in *judgeRequest) (*answer[annotator.LabelVerdict], error) {
		v, err := a.server.service.JudgeLabel(ctx, actor, in.Verdict, in.Body.Verdict, in.Body.Comment)
		return &answer[annotator.LabelVerdict]{v}, err
	})
	handle(a, annotator.RoleAnnotator, post("withdrawLabel", "/labels/{verdict}/withdraw", "Take back what one said of a label"),
		func(ctx context.Context, actor annotator.User, in *byVerdict) (*answer[annotator.LabelVerdict], error) {
			v, err := a.server.service.WithdrawLabel(ctx, actor, in.Verdict)
			return &answer[annotator.LabelVerdict]{v}, err
		})
}
