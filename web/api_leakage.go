package web

import (
	"context"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fingerprint"
)

// leakage registers held-out images that are like training images, and what is measured without them.
func (a *api) leakage() {
	type leakageRequest struct {
		ByProject
		Within int `query:"within" minimum:"0" maximum:"12" default:"8" doc:"Bits of 64 in which the fingerprints of near duplicates may differ: 0 to 4 finds copies that were saved again or resized, 8 slightly cropped ones too."`
		Limit  int `query:"limit" minimum:"0" maximum:"1000" default:"100" doc:"How many are listed, the nearest first."`
	}
	handle(a, annotator.RoleAnnotator, get("leakage", "/projects/{project}/leakage", "Held-out images that are training images too, or look like one"),
		func(ctx context.Context, actor annotator.User, in *leakageRequest) (*answer[annotator.Leakage], error) {
			l, err := a.server.service.Leakage(ctx, actor, in.Project, in.Within, in.Limit)
			l.Leaks = orEmpty(l.Leaks)
			return &answer[annotator.Leakage]{l}, err
		})
	type changed struct {
		Images int `json:"images" doc:"How many images that changed."`
	}
	type leaveOutRequest struct {
		ByProject
		Body struct {
			Within *int    `json:"within,omitempty" minimum:"0" maximum:"12" doc:"As for the leakage; 8 without it."`
			Images []int64 `json:"images,omitempty" minItems:"1" maxItems:"100000" doc:"Ids of held-out images that the leakage lists; without them, all that it finds."`
		}
	}
	leave := post("leaveOut", "/projects/{project}/leakage/leave-out", "Leave held-out images that are like training images out of measures")
	leave.Description = "From then on, rounds and figures do without them, and say how many they are. 409 while a round runs, and where no image would be left."
	handle(a, annotator.RoleLead, leave, func(ctx context.Context, actor annotator.User, in *leaveOutRequest) (*answer[changed], error) {
		within := fingerprint.Bound
		if in.Body.Within != nil {
			within = *in.Body.Within
		}
		n, err := a.server.service.LeaveOut(ctx, actor, in.Project, within, in.Body.Images)
		return &answer[changed]{changed{n}}, err
	})
	type takeInRequest struct {
		ByProject
		Body struct {
			Images []int64 `json:"images,omitempty" minItems:"1" maxItems:"100000" doc:"Ids of images that are left out; without them, all of those."`
		}
	}
	restore := post("takeIn", "/projects/{project}/leakage/restore", "Measure again on images that were left out")
	restore.Description = "409 while a round runs."
	handle(a, annotator.RoleLead, restore, func(ctx context.Context, actor annotator.User, in *takeInRequest) (*answer[changed], error) {
		n, err := a.server.service.TakeIn(ctx, actor, in.Project, in.Body.Images)
		return &answer[changed]{changed{n}}, err
	})
}
