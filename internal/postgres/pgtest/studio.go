package pgtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/recipe"
)

// Studio is a World with a blob store of its own. The files of the world's own project are not there: it has lost them.
type Studio struct {
	*World
	Service *annotator.Service
	Blobs   *blob.Store
}

// NewStudio makes one.
func NewStudio(t testing.TB) *Studio {
	t.Helper()
	s := &Studio{World: NewWorld(t)}
	s.Blobs = ok(blob.Open(t.Context(), t.TempDir(), blob.Options{}))
	s.Service = annotator.NewService(annotator.ServiceConfig{Store: s.Store, Blobs: s.Blobs, Scorer: meanScorer{}, Clock: s.Clock.Now})
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ok is the value of a step that prepares a test.
func ok[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Put keeps a file, and returns its hash.
func (s *Studio) Put(t testing.TB, content string) string {
	t.Helper()
	hash, _, err := s.Blobs.Put(t.Context(), strings.NewReader(content))
	must(t, err)
	return hash
}

// Work makes a project in which people did everything that leaves something.
func (s *Studio) Work(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	project := ok(s.Service.CreateProject(ctx, s.Admin, "flock", "A flock of birds", "what they are\nand \"are not\""))
	var images []annotator.NewImage
	for i := range 24 {
		n := annotator.NewImage{Name: fmt.Sprintf("train/%d — é.png", i), Split: annotator.SplitTrain, Class: fmt.Sprintf("class-%d", i%3), Hash: s.Put(t, fmt.Sprint("picture ", i)), Width: 64, Height: 48, Group: "g"}
		if i%4 == 3 {
			n.Split = annotator.SplitTest
		}
		if i == 5 {
			n.MaskHash, n.Clicks = s.Put(t, "a mask"), [][2]float64{{0.1, 0.7}}
		}
		if i == 6 {
			n.Broken, n.Hash = "no picture", Hash(6)
		}
		images = append(images, n)
	}
	ok(s.Store.AddImages(ctx, project.ID, images))
	first := NewVersion(1)
	first.ModelHash = s.Put(t, "a network")
	version := ok(s.Store.AddVersion(ctx, project.ID, first))
	must(t, s.Scan(ctx, version.ID))
	rows := ok(s.Store.Images(ctx, project.ID))
	paint := func(who annotator.User, v float32) annotator.TaskDetail {
		d := ok(s.Service.NextTask(ctx, who, annotator.TaskFilter{Project: "flock"}))
		m := Map(v)
		m.Values[0] = 0.1 + v/3
		base := 0
		if d.Edit != nil { // rejected
			base = d.Edit.Revision
		}
		e := ok(s.Service.SaveDraft(ctx, who, d.ID, annotator.Draft{BaseRevision: base, Source: annotator.SourcePainted, Map: m, Provenance: []byte("{\"seconds\": 1.50,\n \"strokes\":3}"), History: []byte(`{"v": [1, 2]}`)}))
		return ok(s.Service.Submit(ctx, who, d.ID, e.Revision))
	}
	approved := paint(s.Ada, 0.3)
	ok(s.Service.Review(ctx, s.Reviewer, approved.Edit.ID, annotator.VerdictApprove, ""))
	retracted := paint(s.Bob, 0.4)
	ok(s.Service.Review(ctx, s.Reviewer, retracted.Edit.ID, annotator.VerdictReject, "too wide"))
	ok(s.Service.Retract(ctx, s.Reviewer, retracted.Edit.ID))
	rejected := paint(s.Bob, 0.5)
	ok(s.Service.Review(ctx, s.Admin, rejected.Edit.ID, annotator.VerdictReject, "no", annotator.ReasonTooTight, annotator.ReasonBackground))
	corrected := paint(s.Bob, 0.7)
	ok(s.Service.Correct(ctx, s.Reviewer, corrected.Edit.ID, annotator.Draft{BaseRevision: corrected.Edit.Revision, Source: annotator.SourcePainted, Map: Map(0.2)}, annotator.Judgement{Comment: "the beak"}))
	ok(s.Service.ChangeProject(ctx, s.Admin, "flock", annotator.ProjectChange{Overlap: &annotator.Overlap{Share: 100, Painters: 2, Seed: 3}}))
	both := []int64{paint(s.Ada, 0.35).Edit.ID, paint(s.Bob, 0.45).Edit.ID}
	must(t, s.Store.InsertCheck(ctx, both[1], annotator.CheckScore{Inside: 0.75, Area: 0.25}))
	shared := ok(s.Store.Slots(ctx, project.ID, 0, 1))[0].ImageID
	ok(s.Service.Adopt(ctx, s.Reviewer, "flock", shared, annotator.Adoption{Sources: both}))
	ok(s.Service.ChangeProject(ctx, s.Admin, "flock", annotator.ProjectChange{Overlap: &annotator.Overlap{Painters: 3, Seed: 3}}))
	taken := paint(s.Bob, 0.6)
	ok(s.Service.TakeBack(ctx, s.Bob, taken.ID))
	must(t, s.Service.Skip(ctx, s.Bob, taken.ID, "blurred"))
	label := ok(s.Service.ProposeLabel(ctx, s.Ada, rows[12].ID, annotator.LabelProposal{Says: annotator.LabelIsNone, Comment: "a cat"}))
	ok(s.Service.JudgeLabel(ctx, s.Reviewer, label.ID, annotator.LabelConfirm, ""))
	ok(s.Service.ProposeLabel(ctx, s.Bob, rows[13].ID, annotator.LabelProposal{Says: annotator.LabelIsAmbiguous}))
	ok(s.Service.BringMaps(ctx, s.Admin, "flock", "maps.npz", []annotator.BroughtMap{{From: "x", ImageID: rows[20].ID, Map: Map(0.25), Author: "Zoë", State: annotator.EditTransitions.To(annotator.EventApprove)}}, annotator.BringChoices{}))
	round := ok(s.Service.StartRound(ctx, s.Admin, "flock", recipe.Defaults(), "key"))
	claim, _, err := s.Store.ClaimRound(ctx, round.ID)
	must(t, err)
	must(t, s.Store.AddRoundPoints(ctx, claim, []annotator.RoundPoint{{Arm: arms.Candidate, Step: 1, LossAtt: 0.1}, {Arm: arms.Control, Step: 1}}))
	var lost annotator.Unreadable
	lost.Add(rows[2], "gone")
	must(t, s.Store.SetUnreadable(ctx, claim, lost))
	candidate := NewVersion(2)
	candidate.ModelHash = s.Put(t, "a better network")
	made := ok(s.Service.FinishRound(ctx, claim, candidate, annotator.RoundResult{Headline: "+3", Fixed: []int64{rows[3].ID, rows[7].ID}, Moved: []int64{rows[11].ID}, Seconds: 1.5}, annotator.RoundRows{
		Count: 2, Packed: []byte("\x1f\x8brows"), Judged: []int64{rows[3].ID, rows[7].ID, rows[11].ID},
		Shown: []annotator.ShownImage{{ID: rows[3].ID, Candidate: annotator.ShownAnswer{Class: 1, Confidence: 0.5, Map: Map(0.5)}}},
	}))
	must(t, s.Scan(ctx, made.ID))
	ok(s.Service.ActivateVersion(ctx, s.Admin, made.ID, ""))
	ok(s.Service.DeleteImages(ctx, s.Admin, "flock", []int64{rows[22].ID, rows[21].ID}))
	ok(s.Service.PurgeImages(ctx, s.Admin, "flock", []int64{rows[22].ID}))
	pinned := paint(s.Bob, 0.45)
	ok(s.Service.Judge(ctx, s.Reviewer, pinned.Edit.ID, annotator.Judgement{Verdict: annotator.VerdictReject, Pins: []annotator.Pin{{Row: 1, Column: 0, Words: "the tail — é"}, {Row: 0, Column: 1}}}))
	ok(s.Service.Reviews(ctx, s.Reviewer, "flock", annotator.ReviewQuery{Order: annotator.ReviewFar})) // measures what waits
	ok(s.Service.ChangeProject(ctx, s.Admin, "flock", annotator.ProjectChange{Sampling: &annotator.Sampling{Share: 0, Newcomer: 1}}))
	paint(s.Ada, 0.35)                                                         // not drawn
	ok(s.Service.NextTask(ctx, s.Bob, annotator.TaskFilter{Project: "flock"})) // he holds it
}
