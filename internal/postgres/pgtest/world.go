package pgtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/postgres"
)

// World is a small project that tests of the domain begin with: three classes, a model on a grid of
// 2×3 cells, and images whose predictions are in the database. Its Clock stands still until a test moves it.
type World struct {
	Store   *postgres.Store
	Service *annotator.Service
	Clock   *Clock

	Admin, Reviewer, Ada, Bob annotator.User // Ada and Bob are annotators

	Project annotator.Project
	Version annotator.Version
	Images  []annotator.Image // train/0 … train/5, pool/0, pool/1, test/0 … test/3; label is the number modulo 3
}

// Clock is a time that tests set.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add moves the clock on.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// NewWorld makes a project whose model gets every image of train and pool wrong, with falling
// confidence (0.95, 0.94, …), and every image of test right; its tasks are made.
func NewWorld(t testing.TB) *World {
	t.Helper()
	ctx := t.Context()
	w := &World{Store: Store(t), Clock: &Clock{now: time.Now().Truncate(time.Millisecond)}}
	w.Service = annotator.NewService(annotator.ServiceConfig{Store: w.Store, Scorer: meanScorer{}, Clock: w.Clock.Now})
	for _, u := range []struct {
		to   *annotator.User
		name string
		role annotator.Role
	}{{&w.Admin, "Grace", annotator.RoleAdmin}, {&w.Reviewer, "Rose", annotator.RoleReviewer}, {&w.Ada, "Ada", annotator.RoleAnnotator}, {&w.Bob, "Bob", annotator.RoleAnnotator}} {
		added, err := w.Store.InsertUser(ctx, annotator.User{Email: u.name + "@example.org", Name: u.name, Role: u.role, CreatedAt: w.Clock.Now()}, "no password")
		if err != nil {
			t.Fatal(err)
		}
		*u.to = added
	}
	w.Project, w.Version, w.Images = w.AnotherProject(t, "birds")
	return w
}

// AnotherProject makes a project like the world's own, with tasks of its own.
func (w *World) AnotherProject(t testing.TB, slug string) (annotator.Project, annotator.Version, []annotator.Image) {
	t.Helper()
	return w.ProjectOf(t, slug, 6, 2, 4)
}

// ProjectOf is AnotherProject with as many images in training, pool and test as are asked for.
func (w *World) ProjectOf(t testing.TB, slug string, train, pool, test int) (annotator.Project, annotator.Version, []annotator.Image) {
	t.Helper()
	ctx := t.Context()
	project, err := w.Service.CreateProject(ctx, w.Admin, slug, strings.ToUpper(slug[:1])+slug[1:], "")
	if err != nil {
		t.Fatal(err)
	}
	var images []annotator.NewImage
	for _, s := range []struct {
		split annotator.Split
		n     int
	}{{annotator.SplitTrain, train}, {annotator.SplitPool, pool}, {annotator.SplitTest, test}} {
		for i := range s.n {
			images = append(images, annotator.NewImage{
				Name: fmt.Sprintf("%s/%d.png", s.split, i), Split: s.split, Class: fmt.Sprintf("class-%d", i%3), Hash: Hash(len(images)), Width: 64, Height: 48,
			})
		}
	}
	if _, err := w.Store.AddImages(ctx, project.ID, images); err != nil {
		t.Fatal(err)
	}
	added, err := w.Store.Images(ctx, project.ID)
	if err != nil {
		t.Fatal(err)
	}
	version, err := w.Store.AddVersion(ctx, project.ID, NewVersion(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Scan(ctx, version.ID); err != nil {
		t.Fatal(err)
	}
	if project, err = w.Store.ProjectByID(ctx, project.ID); err != nil {
		t.Fatal(err)
	}
	return project, version, added
}

// NewVersion is a model of the world's shape; n tells one from another.
func NewVersion(n int) annotator.NewVersion {
	return annotator.NewVersion{
		ModelHash: Hash(1000 + n), ExtractorHash: Hash(999), Manifest: []byte(`{"crop": [48, 64]}`), GridHeight: 2, GridWidth: 3, Gain: "1+M",
		Parameters: 42, Bytes: 4200,
		Classes: []annotator.Class{{Key: "class-0", Name: "Zero"}, {Key: "class-1", Name: "One"}, {Key: "class-2", Name: "Two"}},
	}
}

// Hash is a name for a blob, another for every n.
func Hash(n int) string { return fmt.Sprintf("%064x", n) }

// Approve paints the next task's map in one value, as Ada, and approves it. It returns the edit as it was saved.
func (w *World) Approve(t testing.TB, value float32) annotator.Edit {
	t.Helper()
	ctx := t.Context()
	d, err := w.Service.NextTask(ctx, w.Ada, annotator.TaskFilter{Project: w.Project.Slug})
	if err != nil {
		t.Fatal(err)
	}
	e, err := w.Service.SaveDraft(ctx, w.Ada, d.ID, annotator.Draft{Source: annotator.SourcePainted, Map: Map(value)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.Submit(ctx, w.Ada, d.ID, e.Revision); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service.Review(ctx, w.Reviewer, e.ID, annotator.VerdictApprove, ""); err != nil {
		t.Fatal(err)
	}
	return e
}

// Scan predicts, as one worker would, the images that a version has not predicted.
func (w *World) Scan(ctx context.Context, versionID int64) error {
	job, err := w.Store.EnqueueScan(ctx, versionID)
	if err != nil || job.State == "finished" {
		return err
	}
	for {
		c, err := w.Store.ClaimChunk(ctx, job.ID, "pgtest", 0)
		if errors.Is(err, annotator.ErrChunksToMake) {
			if err := w.Store.NextChunks(ctx, job.ID); err != nil {
				return err
			}
			continue
		}
		if errors.Is(err, annotator.ErrChunksDone) {
			for over := false; !over; {
				if over, err = w.Store.NextTasks(ctx, job.ID); err != nil {
					return err
				}
			}
			return nil
		}
		if err != nil {
			return err
		}
		status, err := w.Store.CompleteChunk(ctx, c, Predict(c), nil)
		if err != nil || status.Over {
			return err
		}
	}
}

// TrainingImages are what a round learns from.
func TrainingImages(t testing.TB, store *postgres.Store, roundID int64) (all []postgres.TrainingImage) {
	t.Helper()
	err := store.EachTrainingImage(t.Context(), roundID, func(one postgres.TrainingImage) error {
		all = append(all, one)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Predict answers a chunk as NewWorld describes.
func Predict(c annotator.Chunk) []annotator.Prediction {
	var all []annotator.Prediction
	for _, image := range c.Images {
		class, confidence := 0, float32(0.9)
		if image.Label != nil {
			class = *image.Label
			if image.Split != annotator.SplitTest {
				class = (*image.Label + 1) % 3
				confidence = 0.95 - 0.01*float32(image.ID%50-1)
			}
		}
		probabilities := []float32{(1 - confidence) / 2, (1 - confidence) / 2, (1 - confidence) / 2}
		probabilities[class] = confidence
		all = append(all, annotator.Prediction{
			VersionID: c.VersionID, ImageID: image.ID, Class: class, Confidence: confidence, Probabilities: probabilities, AttClass: class, Map: Map(0.5),
		})
	}
	return all
}

// Map returns a map on the world's grid with the same value everywhere.
func Map(value float32) attention.Map {
	m := attention.New(2, 3)
	for i := range m.Values {
		m.Values[i] = value
	}
	return m
}

// meanScorer is a model whose scores are easy to predict: the map's mean is the probability of the label, the rest that of the next
// class.
type meanScorer struct{}

func (meanScorer) Score(_ context.Context, _ annotator.Version, image annotator.Image, m attention.Map) ([]float32, error) {
	var sum float32
	for _, v := range m.Values {
		sum += v
	}
	p := make([]float32, 3)
	p[*image.Label] = sum / float32(len(m.Values))
	p[(*image.Label+1)%3] = 1 - p[*image.Label]
	return p, nil
}
