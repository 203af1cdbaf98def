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
	activate.Description = "Archives the one before; activating an archived version is rollback."
	handle(a, annotator.RoleAdmin, activate,
		func(ctx context.Context, actor annotator.User, in *ByVersion) (*answer[annotator.Version], error) {
			v, err := a.server.service.ActivateVersion(ctx, actor, in.Version)
			return &answer[annotator.Version]{v}, err
		})
	scan := post("startScan", "/versions/{version}/scan", "Predict every image the version has not predicted")
	scan.DefaultStatus = http.StatusAccepted
	handle(a, annotator.RoleAdmin, scan,
		func(ctx context.Context, actor annotator.User, in *ByVersion) (*answer[annotator.Job], error) {
			job, err := a.server.service.StartScan(ctx, actor, in.Version)
			return &answer[annotator.Job]{job}, err
		})
}
