package studio_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/recipe"
)

// TestEachFactHasOneHome holds the code to the table "Where each fact lives" of docs/architecture.md: what marks a fact's home
// is declared or called in one folder only, tests aside.
func TestEachFactHasOneHome(t *testing.T) {
	t.Parallel()
	homes := map[string]map[string]bool{}
	at := func(mark, dir string) {
		if homes[mark] == nil {
			homes[mark] = map[string]bool{}
		}
		homes[mark][dir] = true
	}
	eachSource(t, func(dir string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv != nil && strings.EqualFold(n.Name.Name, "validate") && strings.HasSuffix(receiver(n), "Settings") {
					at("Validate of settings", dir)
				}
			case *ast.Field:
				if n.Tag != nil && strings.Contains(n.Tag.Value, `json:"std`) {
					at("fields of a manifest", dir)
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "onnx" && (n.Sel.Name == "FindParts" || n.Sel.Name == "Split") {
					at("taking a network apart", dir)
				}
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "csv" && n.Sel.Name == "NewWriter" {
					at("tables without formulas", dir)
				}
			case *ast.TypeSpec:
				alias := n.Assign.IsValid()
				if !alias && (n.Name.Name == "Branch" || n.Name.Name == "Gain") {
					at("branches and mechanisms", dir)
				}
				if !alias && strings.HasPrefix(n.Name.Name, "flight") {
					at("computed once for many callers", dir)
				}
			case *ast.ImportSpec:
				if n.Path.Value == `"golang.org/x/sync/singleflight"` {
					at("computed once for many callers", dir)
				}
			case *ast.CompositeLit:
				if spelled := literals(n); slices.Contains(spelled, ".jpg") && slices.Contains(spelled, ".png") {
					at("suffixes of pictures", dir)
				}
				if spellsSetting(n) {
					at("words of a setting", dir)
				}
			case *ast.BasicLit:
				if n.Kind == token.STRING && (strings.Contains(n.Value, "0.0003") || strings.Contains(n.Value, "0.008")) {
					at("AdamW's learning rates", dir)
				}
				if slices.Contains([]string{`"bilinear"`, `"bicubic"`, `"lanczos"`, `"BGR"`, `"8192"`}, n.Value) || strings.Contains(n.Value, "0.485") || strings.Contains(n.Value, "bilinear, bicubic") {
					at("words and ranges of a manifest", dir)
				}
				if n.Kind == token.STRING && defaultsToAWord(n.Value) {
					at("words of a setting", dir) // as a flag's default
				}
				if n.Kind == token.STRING && strings.Contains(n.Value, "ABNFEAT") {
					at("features on disk", dir)
				}
				if n.Kind == token.STRING && strings.Contains(n.Value, ".jpg") && strings.Contains(n.Value, ".png") {
					at("suffixes of pictures", dir) // in a message, a page's accept or a flag's help
				}
			}
			return true
		})
	})
	for mark, want := range map[string]string{
		"Validate of settings":           "internal/recipe",
		"fields of a manifest":           "internal/manifest",
		"taking a network apart":         "internal/network",
		"features on disk":               "internal/features",
		"branches and mechanisms":        "internal/attention",
		"computed once for many callers": "internal/flight",
		"suffixes of pictures":           "internal/picture",
		"words of a setting":             "internal/recipe",
		"words and ranges of a manifest": "internal/manifest",
		"AdamW's learning rates":         "internal/recipe",
		"tables without formulas":        "internal/text",
	} {
		if got := slices.Sorted(maps.Keys(homes[mark])); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: in %s, want %s alone; docs/architecture.md says what else asks it", mark, strings.Join(got, ", "), want)
		}
	}
}

// TestStatesAreSetByTheDomain finds statements and Go code that write a state by its name: annotator's tables of transitions say which
// state an event leads to and from which, and statements get both as parameters. Migrations, and the table of River's own jobs, are
// apart.
func TestStatesAreSetByTheDomain(t *testing.T) {
	t.Parallel()
	statements := 0
	eachSource(t, func(dir string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if name := assignedState(n); name != "" {
				t.Errorf("%s: %s is written to a field State: take it from a table of annotator/transitions.go", dir, name)
			}
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			sql, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			set, names := writesState(sql)
			if set {
				statements++
			}
			if names != "" {
				t.Errorf("%s: a statement writes a state by its name (%s): take it from a table of annotator/transitions.go", dir, names)
			}
			return true
		})
	})
	if statements < 10 {
		t.Errorf("only %d statements write states: does the test still find them?", statements)
	}
}

// A statement that writes a state by its name is found, however it does so, and none that only reads states.
func TestWritesState(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]struct{ set, names bool }{
		"UPDATE versions SET archived_at = now(), state = 'archived' WHERE id = $1":                      {true, true},
		"UPDATE jobs j SET state = CASE state WHEN 'queued' THEN 'running' ELSE state END WHERE id = $1": {true, true},
		"UPDATE jobs SET state =\n CASE WHEN $2 THEN 'failed' END FROM x":                                {true, true},
		"WITH a AS (UPDATE tasks t SET\n\tstate = 'open' RETURNING id) SELECT 1":                         {true, true},
		"INSERT INTO jobs (project_id, state, total) VALUES ($1, 'running', $2) RETURNING id":            {true, true},
		"INSERT INTO jobs (kind, state) SELECT $1, 'queued' FROM x":                                      {true, true},
		"INSERT INTO tasks (id, state) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET state = 'open'":    {true, true},
		"UPDATE jobs SET state = $2, message = 'x' WHERE state = 'running'":                              {true, false},
		"INSERT INTO jobs (project_id, state) VALUES ($1, $2)":                                           {true, false},
		"INSERT INTO tasks (id) SELECT id FROM edits WHERE state = 'draft'":                              {false, false},
		"SELECT CASE WHEN state = 'failed' THEN 1 END FROM jobs WHERE state IN ('queued', 'running')":    {false, false},
		"UPDATE river_job j SET state = 'discarded' WHERE x":                                             {false, false},
		"INSERT INTO river_job (state, attempt) SELECT 'available', 1":                                   {false, false},
		"UPDATE tasks SET label = 1 WHERE state = 'open'":                                                {false, false},
	} {
		if set, names := writesState(sql); set != want.set || (names != "") != want.names {
			t.Errorf("%s: sets a state: %v, by its name: %q", sql, set, names)
		}
	}
}

var (
	updates = regexp.MustCompile(`(?is)\bUPDATE\s+(?:(\w+)\s+(?:\w+\s+)?)?SET\b(.*?)(?:\bWHERE\b|\bFROM\b|\bRETURNING\b|$)`)
	setTo   = regexp.MustCompile(`(?is)\bstate\s*=\s*('[^']*'|CASE\b.*?\bEND\b)?`)
	inserts = regexp.MustCompile(`(?is)\bINSERT\s+INTO\s+(\w+)\s*\(([^)]*\bstate\b[^)]*)\)(.*?)(?:\bFROM\b|\bRETURNING\b|\bON CONFLICT\b|$)`)
	quoted  = regexp.MustCompile(`'[^']*'`)
	aState  = regexp.MustCompile(`^(Task|Edit|Label|Round|Version|Upload|Job)[A-Z]\w*$`)
)

// writesState reports whether a statement writes the column state of a table of ours, and, if it names the state, the words that do.
func writesState(sql string) (set bool, names string) {
	for _, update := range updates.FindAllStringSubmatch(sql, -1) {
		if to := setTo.FindStringSubmatch(update[2]); to != nil && update[1] != "river_job" {
			set, names = true, names+strings.Join(quoted.FindAllString(to[1], -1), "")
		}
	}
	for _, insert := range inserts.FindAllStringSubmatch(sql, -1) {
		if insert[1] == "river_job" {
			continue
		}
		set = true
		for _, word := range quoted.FindAllString(insert[3], -1) {
			if isState(strings.Trim(word, "'")) {
				names += word
			}
		}
	}
	return set, names
}

// assignedState is the constant that a node writes to a field State, "" if it writes none.
func assignedState(n ast.Node) string {
	field := func(e ast.Expr) bool {
		if selector, ok := e.(*ast.SelectorExpr); ok {
			e = selector.Sel
		}
		name, ok := e.(*ast.Ident)
		return ok && name.Name == "State"
	}
	named := func(e ast.Expr) string {
		if selector, ok := e.(*ast.SelectorExpr); ok {
			e = selector.Sel
		}
		if name, ok := e.(*ast.Ident); ok && aState.MatchString(name.Name) {
			return name.Name
		}
		return ""
	}
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if field(n.Key) {
			return named(n.Value)
		}
	case *ast.AssignStmt:
		for i, to := range n.Lhs {
			if field(to) && len(n.Rhs) == len(n.Lhs) {
				if name := named(n.Rhs[i]); name != "" {
					return name
				}
			}
		}
	}
	return ""
}

// isState reports whether a word is a state of some aggregate.
func isState(word string) bool {
	return slices.Contains(annotator.TaskStates, annotator.TaskState(word)) || slices.Contains(annotator.EditStates, annotator.EditState(word)) ||
		slices.Contains(annotator.RoundStates, annotator.RoundState(word)) || slices.Contains(annotator.VersionStates, annotator.VersionState(word)) ||
		slices.Contains(annotator.UploadStates, annotator.UploadState(word)) || slices.Contains(annotator.JobStates, annotator.JobState(word))
}

// literals are the strings that are spelled in a list or a table.
func literals(list *ast.CompositeLit) (all []string) {
	ast.Inspect(list, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if s, err := strconv.Unquote(literal.Value); err == nil {
				all = append(all, s)
			}
		}
		return true
	})
	return all
}

// spellsSetting reports a list or a table of all the words of a setting, spelled out or by their constants.
func spellsSetting(list *ast.CompositeLit) bool {
	spelled := literals(list)
	for _, f := range recipe.Fields {
		words := f.Words()
		if len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(spelled, w) }) {
			return true
		}
	}
	array, _ := list.Type.(*ast.ArrayType)
	if array == nil {
		return false
	}
	of, _ := array.Elt.(*ast.SelectorExpr)
	if of == nil {
		return false
	}
	from, _ := of.X.(*ast.Ident)
	// a list of strategies may be of others than a round has: training from scratch is one
	return from != nil && from.Name == "recipe" && slices.Contains([]string{"Engine", "BatchNorm", "MapLoss", "Schedule", "Optimizer", "Rates"}, of.Sel.Name)
}

// defaultsToAWord reports a flag's tag that spells a word of a setting as its default.
func defaultsToAWord(tag string) bool {
	tag, err := strconv.Unquote(tag)
	if err != nil {
		return false
	}
	usual, given := reflect.StructTag(tag).Lookup("default")
	return given && slices.ContainsFunc(recipe.Fields, func(f recipe.Field) bool {
		return slices.ContainsFunc(strings.Split(usual, ","), func(word string) bool { return slices.Contains(f.Words(), word) })
	})
}

// TestBoundsOfTextHaveOneHome finds bounds of what people write, and words of the domain, that a page or the API says once more:
// they stand in annotator/text_bound.go and beside the types, and are taken from there by the tag bound, by templates' bounded, and by
// the type of a field.
func TestBoundsOfTextHaveOneHome(t *testing.T) {
	t.Parallel()
	own := map[string]bool{ // said of nothing that the domain knows
		`query:"cursor" maxLength:"500"`: true,
		`query:"v" maxLength:"80"`:       true,
		`query:"since" maxLength:"40"`:   true,
		`query:"until" maxLength:"40"`:   true,
	}
	literal := regexp.MustCompile(`^.*(maxLength|minLength|enum):"[^"$]*"`)
	eachSource(t, func(dir string, file *ast.File) {
		if dir != "web" && dir != "annotator" && dir != "internal/attention" {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if field, ok := n.(*ast.Field); ok && field.Tag != nil {
				if said := literal.FindString(strings.Trim(field.Tag.Value, "`")); said != "" && !own[said] {
					t.Errorf("%s: a field has the tag %s: name it in bounds of web/api_bound.go", dir, said)
				}
			}
			return true
		})
	})
	for _, rule := range []struct {
		files, literal string
	}{
		{"templates/*.templ", `(max|min)length"?(=|: )"\d`},
		{"web/editor/src/*/*.ts", `maxlength"?: \d`},
		{"web/pages/*.ts", `maxlength"?: \d`},
		{"cmd/studio/*.go", `enum:"(annotator,reviewer,admin|train,validation,test,pool)`},
		{"annotator/*.go", `(Name|Comment|Reason|Description|name|comment|reason|description)\) > \d`},
	} {
		files, err := filepath.Glob(rule.files)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", rule.files, len(files), err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if said := regexp.MustCompile(rule.literal).Find(text); said != nil {
				t.Errorf("%s: %s says a bound or words that package annotator says", name, said)
			}
		}
	}
}

// receiver is the name of a method's type.
func receiver(f *ast.FuncDecl) string {
	typ := f.Recv.List[0].Type
	if pointer, ok := typ.(*ast.StarExpr); ok {
		typ = pointer.X
	}
	name, _ := typ.(*ast.Ident)
	if name == nil {
		return ""
	}
	return name.Name
}

// eachSource parses the Go files of the tree that are no tests.
func eachSource(t *testing.T, visit func(dir string, file *ast.File)) {
	t.Helper()
	set := token.NewFileSet()
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (name == "node_modules" || name == "testdata" || strings.HasPrefix(name, ".")):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(set, filepath.FromSlash(path), nil, parser.SkipObjectResolution)
		if err == nil {
			visit(filepath.ToSlash(filepath.Dir(path)), file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
