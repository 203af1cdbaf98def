package web

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// reviewDesk registers the list of what waits for review, and verdicts on many of it.
func (a *api) reviewDesk() {
	role := annotator.RoleReviewer
	type listRequest struct {
		ByProject
		Order annotator.ReviewOrder `query:"order" default:"oldest" doc:"loss, gain: how much the edit changes the true class's score; far, near: how far it is from the model's map. Maps without the figure come last."`
		After int64                 `query:"after" minimum:"0" doc:"next of the page before."`
		Limit int                   `query:"limit" bound:"page of tasks"`
	}
	list := get("reviews", "/projects/{project}/reviews", "What waits for review")
	list.Description = "Listing takes nothing."
	handle(a, role, list, func(ctx context.Context, actor annotator.User, in *listRequest) (*answer[annotator.ReviewPage], error) {
		page, err := a.server.service.Reviews(ctx, actor, in.Project, annotator.ReviewQuery{Order: in.Order, After: in.After, Limit: in.Limit})
		page.Reviews = orEmpty(page.Reviews)
		for i := range page.Reviews {
			page.Reviews[i].TaskCard = tidyCard(ctx, page.Reviews[i].TaskCard)
		}
		return &answer[annotator.ReviewPage]{page}, err
	})
	sampling := get("sampling", "/projects/{project}/sampling", "How much of each author's maps is reviewed")
	handle(a, annotator.RoleLead, sampling, func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[annotator.SamplingReport], error) {
		report, err := a.server.service.Sampling(ctx, actor, in.Project)
		report.Authors = orEmpty(report.Authors)
		return &answer[annotator.SamplingReport]{report}, err
	})
	type manyRequest struct {
		ByProject
		Body struct {
			Edits []int64 `json:"edits" bound:"edits" doc:"Their ids, as they were seen."`
		}
	}
	for _, c := range []struct {
		about string
		o     huma.Operation
		do    func(ctx context.Context, actor annotator.User, slug string, edits []int64) (annotator.ManyVerdicts, error)
	}{
		{"In one transaction. Edits that the caller may not judge, that another reviewer has, or that changed meanwhile are left and named. None has to be taken before.",
			post("approveReviews", "/projects/{project}/reviews/approve", "Approve many submitted edits at once"),
			func(ctx context.Context, actor annotator.User, slug string, edits []int64) (annotator.ManyVerdicts, error) {
				return a.server.service.ApproveMany(ctx, actor, slug, edits)
			}},
		{"In one transaction. Verdicts that a round has used, or whose author has gone on painting, stay and are named.",
			post("retractReviews", "/projects/{project}/reviews/retract", "Take many verdicts back at once"),
			func(ctx context.Context, actor annotator.User, slug string, edits []int64) (annotator.ManyVerdicts, error) {
				return a.server.service.RetractMany(ctx, actor, slug, edits)
			}},
	} {
		c.o.Description = c.about
		handle(a, role, c.o, func(ctx context.Context, actor annotator.User, in *manyRequest) (*answer[annotator.ManyVerdicts], error) {
			done, err := c.do(ctx, actor, in.Project, in.Body.Edits)
			done.Done, done.Left = orEmpty(done.Done), orEmpty(done.Left)
			for i := range done.Left {
				done.Left[i].Why = words.Say(ctx, done.Left[i].Why)
			}
			return &answer[annotator.ManyVerdicts]{done}, err
		})
	}
}
