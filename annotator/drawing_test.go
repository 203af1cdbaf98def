package annotator_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/orders"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// answers adds training images to the world's project, which its version answers as given: right with a confidence, or wrong with a negative
// one. All are of class Zero; wrong ones are taken for One. It returns them in order.
func (w *world) answers(confidences ...float32) []annotator.Image {
	w.t.Helper()
	ctx := w.t.Context()
	var images []annotator.NewImage
	for i := range confidences {
		images = append(images, annotator.NewImage{Name: fmt.Sprintf("more/%02d.png", i), Split: annotator.SplitTrain, Class: "class-0", Hash: pgtest.Hash(500 + i), Width: 64, Height: 48})
	}
	added, err := w.Store.AddImages(ctx, w.Project.ID, images)
	if err != nil || added != len(images) {
		w.t.Fatal(added, err)
	}
	job, err := w.Store.EnqueueScan(ctx, w.Version.ID)
	w.must(err)
	chunk, err := w.Store.ClaimChunk(ctx, job.ID, "test", 0)
	w.must(err)
	predictions := pgtest.Predict(chunk)
	for i, p := range predictions {
		confidence := confidences[i]
		class := 0
		if confidence < 0 {
			class, confidence = 1, -confidence
		}
		probabilities := []float32{(1 - confidence) / 2, (1 - confidence) / 2, (1 - confidence) / 2}
		probabilities[class] = confidence
		predictions[i] = annotator.Prediction{VersionID: p.VersionID, ImageID: p.ImageID, Class: class, Confidence: confidence, Probabilities: probabilities, Map: pgtest.Map(0.5)}
	}
	_, err = w.Store.CompleteChunk(ctx, chunk, predictions, nil)
	w.must(err)
	return chunk.Images
}

// mix sets the project's mix.
func (w *world) mix(mix orders.Mix) {
	w.t.Helper()
	_, err := w.Service.ChangeProject(w.t.Context(), w.Admin, "birds", annotator.ProjectChange{Mix: mix})
	w.must(err)
}

// drawn has somebody take and skip tasks until there is none, and returns the cards as they got them.
func (w *world) drawn(who annotator.User, f annotator.TaskFilter, most int) (all []annotator.TaskDetail) {
	w.t.Helper()
	f.Project = "birds"
	for len(all) < most {
		d, err := w.Service.NextTask(w.t.Context(), who, f)
		if errors.Is(err, annotator.ErrNoTask) {
			break
		}
		w.must(err)
		w.must(w.Service.Skip(w.t.Context(), who, d.ID, "enough"))
		all = append(all, d)
	}
	return all
}

func namesOf(all []annotator.TaskDetail) string {
	var names []string
	for _, d := range all {
		names = append(names, strings.TrimSuffix(d.Image.Name, ".png"))
	}
	return strings.Join(names, " ")
}

// Each order gives what it says, of tasks and of the reserve, and the task says how it was handed out.
func TestOrdersGiveWhatTheySay(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (*world, []annotator.Image) {
		w := setup(t) // train/0 … pool/1 are wrong with 0.95, 0.94, … ; after them right 0.5, wrong 0.6, right 0.99, right 0.7
		return w, w.answers(0.5, -0.6, 0.99, 0.7)
	}
	for _, c := range []struct {
		order   orders.Order
		prepare func(w *world, more []annotator.Image)
		names   string // of the first
		says    string // of the first
		tasks   int    // before the rest is given without an order
	}{
		{orders.ConfidentlyWrong, nil, "train/0 train/1 train/2", "The network says One with 95%: confidently wrong", 9},
		{orders.Uncertain, nil, "more/00 more/01 more/03", "The network says Zero with 50% only: uncertain", 12},
		{orders.Confusion, func(w *world, _ []annotator.Image) { w.must(w.Store.RankConfusions(w.t.Context(), w.Version.ID)) },
			// Zero for One is the most frequent: train/0, train/3, pool/0, more/01; then One for Two: train/1, train/4, pool/1.
			"train/0 train/1 train/2 train/3 train/4 train/5 pool/0 pool/1 more/01", "One of the images of Zero that the network takes for One", 9},
		{orders.Diverse, func(w *world, more []annotator.Image) {
			w.must(w.Store.SetDiverse(w.t.Context(), w.Version.ID, []int64{more[1].ID, w.Images[4].ID, w.Images[2].ID}))
		}, "more/01 train/4 train/2", "The network says One with 60%, which is wrong; the image is unlike those that were given out before it", 3},
		{orders.WrongReason, func(w *world, more []annotator.Image) {
			inside, much, distance := float32(0.12), float32(0.9), float32(0.3)
			w.must(w.Store.SetSuspicions(w.t.Context(), w.Version.ID, []postgres.Suspicion{{ImageID: more[0].ID, Inside: &much}, {ImageID: more[2].ID, Inside: &inside}, {ImageID: more[3].ID, Distance: &distance}}))
			w.must(w.Store.RankReasons(w.t.Context(), w.Version.ID))
		}, "more/02 more/03 more/00", "The network is right (Zero, 99%) with only 12% of its attention on the object: right for the wrong reason", 3},
	} {
		t.Run(string(c.order), func(t *testing.T) {
			t.Parallel()
			w, more := begin(t)
			if c.prepare != nil {
				c.prepare(w, more)
			}
			w.mix(orders.Mix{c.order: 100})
			all := w.drawn(w.Ada, annotator.TaskFilter{}, 99)
			if got := namesOf(all); !strings.HasPrefix(got, c.names) {
				t.Errorf("gives %s, want %s first", got, c.names)
			}
			if all[0].Why != c.says {
				t.Errorf("says %q, want %q", all[0].Why, c.says)
			}
			for i, d := range all {
				want := annotator.Handed(c.order)
				if i >= c.tasks {
					want = "" // what no order of the mix gives, and waits for somebody all the same
				}
				if d.HandedBy != want {
					t.Errorf("%s was handed out by %q, want %q", d.Image.Name, d.HandedBy, want)
				}
			}
			seen := map[int64]bool{}
			for _, d := range all {
				if seen[d.ImageID] || d.Image.Split.HeldOut() {
					t.Errorf("%s is given twice, or held out", d.Image.Name)
				}
				seen[d.ImageID] = true
			}
		})
	}
}

// The control draws without looking: every image that can be painted once, right or wrong.
func TestRandomControl(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.answers(0.5, -0.6, 0.99, 0.7)
	w.mix(orders.Mix{orders.Random: 100})
	all := w.drawn(w.Ada, annotator.TaskFilter{}, 99)
	var names []string
	right := 0
	for _, d := range all {
		names = append(names, d.Image.Name)
		if d.Prediction.Correct {
			right++
		}
		if d.Why != "Drawn at random, as a control" {
			t.Errorf("%s: %q", d.Image.Name, d.Why)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != 12 || right != 3 {
		t.Errorf("%d images, %d of them right: %v; want 12 and 3", len(names), right, names)
	}
}

// A right image that an order gave out stays a task when its label was questioned in vain, and is given out again by its order after it
// was put back.
func TestRightTasksStay(t *testing.T) {
	t.Parallel()
	w := setup(t)
	more := w.answers(0.99)
	inside := float32(0.2)
	w.must(w.Store.SetSuspicions(t.Context(), w.Version.ID, []postgres.Suspicion{{ImageID: more[0].ID, Inside: &inside}}))
	w.must(w.Store.RankReasons(t.Context(), w.Version.ID))
	w.mix(orders.Mix{orders.WrongReason: 100})
	d := w.next(w.Ada)
	if d.ImageID != more[0].ID || d.HandedBy != annotator.Handed(orders.WrongReason) {
		t.Fatalf("got %s by %q", d.Image.Name, d.HandedBy)
	}
	w.must(w.Service.GiveBack(t.Context(), w.Ada, d.ID))
	label, err := w.Service.ProposeLabel(t.Context(), w.Bob, d.ImageID, annotator.LabelProposal{Says: annotator.LabelIsNone, Comment: "a cat"})
	w.must(err)
	if now, err := w.Service.Task(t.Context(), w.Ada, d.ID); err != nil || now.State != annotator.TaskSkipped {
		t.Fatalf("questioned: %s, %v", now.State, err)
	}
	_, err = w.Service.JudgeLabel(t.Context(), w.Reviewer, label.ID, annotator.LabelReject, "a bird")
	w.must(err)
	if now, err := w.Service.Task(t.Context(), w.Ada, d.ID); err != nil || now.State != annotator.TaskOpen {
		t.Fatalf("after all: %s (%s), %v", now.State, now.SkipReason, err)
	}
	if again := w.next(w.Bob); again.ID != d.ID || again.HandedBy != annotator.Handed(orders.WrongReason) {
		t.Errorf("given out next: %s by %q", again.Image.Name, again.HandedBy)
	}
}

// Shares hold while many people draw at once, nobody shares a task, and an order that runs dry is passed over.
func TestMixHoldsWithManyPainters(t *testing.T) {
	t.Parallel()
	w := setup(t)
	right := make([]float32, 40)
	for i := range right {
		right[i] = 0.9 + float32(i)/1000
	}
	w.answers(right...)
	w.mix(orders.Mix{orders.ConfidentlyWrong: 20, orders.Random: 50, orders.Uncertain: 30})
	var mu sync.Mutex
	by, images := map[annotator.Handed]int{}, map[int64]bool{}
	var all sync.WaitGroup
	for i := range 8 {
		who, err := w.Store.InsertUser(t.Context(), annotator.User{Email: fmt.Sprintf("p%d@x.org", i), Name: "P", Role: annotator.RoleAnnotator, CreatedAt: w.Clock.Now()}, "-")
		w.must(err)
		w.must(w.Store.SetMember(t.Context(), w.Project.ID, who.ID, annotator.RoleAnnotator, nil, w.Clock.Now()))
		all.Go(func() {
			for range 5 {
				d, err := w.Service.NextTask(t.Context(), who, annotator.TaskFilter{Project: "birds"})
				if err == nil {
					err = w.Service.Skip(t.Context(), who, d.ID, "enough")
				}
				mu.Lock()
				if err != nil {
					t.Error(err)
				} else if by[d.HandedBy]++; images[d.ImageID] {
					t.Errorf("%s is given to two", d.Image.Name)
				}
				images[d.ImageID] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	want := map[annotator.Handed]int{annotator.Handed(orders.ConfidentlyWrong): 8, annotator.Handed(orders.Random): 20, annotator.Handed(orders.Uncertain): 12}
	for handed, n := range want {
		// The control takes some of the eight mistakes too, so that the order of the mistakes may run dry.
		if off := by[handed] - n; off < -1 && handed != annotator.Handed(orders.ConfidentlyWrong) {
			t.Errorf("of 40 tasks %s gave %d, want %d", handed, by[handed], n)
		}
	}
	w.drawn(w.Ada, annotator.TaskFilter{}, 99)
	if left := w.drawn(w.Bob, annotator.TaskFilter{}, 1); len(left) != 0 {
		t.Errorf("something is left: %s", namesOf(left))
	}
}

// A filter holds for the reserve as for tasks.
func TestDrawingWithinAFilter(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.answers(0.5, -0.6, 0.99, 0.7)
	w.mix(orders.Mix{orders.Uncertain: 100})
	zero, one, low, high := 0, 1, float32(0.65), float32(0.98)
	for _, c := range []struct {
		filter annotator.TaskFilter
		names  string
	}{
		{annotator.TaskFilter{Search: "more/0"}, "more/00 more/01 more/03 more/02"},
		{annotator.TaskFilter{Label: &zero, Predicted: &zero}, "more/00 more/03 more/02"},
		{annotator.TaskFilter{Label: &zero, Predicted: &one, MaxConfidence: &low}, "more/01"},
		{annotator.TaskFilter{Label: &zero, MinConfidence: &low, MaxConfidence: &high}, "more/03 pool/0 train/3 train/0"},
	} {
		got := w.drawn(w.Ada, c.filter, 99)
		if namesOf(got) != c.names {
			t.Errorf("%+v gives %s, want %s", c.filter, namesOf(got), c.names)
		}
		for _, d := range got { // for the next filter
			w.must(w.Service.Reopen(t.Context(), w.Reviewer, d.ID))
		}
	}
}

func TestMixIsChecked(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var invalid *annotator.ValidationError
	for _, mix := range []orders.Mix{{}, {orders.Random: 99}, {"newest": 100}, {orders.Random: 120, orders.Diverse: -20}} {
		if _, err := w.Service.ChangeProject(t.Context(), w.Admin, "birds", annotator.ProjectChange{Mix: mix}); !errors.As(err, &invalid) || invalid.Field != "mix" {
			t.Errorf("%v: %v", mix, err)
		}
	}
	if _, err := w.Service.ChangeProject(t.Context(), w.Reviewer, "birds", annotator.ProjectChange{Mix: orders.Usual()}); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("a reviewer: %v", err)
	}
	w.mix(orders.Mix{orders.Random: 40, orders.ConfidentlyWrong: 60})
	trail, err := w.Service.Audit(t.Context(), w.Admin, "birds", 0)
	w.must(err)
	if got := trail[0].Detail; got != "gives out confident 60 %, random 40 %; gave confident 100 %" {
		t.Errorf("the trail says %q", got)
	}
	if p, err := w.Service.Project(t.Context(), w.Ada, "birds"); err != nil || p.Mix[orders.Random] != 40 {
		t.Errorf("%v, %v", p.Mix, err)
	}
}
