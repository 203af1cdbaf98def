package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/abn-studio/studio/annotator"
)

func TestPagesShowTheProject(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)

	admin.get("/").want(http.StatusSeeOther)
	projects := admin.get("/projects").want(http.StatusOK)
	projects.has(".project h2", "Birds")
	projects.has(".project .figures", "Images6")

	queue := admin.get("/projects/birds/queue").want(http.StatusOK)
	queue.has(".sheet-bar h1", "5 tasks")
	if n := queue.page().Find(".task-card canvas[data-map]").Length(); n != 5 {
		t.Errorf("the queue draws %d maps, want one on each of 5 cards", n)
	}
	queue.has(".confusion a", "")
	queue.has(".filter[aria-current]", "To do5")

	for path, selector := range map[string]string{
		"/projects/birds/rounds":     ".empty h2",
		"/projects/birds/rounds/new": ".empty h2",
		"/projects/birds/review":     ".empty h2",
		"/projects/birds/versions":   ".node.active",
		"/projects/birds/activity":   ".trail li",
		"/projects/birds/settings":   ".classes li",
		"/people":                    "tr[data-user]",
		"/account":                   "form[action='/account/password']",
		"/guide":                     "[data-map-name=object] .guide-answer.right",
	} {
		admin.get(path).want(http.StatusOK).has(selector, "")
	}
}

// Admins see the workers and how much of their disks cached features take.
func TestActivityShowsWorkersToAdmins(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	const path = "/projects/birds/activity"
	admin := s.as(annotator.RoleAdmin)
	admin.get(path).want(http.StatusOK).has("[aria-label=Workers] p", "None is heard of")
	must(t, s.store.Heartbeat(t.Context(), annotator.Worker{ID: "w", Host: "atlas", PID: 7, FeatureBytes: 3_400_000_000, FeatureLimit: 20 << 30}))
	row := strings.Join(strings.Fields(admin.get(path).want(http.StatusOK).page().Find(".workers tbody tr").Text()), " ")
	if row != "atlas73.40 GB of 21.47 GB" {
		t.Errorf("the worker's row is %q", row)
	}
	s.as(annotator.RoleReviewer).get(path).want(http.StatusOK).hasNot("[aria-label=Workers]")
	if _, err := s.service.Workers(t.Context(), s.people[annotator.RoleReviewer]); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("a reviewer asks for the workers: %v", err)
	}
}

func TestQueueFilters(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleAnnotator)
	b.get("/projects/birds/queue?q=photo-4").want(http.StatusOK).has(".sheet-bar h1", "2 tasks")
	b.get("/projects/birds/queue?q=nothing-like-it").want(http.StatusOK).has(".empty h2", "Nothing matches")
	b.get("/projects/birds/queue?state=approved").want(http.StatusOK).has(".sheet-bar h1", "0 tasks")
	b.get("/projects/birds/queue?state=nonsense&label=x&from=9&to=3").want(http.StatusOK).has(".sheet-bar h1", "5 tasks")
	part := b.get("/projects/birds/queue?part=cards").want(http.StatusOK)
	part.has(".task-card", "")
	part.hasNot("header")

	// Every cell of the confusion matrix leads to as many tasks as it says.
	page := b.get("/projects/birds/queue").page()
	cells := page.Find(".confusion a")
	for i := range cells.Length() {
		href, _ := cells.Eq(i).Attr("href")
		label, _ := cells.Eq(i).Attr("aria-label")
		var n int
		if _, err := fmt.Sscanf(label[len(label)-1:], "%d", &n); err != nil {
			t.Fatal(err)
		}
		if found := b.get(href).page().Find(".task-card").Length(); found != n {
			t.Errorf("%s: %d tasks behind it", label, found)
		}
	}
}

func TestEditorPageTakesTheTask(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	painter, other := s.as(annotator.RoleAnnotator), s.as(annotator.RoleReviewer)
	next := painter.post("/projects/birds/tasks/next", nil).want(http.StatusSeeOther)
	address := next.Header.Get("Location")

	page := painter.get(address).want(http.StatusOK)
	page.has("main#editor .editor-bar #submit", "Submit")
	page.has("#save-state[data-state=untouched]", "")
	var task annotator.TaskDetail
	script := page.page().Find("script#task").Text()
	task = into[annotator.TaskDetail](&response{page.Response, t, []byte(script)})
	if task.Lease == nil || !task.Lease.Mine || task.State != annotator.TaskLeased {
		t.Errorf("the opened task is %s, lease %+v; want it leased to whoever opened it", task.State, task.Lease)
	}
	if task.View.Width == 0 || len(task.Prediction.Map.Values) != task.Version.GridHeight*task.Version.GridWidth {
		t.Errorf("the task carries view %+v and a map of %d values", task.View, len(task.Prediction.Map.Values))
	}
	if id, _ := page.page().Find("main#editor").Attr("data-task-id"); id != fmt.Sprint(task.ID) {
		t.Errorf("data-task-id is %s, want %d", id, task.ID)
	}

	held := other.get(address).want(http.StatusOK)
	held.has("#save-state[data-state=readonly]", "The annotator is painting this one")
	held.has("#submit[disabled]", "")

	// What a browser fetches ahead of time takes nothing.
	free := other.get("/projects/birds/queue?state=open").page().Find(".task-card > a").First()
	href, _ := free.Attr("href")
	other.do(http.MethodGet, href, nil, "Sec-Purpose", "prefetch").want(http.StatusOK)
	other.get("/projects/birds/queue?state=open").has(".sheet-bar h1", "4 tasks")

	painter.get("/projects/birds/tasks/999999").want(http.StatusNotFound).has(".empty h1", "Not found")
}

func TestBulkActions(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	b := s.as(annotator.RoleReviewer)
	ids := []string{}
	b.get("/projects/birds/queue").page().Find("input[name=task]").Each(func(_ int, box *goquery.Selection) {
		value, _ := box.Attr("value")
		ids = append(ids, value)
	})
	form := map[string][]string{"task": ids[:2], "action": {"skip"}, "reason": {""}, "back": {"/projects/birds/queue"}}
	b.post("/projects/birds/tasks/bulk", form).want(http.StatusSeeOther)
	b.get("/projects/birds/queue").has(".notice-bad", "Say why")

	form["reason"] = []string{"too blurred"}
	b.post("/projects/birds/tasks/bulk", form).want(http.StatusSeeOther)
	queue := b.get("/projects/birds/queue")
	queue.has(".notice", "Skipped 2 tasks")
	queue.has(".sheet-bar h1", "3 tasks")

	form["action"] = []string{"reopen"}
	b.post("/projects/birds/tasks/bulk", form).want(http.StatusSeeOther)
	b.get("/projects/birds/queue").has(".sheet-bar h1", "5 tasks")

	form["back"] = []string{"//elsewhere.example"}
	if to := b.post("/projects/birds/tasks/bulk", form).Header.Get("Location"); to != "/projects" {
		t.Errorf("a form sent the browser to %s", to)
	}
}

func TestReviewPage(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	task := s.submit()
	address := fmt.Sprintf("/projects/birds/review/%d", task.ID)

	reviewer := s.as(annotator.RoleReviewer)
	if to := reviewer.post("/projects/birds/review/next", nil).want(http.StatusSeeOther).Header.Get("Location"); to != address {
		t.Fatalf("the next review is %s, want %s", to, address)
	}
	page := reviewer.get(address).want(http.StatusOK)
	if n := page.page().Find(".panes:not(.others) .pane").Length(); n != 4 {
		t.Errorf("%d panes, want picture, map, edit, difference", n)
	}
	page.has(".panes canvas.diff[data-base]", "")
	page.has("[data-others][hidden] canvas[data-other=edit]", "") // until another method is chosen
	page.has(".scores tbody tr", "")
	edit := map[string][]string{"edit": {fmt.Sprint(task.Edit.ID)}, "verdict": {"reject"}, "comment": {""}}
	refused := reviewer.post(address, edit).want(http.StatusUnprocessableEntity)
	refused.has(".notice-bad", "say what should change")

	edit["comment"] = []string{"include the beak"}
	next := reviewer.post(address, edit).want(http.StatusSeeOther).Header.Get("Location")
	judged := reviewer.get(next).want(http.StatusOK)
	judged.has("form.judged", "changes requested")
	judged.has("form.judged button[data-key=u]", "Take it back")
	// The verdict is taken back on that page, stays in the history, and is given again.
	reviewer.post(address+"/retract", map[string][]string{"edit": edit["edit"]}).want(http.StatusSeeOther)
	again := reviewer.get(address).want(http.StatusOK)
	again.has(".history", "Taken back by")
	again.has("form[data-verdict]", "Approve")
	reviewer.post(address, edit).want(http.StatusSeeOther)
	done := reviewer.get(address).want(http.StatusOK)
	done.has(".history blockquote", "include the beak")
	done.hasNot("form[data-verdict]")
	// A second verdict on what was judged already is refused, not repeated.
	reviewer.post(address, edit).want(http.StatusConflict)
}

func TestErrorPages(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	annotatorB := s.as(annotator.RoleAnnotator)
	missing := annotatorB.get("/projects/none/queue").want(http.StatusNotFound)
	missing.has("h1", "Not found")
	annotatorB.get("/nothing/here").want(http.StatusNotFound).has("h1", "Not found")
	annotatorB.get("/people").want(http.StatusForbidden).has("p", "this needs the role admin")
	if to := s.nobody().get("/projects/birds/queue?q=a").want(http.StatusSeeOther).Header.Get("Location"); to != "/signin?next=%2Fprojects%2Fbirds%2Fqueue%3Fq%3Da" {
		t.Errorf("somebody signed out is sent to %s", to)
	}
}

func TestPeopleAndAccount(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	admin.post("/people", map[string][]string{"email": {"grace@example.org"}, "name": {"Grace"}, "password": {"short"}, "role": {"reviewer"}}).
		want(http.StatusUnprocessableEntity).has(".popover[open] .notice-bad", "")
	admin.post("/people", map[string][]string{"email": {"grace@example.org"}, "name": {"Grace"}, "password": {password}, "role": {"reviewer"}}).want(http.StatusSeeOther)
	page := admin.get("/people")
	page.has("tr", "grace@example.org")
	page.has(".notice", "Added Grace")

	b := s.as(annotator.RoleAnnotator)
	address := fmt.Sprintf("/people/%d", s.people[annotator.RoleAnnotator].ID)
	b.post(address, map[string][]string{"action": {"role"}, "role": {"admin"}}).want(http.StatusForbidden)
	b.post("/account/password", map[string][]string{"current": {"wrong"}, "password": {"another password"}}).
		want(http.StatusUnprocessableEntity).has(".notice-bad", "another one")
	b.post("/account/password", map[string][]string{"current": {password}, "password": {"another password"}}).want(http.StatusSeeOther)
	b.post("/account/tokens", map[string][]string{"name": {"export"}, "scope": {"read"}, "days": {"90"}, "current": {"another password"}}).want(http.StatusOK).has("[data-token]", "")

	// Disabling somebody ends what they have open.
	admin.post(address, map[string][]string{"action": {"disable"}}).want(http.StatusSeeOther)
	b.get("/projects").want(http.StatusSeeOther)
	// The last admin stays.
	admin.post(fmt.Sprintf("/people/%d", s.people[annotator.RoleAdmin].ID), map[string][]string{"action": {"disable"}}).want(http.StatusSeeOther)
	admin.get("/people").has(".notice-bad", "Not changed")
}

// A round's page and the API report the images that the round left out: how many, which, and why, with a link to each.
func TestRoundNamesWhatItCouldNotRead(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	round := s.queuedRound()
	claim, _, err := s.store.ClaimRound(t.Context(), round.ID)
	must(t, err)
	images, err := s.store.Images(t.Context(), s.project.ID)
	must(t, err)
	var u annotator.Unreadable
	for i := range annotator.MaxUnreadable + 3 {
		u.Add(images[i%len(images)], "the file ends too early <b>here</b>")
	}
	must(t, s.store.SetUnreadable(t.Context(), claim, u))
	reader := s.as(annotator.RoleAnnotator)
	page := reader.get(fmt.Sprintf("/projects/birds/rounds/%d", round.ID)).want(http.StatusOK)
	page.has(".unreadable p", "23 images could not be read and are left out of this round.")
	page.has(fmt.Sprintf(".unreadable li a[href='/projects/birds/images/%d']", images[0].ID), images[0].Name)
	page.has(".unreadable li", "the file ends too early <b>here</b>")
	page.has(".unreadable", "and 3 more")
	if n := page.page().Find(".unreadable li").Length(); n != annotator.MaxUnreadable {
		t.Errorf("%d images are listed, want %d", n, annotator.MaxUnreadable)
	}
	var told annotator.Round
	must(t, json.Unmarshal(reader.get(fmt.Sprintf("/api/v1/rounds/%d", round.ID)).want(http.StatusOK).body, &told))
	if told.Unreadable == nil || told.Unreadable.Count != annotator.MaxUnreadable+3 || told.Unreadable.Images[0] != u.Images[0] {
		t.Errorf("the API tells %+v", told.Unreadable)
	}
}

// Editor, review and versions say what a value of the map does in the words of the version's own mechanism.
func TestPagesTellTheMechanism(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	task := s.submit()
	for gain, says := range map[string]string{"1+M": "1 doubles it", "M": "0 hides a feature"} {
		if _, err := s.store.Pool().Exec(t.Context(), "UPDATE versions SET gain = $1", gain); err != nil {
			t.Fatal(err)
		}
		admin := s.as(annotator.RoleAdmin)
		told := into[annotator.TaskDetail](admin.api(http.MethodGet, fmt.Sprintf("/tasks/%d", task.ID), nil).want(http.StatusOK)).Mechanism
		if !strings.Contains(told.Values, says) || gain == "M" && (*told.AtZero != 0 || *told.AtOne != 1) {
			t.Errorf("gain %s: the API says %+v", gain, told)
		}
		for _, address := range []string{fmt.Sprintf("/projects/birds/tasks/%d", task.ID), fmt.Sprintf("/projects/birds/review/%d", task.ID), "/projects/birds/versions"} {
			if page := admin.get(address).want(http.StatusOK); !strings.Contains(string(page.body), says) {
				t.Errorf("gain %s: %s does not say %q", gain, address, says)
			}
		}
	}
}

// Comparing fewer than two versions says what to do.
func TestCompareAsksForTwo(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	painter := s.as(annotator.RoleAnnotator)
	const ask = "Tick two versions, then compare them."
	for query, says := range map[string]bool{"": false, "?compare=true": true, fmt.Sprintf("?compare=true&v=%d", s.version.ID): true} {
		if page := string(painter.get("/projects/birds/versions" + query).want(http.StatusOK).body); strings.Contains(page, ask) != says {
			t.Errorf("%q: the page says %q: %v", query, ask, !says)
		}
	}
}
