package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// recorder is a registry that remembers what is registered, also what has no value yet.
type recorder struct {
	*prometheus.Registry
	families map[string]family
}

// family is a figure with its labels.
type family struct{ labels []string }

var descForm = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: .*, constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}\}$`)

// Register implements prometheus.Registerer.
func (r *recorder) Register(c prometheus.Collector) error {
	all := make(chan *prometheus.Desc, 1000)
	c.Describe(all)
	close(all)
	for desc := range all {
		found := descForm.FindStringSubmatch(desc.String())
		f := family{labels: strings.FieldsFunc(found[3], func(r rune) bool { return r == ',' })}
		for constant := range strings.SplitSeq(found[2], ",") {
			if name, _, ok := strings.Cut(constant, "="); ok {
				f.labels = append(f.labels, name)
			}
		}
		r.families[found[1]] = f
	}
	return r.Registry.Register(c)
}

// MustRegister implements prometheus.Registerer.
func (r *recorder) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		if err := r.Register(c); err != nil {
			panic(err)
		}
	}
}

// registered is what a server with a worker registers.
func registered(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{prometheus.NewRegistry(), map[string]family{}}
	s, err := storageFlags{DatabaseURL: pgtest.DSN(t), DataDir: t.TempDir()}.open(t.Context(), discard(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	running, err := startStudio(t.Context(), s, studioConfig{log: discard(), worker: true, threads: 1, metrics: r})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = running.stop() })
	return r
}

var (
	namesForm  = regexp.MustCompile(`\b(?:studio|go|process)_[a-z0-9_]+\b`)
	labelsForm = regexp.MustCompile(`\b(?:by|without|on|ignoring) ?\(([^)]*)\)`)
	selectForm = regexp.MustCompile(`\b((?:studio|go|process)_[a-z0-9_]+)\{([^}]*)\}`)
	stringForm = regexp.MustCompile(`"[^"]*"`)
)

// scraped are the labels that Prometheus adds.
var scraped = []string{"job", "instance", "le"}

// family finds the figure behind a series' name: a histogram has three.
func (r *recorder) family(name string) (family, bool) {
	f, ok := r.families[name]
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, cut := strings.CutSuffix(name, suffix); cut && !ok {
			f, ok = r.families[base]
		}
	}
	return f, ok
}

// check holds an expression to what is registered.
func (r *recorder) check(t *testing.T, where, expression string) {
	t.Helper()
	var known []string // labels of the expression's figures
	bare := stringForm.ReplaceAllString(expression, `""`)
	for _, name := range namesForm.FindAllString(bare, -1) {
		f, ok := r.family(name)
		if !ok {
			t.Errorf("%s names %s, which the studio does not register", where, name)
		}
		known = append(known, f.labels...)
	}
	if len(known) == 0 && !namesForm.MatchString(bare) {
		t.Errorf("%s names no figure: %s", where, expression)
	}
	for _, found := range labelsForm.FindAllStringSubmatch(bare, -1) {
		for label := range strings.SplitSeq(found[1], ",") {
			if label = strings.TrimSpace(label); label != "" && !slices.Contains(known, label) && !slices.Contains(scraped, label) {
				t.Errorf("%s groups by %s, which none of its figures has: %s", where, label, expression)
			}
		}
	}
	for _, found := range selectForm.FindAllStringSubmatch(bare, -1) {
		f, _ := r.family(found[1])
		for label := range strings.SplitSeq(found[2], ",") {
			label, _, _ = strings.Cut(label, "=")
			if label = strings.TrimRight(strings.TrimSpace(label), "!"); !slices.Contains(f.labels, label) && !slices.Contains(scraped, label) {
				t.Errorf("%s selects by %s, which %s does not have", where, label, found[1])
			}
		}
	}
}

// The dashboard and the alerts name figures and labels that there are, and docs/operations.md describes every figure of the studio, and
// none that is not there.
func TestFiguresAreThoseOfDashboardAlertsAndDocs(t *testing.T) {
	t.Parallel()
	r := registered(t)
	if families, err := r.Gather(); err != nil || len(families) < 20 {
		t.Errorf("a scrape: %d figures, %v", len(families), err)
	}

	var dashboard struct {
		Panels []struct {
			Type, Title, Description string
			Targets                  []struct{ Expr string }
		}
	}
	read(t, "../../docs/operations/dashboard.json", json.Unmarshal, &dashboard)
	panels := 0
	for _, panel := range dashboard.Panels {
		if panel.Type == "row" {
			continue
		}
		panels++
		if panel.Description == "" || len(panel.Targets) == 0 {
			t.Errorf("the panel %q has no description, or shows nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			r.check(t, "the panel "+panel.Title, target.Expr)
		}
	}
	if panels < 15 {
		t.Errorf("the dashboard has %d panels", panels)
	}

	var alerts struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	read(t, "../../docs/operations/alerts.yml", yaml.Unmarshal, &alerts)
	docs, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := 0
	for _, group := range alerts.Groups {
		for _, rule := range group.Rules {
			rules++
			r.check(t, "the alert "+rule.Alert, rule.Expr)
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("the alert %s does not say what to do", rule.Alert)
			}
			if !strings.Contains(string(docs), "`"+rule.Alert+"`") {
				t.Errorf("docs/operations.md does not have the alert %s", rule.Alert)
			}
		}
	}
	if rules < 8 {
		t.Errorf("there are %d alerts", rules)
	}

	described := regexp.MustCompile("(?m)^\\| `(studio_[a-z0-9_]+)`(?: \\(([^)]*)\\))? \\|").FindAllStringSubmatch(string(docs), -1)
	seen := map[string]bool{}
	for _, row := range described {
		seen[row[1]] = true
		f, ok := r.families[row[1]]
		if !ok {
			t.Errorf("docs/operations.md describes %s, which the studio does not register", row[1])
			continue
		}
		var labels []string
		for label := range strings.SplitSeq(strings.ReplaceAll(row[2], "`", ""), ",") {
			if label = strings.TrimSpace(label); label != "" {
				labels = append(labels, label)
			}
		}
		slices.Sort(labels)
		if want := slices.Sorted(slices.Values(f.labels)); !slices.Equal(labels, want) {
			t.Errorf("docs/operations.md says that %s has the labels %q, it has %q", row[1], labels, want)
		}
	}
	for name := range r.families {
		if strings.HasPrefix(name, "studio_") && !seen[name] {
			t.Errorf("docs/operations.md does not describe %s", name)
		}
	}
}

func read(t *testing.T, file string, parse func([]byte, any) error, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = parse(data, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
