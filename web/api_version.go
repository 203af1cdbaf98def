package web

import (
	"context"
	"net/http"

	"github.com/abn-studio/studio/annotator"
)

type versionList struct {
	Versions []annotator.Version `json:"versions"`
}

// versions registers the versions of a project.
func (a *api) versions() {
	handle(a, annotator.RoleAnnotator, get("versions", "/projects/{project}/versions", "Versions, v1 first"),
		func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[versionList], error) {
			versions, err := a.server.service.Versions(ctx, actor, in.Project)
			return &answer[versionList]{versionList{orEmpty(versions)}}, err
		})
	handle(a, annotator.RoleAnnotator, get("version", "/versions/{version}", "One version"),
		func(ctx context.Context, actor annotator.User, in *ByVersion) (*answer[annotator.Version], error) {
			v, _, err := a.server.service.Version(ctx, actor, in.Version)
			return &answer[annotator.Version]{v}, err
		})
	activate := post("activateVersion", "/versions/{version}/activate", "Make a version the active one")
	activate.Description = "Archives the one before; activating an archived version is rollback. What clearly got worse, as GET /versions/{version}/comparison tells it against the active version, and the reason are kept in the project's history."
	type activateRequest struct {
		ByVersion
		Body *struct {
			Reason string `json:"reason,omitempty" bound:"comment" doc:"Why. Needed where something clearly got worse."`
		}
	}
	handle(a, annotator.RoleLead, activate,
		func(ctx context.Context, actor annotator.User, in *activateRequest) (*answer[annotator.Version], error) {
			reason := ""
			if in.Body != nil {
				reason = in.Body.Reason
			}
			v, err := a.server.service.ActivateVersion(ctx, actor, in.Version, reason)
			return &answer[annotator.Version]{v}, err
		})
	compare := get("compareVersions", "/versions/{version}/comparison", "A version beside another one")
	compare.Description = "On the held-out images that both have answered in rounds: measures with 95% intervals, images fixed and broken, classes that lost, maps that moved most, and what got worse in sentences. 404 where there are none."
	type compareRequest struct {
		ByVersion
		With int64 `query:"with" required:"true" minimum:"1" doc:"The version that it is compared with, by its id: the one before."`
	}
	handle(a, annotator.RoleAnnotator, compare,
		func(ctx context.Context, actor annotator.User, in *compareRequest) (*answer[annotator.VersionComparison], error) {
			c, err := a.server.service.CompareVersions(ctx, actor, in.With, in.Version)
			return &answer[annotator.VersionComparison]{c}, err
		})
	scan := post("startScan", "/versions/{version}/scan", "Predict every image the version has not predicted")
	scan.DefaultStatus = http.StatusAccepted
	handle(a, annotator.RoleLead, scan,
		func(ctx context.Context, actor annotator.User, in *ByVersion) (*answer[annotator.Job], error) {
			job, err := a.server.service.StartScan(ctx, actor, in.Version)
			return &answer[annotator.Job]{job}, err
		})
}
