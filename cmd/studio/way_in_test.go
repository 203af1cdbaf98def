package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/trainer/architecture"
)

// ofTheStore are the store's methods that commands may call: those that read, and those for the parts of a running studio. All changes go
// through annotator.Service, which checks roles and writes the trail; but for GrowProject, whose million images would have as many lines, and ClaimRound, by
// which the same command takes a worker's place.
var ofTheStore = []string{"ActiveVersion", "BlobUses", "CheckSchema", "ClaimRound", "Close", "GrowProject", "Health", "Images", "Ping", "Pool", "Predictions", "ReferencedBlobs", "Running", "Sessions", "UserByEmail", "Writable"}

func TestCommandsChangeNothingPastTheService(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			outer, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if inner, ok := outer.X.(*ast.SelectorExpr); ok && inner.Sel.Name == "Store" {
				asked[outer.Sel.Name] = true
				if !slices.Contains(ofTheStore, outer.Sel.Name) {
					t.Errorf("%s: Store.%s goes around annotator.Service", fset.Position(n.Pos()), outer.Sel.Name)
				}
			}
			return true
		})
	}
	if len(asked) == 0 {
		t.Error("no command has a store: what does this test look at?")
	}
}

// tinyModel writes a small network for the fourteen birds, with its manifest, and returns its path.
func tinyModel(t *testing.T, classes []string) string {
	t.Helper()
	tiny, err := architecture.Named("tiny")
	if err != nil {
		t.Fatal(err)
	}
	model, err := tiny.Build(len(classes), 1)
	if err != nil {
		t.Fatal(err)
	}
	data, err := model.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tiny.onnx")
	if err := writeTrained(path, data, manifest.Manifest{Crop: [2]int{112, 112}, Interpolation: "bilinear", Channels: "RGB",
		Mean: []float32{0.5, 0.5, 0.5}, Std: []float32{0.25, 0.25, 0.25}, Classes: classes}); err != nil {
		t.Fatal(err)
	}
	return path
}

// trail returns a project's trail as lines, oldest first.
func trail(t *testing.T, service *annotator.Service, slug string) (lines []string) {
	t.Helper()
	entries, err := service.Audit(t.Context(), annotator.System, slug, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range slices.Backward(entries) {
		lines = append(lines, e.Actor+": "+e.Action)
	}
	return lines
}

// holdInserts makes every insert into a table wait until release is called.
func holdInserts(t *testing.T, s *storage, table string) (release func()) {
	t.Helper()
	db, err := s.Store.Pool().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run := func(sql string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	run(`CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(9); RETURN NEW; END $$`)
	run(`CREATE TRIGGER hold BEFORE INSERT ON ` + table + ` FOR EACH ROW EXECUTE FUNCTION hold()`)
	run(`SELECT pg_advisory_lock(9)`)
	return func() {
		run(`SELECT pg_advisory_unlock(9)`)
		db.Release()
	}
}

// waitsForInsert returns once p waits in such an insert.
func waitsForInsert(t *testing.T, s *storage, p *process) {
	t.Helper()
	waiting := 0
	eventually(t, "the command comes to what is held", func() bool {
		select {
		case _, open := <-p.lines:
			if !open {
				t.Fatalf("it ended:\n%s", p.log())
			}
		default:
		}
		if err := s.Store.Pool().QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		return waiting > 0
	})
}

// A command that adds a model is killed between the version and its scan. Neither is stored, and the same command then adds both. The
// trail has what the commands did.
func TestModelAddKilledHalfway(t *testing.T) {
	t.Parallel()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	at := onSharedDatabase(t)
	flags := []string{"--database", at.DatabaseURL, "--data", at.DataDir}
	s, err := at.open(t.Context(), discard(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	service := s.service(discard())
	classes := []string{"jay", "wren"}
	pictures := t.TempDir()
	for i, c := range classes {
		drawPicture(t, filepath.Join(pictures, "train", c, "one.png"), uint8(80*i))
	}
	for _, args := range [][]string{{"project", "create", "birds"}, {"import", "folder", pictures, "--project", "birds"}} {
		if err := launch(t, append(args, flags...)...).ended(); err != nil {
			t.Fatalf("studio %s: %v", strings.Join(args, " "), err)
		}
	}
	release := holdInserts(t, s, "jobs") // adding a scan waits for the test
	add := append([]string{"model", "add", tinyModel(t, classes), "--project", "birds"}, flags...)
	doomed := launch(t, add...)
	waitsForInsert(t, s, doomed)
	doomed.kill(t)
	_ = doomed.ended()
	release()
	before := []string{"command line: project.create", "command line: image.import"}
	versions, err := service.Versions(t.Context(), annotator.System, "birds")
	if lines := trail(t, service, "birds"); err != nil || len(versions) != 0 || !slices.Equal(lines, before) {
		t.Errorf("after the kill: %d versions, %v; the trail %q", len(versions), err, lines)
	}
	if err := launch(t, add...).ended(); err != nil {
		t.Fatalf("studio model add, again: %v", err)
	}
	versions, err = service.Versions(t.Context(), annotator.System, "birds")
	if err != nil || len(versions) != 1 || versions[0].State != annotator.VersionActive {
		t.Errorf("versions %+v, %v", versions, err)
	}
	want := slices.Concat(before, []string{"command line: version.add", "command line: version.activate", "command line: version.scan"})
	if lines := trail(t, service, "birds"); !slices.Equal(lines, want) {
		t.Errorf("the trail %q, want %q", lines, want)
	}
}

// The demo's project is made like any other: its changes are in the trail, and its one progress does not fall.
func TestDemoIsInTheTrail(t *testing.T) {
	t.Parallel()
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	at := onSharedDatabase(t)
	s, err := at.open(t.Context(), discard(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := &aviaryProject{storage: s, flags: []string{"--database", at.DatabaseURL, "--data", at.DataDir}}
	worker := p.worker(t)
	options := aviary.DefaultOptions()
	options.Train, options.Validation, options.Test, options.Pool = 2, 4, 4, 0
	var last progress.Progress
	meter := progress.NewMeter(func(p progress.Progress) {
		if p.Share < last.Share || slices.Index(p.Stages, p.Stage) < slices.Index(p.Stages, last.Stage) {
			t.Errorf("from %s to %s", last, p)
		}
		last = p
	})
	meter.Plan(demoPlan(options)...)
	d := &demo{storage: s, service: s.service(discard()), options: options, edits: 3, meter: meter}
	for range 2 { // a second start finds everything done
		if err := d.prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop(t, worker)
	if last.Share != 1 {
		t.Errorf("it ended at %s", last)
	}
	want := []string{"command line: project.create", "command line: version.add", "command line: version.activate", "command line: image.import", "command line: version.scan", "command line: edit.generate"}
	if lines := trail(t, d.service, demoSlug); !slices.Equal(lines, want) {
		t.Errorf("the trail %q, want %q", lines, want)
	}
}

func drawPicture(t *testing.T, path string, grey uint8) {
	t.Helper()
	var out bytes.Buffer
	img := image.NewGray(image.Rect(0, 0, 16, 16))
	for i := range img.Pix {
		img.Pix[i] = grey + uint8(i)
	}
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
