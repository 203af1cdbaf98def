package templates

import (
	"cmp"
	"context"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/orders"
	"github.com/abn-studio/studio/internal/words"
)

// Queue is the view model of the contact sheet.
type Queue struct {
	Query  QueueQuery
	Page   annotator.TaskPage
	Facets annotator.Facets
	// Painters are those whom the visitor can assign tasks to; none if they may not.
	Painters []annotator.Painter
	Undo     int64 // the assignment that was just made
	// Today is what people did today: everybody for an admin, else the visitor.
	Today []annotator.DayProgress
}

// QueueQuery is the query of a queue's address; the zero value lists the work to be done.
type QueueQuery struct {
	State     string // a TaskState, "all", or "" for what is still to be painted
	Label     *int
	Predicted *int
	From, To  int // confidence in tenths, [From, To); 0, 0: any
	Author    *int64
	Assignee  *int64 // 0: nobody
	Search    string
	Cursor    string
}

// todo are the states of work to be done.
var todo = []annotator.TaskState{annotator.TaskOpen, annotator.TaskLeased, annotator.TaskChangesRequested}

// ParseQueueQuery reads an address's query. It ignores what it does not understand.
func ParseQueueQuery(v url.Values) QueueQuery {
	q := QueueQuery{State: v.Get("state"), Search: v.Get("q"), Cursor: v.Get("cursor")}
	number := func(key string) *int {
		if n, err := strconv.Atoi(v.Get(key)); err == nil && n >= 0 {
			return &n
		}
		return nil
	}
	q.Label, q.Predicted = number("label"), number("predicted")
	if n := number("author"); n != nil {
		author := int64(*n)
		q.Author = &author
	}
	if n := number("assignee"); n != nil {
		assignee := int64(*n)
		q.Assignee = &assignee
	}
	if from, to := number("from"), number("to"); from != nil && to != nil && *from < *to && *to <= 10 {
		q.From, q.To = *from, *to
	}
	known := q.State == "" || q.State == "all"
	for _, s := range queueStates {
		known = known || q.State == string(s)
	}
	if !known {
		q.State = ""
	}
	return q
}

// Filter returns the query as a filter for the service.
func (q QueueQuery) Filter(project string) annotator.TaskFilter {
	f := annotator.TaskFilter{Project: project, Label: q.Label, Predicted: q.Predicted, Author: q.Author, Assignee: q.Assignee, Search: q.Search, Cursor: q.Cursor}
	switch q.State {
	case "":
		f.States = todo
	case "all":
	default:
		f.States = []annotator.TaskState{annotator.TaskState(q.State)}
	}
	if q.To > 0 {
		low, high := float32(q.From)/10, float32(q.To)/10
		f.MinConfidence = &low
		if q.To < 10 {
			high = math.Nextafter32(high, 0) // bins are half open
		}
		f.MaxConfidence = &high
	}
	return f
}

// values returns the query for an address.
func (q QueueQuery) values() url.Values {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("state", q.State)
	set("q", q.Search)
	if q.Label != nil {
		set("label", strconv.Itoa(*q.Label))
	}
	if q.Predicted != nil {
		set("predicted", strconv.Itoa(*q.Predicted))
	}
	if q.Author != nil {
		set("author", id(*q.Author))
	}
	if q.Assignee != nil {
		set("assignee", id(*q.Assignee))
	}
	if q.To > 0 {
		set("from", strconv.Itoa(q.From))
		set("to", strconv.Itoa(q.To))
	}
	return v
}

// address is the queue's address with changes: With("label", "3", "predicted", "") and so on.
func (q QueueQuery) address(changes ...string) string {
	v := q.values()
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == "" {
			v.Del(changes[i])
		} else {
			v.Set(changes[i], changes[i+1])
		}
	}
	if len(v) == 0 {
		return "queue"
	}
	return "queue?" + v.Encode()
}

// Address is the queue's address with this query.
func (q QueueQuery) Address() string { return q.address() }

// TaskAddress is the address of a task's editor, which goes on in this selection.
func (q QueueQuery) TaskAddress(task int64) string {
	v := q.values()
	if len(v) == 0 {
		return "tasks/" + id(task)
	}
	return "tasks/" + id(task) + "?" + v.Encode()
}

// selection is the query as the API's operations take it, for the editor's script.
func (q QueueQuery) selection() map[string]any {
	f, v := q.Filter(""), map[string]any{}
	if q.State != "" && len(f.States) > 0 {
		v["state"] = f.States
	}
	if f.Label != nil {
		v["label"] = *f.Label
	}
	if f.Predicted != nil {
		v["predicted"] = *f.Predicted
	}
	if f.MinConfidence != nil {
		v["min_confidence"] = *f.MinConfidence
	}
	if f.MaxConfidence != nil {
		v["max_confidence"] = *f.MaxConfidence
	}
	if f.Author != nil {
		v["author"] = *f.Author
	}
	if f.Assignee != nil {
		v["assignee"] = *f.Assignee
	}
	if f.Search != "" {
		v["q"] = f.Search
	}
	return v
}

// Filtered reports whether the query leaves out any task besides those that are done.
func (q QueueQuery) Filtered() bool {
	return q.Label != nil || q.Predicted != nil || q.Author != nil || q.Assignee != nil || q.To > 0 || q.Search != "" || q.State != ""
}

var queueStates = []annotator.TaskState{annotator.TaskOpen, annotator.TaskLeased, annotator.TaskChangesRequested,
	annotator.TaskSubmitted, annotator.TaskApproved, annotator.TaskSkipped}

// stateFilter is one line of the state filter.
type stateFilter struct {
	key, word string
	count     int
	on        bool
}

func (v Queue) states(ctx context.Context) []stateFilter {
	sum := 0
	for _, s := range todo {
		sum += v.Facets.States[s]
	}
	list := []stateFilter{{"", words.T(ctx, "To do"), sum, v.Query.State == ""}}
	all := 0
	for _, s := range queueStates {
		n := v.Facets.States[s]
		all += n
		list = append(list, stateFilter{string(s), sentence(ctx, stateWord(ctx, s)), n, v.Query.State == string(s)})
	}
	return append(list, stateFilter{"all", words.T(ctx, "All"), all, v.Query.State == "all"})
}

// labelCount is one line of the class filter.
type labelCount struct{ index, count int }

// labels lists the classes, most frequent first.
func (v Queue) labels() []labelCount {
	var list []labelCount
	for _, index := range slices.Sorted(maps.Keys(v.Facets.Labels)) {
		list = append(list, labelCount{index, v.Facets.Labels[index]})
	}
	slices.SortStableFunc(list, func(a, b labelCount) int { return cmp.Compare(b.count, a.count) })
	return list
}

// matrixSide bounds the classes of the confusion matrix: with more, cells would be too small for a finger.
const matrixSide = 14

// matrixCell is one pair of the confusion matrix, placed and shaded.
type matrixCell struct {
	annotator.ConfusionPair
	row, column int
	shade       float64 // count ÷ count of the most frequent pair
}

// matrix returns the most confused classes, in the project's order, and the cells of their confusion matrix.
func (v Queue) matrix() (classes []int, cells []matrixCell) {
	seen := map[int]bool{}
	most := 0
	for _, p := range v.Facets.Confusion { // most frequent first
		for _, c := range []int{p.Label, p.Predicted} {
			if !seen[c] && len(seen) < matrixSide {
				seen[c] = true
			}
		}
		most = max(most, p.Count)
	}
	classes = slices.Sorted(maps.Keys(seen))
	at := map[int]int{}
	for i, c := range classes {
		at[c] = i
	}
	for _, p := range v.Facets.Confusion {
		if seen[p.Label] && seen[p.Predicted] {
			cells = append(cells, matrixCell{p, at[p.Label], at[p.Predicted], float64(p.Count) / float64(most)})
		}
	}
	return classes, cells
}

// pairs are the confusions named in words under the matrix.
func (v Queue) pairs() []annotator.ConfusionPair {
	return v.Facets.Confusion[:min(6, len(v.Facets.Confusion))]
}

// is reports whether an optional filter is set to n.
func is[N comparable](filter *N, n N) bool { return filter != nil && *filter == n }

// histogramTop is the largest bin, at least 1.
func (v Queue) histogramTop() int { return max(1, slices.Max(v.Facets.Histogram[:])) }

// whyWord is why a task is there, in a word or two: its order, or its number where nobody had it.
func whyWord(ctx context.Context, t annotator.Task) string {
	switch t.HandedBy {
	case "", annotator.HandedChosen:
		return "#" + id(t.ID)
	case annotator.HandedAssigned:
		return words.T(ctx, "assigned")
	}
	return words.Say(ctx, orders.Order(t.HandedBy).Kind().Short)
}

// assignedTo is how many of the tasks are assigned to a person.
func (v Queue) assignedTo(u *annotator.User) int {
	for _, a := range v.Facets.Assignees {
		if u != nil && a.UserID == u.ID {
			return a.Count
		}
	}
	return 0
}

// personName is what a person is called to a visitor.
func (f Frame) personName(ctx context.Context, id int64, name string) string {
	if f.User != nil && f.User.ID == id {
		return words.T(ctx, "You")
	}
	return name
}

// own is what the visitor did today.
func (v Queue) own(u *annotator.User) (annotator.DayProgress, bool) {
	for _, p := range v.Today {
		if u != nil && p.UserID == u.ID {
			return p, true
		}
	}
	return annotator.DayProgress{}, false
}

// sum is what all of them did.
func (v Queue) sum() (all annotator.DayProgress) {
	for _, p := range v.Today {
		all.Painted, all.Minutes, all.Returned, all.Approved = all.Painted+p.Painted, all.Minutes+p.Minutes, all.Returned+p.Returned, all.Approved+p.Approved
	}
	return all
}
