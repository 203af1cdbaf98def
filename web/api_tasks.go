package web

import (
	"context"
	"fmt"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// manyTasks registers what is done with many tasks at once.
func (a *api) manyTasks() {
	type bulkRequest struct {
		ByProject
		TaskSelection
		Body struct {
			Action annotator.BulkAction `json:"action" doc:"assign, unassign and reopen are a reviewer's, and want the scope review of a token."`
			Tasks  []int64              `json:"tasks,omitempty" doc:"Their ids."`
			All    bool                 `json:"all,omitempty" doc:"Instead of tasks: all that the query selects."`
			User   int64                `json:"user,omitempty" doc:"Of assign: to whom."`
			Reason string               `json:"reason,omitempty" doc:"Of skip: why."`
		}
	}
	bulk := post("changeTasks", "/projects/{project}/tasks/bulk", "Assign, skip, give back or reopen many tasks at once")
	bulk.Description = fmt.Sprintf("In one transaction, at most %d tasks. What the action cannot be done with is left out and counted. An assigned task is offered to that person alone, before others.", annotator.MaxBulk)
	bulk.MaxBodyBytes = 4 << 20
	handle(a, annotator.RoleAnnotator, bulk, func(ctx context.Context, actor annotator.User, in *bulkRequest) (*answer[annotator.BulkResult], error) {
		if token, ok := tokenOf(ctx); ok && in.Body.Action.Reviewers() {
			if err := token.Allows(annotator.ScopeReview); err != nil {
				return nil, err
			}
		}
		done, err := a.server.service.ChangeTasks(ctx, actor, in.Project, annotator.BulkChange{
			Action: in.Body.Action, Tasks: in.Body.Tasks, All: in.Body.All, Filter: in.of(in.Project), User: in.Body.User, Reason: in.Body.Reason})
		done.Why = words.Say(ctx, done.Why)
		return &answer[annotator.BulkResult]{done}, err
	})
	type undoRequest struct {
		ByProject
		Undo int64 `path:"undo" minimum:"1"`
	}
	type undone struct {
		Changed int `json:"changed"`
	}
	undo := post("undoAssignment", "/projects/{project}/assignments/{undo}/undo", "Take an assignment back")
	undo.Description = "The tasks that are open still are offered to those who had them before. 409 when there are none."
	handle(a, annotator.RoleReviewer, undo, func(ctx context.Context, actor annotator.User, in *undoRequest) (*answer[undone], error) {
		n, err := a.server.service.UndoAssignment(ctx, actor, in.Project, in.Undo)
		return &answer[undone]{undone{n}}, err
	})
	type recentList struct {
		Tasks []annotator.TaskCard `json:"tasks"`
	}
	recent := get("recentTasks", "/projects/{project}/tasks/recent", "What the caller submitted last")
	recent.Description = fmt.Sprintf("At most %d tasks, the last first, as they are now. One in review can be taken back.", annotator.RecentTasks)
	handle(a, annotator.RoleAnnotator, recent, func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[recentList], error) {
		all, err := a.server.service.Recent(ctx, actor, in.Project)
		for i := range all {
			all[i] = tidyCard(ctx, all[i])
		}
		return &answer[recentList]{recentList{orEmpty(all)}}, err
	})
	type dayRequest struct {
		ByProject
		Day  string `query:"day" bound:"date" doc:"A date such as 2026-11-30; today without it."`
		Zone string `query:"zone" bound:"time zone" doc:"Where the day begins and ends, such as Europe/Zurich; UTC without it."`
	}
	type dayList struct {
		People []annotator.DayProgress `json:"people"`
	}
	day := get("dayProgress", "/projects/{project}/progress", "What people did on a day")
	day.Description = "Most painted first. An admin sees everybody who did anything, others themselves."
	handle(a, annotator.RoleAnnotator, day, func(ctx context.Context, actor annotator.User, in *dayRequest) (*answer[dayList], error) {
		all, err := a.server.service.DayProgress(ctx, actor, in.Project, in.Day, in.Zone)
		return &answer[dayList]{dayList{orEmpty(all)}}, err
	})
	type painterList struct {
		Painters []annotator.Painter `json:"painters"`
	}
	handle(a, annotator.RoleReviewer, get("painters", "/projects/{project}/painters", "To whom tasks can be assigned, by name"),
		func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[painterList], error) {
			all, err := a.server.service.Painters(ctx, actor, in.Project)
			return &answer[painterList]{painterList{orEmpty(all)}}, err
		})
}
