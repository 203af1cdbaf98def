// Package studio_test holds the rules about the tree as a whole.
package studio_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const module = "github.com/abn-studio/studio"

// importRule is a rule of depguard: what the packages of some files do not import, and why.
type importRule struct {
	Files []string
	Allow []string
	Deny  []struct{ Pkg, Desc string }
}

// TestImportsPointOneWay holds every package to depguard's rules in .golangci.yml, which are the only list of them. The linter
// takes minutes, this test a second; and it fails on a rule about packages that are no longer there.
func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	rules, packages := importRules(t), packageImports(t)
	for name, rule := range rules {
		for _, files := range rule.Files {
			if strings.HasPrefix(files, "!") {
				continue
			}
			found := false
			for pkg, imports := range packages {
				if !covers(files, pkg) || rule.spares(pkg) {
					continue
				}
				found = true
				for _, imported := range imports {
					if why, denied := rule.denies(imported); denied {
						t.Errorf("%s: %s imports %s: %s", name, pkg, imported, why)
					}
				}
			}
			if !found {
				t.Errorf("%s: no package has files like %s: has it moved?", name, files)
			}
		}
	}
}

// spares reports whether a rule names a package as one that it is not about.
func (r importRule) spares(pkg string) bool {
	return slices.ContainsFunc(r.Files, func(files string) bool {
		spared, found := strings.CutPrefix(files, "!")
		return found && covers(spared, pkg)
	})
}

// denies says whether a rule forbids an import, and why: the longest name that fits decides, as in depguard.
func (r importRule) denies(imported string) (why string, denied bool) {
	longest := 0
	for _, d := range r.Deny {
		if strings.HasPrefix(imported, d.Pkg) && len(d.Pkg) > longest {
			longest, why, denied = len(d.Pkg), d.Desc, true
		}
	}
	for _, allowed := range r.Allow {
		if strings.HasPrefix(imported, allowed) && len(allowed) > longest {
			return "", false
		}
	}
	return why, denied
}

// covers reports whether a rule's pattern is about a package: **/a/*.go about a, **/a/**/*.go about a and all below it, **/*.go
// about all.
func covers(files, pkg string) bool {
	if files == "**/*.go" {
		return true
	}
	dir := strings.TrimSuffix(strings.TrimPrefix(files, "**/"), "/*.go")
	if above, all := strings.CutSuffix(dir, "/**"); all {
		return pkg == above || strings.HasPrefix(pkg, above+"/")
	}
	return pkg == dir
}

func importRules(t *testing.T) map[string]importRule {
	t.Helper()
	text, err := os.ReadFile(".golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Linters struct {
			Settings struct {
				Depguard struct{ Rules map[string]importRule }
			}
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	rules := config.Linters.Settings.Depguard.Rules
	if len(rules) == 0 {
		t.Fatal(".golangci.yml has no rules for depguard")
	}
	return rules
}

// packageImports returns what the packages of the module import outside their tests, by their folder.
func packageImports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	imports := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		pkg, imported, _ := strings.Cut(line, ":") // a package may import nothing
		imports[strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")] = strings.Fields(imported)
	}
	return imports
}
