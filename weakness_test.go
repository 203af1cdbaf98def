package studio_test

import (
	"go/ast"
	"go/token"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tracked are the repository's files, but for those of a few folders that hold data or what is generated.
func tracked(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "ls-files").Output()
	if err != nil {
		t.Skip("no Git checkout:", err)
	}
	var files []string
	for name := range strings.FieldsSeq(string(out)) {
		if !strings.Contains(name, "/testdata/") && !strings.HasPrefix(name, "testdata/") && !strings.HasPrefix(name, "third_party/") && !strings.HasPrefix(name, "web/static/") {
			files = append(files, name)
		}
	}
	return files
}

func content(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// The program asks others over the network in a few places only, each of which is told by who runs the studio whom to ask: buckets, the
// database, and its own health. Webhooks alone ask whom people name, and no private network. A new place needs a reason here, and a test that
// no person's text decides whom it asks.
func TestTheNetworkIsAskedInFewPlaces(t *testing.T) {
	t.Parallel()
	known := map[string]string{
		"cmd/studio":             "studio health asks the address it is given",
		"dataset":                "data sets in buckets: an argument of the command line, or a source that who runs the studio offers",
		"internal/bench":         "studio bench serve times the studio whose address it is given",
		"internal/blob":          "the bucket of the blob store: --data",
		"internal/backup":        "the bucket of a backup: an argument of the command line",
		"internal/oidc":          "the provider of the institution: --oidc-issuer",
		"internal/oidc/oidctest": "a provider within a test asks itself",
		"internal/postgres":      "the database: --database",
		"internal/webhook":       "webhooks that leads and admins add (TestPrivateNetworksAreNotDialled)",
		"internal/tracing":       "a collector of traces: OTEL_EXPORTER_OTLP_ENDPOINT",
	}
	asks := map[string][]string{
		"http": {"Get", "Head", "Post", "PostForm", "NewRequest", "NewRequestWithContext", "Client", "DefaultClient", "Transport", "DefaultTransport"},
		"net":  {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "Dialer", "LookupHost", "LookupIP", "DefaultResolver", "Resolver"},
		"tls":  {"Dial", "DialWithDialer", "Dialer"}, "blob": {"OpenBucket"}, "smtp": {"Dial", "SendMail"}, "otlptracehttp": {"New"}, "httputil": {"ReverseProxy", "NewSingleHostReverseProxy"},
	}
	found := map[string]bool{}
	eachSource(t, func(dir string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && slices.Contains(asks[x.Name], s.Sel.Name) {
				found[dir] = true
				if known[dir] == "" {
					t.Errorf("%s uses %s.%s: who decides whom it asks?", dir, x.Name, s.Sel.Name)
				}
			}
			return true
		})
	})
	for dir := range known {
		if !found[dir] {
			t.Errorf("%s asks nobody any more", dir)
		}
	}
}

// Text becomes a page in one way alone, templ's components, which escape it: no template writes text as it is, no handler writes HTML, and
// no script makes elements of text.
func TestPagesAreWrittenInOneWay(t *testing.T) {
	t.Parallel()
	raw := map[string]*regexp.Regexp{
		".templ": regexp.MustCompile(`templ\.(Raw|FromGoHTML|ComponentScript|JSUnsafeFuncCall|JSExpression)|unsafe|^script [a-zA-Z]+\(`),
		".ts":    regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|setHTML|srcdoc|createContextualFragment|DOMParser|document\.write|\beval\(|new Function|setTimeout\(\s*["'` + "`" + `]|javascript:`),
		".go":    regexp.MustCompile(`"html/template"|"text/template"|templ\.Raw|template\.HTML|Content-Type", "text/html`),
	}
	// What a component rendered, taken as it is, with how often.
	spared := map[string]int{
		"web/page.go":         1,                                                        // writes it
		"web/pages/review.ts": 1,                                                        // the next map to judge, of the page Review
		"web/pages/queue.ts":  1,                                                        // the next cards, of the page Queue
		"web/pages/bring.ts":  1, "web/pages/upload.ts": 1, "web/pages/segmenter.ts": 1, // the page that answers a form
	}
	seen := map[string]int{}
	for _, name := range tracked(t) {
		at := strings.LastIndex(name, ".")
		if at < 0 || raw[name[at:]] == nil || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_templ.go") || strings.Contains(name, "/test/") || strings.Contains(name, "e2e/") || strings.HasSuffix(name, ".test.ts") {
			continue
		}
		if name[at:] == ".go" && !strings.HasPrefix(name, "web/") && !strings.HasPrefix(name, "templates/") && !strings.HasPrefix(name, "internal/") && !strings.HasPrefix(name, "cmd/") {
			continue
		}
		seen[name[at:]]++
		if found := raw[name[at:]].FindAllString(content(t, name), -1); len(found) != spared[name] {
			t.Errorf("%s has %q, want %d", name, found, spared[name])
		}
	}
	if seen[".templ"] < 20 || seen[".ts"] < 40 || seen[".go"] < 100 {
		t.Errorf("looked at %v", seen)
	}
}

// secretName is a name of what should be random, or known to one person.
var secretName = regexp.MustCompile(`(?i)(secret|passw(or)?d|passphrase|api_?key|private_?key|signing_?key|token)$`)

// secretText is a secret, told by its form.
var secretText = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bghp_[A-Za-z0-9]{36}\b|\bxox[bp]-[0-9A-Za-z-]{20,}|\babn_[A-Za-z0-9_-]{43}\b|\bhf_[A-Za-z0-9]{30,}\b`)

// No secret stands in the source, and none has a default: the only passwords are the demo's, which answers on loopback alone, and what
// Docker starts asks for one and is published to this machine alone.
func TestNoSecretStandsInTheSource(t *testing.T) {
	t.Parallel()
	literal := func(e ast.Expr) string {
		if b, ok := e.(*ast.BasicLit); ok && b.Kind == token.STRING && len(b.Value) > 2 {
			return b.Value
		}
		return ""
	}
	eachSource(t, func(dir string, file *ast.File) {
		tell := func(name string, value ast.Expr) {
			text := literal(value)
			if text == "" || !secretName.MatchString(name) || dir == "cmd/studio" && name == "Password" && slices.Contains([]string{`"paint-the-bird"`, `"judge-the-map"`, `"run-the-round"`}, text) {
				return
			}
			t.Errorf("%s: %s is %s", dir, name, text)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, name := range n.Names {
					if i < len(n.Values) {
						tell(name.Name, n.Values[i])
					}
				}
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if i < len(n.Rhs) {
						switch left := left.(type) {
						case *ast.Ident:
							tell(left.Name, n.Rhs[i])
						case *ast.SelectorExpr:
							tell(left.Sel.Name, n.Rhs[i])
						}
					}
				}
			case *ast.KeyValueExpr:
				if name, ok := n.Key.(*ast.Ident); ok {
					tell(name.Name, n.Value)
				}
			case *ast.Field: // a flag with a default
				for _, name := range n.Names {
					if n.Tag != nil && secretName.MatchString(name.Name) && regexp.MustCompile(`default:"[^"]`).MatchString(n.Tag.Value) {
						t.Errorf("%s: %s has a default", dir, name.Name)
					}
				}
			}
			return true
		})
	})
	for _, name := range tracked(t) {
		if name == "package-lock.json" || name == "go.sum" || strings.HasSuffix(name, ".onnx") {
			continue
		}
		if found := secretText.FindString(content(t, name)); found != "" && name != "weakness_test.go" {
			t.Errorf("%s has %.20s…", name, found)
		}
	}
	compose := content(t, "docker-compose.yml")
	for line := range strings.Lines(compose + content(t, "Dockerfile")) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && secretName.MatchString(key) && !strings.Contains(value, ":?") && !strings.HasSuffix(value, ":-}") {
			t.Errorf("Docker's %s has a value: %s", key, value)
		}
	}
	for _, port := range regexp.MustCompile(`(?m)^ +- "([^"]*:\d+)"`).FindAllStringSubmatch(compose, -1) {
		proxy := port[1] == "80:80" || port[1] == "443:443" // TLS, and where it sends those who come without
		if !strings.HasPrefix(port[1], "127.0.0.1:") && !proxy {
			t.Errorf("Docker publishes %s to other machines", port[1])
		}
	}
	if strings.Count(compose, "${POSTGRES_PASSWORD:?") < 2 {
		t.Error("Docker starts without a password")
	}
}

// Every test that SECURITY.md's table of weaknesses names is there, so that no row outlives its test.
func TestEveryTestOfTheTableIsThere(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
	for _, name := range tracked(t) {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		folder := "."
		if at := strings.LastIndex(name, "/"); at >= 0 {
			folder = name[:at]
		}
		for _, found := range declared.FindAllStringSubmatch(content(t, name), -1) {
			tests[folder+" "+found[1]] = true
		}
	}
	_, table, found := strings.Cut(content(t, "SECURITY.md"), "\n## Weaknesses that others had\n")
	if !found {
		t.Fatal("SECURITY.md has no table of weaknesses")
	}
	rows, named := 0, regexp.MustCompile("`([a-z/.]+) ((?:Test|Fuzz)\\w+)`")
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "## ") {
			break
		}
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| class") {
			continue
		}
		rows++
		names := named.FindAllStringSubmatch(line, -1)
		if len(names) == 0 {
			t.Errorf("no test stands in the row %.60s…", line)
		}
		for _, n := range names {
			if !tests[n[1]+" "+n[2]] {
				t.Errorf("%s has no %s", n[1], n[2])
			}
		}
	}
	if rows < 15 {
		t.Errorf("%d rows", rows)
	}
}
