// Package studio_test holds the rules about the tree as a whole.
package studio_test

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/abn-studio/studio/"

// forbidden lists the imports that would turn the architecture around: cmd → web, jobs → annotator,
// inference, trainer → onnx, attention. .golangci.yml has the finer rules and their reasons.
var forbidden = map[string][]string{
	"internal/attention": {""},
	"internal/durable":   {""},
	"internal/progress":  {""},
	"internal/text":      {""},
	"internal/recipe":    {""},
	"internal/manifest":  {"annotator", "dataset", "inference", "onnx", "templates", "trainer", "web", "internal/jobs", "internal/ort", "internal/postgres"},
	"internal/features":  {"annotator", "inference", "onnx", "trainer", "web", "internal/jobs", "internal/ort", "internal/postgres"},
	"internal/network":   {"annotator", "inference", "trainer", "web", "internal/jobs", "internal/ort", "internal/postgres"},
	"onnx":               {"internal/ort", "inference", "trainer", "annotator", "web", "internal/postgres"},
	"onnx/gradient":      {"internal/ort", "inference", "trainer", "annotator", "web", "internal/postgres"},
	"onnx/activation":    {"internal/ort", "inference", "trainer", "annotator", "web", "internal/postgres"},
	"annotator":          {"onnx", "inference", "trainer", "web", "internal/postgres", "internal/ort", "internal/blob"},
	"trainer":            {"annotator", "inference", "web", "internal/postgres"},
	"inference":          {"trainer", "web", "internal/postgres"},
	"internal/postgres":  {"web", "inference", "trainer", "onnx", "internal/jobs"},
	"internal/jobs":      {"web"},
	"templates":          {"web", "internal/postgres", "inference", "trainer", "onnx"},
	"web":                {"internal/postgres", "internal/jobs", "inference", "trainer", "onnx"},

	"trainer/sample":       {"onnx", "trainer", "inference", "annotator", "web"},
	"trainer/engine":       {"onnx", "internal/ort", "trainer", "inference", "annotator", "web", "internal/postgres"},
	"trainer/measure":      {"onnx", "internal/ort", "trainer/architecture", "inference", "annotator", "web", "internal/postgres"},
	"trainer/architecture": {"internal", "trainer", "annotator", "inference", "web"},
}

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), ": ")
		pkg = strings.TrimPrefix(pkg, module)
		rules, ruled := forbidden[pkg]
		if !ruled {
			continue
		}
		seen[pkg] = true
		for imported := range strings.FieldsSeq(imports) {
			inside, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			for _, rule := range rules {
				if rule == "" || inside == rule || strings.HasPrefix(inside, rule+"/") {
					t.Errorf("%s imports %s: imports point the other way", pkg, inside)
				}
			}
		}
	}
	for pkg := range forbidden {
		if !seen[pkg] {
			t.Errorf("no package %s: has it moved? Its import rules hang in the air", pkg)
		}
	}
}
