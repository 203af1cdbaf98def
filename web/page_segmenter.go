package web

import (
	"errors"
	"io"
	"net/http"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

func (s *Server) segmenterPage(v *visit) error {
	return s.showSegmenter(v, http.StatusOK, templates.Segmenter{})
}

func (s *Server) showSegmenter(v *visit, status int, view templates.Segmenter) error {
	view.MaxBytes = s.config.MaxModelBytes
	switch found, err := s.service.Segmenter(v.Context(), v.actor); {
	case err == nil:
		view.Now = &found
	case !errors.Is(err, annotator.ErrNotFound):
		return err
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.SegmenterPage(v.frame(words.T(v.Context(), "Segmenter"), "segmenter"), view))
}

// sendSegmenter receives a segmenter's files.
func (s *Server) sendSegmenter(v *visit) error {
	found, err := s.receiveSegmenter(v.ResponseWriter, v.Request, v.actor)
	if err == nil {
		v.say("{name} answers clicks from now on.", "name", found.Name)
		return v.redirect("/segmenter")
	}
	view, status := templates.Segmenter{}, outcome(err).status
	var wrong *annotator.ValidationError
	if errors.As(err, &wrong) {
		view.Field = wrong.Field
	}
	if view.Problem, err = problemText(err); err != nil {
		return err
	}
	view.Problem = sentenceOf(v.Context(), view.Problem)
	return s.showSegmenter(v, status, view)
}

func (s *Server) removeSegmenter(v *visit) error {
	switch err := s.service.RemoveSegmenter(v.Context(), v.actor); {
	case errors.Is(err, annotator.ErrNotFound):
		v.warn("The segmenter is gone already.")
	case err != nil:
		return err
	default:
		v.say("Removed. The editor offers no clicks by it any more.")
	}
	return v.redirect("/segmenter")
}

// receiveSegmenter reads a segmenter from a request's form and passes its files to the service as they come.
func (s *Server) receiveSegmenter(w http.ResponseWriter, r *http.Request, actor annotator.User) (annotator.Segmenter, error) {
	body, came, err := s.sent(w, r, "encoder", annotator.LargerSegmenters)
	defer came()
	if err != nil {
		return annotator.Segmenter{}, err
	}
	still := s.still(r, annotator.RoleAdmin) // an upload may take hours
	return s.service.SendSegmenter(r.Context(), actor, func() (annotator.SentFile, error) {
		for {
			part, err := body.next()
			if errors.Is(err, io.EOF) {
				if gone := still(r.Context()); gone != nil {
					err = gone
				}
			}
			if err != nil {
				return annotator.SentFile{}, err
			}
			file := annotator.SentFile{Kind: annotator.SentKind(part.field), Name: part.file, Reader: part}
			switch file.Kind {
			case annotator.SentEncoder, annotator.SentDecoder:
				if file.Name == "" {
					return file, &annotator.ValidationError{Field: part.field, Message: "no file was chosen"}
				}
			case annotator.SentData, annotator.SentPixels:
				if part.empty {
					continue
				}
			default:
				return file, &annotator.ValidationError{Field: "encoder", Message: "the form's part " + part.field + " is not known; it has encoder, decoder, data, pixels"}
			}
			return file, nil
		}
	})
}
