package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/ort"
)

// fenced is a block of a page between three backticks.
type fenced struct {
	language string
	lines    []string
}

// blocks are the fenced blocks of a page between two of its lines, which begin with these texts.
func blocks(t *testing.T, page, from, to string) (list []fenced) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(fixture.Root(), page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begun := strings.Cut(string(text), "\n"+from)
	part, _, ended := strings.Cut(rest, "\n"+to)
	if !begun || !ended {
		t.Fatalf("%s has no lines %q and %q", page, from, to)
	}
	for i, piece := range strings.Split(part, "```") {
		if i%2 == 1 {
			language, body, _ := strings.Cut(piece, "\n")
			list = append(list, fenced{language, strings.Split(strings.TrimRight(body, "\n"), "\n")})
		}
	}
	return list
}

// notRun are commands of the pages that this test leaves out, with the reason.
var notRun = map[string]string{
	"bin/studio serve &": "the other commands use the test's database, and other tests run servers",
	"bin/studio bench":   "it measures for minutes",
}

// reader runs the blocks of pages in order, as a reader would, in a folder of its own.
type reader struct {
	t              *testing.T
	folder, python string
	environment    []string
	before         string // what a page's Python takes for granted
	output         string // of the command before
	ran            []string
}

func (r *reader) run(name string, args ...string) string {
	r.t.Helper()
	command := exec.CommandContext(r.t.Context(), name, args...)
	command.Dir, command.Env = r.folder, append(os.Environ(), r.environment...)
	out, err := command.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", args[len(args)-1], err, out)
	}
	return strings.ReplaceAll(string(out), r.folder+string(filepath.Separator), "") // the pages leave out where files are
}

// label is what a line of output begins with, before its values.
var label = regexp.MustCompile(`^\S+( \S+)*`)

func (r *reader) read(b fenced) {
	r.t.Helper()
	switch b.language {
	case "python":
		r.run(r.python, "-c", r.before+strings.Join(b.lines, "\n"))
		return
	case "json": // the manifest that stands beside the network
		var m map[string]any
		if err := json.Unmarshal([]byte(strings.Join(b.lines, "\n")), &m); err != nil {
			r.t.Fatal(err)
		}
		m["classes"] = []string{"class0", "class1", "class2"}
		text, err := json.Marshal(m)
		if err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.folder, "abn.json"), text, 0o600); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	for _, line := range b.lines {
		command, _, _ := strings.Cut(strings.TrimPrefix(line, "$ "), "  #")
		command = strings.TrimSpace(command)
		switch {
		case strings.HasPrefix(command, "bin/studio"):
			if r.ran = append(r.ran, command); notRun[command] == "" {
				r.output = r.run("bash", "-c", command) + r.output
			}
		case command != "…":
			if want := label.FindString(command); !slices.ContainsFunc(strings.Split(r.output, "\n"), func(said string) bool { return strings.HasPrefix(said, want) }) {
				r.t.Errorf("the page shows %q, which no command before it printed:\n%s", command, r.output)
			}
		}
	}
}

// TestCommandsOfThePages runs what README.md and docs/from-pytorch.md tell a reader to run, with the installed PyTorch and a small network, and
// looks whether what they show is printed. Figures at full size are measured by hand.
func TestCommandsOfThePages(t *testing.T) {
	t.Parallel()
	python := os.Getenv("STUDIO_PYTHON")
	if python == "" {
		t.Skip("set STUDIO_PYTHON to a Python that has torch, onnx, onnxscript and safetensors to run the commands of the pages")
	}
	if err := ort.Init(""); err != nil {
		t.Fatal(err)
	}
	library, err := ort.Library()
	if err != nil {
		t.Fatal(err)
	}
	at := onSharedDatabase(t)
	images, _ := writePatches(t)
	r := &reader{t: t, folder: t.TempDir(), python: python,
		environment: []string{"STUDIO_ORT_LIB=" + library, "DATABASE_URL=" + at.DatabaseURL, "STUDIO_DATA=" + at.DataDir, "STUDIO_BLOBS="},
		before:      fmt.Sprintf("import sys, torch\nsys.path.insert(0, %q)\nfrom torch_home import network\nmodel = network('plain')\nx = torch.rand(4, 3, 224, 224)\n", torchHome())}
	if err := os.MkdirAll(filepath.Join(r.folder, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	program := fmt.Sprintf("#!/bin/sh\n%s=1 exec %q \"$@\"\n", asProgram, os.Args[0])
	if err := os.WriteFile(filepath.Join(r.folder, "bin", "studio"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(images, filepath.Join(r.folder, "photos")); err != nil {
		t.Fatal(err)
	}
	for c := range 3 {
		m := attention.New(28, 28)
		for k := range m.Values {
			m.Values[k] = float32(k%28) / 28
		}
		writeNPY(t, filepath.Join(r.folder, "maps", fmt.Sprintf("train%d-%d.npy", c, c)), m)
	}
	for _, b := range blocks(t, "README.md", "## Bring your own network", "No ABN yet?") {
		r.read(b)
	}
	pages := blocks(t, filepath.Join("docs", "from-pytorch.md"), "## Out of PyTorch", "## Full size")
	for _, b := range pages {
		r.read(b)
	}
	for command := range notRun {
		if !slices.Contains(r.ran, command) {
			t.Errorf("no page has the command %q, which is left out", command)
		}
	}
	if len(r.ran) < 14 {
		t.Errorf("%d commands were found: %q", len(r.ran), r.ran)
	}
	last := pages[len(pages)-1] // loads the weights
	if last.language != "python" || !strings.Contains(strings.Join(last.lines, "\n"), "load_state_dict") {
		t.Fatalf("the page ends with %q", last.lines)
	}
	r.run(python, "-c", r.before+strings.Join(last.lines, "\n")+"\nimport numpy\nwith torch.no_grad(): o = model(x)\n"+
		"numpy.savez('home.npz', input=x.numpy(), out_att=o[0].numpy(), out_per=o[1].numpy(), out_map=o[2].numpy())")
	r.run("bash", "-c", "bin/studio model compare --model better.onnx --reference home.npz --tolerance 1e-5")
}
