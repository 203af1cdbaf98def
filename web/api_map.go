package web

import (
	"context"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// likeness registers the comparison of a picture's places.
func (a *api) likeness() {
	o := get("likeness", "/tasks/{task}/likeness", "How alike the places of a task's picture are to its network; nothing is stored")
	o.Description = "For selecting a region by a click: the cells whose cosine with the one clicked is above a threshold. " +
		"The features compared are g(x), the last finer value before it and the last value behind the attention mechanism."
	handle(a, annotator.RoleAnnotator, o, func(ctx context.Context, actor annotator.User, in *ByTask) (*answer[annotator.Likeness], error) {
		l, err := a.server.service.Likeness(ctx, actor, in.Task)
		return &answer[annotator.Likeness]{l}, err
	})
}

// startingPoints registers what a task's map can begin with.
func (a *api) startingPoints() {
	type points struct {
		Points []annotator.StartingPoint `json:"starting_points"`
	}
	o := get("startingPoints", "/tasks/{task}/starting-points", "What the map of a task can begin with, without the maps")
	o.Description = "The model's own map, a map that was returned, the mask and the clicks that came with the data, other versions' maps, the mean of the approved maps of the class, and for reviewers what other people made of the image. " +
		"`problem` says why a point has no map: another grid, or a version that has not looked at the image. CAM and Grad-CAM are activationMap's. A draft says in `origin` which it began with. 409 in a closed project."
	handle(a, annotator.RoleAnnotator, o, func(ctx context.Context, actor annotator.User, in *ByTask) (*answer[points], error) {
		all, err := a.server.service.StartingPoints(ctx, actor, in.Task)
		for i := range all {
			all[i].Name, all[i].Problem = words.Say(ctx, all[i].Name), words.Say(ctx, all[i].Problem)
		}
		return &answer[points]{points{orEmpty(all)}}, err
	})
	type byPoint struct {
		ByTask
		Point string `path:"point" doc:"The key of one of the task's starting points."`
	}
	one := get("startingPoint", "/tasks/{task}/starting-points/{point}", "A map that a task can begin with; nothing is stored")
	one.Description = "404 for a key that startingPoints does not list for the caller, 409 for a point that has no map."
	handle(a, annotator.RoleAnnotator, one, func(ctx context.Context, actor annotator.User, in *byPoint) (*answer[annotator.StartingPoint], error) {
		p, err := a.server.service.StartingPoint(ctx, actor, in.Task, in.Point)
		p.Name, p.Problem = words.Say(ctx, p.Name), words.Say(ctx, p.Problem)
		return &answer[annotator.StartingPoint]{p}, err
	})
}

// activationMaps registers the activation maps, by CAM and Grad-CAM, and what would help.
func (a *api) activationMaps() {
	type mapRequest struct {
		ByTask
		Body struct {
			MapBody
			Method annotator.ActivationMethod `json:"method" doc:"cam: Σ_c w_kc·A_c (arXiv 1512.04150). grad-cam: ReLU(Σ_c α_kc·A_c) (arXiv 1610.02391). help: ∂ log p_k / ∂ M of the true class k: above 0 it is more probable with more attention in the cell."`
			Branch annotator.Branch           `json:"branch"`
			Class  *int                       `json:"class,omitempty" minimum:"0" doc:"A class's index; without it the model's answer, and of help the true class."`
			Value  string                     `json:"value,omitempty" bound:"value's name" doc:"Of grad-cam: the value of the network to weight, by its name in the model's file; the branch's last convolutional value without it."`
		}
	}
	o := post("activationMap", "/tasks/{task}/activation-map", "Where a branch looks for a class, by CAM or Grad-CAM, or what would help the true class; nothing is stored")
	o.Description = "The perception branch is given map, or values, in place of the model's own map. " +
		"The answer's grid is the branch's last value's, which may be coarser than the attention map's; that of help is the map's. " +
		"Help is of the perception branch and the image's own label, at the map that is given: 403 where the project does not tell painters the answer live, 422 for an image without a label. " +
		"422 with the node and the reason where the model has no such map: CAM needs a branch that ends in a global average pool and a linear head."
	o.MaxBodyBytes = 8 << 20
	handle(a, annotator.RoleAnnotator, o, func(ctx context.Context, actor annotator.User, in *mapRequest) (*answer[annotator.ActivationMap], error) {
		q := annotator.ActivationQuery{Method: in.Body.Method, Branch: in.Body.Branch, Class: in.Body.Class, Value: in.Body.Value}
		if in.Body.Map != nil || in.Body.Values != nil {
			m, err := in.Body.of(ctx, a.server.service, actor, in.Task)
			if err != nil {
				return nil, err
			}
			q.Map = &m
		}
		m, err := a.server.service.ActivationMap(ctx, actor, in.Task, q)
		return &answer[annotator.ActivationMap]{m}, err
	})
}
