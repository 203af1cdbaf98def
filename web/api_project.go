package web

import (
	"context"

	"github.com/abn-studio/studio/annotator"
)

type (
	projectList struct {
		Projects []annotator.ProjectSummary `json:"projects"`
	}
	jobList struct {
		Jobs []annotator.Job `json:"jobs"`
	}
	auditList struct {
		Entries []annotator.AuditEntry `json:"entries"`
	}
)

// projects registers projects, their jobs and their trail.
func (a *api) projects() {
	handle(a, annotator.RoleAnnotator, get("projects", "/projects", "All projects"),
		func(ctx context.Context, actor annotator.User, _ *nothing) (*answer[projectList], error) {
			list, err := a.server.service.Projects(ctx, actor)
			for i := range list {
				list[i].Classes = orEmpty(list[i].Classes)
			}
			return &answer[projectList]{projectList{orEmpty(list)}}, err
		})
	type newProjectRequest struct {
		Body struct {
			Slug        string `json:"slug" maxLength:"100" doc:"In addresses: lower case letters, digits, hyphens."`
			Name        string `json:"name" maxLength:"200"`
			Description string `json:"description,omitempty" maxLength:"2000"`
		}
	}
	handle(a, annotator.RoleAdmin, created(post("createProject", "/projects", "Make an empty project")),
		func(ctx context.Context, actor annotator.User, in *newProjectRequest) (*answer[annotator.Project], error) {
			p, err := a.server.service.CreateProject(ctx, actor, in.Body.Slug, in.Body.Name, in.Body.Description)
			p.Classes = orEmpty(p.Classes)
			return &answer[annotator.Project]{p}, err
		})
	handle(a, annotator.RoleAnnotator, get("project", "/projects/{project}", "One project with its counts"),
		func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[annotator.ProjectSummary], error) {
			p, err := a.server.service.Project(ctx, actor, in.Project)
			p.Classes = orEmpty(p.Classes)
			return &answer[annotator.ProjectSummary]{p}, err
		})
	handle(a, annotator.RoleAnnotator, get("jobs", "/projects/{project}/jobs", "Background work, newest first"),
		func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[jobList], error) {
			jobs, err := a.server.service.Jobs(ctx, actor, in.Project)
			return &answer[jobList]{jobList{orEmpty(jobs)}}, err
		})
	type auditRequest struct {
		ByProject
		Before int64 `query:"before" doc:"Entries older than this id; 0: the newest."`
	}
	handle(a, annotator.RoleAnnotator, get("audit", "/projects/{project}/audit", "Who did what to what, newest first"),
		func(ctx context.Context, actor annotator.User, in *auditRequest) (*answer[auditList], error) {
			entries, err := a.server.service.Audit(ctx, actor, in.Project, in.Before)
			return &answer[auditList]{auditList{orEmpty(entries)}}, err
		})
}
