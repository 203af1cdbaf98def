package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
)

// QuotaBody is a quota. It is exported because huma reads embedded types only if they are.
type QuotaBody struct {
	Body struct {
		Quota int64 `json:"quota" minimum:"0" maximum:"1000000000000000000" doc:"In bytes; 0: none."`
	}
}

// space registers what takes the space, and how much of it projects may take.
func (a *api) space() {
	s := func() *annotator.Service { return a.server.service }
	all := get("space", "/space", "What takes the studio's space")
	all.Description = "Files of projects are counted as they come and go, the blob store by a worker every six hours, the server's folders every ten minutes at most."
	handle(a, annotator.RoleAdmin, all, func(ctx context.Context, actor annotator.User, _ *nothing) (*answer[annotator.Space], error) {
		space, err := s().Space(ctx, actor)
		space.Projects, space.Workers = orEmpty(space.Projects), orEmpty(space.Workers)
		return &answer[annotator.Space]{space}, err
	})
	handle(a, annotator.RoleAdmin, noContent(post("countSpace", "/space/count", "Have a worker tidy and count the blob store, and measure the server's folders again")),
		func(ctx context.Context, actor annotator.User, _ *nothing) (*nothing, error) {
			return nil, s().CountSpace(ctx, actor)
		})
	handle(a, annotator.RoleAdmin, noContent(huma.Operation{OperationID: "setDefaultQuota", Method: http.MethodPut, Path: "/space/quota", Summary: "Say how much each project may have that has no quota of its own"}),
		func(ctx context.Context, actor annotator.User, in *struct{ QuotaBody }) (*nothing, error) {
			return nil, s().SetDefaultQuota(ctx, actor, in.Body.Quota)
		})
	handle(a, annotator.RoleLead, get("projectSpace", "/projects/{project}/space", "What the files of a project take and may take"),
		func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[annotator.ProjectSpace], error) {
			space, err := s().ProjectSpace(ctx, actor, in.Project)
			return &answer[annotator.ProjectSpace]{space}, err
		})
	type quotaRequest struct {
		ByProject
		QuotaBody
	}
	set := huma.Operation{OperationID: "setQuota", Method: http.MethodPut, Path: "/projects/{project}/quota", Summary: "Say how much the files of a project may take"}
	set.Description = "A quota below what the project has takes nothing away: nothing more is added. What does not fit is refused with 409."
	handle(a, annotator.RoleAdmin, set, func(ctx context.Context, actor annotator.User, in *quotaRequest) (*answer[annotator.ProjectSpace], error) {
		space, err := s().SetQuota(ctx, actor, in.Project, in.Body.Quota)
		return &answer[annotator.ProjectSpace]{space}, err
	})
}
