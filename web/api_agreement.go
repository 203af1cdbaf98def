package web

import (
	"context"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// agreement registers what several people paint of the same image.
func (a *api) agreement() {
	service := func() *annotator.Service { return a.server.service }
	list := get("agreement", "/projects/{project}/agreement", "What several people paint, and how far they agree")
	list.Description = "By rank correlation and soft IoU, beside split halves of the painters and maps of different images. Images to be adopted come first."
	handle(a, annotator.RoleReviewer, list, func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[annotator.Shared], error) {
		shared, err := service().Shared(ctx, actor, in.Project)
		shared.Agreement, shared.Images = orEmpty(shared.Agreement), orEmpty(shared.Images)
		for i := range shared.Agreement {
			shared.Agreement[i].Label = words.Say(ctx, shared.Agreement[i].Label)
		}
		return &answer[annotator.Shared]{shared}, err
	})
	type workList struct {
		People []annotator.PersonWork `json:"people"`
	}
	work := get("work", "/projects/{project}/people", "What each person has painted in a project, and how well")
	work.Description = "Most images first. A reviewer sees everybody who submitted a map, others themselves."
	handle(a, annotator.RoleAnnotator, work, func(ctx context.Context, actor annotator.User, in *ByProject) (*answer[workList], error) {
		all, err := service().Work(ctx, actor, in.Project)
		return &answer[workList]{workList{orEmpty(all)}}, err
	})
	type imageRequest struct {
		ByProject
		Image int64 `path:"image"`
	}
	one := get("agreementOfImage", "/projects/{project}/agreement/{image}", "All maps that several people painted of an image")
	one.Description = "With their mean and standard deviation. 403 for whoever paints one of them, until all are approved or put aside."
	handle(a, annotator.RoleReviewer, one, func(ctx context.Context, actor annotator.User, in *imageRequest) (*answer[annotator.SharedDetail], error) {
		d, err := service().SharedImage(ctx, actor, in.Project, in.Image)
		return &answer[annotator.SharedDetail]{d}, err
	})
	type adoptRequest struct {
		ByProject
		Image int64 `path:"image"`
		Body  annotator.Adoption
	}
	adopt := post("adopt", "/projects/{project}/agreement/{image}/adopt", "Adopt the mean of an image's maps, or one of them")
	adopt.Description = "It becomes an approved edit of a task of its own, from which rounds learn in place of its sources. Maps that wait for review are approved with it. 409 while somebody is to paint the image, and where the maps are not those that were seen."
	handle(a, annotator.RoleReviewer, adopt, func(ctx context.Context, actor annotator.User, in *adoptRequest) (*answer[annotator.TaskDetail], error) {
		t, err := service().Adopt(ctx, actor, in.Project, in.Image, in.Body)
		return &answer[annotator.TaskDetail]{tidy(ctx, t)}, err
	})
}
