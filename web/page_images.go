package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
	"github.com/abn-studio/studio/templates"
)

// mostUndone is how many deleted images an address can name; more are restored from the list of those deleted.
const mostUndone = 200

// imagesPage lists the project's images.
func (s *Server) imagesPage(v *visit) error {
	query := v.URL.Query()
	view := templates.Images{Query: templates.ParseImageQuery(query)}
	filter := view.Query.Filter()
	filter.Limit = sheetSize
	page, err := s.service.Images(v.Context(), v.actor, v.project.Slug, filter)
	status := http.StatusOK
	var invalid *annotator.ValidationError
	if errors.As(err, &invalid) {
		view.Problem, status, err = invalid.Error(), http.StatusUnprocessableEntity, nil
	}
	if err != nil {
		return err
	}
	view.Page = page
	if query.Get("part") == "cards" { // scrolling asks only for the next cards
		return v.render(templates.ImageCards(v.frame(words.T(v.Context(), "Images"), "images"), view))
	}
	if typed := query.Get("undo"); typed != "" {
		for part := range strings.SplitSeq(typed, ",") {
			if id, err := strconv.ParseInt(part, 10, 64); err == nil && id > 0 && len(view.Undo) < mostUndone {
				view.Undo = append(view.Undo, id)
			}
		}
	}
	return s.render(v.ResponseWriter, v.Request, status, templates.ImagesPage(v.frame(words.T(v.Context(), "{project} images", "project", v.project.Name), "images"), view))
}

// changeImages deletes, restores or purges the images that were chosen.
func (s *Server) changeImages(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	var ids []int64
	for _, typed := range form["image"] {
		if id, err := strconv.ParseInt(typed, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	back := v.to("images")
	if form.Get("back") != "" {
		back = localAddress(form.Get("back"))
	}
	var n int
	switch action := form.Get("action"); action {
	case "delete":
		if n, err = s.service.DeleteImages(v.Context(), v.actor, v.project.Slug, ids); err == nil && n > 0 && len(ids) <= mostUndone {
			return v.redirect(withUndo(back, ids))
		}
		if err == nil {
			v.say("Deleted {images}. They are restored from the list of deleted images.", "images", words.N(v.Context(), n, "{n} image", "{n} images"))
		}
	case "restore":
		if n, err = s.service.RestoreImages(v.Context(), v.actor, v.project.Slug, ids); err == nil {
			v.say("Restored {images}.", "images", words.N(v.Context(), n, "{n} image", "{n} images"))
		}
	case "purge":
		if n, err = s.service.PurgeImages(v.Context(), v.actor, v.project.Slug, ids); err == nil {
			v.say("Purged {images}: the files are gone.", "images", words.N(v.Context(), n, "{n} image", "{n} images"))
		}
	default:
		return fmt.Errorf("%w: %q is nothing that can be done with images", errBadForm, action)
	}
	if err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warnOf(problem)
	}
	return v.redirect(back)
}

// withUndo adds to an address which images were just deleted.
func withUndo(address string, ids []int64) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.FormatInt(id, 10)
	}
	return withQuery(address, "undo", strings.Join(words, ","))
}

// withQuery sets a value of an address's query.
func withQuery(address, key, value string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// changeImage changes the split and the group of one image.
func (s *Server) changeImage(v *visit) error {
	id, err := v.id("image")
	if err != nil {
		return err
	}
	form, err := v.form()
	if err != nil {
		return err
	}
	image, _, err := s.service.Image(v.Context(), v.actor, id, nil)
	if err != nil || image.ProjectID != v.project.ID {
		return fmt.Errorf("image %d: %w", id, annotator.ErrNotFound)
	}
	split, group := annotator.Split(form.Get("split")), form.Get("group")
	if _, err := s.service.ChangeImage(v.Context(), v.actor, id, annotator.ImageChange{Split: &split, Group: &group}); err != nil {
		problem, err := problemText(err)
		if err != nil {
			return err
		}
		v.warnOf(problem)
	} else {
		v.say("Changed {name}.", "name", image.Name)
	}
	return v.redirect(v.to("images/%d", id))
}
