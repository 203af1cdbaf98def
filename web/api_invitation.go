package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
)

type invitationMade struct {
	Link    string               `json:"link" doc:"Shown this once; only a hash of it is kept. Send it to the person: no e-mail is sent."`
	Details annotator.Invitation `json:"details"`
}

type invitationList struct {
	Invitations []annotator.Invitation `json:"invitations"`
}

// invitations registers invitations by link. Their operations are not for bearer tokens, since they make accounts.
func (a *api) invitations() {
	made := func(ctx context.Context, secret string, i annotator.Invitation, err error) (*answer[invitationMade], error) {
		if err != nil {
			return nil, err
		}
		return &answer[invitationMade]{invitationMade{a.server.invitationLink(requestBehind(ctx), secret), i}}, nil
	}
	type inviteRequest struct {
		Body struct {
			Email    string              `json:"email" bound:"e-mail"`
			Role     annotator.Role      `json:"role" doc:"annotator, reviewer or admin: of a new account in the studio."`
			Projects []annotator.Joining `json:"projects,omitempty" maxItems:"1000" doc:"What they join, each with a role."`
		}
	}
	invite := created(post("invite", "/invitations", "Invite somebody by link"))
	invite.Description = "The link is good once, for seven days. Whoever opens it chooses name and password; with an account under the address they join the projects after signing in."
	invite.Middlewares = huma.Middlewares{withRequest}
	handle(a, annotator.RoleAdmin, invite, func(ctx context.Context, actor annotator.User, in *inviteRequest) (*answer[invitationMade], error) {
		secret, i, err := a.server.service.Invite(ctx, actor, annotator.NewInvitation{Email: in.Body.Email, Role: in.Body.Role, Projects: orEmpty(in.Body.Projects)})
		return made(ctx, secret, i, err)
	})
	handle(a, annotator.RoleAdmin, get("invitations", "/invitations", "The open invitations, newest first"),
		func(ctx context.Context, actor annotator.User, _ *nothing) (*answer[invitationList], error) {
			all, err := a.server.service.Invitations(ctx, actor)
			return &answer[invitationList]{invitationList{orEmpty(all)}}, err
		})
	type byInvitation struct {
		Invitation int64 `path:"invitation"`
	}
	revoke := noContent(huma.Operation{OperationID: "revokeInvitation", Method: http.MethodDelete, Path: "/invitations/{invitation}", Summary: "Revoke an invitation"})
	handle(a, annotator.RoleAdmin, revoke, func(ctx context.Context, actor annotator.User, in *byInvitation) (*nothing, error) {
		return nil, a.server.service.RevokeInvitation(ctx, actor, in.Invitation)
	})
	type inviteToRequest struct {
		ByProject
		Body struct {
			Email string         `json:"email" bound:"e-mail"`
			Role  annotator.Role `json:"role" doc:"annotator, reviewer or lead: in the project. A new account is an annotator's in the studio."`
		}
	}
	inviteTo := created(post("inviteTo", "/projects/{project}/invitations", "Invite somebody to a project by link"))
	inviteTo.Middlewares = huma.Middlewares{withRequest}
	handle(a, annotator.RoleLead, inviteTo, func(ctx context.Context, actor annotator.User, in *inviteToRequest) (*answer[invitationMade], error) {
		secret, i, err := a.server.service.InviteTo(ctx, actor, in.Project, in.Body.Email, in.Body.Role)
		return made(ctx, secret, i, err)
	})
	handle(a, annotator.RoleLead, get("invitationsTo", "/projects/{project}/invitations", "The open invitations that were made in a project, newest first"),
		func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[invitationList], error) {
			all, err := a.server.service.InvitationsTo(ctx, actor, in.Project)
			return &answer[invitationList]{invitationList{orEmpty(all)}}, err
		})
	type byInvitationTo struct {
		ByProject
		Invitation int64 `path:"invitation"`
	}
	revokeTo := noContent(huma.Operation{OperationID: "revokeInvitationTo", Method: http.MethodDelete, Path: "/projects/{project}/invitations/{invitation}", Summary: "Revoke an invitation that was made in a project"})
	handle(a, annotator.RoleLead, revokeTo, func(ctx context.Context, actor annotator.User, in *byInvitationTo) (*nothing, error) {
		return nil, a.server.service.RevokeInvitationTo(ctx, actor, in.Project, in.Invitation)
	})
}
