package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
)

// ByMember addresses a person in a project.
type ByMember struct {
	ByProject
	User int64 `path:"user"`
}

// members registers who takes part in a project.
func (a *api) members() {
	type memberList struct {
		Members []annotator.Member `json:"members"`
	}
	list := get("members", "/projects/{project}/members", "Who takes part in the project, leads first")
	list.Description = "Admins may do everything in every project, and are in the list only if they are members too."
	handle(a, annotator.RoleReviewer, list, func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[memberList], error) {
		all, err := a.server.service.Members(ctx, actor, in.Project)
		return &answer[memberList]{memberList{orEmpty(all)}}, err
	})
	type addRequest struct {
		ByProject
		Body struct {
			Email string          `json:"email" bound:"e-mail"`
			Role  *annotator.Role `json:"role,omitempty" doc:"annotator, reviewer or lead; left out: the person's own in the studio."`
		}
	}
	handle(a, annotator.RoleLead, created(post("addMember", "/projects/{project}/members", "Make somebody who has an account a member, by their e-mail address")),
		func(ctx context.Context, actor annotator.User, in *addRequest) (*answer[annotator.Member], error) {
			m, err := a.server.service.AddMember(ctx, actor, in.Project, in.Body.Email, roleOr(in.Body.Role))
			return &answer[annotator.Member]{m}, err
		})
	type setRequest struct {
		ByMember
		Body struct {
			Role *annotator.Role `json:"role,omitempty" doc:"annotator, reviewer or lead; left out: the person's own in the studio."`
		}
	}
	set := huma.Operation{OperationID: "setMember", Method: http.MethodPut, Path: "/projects/{project}/members/{user}", Summary: "Make somebody a member, or give a member another role"}
	handle(a, annotator.RoleLead, set, func(ctx context.Context, actor annotator.User, in *setRequest) (*answer[annotator.Member], error) {
		m, err := a.server.service.SetMember(ctx, actor, in.Project, in.User, roleOr(in.Body.Role))
		return &answer[annotator.Member]{m}, err
	})
	remove := huma.Operation{OperationID: "removeMember", Method: http.MethodDelete, Path: "/projects/{project}/members/{user}", Summary: "Take somebody out of the project", DefaultStatus: http.StatusNoContent}
	remove.Description = "What they hold there is everybody's; their maps and verdicts stay."
	handle(a, annotator.RoleLead, remove, func(ctx context.Context, actor annotator.User, in *ByMember) (*nothing, error) {
		return nil, a.server.service.RemoveMember(ctx, actor, in.Project, in.User)
	})
}

func roleOr(role *annotator.Role) annotator.Role {
	if role == nil {
		return ""
	}
	return *role
}
