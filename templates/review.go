package templates

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/words"
)

// Reviews is the view model of the page of all that waits for review.
type Reviews struct {
	Page     annotator.ReviewPage
	Order    annotator.ReviewOrder
	Yours    int                   // of those shown: how many the visitor may take now
	Judged   *annotator.TaskDetail // what the visitor has judged last, if that can be taken back
	Accepted []int64               // edits that the visitor has accepted together, which can be taken back together
	Reasons  []annotator.ReasonCount
}

// reasons says how often which reason was given: "too wide 12, missed a part 3"; "" for none yet.
func (v Reviews) reasons(ctx context.Context) string {
	var counts []string
	for _, r := range v.Reasons {
		if r.Count > 0 {
			counts = append(counts, words.Say(ctx, string(r.Reason))+" "+Count(r.Count))
		}
	}
	return strings.Join(counts, ", ")
}

// reasonWords lists the reasons of a verdict.
func reasonWords(ctx context.Context, reasons []annotator.Reason) string {
	list := make([]string, len(reasons))
	for i, r := range reasons {
		list[i] = words.Say(ctx, string(r))
	}
	return strings.Join(list, ", ")
}

// NewReviews returns the view of a page of what waits for review, for a person.
func NewReviews(page annotator.ReviewPage, order annotator.ReviewOrder, u annotator.User) Reviews {
	v := Reviews{Page: page, Order: order}
	for _, t := range page.Reviews {
		if forJudging(t, &u) {
			v.Yours++
		}
	}
	return v
}

// title says how many maps the visitor may judge.
func (v Reviews) title(ctx context.Context, f Frame) string {
	return words.N(ctx, f.Project.ToReview, "{n} map waits for review", "{n} maps wait for review")
}

// others says how many more wait for somebody else; "" for none.
func (v Reviews) others(ctx context.Context, f Frame) string {
	if n := v.Page.Total - f.Project.ToReview; n > 0 {
		return words.N(ctx, n, "{n} more, in which you had a hand, waits for others.", "{n} more, in which you had a hand, wait for others.")
	}
	return ""
}

// toJudge is what the tab Review counts: maps and labels that the visitor may judge.
func toJudge(p *annotator.ProjectSummary) int { return p.ToReview + p.LabelsToJudge }

// hands says who has how many of the maps to judge: "You have 1, Rose has 2." It is empty if nobody has one.
func (v Reviews) hands(ctx context.Context, f Frame) string {
	var people []annotator.Task // one of each
	count := map[int64]int{}
	for _, t := range v.Page.Reviews {
		if t.ReviewerID != nil {
			if count[*t.ReviewerID]++; count[*t.ReviewerID] == 1 {
				people = append(people, t.Task)
			}
		}
	}
	var list []string
	for _, t := range people {
		n := Count(count[*t.ReviewerID])
		if f.User != nil && *t.ReviewerID == f.User.ID {
			list = slices.Insert(list, 0, words.T(ctx, "you have {n}", "n", n))
			continue
		}
		list = append(list, words.T(ctx, "{name} has {n}", "name", t.ReviewerName, "n", n))
	}
	return words.Sentence(ctx, strings.Join(list, ", "))
}

// reviewing says who is reviewing a task.
func reviewing(ctx context.Context, f Frame, t annotator.Task) string {
	if f.User != nil && t.ReviewerID != nil && *t.ReviewerID == f.User.ID {
		return words.T(ctx, "yours")
	}
	return t.ReviewerName
}

// personsTitle says who has a hand in a task.
func personsTitle(ctx context.Context, t annotator.Task) string {
	if t.ReviewerID != nil {
		return words.T(ctx, "painted by {author}; {reviewer} is reviewing it", "author", t.AuthorName, "reviewer", t.ReviewerName)
	}
	return t.AuthorName
}

// hold is who has a map to judge.
type hold string

const (
	heldByNobody hold = ""
	heldByMe     hold = "mine"
	heldByOther  hold = "other"
)

// Review is the view model of the review page.
type Review struct {
	Task      *annotator.TaskDetail
	Revisions []annotator.Edit
	Waiting   int                   // maps that the visitor may judge, this one included
	Problem   string                // what was wrong with the last verdict
	Comment   string                // the comment that was typed with that verdict
	Reasons   []annotator.Reason    // the reasons that were chosen with it
	Judged    *annotator.TaskDetail // what the visitor has judged before this one, if that can be taken back
	Order     annotator.ReviewOrder // in which the next one is given; "" or ReviewOldest: by age
	Corrects  bool                  // the visitor may correct it (TaskCard.MayCorrect)
	Refused   error                 // why the visitor may not judge it (TaskCard.MayJudge), nil if they may
}

func (v Review) held() hold {
	switch lease := v.Task.Lease; {
	case lease == nil || v.Task.State != annotator.TaskSubmitted:
		return heldByNobody
	case lease.Mine:
		return heldByMe
	}
	return heldByOther
}

// hand says in words who has the map to judge, where that is not simply the visitor.
func (v Review) hand(ctx context.Context) string {
	switch v.held() {
	case heldByNobody:
		return words.T(ctx, "You only look: it is yours once you write or judge.")
	case heldByOther:
		return words.T(ctx, "{name} is reviewing this one. Go on to the next, or come back when it is free.", "name", v.Task.Lease.UserName)
	}
	return ""
}

// address is the page's own, with what was judged before it.
func (v Review) address(f Frame) string {
	q := url.Values{}
	if v.Judged != nil {
		q.Set("judged", id(v.Judged.ID))
	}
	return withQuery(f.To("review/%d", v.Task.ID), ordered(q, v.Order))
}

func userID(f Frame) string {
	if f.User == nil {
		return ""
	}
	return id(f.User.ID)
}

func userEmail(f Frame) string {
	if f.User == nil {
		return ""
	}
	return f.User.Email
}

// EncodeExact writes a map for the page's canvas with its float32 values: "h,w,f," and base64.
func EncodeExact(m attention.Map) string {
	raw := make([]byte, 0, 4*len(m.Values))
	for _, v := range m.Values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return fmt.Sprintf("%d,%d,f,%s", m.Height, m.Width, base64.StdEncoding.EncodeToString(raw))
}

// marksNote says how much of a task's edit is marked; "" where nothing is.
func marksNote(ctx context.Context, t annotator.TaskDetail) string {
	if t.Edit == nil || t.Edit.Map.Marks == "" {
		return ""
	}
	return words.T(ctx, "Marked: {marks}.", "marks", marksSummary(ctx, t.Edit.Map))
}

// marksSummary says how many cells of a map have which mark: "don't know: 12 of 196 cells; do not look here: 30 of 196 cells"; "" without marks.
func marksSummary(ctx context.Context, m attention.Map) string {
	var parts []string
	for _, mark := range []struct {
		mark  attention.Mark
		words string
	}{{attention.Unknown, words.T(ctx, "don't know")}, {attention.Avoided, words.T(ctx, "do not look here")}} {
		if n := m.Marks.Count(mark.mark); n > 0 {
			parts = append(parts, words.T(ctx, "{mark}: {n} of {total} cells", "mark", mark.words, "n", n, "total", len(m.Values)))
		}
	}
	return strings.Join(parts, "; ")
}

// judgeable reports whether the visitor can approve or reject now.
func (v Review) judgeable() bool {
	return v.Task != nil && v.Task.Edit != nil && v.Refused == nil
}

// retractable reports whether the visitor can take back the verdict on a task's map, unless a round has learnt from it.
func retractable(f Frame, t *annotator.TaskDetail) bool {
	if t == nil || t.Edit == nil || f.User == nil || !annotator.TaskTransitions.May(t.State, annotator.EventRetract) {
		return false
	}
	return slices.ContainsFunc(t.Reviews, func(r annotator.Review) bool {
		return r.EditID == t.Edit.ID && r.TakenBackAt == nil && (r.ReviewerID == f.User.ID || f.May(annotator.RoleLead) || r.Rule != "" && f.May(annotator.RoleReviewer))
	})
}

// change is one class's probability with the model's map and with the edit.
type change struct {
	class         annotator.ClassScore
	before, after float32
}

// changesShown is how many classes changes lists.
const changesShown = 6

// changes compares the answers before and after. It lists classes that are in either top five, by the larger of their two probabilities;
// the true class is always among them.
func (v Review) changes() []change {
	e, label := v.Task.Edit, v.Task.Image.Label
	if e == nil || e.Before == nil || e.After == nil {
		return nil
	}
	all := slices.Concat(e.Before.Top, e.After.Top)
	if label != nil {
		all = append(all, annotator.ClassScore{Class: *label, Name: v.Task.LabelName})
	}
	var list []change
	for _, c := range all {
		if !slices.ContainsFunc(list, func(known change) bool { return known.class.Class == c.Class }) {
			list = append(list, change{c, probability(e.Before, c), probability(e.After, c)})
		}
	}
	slices.SortStableFunc(list, func(a, b change) int { return cmp.Compare(max(b.before, b.after), max(a.before, a.after)) })
	if right := slices.IndexFunc(list, func(c change) bool { return label != nil && c.class.Class == *label }); right >= changesShown {
		list[changesShown-1] = list[right]
	}
	return list[:min(len(list), changesShown)]
}

func probability(s *annotator.Scores, c annotator.ClassScore) float32 {
	if c.Class < len(s.Probabilities) {
		return s.Probabilities[c.Class]
	}
	for _, t := range s.Top {
		if t.Class == c.Class {
			return t.Probability
		}
	}
	return 0
}

// outcomeWord says in words what the edit does to the answer.
func (v Review) outcomeWord(ctx context.Context) (word, class string) {
	e := v.Task.Edit
	switch {
	case e == nil || e.Before == nil || e.After == nil:
		return "", ""
	case e.After.Correct && !e.Before.Correct:
		return words.T(ctx, "✓ The edit makes the answer right."), "good"
	case !e.After.Correct && e.Before.Correct:
		return words.T(ctx, "✗ The edit makes the answer wrong."), "bad"
	case e.After.Correct:
		return words.T(ctx, "✓ Right with and without the edit."), "good"
	default:
		return words.T(ctx, "✗ Still wrong with the edit: fine-tuning may carry it further."), "bad"
	}
}

// returned is the last verdict that returned or corrected a map before the present one, and that map; ok is false if there is none.
func (v Review) returned() (r annotator.Review, before annotator.Edit, ok bool) {
	if v.Task.Edit == nil {
		return r, before, false
	}
	for _, r := range slices.Backward(v.Task.Reviews) {
		if r.Verdict == annotator.VerdictApprove || r.TakenBackAt != nil || r.EditID == v.Task.Edit.ID {
			continue
		}
		at := slices.IndexFunc(v.Revisions, func(e annotator.Edit) bool { return e.ID == r.EditID })
		return r, v.Revisions[max(at, 0)], at >= 0
	}
	return r, before, false
}

// beforeWord and beforeNote name the map before the present one, which a verdict returned or corrected.
func beforeWord(ctx context.Context, r annotator.Review) string {
	if r.Verdict == annotator.VerdictCorrect {
		return words.T(ctx, "Painted")
	}
	return words.T(ctx, "Returned")
}

func beforeNote(ctx context.Context, r annotator.Review, before annotator.Edit) string {
	if r.Verdict == annotator.VerdictCorrect {
		return words.T(ctx, "Revision {revision}, before {name} corrected it.", "revision", before.Revision, "name", r.Reviewer)
	}
	return words.T(ctx, "Revision {revision}, as {name} returned it.", "revision", before.Revision, "name", r.Reviewer)
}

// correcting is the address at which the map is corrected, in the order in which it came.
func (v Review) correcting(f Frame) string {
	return withQuery(f.To("review/%d/correct", v.Task.ID), ordered(url.Values{}, v.Order))
}

// returner is who returned the map, to the visitor.
func returner(ctx context.Context, f Frame, r annotator.Review) string {
	if f.User != nil && f.User.ID == r.ReviewerID {
		return words.T(ctx, "You")
	}
	return r.Reviewer
}

// byWhom names who painted a task's map, and the reviewer who corrected it.
func byWhom(ctx context.Context, t annotator.TaskDetail) string {
	if t.Edit != nil && t.Edit.Corrects > 0 {
		return words.T(ctx, "{author}, corrected by {reviewer}", "author", t.AuthorName, "reviewer", t.Edit.Author)
	}
	if t.Edit != nil && t.Edit.Source == annotator.SourceAdopted {
		return t.Edit.Author
	}
	return t.AuthorName
}

// approvedWord says what a verdict of approval is, in the history: that of whoever corrected or adopted the map says so.
func (v Review) approvedWord(ctx context.Context, r annotator.Review) string {
	for _, e := range v.Revisions {
		switch {
		case e.ID != r.EditID:
		case e.AdoptsMean():
			return words.T(ctx, "✓ {name} adopted the mean of the maps of {painters} as", "name", r.Reviewer, "painters", e.Author)
		case e.Source == annotator.SourceAdopted:
			return words.T(ctx, "✓ {name} adopted the map of {painter} as", "name", r.Reviewer, "painter", e.Author)
		case e.Corrects > 0 && e.AuthorID == r.ReviewerID:
			return words.T(ctx, "✓ {name} corrected revision {revision} of {painter} and approved", "name", r.Reviewer, "revision", e.Corrects, "painter", e.Painter)
		}
	}
	return words.T(ctx, "✓ {name} approved", "name", r.Reviewer)
}

// sourceWord says how a task's edit was made, and by whom; what has none is to be painted.
func sourceWord(ctx context.Context, t annotator.TaskDetail) string {
	by := byWhom(ctx, t)
	switch {
	case t.Edit == nil:
	case t.Edit.Source == annotator.SourceModel:
		return words.T(ctx, "the model's own map, confirmed by {name}", "name", by)
	case t.Edit.Source == annotator.SourceGenerator:
		return words.T(ctx, "made from a known mask, by no person")
	case t.Edit.AdoptsMean():
		return words.T(ctx, "the mean of the maps of {names}, adopted", "names", by)
	case t.Edit.Source == annotator.SourceAdopted:
		return words.T(ctx, "the map of {name}, adopted", "name", by)
	}
	return words.T(ctx, "painted by {name}", "name", by)
}
