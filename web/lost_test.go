package web

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
)

// spoil changes the stored file of a hash, or removes it where there is nothing to put there.
func (s *studio) spoil(hash string, bytes []byte) {
	s.t.Helper()
	path, err := s.blobs.Path(s.t.Context(), hash)
	must(s.t, err)
	must(s.t, os.Remove(path))
	if bytes != nil {
		must(s.t, os.WriteFile(path, bytes, 0o600))
	}
}

// A picture whose file is gone, damaged, truncated or not a picture gives an error that says so, in pages, API and live scores. It is not
// a server error.
func TestPicturesThatCannotBeShown(t *testing.T) {
	t.Parallel()
	log := &logged{}
	s := newStudio(t, log.into)
	ctx := t.Context()
	whole, err := os.ReadFile(filepath.Join(fixture.Reference(t), "preprocess", "photo-444.jpg"))
	must(t, err)
	put := func(name string, data []byte) annotator.Image {
		hash, _, err := s.blobs.Put(ctx, bytes.NewReader(data))
		must(t, err)
		_, err = s.store.AddImages(ctx, s.project.ID, []annotator.NewImage{{Name: name, Split: annotator.SplitTest, Hash: hash, Width: 300, Height: 200}})
		must(t, err)
		images, err := s.store.Images(ctx, s.project.ID, annotator.SplitTest)
		must(t, err)
		for _, image := range images {
			if image.Name == name {
				return image
			}
		}
		t.Fatalf("no image %s", name)
		return annotator.Image{}
	}
	gone, damaged := put("test/gone.jpg", append([]byte("\xff\xd8\xff"), "gone"...)), put("test/damaged.jpg", append(bytes.Clone(whole), 1))
	s.spoil(gone.Hash, nil)
	s.spoil(damaged.Hash, whole[:100])
	const rendered = "thumb view whole"
	for _, c := range []struct {
		image  annotator.Image
		kinds  string
		status int
		says   string
	}{
		{gone, rendered + " original", http.StatusNotFound, "missing from the blob store: put it back"},
		{damaged, rendered + " original", http.StatusUnprocessableEntity, "damaged in the blob store"},
		{put("test/cut.jpg", whole[:len(whole)/2]), rendered, http.StatusUnprocessableEntity, "ends too early"},
		{put("test/words.jpg", []byte("these are words")), rendered, http.StatusUnprocessableEntity, "not a picture"},
		{put("test/empty.jpg", nil), rendered, http.StatusUnprocessableEntity, "not a picture"},
		{put("test/animation.gif", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;")), rendered, http.StatusUnprocessableEntity, "not a picture"},
	} {
		b := s.as(annotator.RoleAnnotator)
		for kind := range strings.FieldsSeq(c.kinds) {
			r := b.api(http.MethodGet, fmt.Sprintf("/images/%d/picture?kind=%s", c.image.ID, kind), nil).want(c.status)
			p := into[Problem](r)
			if !strings.Contains(p.Detail, c.says) || !strings.Contains(p.Detail, c.image.Name) || r.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s of %s: %s %q, want %q in it", kind, c.image.Name, r.Header.Get("Content-Type"), p.Detail, c.says)
			}
		}
		b.get(fmt.Sprintf("/projects/birds/images/%d", c.image.ID)).want(http.StatusOK)
	}
	// A task's picture is lost while somebody paints: the live score says so, and the page is there.
	b := s.as(annotator.RoleAnnotator)
	detail := b.take()
	s.spoil(detail.Image.Hash, []byte("rot"))
	r := b.api(http.MethodPost, fmt.Sprintf("/tasks/%d/score", detail.Task.ID), map[string]any{"values": painted(detail).Values}).want(http.StatusUnprocessableEntity)
	if p := into[Problem](r); !strings.Contains(p.Detail, detail.Image.Name) || !strings.Contains(p.Detail, "damaged") {
		t.Errorf("the score of a damaged picture: %+v", p)
	}
	b.get(fmt.Sprintf("/projects/birds/tasks/%d", detail.Task.ID)).want(http.StatusOK)
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("logged as an error:\n%s", log)
	}
	// A model is another matter: the answer would be wrong, so there is none, and whoever runs the studio hears of it.
	s.spoil(s.version.ModelHash, []byte("rot"))
	lost := into[Problem](b.api(http.MethodGet, fmt.Sprintf("/versions/%d/onnx", s.version.ID), nil).want(http.StatusInternalServerError))
	if !strings.Contains(lost.Detail, s.version.ModelHash) || !strings.Contains(lost.Detail, "studio verify") || !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("a damaged model: %+v", lost)
	}
}

// Before a project has a model its pictures are shown whole.
func TestPicturesOfAProjectWithoutAModel(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	ctx := t.Context()
	project, err := s.service.CreateProject(ctx, s.people[annotator.RoleAdmin], "new", "New", "")
	must(t, err)
	images, err := s.store.Images(ctx, s.project.ID)
	must(t, err)
	_, err = s.store.AddImages(ctx, project.ID, []annotator.NewImage{{Name: "a.jpg", Split: annotator.SplitTrain, Hash: images[0].Hash, Width: images[0].Width, Height: images[0].Height}})
	must(t, err)
	added, err := s.store.Images(ctx, project.ID)
	must(t, err)
	b := s.as(annotator.RoleAnnotator)
	for _, kind := range []string{"thumb", "view", "whole", "original"} {
		r := b.api(http.MethodGet, fmt.Sprintf("/images/%d/picture?kind=%s", added[0].ID, kind), nil).want(http.StatusOK)
		img, err := jpeg.Decode(bytes.NewReader(r.body))
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		// Nothing is cropped away: the sides are as the image's.
		size, want := img.Bounds().Size(), float64(images[0].Width)/float64(images[0].Height)
		if got := float64(size.X) / float64(size.Y); got < 0.98*want || got > 1.02*want {
			t.Errorf("%s is %v of a picture of %d×%d", kind, size, images[0].Width, images[0].Height)
		}
	}
	b.get(fmt.Sprintf("/projects/new/images/%d", added[0].ID)).want(http.StatusOK)
}

// If the database is away because its disk is full, the error names the full disk.
func TestDatabaseAwayOnAFullDisk(t *testing.T) {
	t.Parallel()
	s := newStudio(t, func(c *Config) {
		c.Disk = func(context.Context) error { return fmt.Errorf("the data folder: %w", annotator.ErrFull) }
	})
	if f := s.server.outcome(t.Context(), annotator.ErrDatabaseAway); f.status != http.StatusInsufficientStorage || !strings.Contains(f.detail, "free some space") {
		t.Errorf("%+v", f)
	}
}

// If PostgreSQL finds no space, a save fails with what to do; nothing is lost, and saving works once there is space.
func TestSaveOnAFullDisk(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	ctx := t.Context()
	b := s.as(annotator.RoleAnnotator)
	detail := b.take()
	// The server itself raises what it raises when it cannot extend a file.
	_, err := s.store.Pool().Exec(ctx, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device' USING ERRCODE = '53100'; END $$;
		CREATE TRIGGER full_disk BEFORE INSERT ON edits FOR EACH ROW EXECUTE FUNCTION full_disk();
		CREATE TRIGGER full_disk BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION full_disk()`)
	must(t, err)
	save := func() *response {
		return b.api(http.MethodPut, fmt.Sprintf("/tasks/%d/draft", detail.Task.ID), map[string]any{
			"base_revision": 0, "source": "painted", "map": painted(detail)})
	}
	p := into[Problem](save().want(http.StatusInsufficientStorage))
	if !strings.Contains(p.Detail, "free some space") || strings.Contains(p.Detail, "base/1/2") {
		t.Errorf("%+v", p)
	}
	r := s.nobody().api(http.MethodPost, "/session", map[string]string{"email": "admin@example.org", "password": password})
	if r.StatusCode != http.StatusInsufficientStorage {
		t.Errorf("a sign-in whose session cannot be kept: %s", r.Status)
	}
	_, err = s.store.Pool().Exec(ctx, `DROP TRIGGER full_disk ON edits; DROP TRIGGER full_disk ON sessions`)
	must(t, err)
	save().want(http.StatusOK)
}
