package studio_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	templ "github.com/a-h/templ/parser/v2"

	"github.com/abn-studio/studio/internal/words"
)

// TestEveryTextIsInTheCatalogue checks that the catalogue has each text that pages and their scripts say, and nothing else; and that a
// translation has the placeholders and tags of its key.
func TestEveryTextIsInTheCatalogue(t *testing.T) {
	t.Parallel()
	said := saidByPages(t)
	for _, l := range words.Languages[1:] {
		catalogue := words.CatalogueOf(l)
		scripts := saidByScripts(t, l)
		for key, where := range said {
			if catalogue.Texts[key] == "" {
				t.Errorf("%s: %s lacks %q", where, l, key)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(catalogue.Texts)) {
			text := catalogue.Texts[key]
			if said[key] == "" && !scripts[key] {
				t.Errorf("%s: nothing says %q", l, key)
			}
			if want, got := marks(key), marks(text); !slices.Equal(want, got) {
				t.Errorf("%s: %q has %v, its translation %v", l, key, want, got)
			}
		}
	}
}

// TestWhatIsSaidElsewhere checks that each format of Catalogue.Said is written in the Go code, and has as many verbs in its translation.
func TestWhatIsSaidElsewhere(t *testing.T) {
	t.Parallel()
	literals := map[string]bool{}
	eachSource(t, func(_ string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				if s, ok := constant(e); ok {
					literals[s] = true
				}
			}
			return true
		})
	})
	validator := saidByValidator(t)
	verb := regexp.MustCompile(`%(\[\d+\])?[+\-#0]*\d*(\.\d+)?[a-zA-Z]`)
	for _, l := range words.Languages[1:] {
		for key := range validator {
			if words.CatalogueOf(l).Said[key] == "" {
				t.Errorf("%s: lacks what requests are refused with: %q", l, key)
			}
		}
		for key, text := range words.CatalogueOf(l).Said {
			if !literals[key] && !validator[key] {
				t.Errorf("%s: no Go code says %q", l, key)
			}
			if want, got := len(verb.FindAllString(key, -1)), len(verb.FindAllString(text, -1)); want != got {
				t.Errorf("%s: %q has %d verbs, its translation %d", l, key, want, got)
			}
		}
	}
}

var (
	anyVerb   = regexp.MustCompile(`%(\[\d+\])?[+\-#0]*\d*(\.\d+)?[a-zA-Z%]`)
	ofAThing  = regexp.MustCompile(`(?i)(\b(image|task|edit|round|version|revision|class|row|column|upload|invitation|user|number|slot|label|seed|verdict on|want 0 to) |#|\bv)$`)
	counts    = regexp.MustCompile(`^ [a-z]`)
	countless = regexp.MustCompile(`^ (min|s|is no class|is none of the|per)\b`) // units, and numbers that somebody typed
)

// TestCountsAreGrouped checks that sentences that pages say have counts as people read them: "5,320 added" of text.Count, and not a %d before
// what is counted. Numbers that name a thing, such as image 5320, stay as they are in addresses.
func TestCountsAreGrouped(t *testing.T) {
	t.Parallel()
	validator := saidByValidator(t)
	for key := range words.CatalogueOf(words.Japanese).Said {
		for _, at := range anyVerb.FindAllStringIndex(key, -1) {
			if key[at[0]:at[1]] == "%d" && !validator[key] && !ofAThing.MatchString(key[:at[0]]) && counts.MatchString(key[at[1]:]) && !countless.MatchString(key[at[1]:]) {
				t.Errorf("%q counts with %%d: say %%s of text.Count", key)
			}
		}
	}
	files, err := filepath.Glob("templates/*.templ")
	if err != nil {
		t.Fatal(err)
	}
	bare := regexp.MustCompile(`(?:^|[^=])\{ (?:fmt\.Sprint\(|strconv\.)[^}]*\}`)
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, shown := range bare.FindAllString(string(file), -1) {
			if !strings.Contains(shown, "Seed") && !strings.Contains(shown, "i + 1") {
				t.Errorf("%s shows a number as %s: say Count, or id of what it names", name, strings.TrimSpace(shown))
			}
		}
	}
}

// saidByValidator are the messages with which huma refuses requests: its constants, and what stands beside them in its code.
func saidByValidator(t *testing.T) map[string]bool {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/danielgtaylor/huma/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "validation", "messages.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{
		"validation failed": true, "unknown query parameter": true, "required query parameter is missing": true, "expected value to match exactly one schema but matched multiple": true,
		"expected at most one value, but received multiple values": true, "request body is required": true,
		"invalid integer": true, "invalid float": true, "invalid boolean": true,
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			if s, ok := constant(e); ok {
				said[s] = true
			}
		}
		return true
	})
	if len(said) < 40 {
		t.Errorf("huma has %d messages: does the test still find them?", len(said))
	}
	return said
}

// TestNoTextBesideTheCatalogue finds English text in templates that is not passed through package words.
func TestNoTextBesideTheCatalogue(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("templates/*.templ")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	code, err := filepath.Glob("templates/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		for _, text := range besideInTempl(t, name) {
			t.Errorf("%s: %q: say words.T(ctx, …), or Rich where elements stand in it", name, text)
		}
	}
	for _, name := range code {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		page := strings.Replace(name, "_templ.go", ".templ", 1)
		for _, text := range besideInGo(t, name) {
			t.Errorf("%s: %q: say words.T(ctx, …)", page, text)
		}
	}
	handlers, err := filepath.Glob("web/page*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range handlers {
		for _, text := range besideInHandlers(t, name) {
			t.Errorf("%s: %q: say words.T(v.Context(), …)", name, text)
		}
	}
}

// marks are the placeholders and tags of a text, in an order of their own: a translation may order them as it needs.
func marks(s string) []string {
	found := regexp.MustCompile(`\{\w+\}|</?\w+>`).FindAllString(s, -1)
	slices.Sort(found)
	return found
}

// speaks are the functions whose constant arguments are keys, by the position of the first and the number of keys: N has two, of which the
// last is the catalogue's.
var speaks = map[string]int{"words.T": 1, "words.Raw": 1, "words.Key": 0, "words.N": 3, "Rich": 0, "RichN": 2, "v.say": 0, "v.warn": 0}

// called is how a call is written: "words.T".
func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// saidByPages are the keys that Go code says, each with a file that does.
func saidByPages(t *testing.T) map[string]string {
	t.Helper()
	said := map[string]string{}
	eachSource(t, func(dir string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := called(c)
			if dir == "internal/words" {
				name = "words." + name // its own calls
			}
			at, speaks := speaks[name]
			if !speaks || at >= len(c.Args) {
				return true
			}
			if key, ok := constant(c.Args[at]); ok {
				said[key] = dir
			} else if dir != "internal/words" && (dir != "templates" && dir != "web" || !isName(c.Args[at], "key") && !isName(c.Args[at], "many")) {
				t.Errorf("%s: a key of %s is no constant", dir, name)
			}
			return true
		})
	})
	return said
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// constant is the value of a string that is written down, perhaps in pieces.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.ParenExpr:
		return constant(e.X)
	case *ast.BinaryExpr:
		x, ok := constant(e.X)
		y, also := constant(e.Y)
		return x + y, ok && also && e.Op == token.ADD
	}
	return "", false
}

// saidByScripts are the keys of the pages' scripts that web/words/bundle.ts has found.
func saidByScripts(t *testing.T, l words.Language) map[string]bool {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("web", "static", "words."+string(l)+".js"))
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]string
	object := strings.TrimSuffix(strings.TrimPrefix(string(file), "globalThis.studioWords="), ";\n")
	if err := json.Unmarshal([]byte(object), &texts); err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for key := range texts {
		said[key] = true
	}
	return said
}

// asItIs are words that no language changes: names, units, formats.
var asItIs = regexp.MustCompile(`^([· ]*ABN Studio|%\.1f [kM]|%d [GM]iB|ImageNet|engine strategy gamma [a-z_\s]+|\.[a-z.]+|[A-Z0-9-]{2,}|[a-z]{1,2}|v\d*|×|studio .*)$`)

var (
	letters = regexp.MustCompile(`\pL{2,}`)
	// prose are words for people: two with a space between, or one with a capital letter.
	prose = regexp.MustCompile(`\pL[,.:;…)]? [({“]?\pL|^ ?\p{Lu}\p{Ll}+`)
)

// readAttributes are the attributes that people read.
var readAttributes = []string{"title", "aria-label", "aria-description", "aria-roledescription", "aria-valuetext", "placeholder", "alt", "label", "data-tip", "data-keyed", "data-confirm"}

// besideInTempl are the bare texts and the constant attributes of a template.
func besideInTempl(t *testing.T, name string) (found []string) {
	t.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := templ.ParseString(string(source))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	note := func(s string) {
		s = strings.TrimSpace(html.UnescapeString(s))
		if letters.MatchString(s) && !asItIs.MatchString(s) {
			found = append(found, s)
		}
	}
	var attributes func([]templ.Attribute)
	attributes = func(list []templ.Attribute) {
		for _, a := range list {
			switch a := a.(type) {
			case *templ.ConstantAttribute:
				if slices.Contains(readAttributes, a.Key.String()) {
					note(a.Value)
				}
			case *templ.ConditionalAttribute:
				attributes(a.Then)
				attributes(a.Else)
			}
		}
	}
	var walk func([]templ.Node)
	walk = func(nodes []templ.Node) {
		for _, n := range nodes {
			switch n := n.(type) {
			case *templ.Text:
				note(n.Value)
			case *templ.Element:
				attributes(n.Attributes)
				if n.Name != "code" && n.Name != "kbd" {
					walk(n.Children)
				}
			case *templ.IfExpression:
				walk(n.Then)
				walk(n.Else)
				for _, other := range n.ElseIfs {
					walk(other.Then)
				}
			case *templ.SwitchExpression:
				for _, c := range n.Cases {
					walk(c.Children)
				}
			case templ.CompositeNode:
				walk(n.ChildNodes())
			}
		}
	}
	for _, n := range file.Nodes {
		if template, ok := n.(*templ.HTMLTemplate); ok {
			walk(template.Children)
		}
	}
	return found
}

// besideInGo are the strings of Go code, a template's expressions among them, that are words for people and no key.
func besideInGo(t *testing.T, name string) (found []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec, *ast.Field: // tags
			return false
		case *ast.CallExpr:
			switch name := called(n); {
			case name == "words.Say", strings.HasPrefix(name, "templruntime."), name == "fmt.Errorf":
				return false
			default:
				_, key := speaks[name]
				if key {
					for _, arg := range n.Args {
						if _, literal := constant(arg); !literal {
							ast.Inspect(arg, func(inner ast.Node) bool { return noteProse(inner, &found) })
						}
					}
				}
				return !key
			}
		case *ast.CompositeLit:
			return true
		}
		return noteProse(n, &found)
	})
	return found
}

// besideInHandlers are the titles and notices that a page's handler writes itself.
func besideInHandlers(t *testing.T, name string) (found []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if f, ok := c.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"frame", "note"}, f.Sel.Name) {
			for _, arg := range c.Args[:min(2, len(c.Args))] {
				ast.Inspect(arg, func(inner ast.Node) bool { return noteProse(inner, &found) })
			}
		}
		return true
	})
	return found
}

func noteProse(n ast.Node, found *[]string) bool {
	literal, ok := n.(*ast.BasicLit)
	if !ok {
		if c, ok := n.(*ast.CallExpr); ok {
			_, key := speaks[called(c)]
			return !key
		}
		return true
	}
	if s, ok := constant(literal); ok && prose.MatchString(s) && !asItIs.MatchString(strings.TrimSpace(s)) && !strings.HasPrefix(s, "Mon, ") {
		*found = append(*found, s)
	}
	return false
}
