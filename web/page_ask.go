package web

import (
	"fmt"

	"github.com/abn-studio/studio/annotator"
)

// askForMap makes a task of an image that the network gets right, and goes to it.
func (s *Server) askForMap(v *visit) error {
	id, err := v.id("image")
	if err != nil {
		return err
	}
	detail, err := s.service.ImageDetail(v.Context(), v.actor, id)
	if err != nil {
		return err
	}
	if detail.Image.ProjectID != v.project.ID {
		return fmt.Errorf("image %d: %w", id, annotator.ErrNotFound)
	}
	task, err := s.service.AskForMap(v.Context(), v.actor, id)
	if err != nil {
		return err
	}
	return v.redirect(v.to("tasks/%d", task.ID))
}
