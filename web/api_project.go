package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/orders"
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
	type projectsRequest struct {
		State annotator.ProjectState `query:"state" default:"open" doc:"open, closed, or deleted (admin)."`
	}
	handle(a, annotator.RoleAnnotator, get("projects", "/projects", "One's projects that are open, or closed or deleted; to admins all of them"),
		func(ctx context.Context, actor annotator.User, in *projectsRequest) (*answer[projectList], error) {
			list, err := a.server.service.Projects(ctx, actor, in.State)
			for i := range list {
				list[i].Classes = orEmpty(list[i].Classes)
			}
			return &answer[projectList]{projectList{orEmpty(list)}}, err
		})
	type newProjectRequest struct {
		Body struct {
			Slug        string `json:"slug" bound:"new slug" doc:"In addresses: lower case letters, digits, hyphens."`
			Name        string `json:"name" bound:"project name"`
			Description string `json:"description,omitempty" bound:"description"`
			Everybody   *bool  `json:"everybody,omitempty" doc:"Everybody who has an account joins, with their role; so where it is left out. False: only the caller, as lead."`
		}
	}
	handle(a, annotator.RoleAdmin, created(post("createProject", "/projects", "Make an empty project")),
		func(ctx context.Context, actor annotator.User, in *newProjectRequest) (*answer[annotator.Project], error) {
			p, err := a.server.service.MakeProject(ctx, actor, annotator.NewProject{Slug: in.Body.Slug, Name: in.Body.Name, Description: in.Body.Description, Apart: in.Body.Everybody != nil && !*in.Body.Everybody})
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
			Name           *string             `json:"name,omitempty" bound:"project name"`
			Description    *string             `json:"description,omitempty" bound:"description"`
			Feedback       *annotator.Feedback `json:"feedback,omitempty" doc:"When painters see what the network says to their map: live, once it is submitted, or never in the editor (off)."`
			Mix            orders.Mix          `json:"mix,omitempty" doc:"How much of each order people are given to paint, in per cent of 100: confident, uncertain, confusion, diverse, wrong-reason, random. Left out: as it was."`
			Overlap        *annotator.Overlap  `json:"overlap,omitempty" doc:"Which images several people paint without seeing each other's maps. What was given out stays."`
			CheckShare     *int                `json:"check_share,omitempty" minimum:"0" maximum:"100" doc:"Per cent of the tasks given out that are checks: of images with a known mask, against which the map is scored. Painters are not told which."`
			Sampling       *annotator.Sampling `json:"sampling,omitempty" doc:"How much of people's maps is reviewed; the rest is approved by that rule."`
			SecondReviewer *bool               `json:"second_reviewer,omitempty" doc:"A map that its reviewer corrected waits for another reviewer, in place of being approved with that."`
		}
	}
	change := huma.Operation{OperationID: "changeProject", Method: http.MethodPatch, Path: "/projects/{project}", Summary: "Give a project another name, description, time of feedback, mix of orders or share that is reviewed, say who approves corrected maps, or which images several people paint; its slug stays"}
	handle(a, annotator.RoleLead, change,
		func(ctx context.Context, actor annotator.User, in *changeProjectRequest) (*answer[annotator.Project], error) {
			p, err := a.server.service.ChangeProject(ctx, actor, in.Project, annotator.ProjectChange{Name: in.Body.Name, Description: in.Body.Description, Feedback: in.Body.Feedback, SecondReviewer: in.Body.SecondReviewer, Mix: in.Body.Mix, Overlap: in.Body.Overlap, CheckShare: in.Body.CheckShare, Sampling: in.Body.Sampling})
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
	handle(a, annotator.RoleLead, rename,
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
	a.members()
	a.ends()
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

// ends registers what puts projects away and brings them back.
func (a *api) ends() {
	service := func() *annotator.Service { return a.server.service }
	type typedRequest struct {
		ByProject
		Body struct {
			Name string `json:"name" doc:"The project's name, typed once more."`
		}
	}
	of := func(p annotator.Project, err error) (*answer[annotator.Project], error) {
		p.Classes = orEmpty(p.Classes)
		return &answer[annotator.Project]{p}, err
	}
	for _, c := range []struct {
		role  annotator.Role
		about string
		o     huma.Operation
		do    func(ctx context.Context, actor annotator.User, slug string) (annotator.Project, error)
	}{
		{annotator.RoleLead, "All of it can be read, and every change is a 409. Leased tasks are given back, scans end. 409 while a round or an import runs.",
			post("closeProject", "/projects/{project}/close", "Put a project away"),
			func(ctx context.Context, actor annotator.User, slug string) (annotator.Project, error) {
				return service().CloseProject(ctx, actor, slug)
			}},
		{annotator.RoleLead, "Images that its active version has not seen are scanned.", post("reopenProject", "/projects/{project}/reopen", "Open a closed project again"),
			func(ctx context.Context, actor annotator.User, slug string) (annotator.Project, error) {
				return service().ReopenProject(ctx, actor, slug)
			}},
		{annotator.RoleAdmin, "It is as it was, open or closed. 404 once it is purged.", post("restoreProject", "/projects/{project}/restore", "Bring back a deleted project"),
			func(ctx context.Context, actor annotator.User, slug string) (annotator.Project, error) {
				return service().RestoreProject(ctx, actor, slug)
			}},
	} {
		c.o.Description = c.about
		handle(a, c.role, c.o, func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[annotator.Project], error) {
			return of(c.do(ctx, actor, in.Project))
		})
	}
	remove := post("deleteProject", "/projects/{project}/delete", "Delete a project; it can be restored for 30 days")
	remove.Description = "All of it is a 404 then. Its slug stays taken until it is purged. 409 while a round or an import runs."
	handle(a, annotator.RoleAdmin, remove, func(ctx context.Context, actor annotator.User, in *typedRequest) (*answer[annotator.Project], error) {
		return of(service().DeleteProject(ctx, actor, in.Project, in.Body.Name))
	})
	purge := noContent(post("purgeProject", "/projects/{project}/purge", "Remove the files of a deleted project for good"))
	purge.Description = "Pictures, masks and models go. The record of what people did stays. 409 for a project that is not deleted."
	handle(a, annotator.RoleAdmin, purge, func(ctx context.Context, actor annotator.User, in *typedRequest) (*nothing, error) {
		return &nothing{}, service().PurgeProject(ctx, actor, in.Project, in.Body.Name)
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
	handle(a, annotator.RoleLead, set, func(ctx context.Context, actor annotator.User, in *startRequest) (*answer[annotator.Project], error) {
		p, err := a.server.service.SetStart(ctx, actor, in.Project, in.Body)
		p.Classes = orEmpty(p.Classes)
		return &answer[annotator.Project]{p}, err
	})
	type previewRequest struct {
		ByProject
		Radius float64 `query:"radius" bound:"previewed radius" default:"-1" doc:"Of max and clicks, in cells; below 0: the project's own, or what is usual."`
		Images int     `query:"images" bound:"start examples" default:"4" doc:"How many of the project's images."`
	}
	preview := get("previewStarts", "/projects/{project}/start", "What each way to begin would make of some of the project's images")
	preview.Description = "Nothing is stored. 409 while no version is active: maps have no grid."
	handle(a, annotator.RoleLead, preview, func(ctx context.Context, actor annotator.User, in *previewRequest) (*answer[annotator.StartPreview], error) {
		var radius *float64
		if in.Radius >= 0 {
			radius = &in.Radius
		}
		p, err := a.server.service.PreviewStarts(ctx, actor, in.Project, radius, in.Images)
		p.Examples = orEmpty(p.Examples)
		return &answer[annotator.StartPreview]{p}, err
	})
}
