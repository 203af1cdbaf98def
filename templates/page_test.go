package templates

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
)

// rendered parses a component.
func rendered(t *testing.T, c templ.Component) *goquery.Document {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// text is what a selector finds, its spaces tidied.
func textOf(doc *goquery.Document, selector string) string {
	return strings.Join(strings.Fields(doc.Find(selector).Text()), " ")
}

func frameOf(role annotator.Role) Frame {
	version := annotator.Version{ID: 1, Number: 1, State: annotator.VersionActive}
	return Frame{
		Title: "Test", Section: "rounds", Asset: func(name string) string { return "/static/" + name }, Now: time.Now(),
		User: &annotator.User{ID: 1, Name: "Ada", Role: role}, Role: role,
		Project: &annotator.ProjectSummary{Project: annotator.Project{ID: 1, Slug: "birds", Name: "Birds", Start: attention.Start{Method: attention.StartModel}}, ActiveVersion: &version, Images: 10},
	}
}

func TestRoundPageTellsTheResult(t *testing.T) {
	t.Parallel()
	version := int64(2)
	round := annotator.Round{ID: 3, Number: 1, State: annotator.RoundFinished, ParentVersion: 1, Version: &version, Edits: 60, Settings: recipe.Defaults(),
		Result: &annotator.RoundResult{Headline: "Maps were worth +3.1 points.", Split: annotator.SplitTest, Images: 900, Fixed: []int64{1, 2}, Measures: []annotator.Measure{
			{Name: "accuracy", Label: "Accuracy", Unit: "fraction", Parent: 0.64, Control: 0.652, Candidate: 0.683, Difference: 0.031, Low: 0.008, High: 0.054, Images: 900},
			{Name: "top5", Label: "Top 5", Unit: "fraction", Candidate: 0.88, Control: 0.884, Difference: -0.004, Low: -0.01, High: 0.006, Images: 900},
		}}}
	doc := rendered(t, RoundPage(frameOf(annotator.RoleAdmin), Round{Round: round, Versions: map[int64]int{1: 1, 2: 2}}))
	for selector, want := range map[string]string{
		".headline.good": "Maps were worth +3.1 points.",
		"[data-measure=accuracy] td:nth-child(4)":      "68.3%",
		"[data-measure=accuracy] td:nth-child(2).good": "+3.1",
		"[data-measure=accuracy] td:nth-child(3)":      "+0.8 to +5.4",
		"[data-measure=top5] td:nth-child(2)":          "−0.4",
		".changed h2.good":                             "Fixed 2",
		".changed h2.bad":                              "Broken 0",
	} {
		if got := textOf(doc, selector); got != want {
			t.Errorf("%s is %q, want %q", selector, got, want)
		}
	}
	if doc.Find("[data-measure=top5] .good, [data-measure=top5] .bad").Length() > 0 {
		t.Error("a difference whose interval holds zero is marked")
	}
	if doc.Find("form[data-confirm]").Length() > 0 {
		t.Error("a finished round can be cancelled")
	}
}

func TestOnlyAdminsAreOfferedWhatTheyMayDo(t *testing.T) {
	t.Parallel()
	running := annotator.Round{ID: 3, State: annotator.RoundTraining}
	v2 := annotator.Version{ID: 2, Number: 2, State: annotator.VersionArchived}
	for role, offered := range map[annotator.Role]bool{annotator.RoleAnnotator: false, annotator.RoleReviewer: false, annotator.RoleAdmin: true} {
		f := frameOf(role)
		for name, doc := range map[string]*goquery.Document{
			"Cancel round": rendered(t, RoundPage(f, Round{Round: running})),
			"New round":    rendered(t, RoundsPage(f, Rounds{})),
			"Roll back":    rendered(t, VersionsPage(f, Versions{Versions: []annotator.Version{v2}})),
			"New project":  rendered(t, ProjectsPage(f, Projects{})),
			"Scan with":    rendered(t, SettingsPage(f, Settings{})),
		} {
			if strings.Contains(textOf(doc, "main button, main .button"), name) != offered {
				t.Errorf("%s is offered %q: %v", role, name, !offered)
			}
		}
	}
}

func TestVersionsAreCompared(t *testing.T) {
	t.Parallel()
	a := annotator.Version{ID: 1, Number: 1, Figures: map[string]float64{"test/accuracy": 0.64, "pool/accuracy": 0.7}}
	b := annotator.Version{ID: 2, Number: 2, State: annotator.VersionActive, Figures: map[string]float64{"test/accuracy": 0.67}}
	doc := rendered(t, VersionsPage(frameOf(annotator.RoleAnnotator), Versions{Versions: []annotator.Version{a, b}, A: &a, B: &b}))
	if got := textOf(doc, ".compare tbody tr:nth-child(1)"); got != "accuracy, test64.0%67.0%+3.0" {
		t.Errorf("the comparison says %q", got)
	}
	if got := textOf(doc, ".compare tbody tr:nth-child(2)"); got != "accuracy, pool70.0%–" {
		t.Errorf("a figure that only one has reads %q", got)
	}
	if got := textOf(doc, ".node.active"); got != "v2 67.0% accuracy, test" {
		t.Errorf("the active node says %q", got)
	}
}
