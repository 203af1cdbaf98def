package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
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
			Slug        string `json:"slug" bound:"slug" doc:"In addresses: lower case letters, digits, hyphens."`
			Name        string `json:"name" bound:"project name"`
			Description string `json:"description,omitempty" bound:"description"`
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
	type changeProjectRequest struct {
		ByProject
		Body struct {
			Name        *string `json:"name,omitempty" bound:"project name"`
			Description *string `json:"description,omitempty" bound:"description"`
		}
	}
	change := huma.Operation{OperationID: "changeProject", Method: http.MethodPatch, Path: "/projects/{project}", Summary: "Give a project another name or description; its slug stays"}
	handle(a, annotator.RoleAdmin, change,
		func(ctx context.Context, actor annotator.User, in *changeProjectRequest) (*answer[annotator.Project], error) {
			p, err := a.server.service.ChangeProject(ctx, actor, in.Project, annotator.ProjectChange{Name: in.Body.Name, Description: in.Body.Description})
			p.Classes = orEmpty(p.Classes)
			return &answer[annotator.Project]{p}, err
		})
	type renameClassRequest struct {
		ByProject
		Class int `path:"class" minimum:"0" maximum:"1000000" doc:"Its index, the place among the model's logits."`
		Body  struct {
			Name string `json:"name" bound:"class name"`
		}
	}
	rename := huma.Operation{OperationID: "renameClass", Method: http.MethodPatch, Path: "/projects/{project}/classes/{class}", Summary: "Change how people read a class; its key stays"}
	handle(a, annotator.RoleAdmin, rename,
		func(ctx context.Context, actor annotator.User, in *renameClassRequest) (*answer[annotator.Project], error) {
			p, err := a.server.service.RenameClass(ctx, actor, in.Project, in.Class, in.Body.Name)
			p.Classes = orEmpty(p.Classes)
			return &answer[annotator.Project]{p}, err
		})
	handle(a, annotator.RoleAnnotator, get("jobs", "/projects/{project}/jobs", "Background work, newest first"),
		func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[jobList], error) {
			jobs, err := a.server.service.Jobs(ctx, actor, in.Project)
			return &answer[jobList]{jobList{orEmpty(jobs)}}, err
		})
	a.starts()
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

// starts registers the choice of the maps that painters begin with.
func (a *api) starts() {
	type startRequest struct {
		ByProject
		Body attention.Start
	}
	set := huma.Operation{OperationID: "setStart", Method: http.MethodPut, Path: "/projects/{project}/start", Summary: "Say what the maps of untouched tasks begin with"}
	set.Description = "422 where no image that tasks come from has what the method reads. An image without it begins with the model's map. Painted tasks stay as they are."
	handle(a, annotator.RoleAdmin, set, func(ctx context.Context, actor annotator.User, in *startRequest) (*answer[annotator.Project], error) {
		p, err := a.server.service.SetStart(ctx, actor, in.Project, in.Body)
		p.Classes = orEmpty(p.Classes)
		return &answer[annotator.Project]{p}, err
	})
	type previewRequest struct {
		ByProject
		Radius float64 `query:"radius" bound:"previewed radius" default:"-1" doc:"Of max and clicks, in cells; -1: the project's own, or what is usual."`
		Images int     `query:"images" bound:"start examples" default:"4" doc:"How many of the project's images."`
	}
	preview := get("previewStarts", "/projects/{project}/start", "What each way to begin would make of some of the project's images")
	preview.Description = "Nothing is stored. 409 while no version is active: maps have no grid."
	handle(a, annotator.RoleAdmin, preview, func(ctx context.Context, actor annotator.User, in *previewRequest) (*answer[annotator.StartPreview], error) {
		var radius *float64
		if in.Radius != -1 {
			radius = &in.Radius
		}
		p, err := a.server.service.PreviewStarts(ctx, actor, in.Project, radius, in.Images)
		p.Examples = orEmpty(p.Examples)
		return &answer[annotator.StartPreview]{p}, err
	})
}
