package takeout

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// put writes a file below a folder of the test's own.
func put(t *testing.T, name string, raw []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, raw, 0o600))
	return path
}

// What is exported, brought into another project and exported again is equal to the bit, with author, state and times where the format
// has them.
func TestMapsComeBackEqual(t *testing.T) {
	t.Parallel()
	p := newPainted(t)
	for _, format := range []string{"npz", "npy", "png16", "jsonl"} {
		f := annotator.ExportFilter{}
		if format == "jsonl" {
			f.States = []string{"draft", "submitted", "approved", "rejected"}
		}
		raw, n := p.write(t, Request{What: annotator.ExportMaps, Format: format, Filter: f})
		other, _, _ := p.AnotherProject(t, "back-"+format)
		suffix := map[string]string{"npz": ".npz", "npy": ".zip", "png16": ".zip", "jsonl": ".jsonl"}[format]
		in := Import{Project: other.Slug, Path: put(t, "maps"+suffix, raw), Choices: annotator.BringChoices{State: annotator.EditApproved}}
		if format != "jsonl" {
			in.Choices.Author = "Ada"
		}
		look := in
		look.Choices.Look = true
		looked, err := Read(t.Context(), p.service, p.Admin, look)
		must(t, err)
		if kept := len(unfiltered(t, p, other.Slug)); looked.Added != n || kept != 0 {
			t.Errorf("%s: looking counts %d of %d maps, and adds %d", format, looked.Added, n, kept)
		}
		report, err := Read(t.Context(), p.service, p.Admin, in)
		must(t, err)
		if report.Added != n || report.Maps != n || report.Same+report.Kept+report.Unknown > 0 {
			t.Errorf("%s: %+v of %d maps", format, report, n)
		}
		var back bytes.Buffer
		_, err = Write(t.Context(), p.service, p.Ada, Request{Project: other.Slug, What: annotator.ExportMaps, Format: format, Filter: f}, &back)
		must(t, err)
		if format == "jsonl" {
			if got, want := without(t, back.Bytes()), without(t, raw); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		} else if !bytes.Equal(back.Bytes(), raw) {
			t.Errorf("%s: another file came out", format)
		}
		again, err := Read(t.Context(), p.service, p.Admin, in)
		must(t, err)
		if again.Added != 0 || again.Same != n {
			t.Errorf("%s, once more: %+v", format, again)
		}
	}
}

func unfiltered(t *testing.T, p *painted, slug string) (all []annotator.ExportedMap) {
	for m, err := range p.service.ExportMaps(t.Context(), p.Ada, slug, annotator.ExportFilter{States: []string{"draft", "submitted", "approved", "rejected"}, Revisions: true}) {
		must(t, err)
		all = append(all, m)
	}
	return all
}

// without leaves out of exported lines what another project has other values of: ids, and what the task went through afterwards.
func without(t *testing.T, raw []byte) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(string(raw)) {
		var m map[string]json.RawMessage
		must(t, json.Unmarshal([]byte(line), &m))
		for _, field := range []string{"image_id", "task_id", "edit_id", "program", "task_state", "confidence", "handed_by", "why"} {
			delete(m, field)
		}
		rest, err := json.Marshal(m)
		must(t, err)
		out.Write(append(rest, '\n'))
	}
	return out.String()
}

func TestBroughtMapsGoTheirWay(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	service := serviceOf(w)
	line := func(i int, state string) string {
		return fmt.Sprintf(`{"image":"train/%d.png","h":2,"w":3,"values":[0,0.25,0.5,0.75,1,%d],"author":"Zoë","state":%q,"reviewer":"Paul"}`+"\n", i, i%2, state)
	}
	file := put(t, "maps.jsonl", []byte(line(0, "draft")+line(1, "submitted")+line(2, "approved")+line(3, "rejected")+line(4, "taken-back")))
	_, err := Read(t.Context(), service, w.Admin, Import{Project: "birds", Path: file})
	must(t, err)
	states := map[string]annotator.TaskState{}
	page, err := w.Service.Tasks(t.Context(), w.Ada, annotator.TaskFilter{Project: "birds"})
	must(t, err)
	for _, task := range page.Tasks {
		states[task.Image.Name] = task.State
	}
	for name, want := range map[string]annotator.TaskState{"train/0.png": "open", "train/1.png": "submitted", "train/2.png": "approved", "train/3.png": "open", "train/4.png": "open"} {
		if states[name] != want {
			t.Errorf("%s is %s, want %s", name, states[name], want)
		}
	}
	// A person judges what waits; another goes on from the draft.
	next, err := w.Service.NextReview(t.Context(), w.Reviewer, "birds", 0)
	must(t, err)
	if next.Edit.Author != "Zoë" {
		t.Errorf("in review is a map of %s", next.Edit.Author)
	}
	_, err = w.Service.Review(t.Context(), w.Reviewer, next.Edit.ID, annotator.VerdictApprove, "")
	must(t, err)
	for range 8 {
		task, err := w.Service.NextTask(t.Context(), w.Ada, annotator.TaskFilter{Project: "birds"})
		must(t, err)
		if task.Image.Name == "train/0.png" {
			if task.Edit == nil || task.Edit.Author != "Zoë" || task.Edit.Map.Values[1] != 0.25 {
				t.Errorf("the painter begins with %+v", task.Edit)
			}
			break
		}
		err = w.Service.Skip(t.Context(), w.Ada, task.ID, "not this")
		must(t, err)
	}
	// What somebody has worked on is kept.
	report, err := Read(t.Context(), service, w.Admin, Import{Project: "birds", Path: put(t, "others.jsonl", []byte(line(3, "draft")+line(5, "approved")))})
	must(t, err)
	if report.Kept == 0 || len(report.Names) != report.Kept {
		t.Errorf("%+v", report)
	}
	entries, err := w.Service.Audit(t.Context(), w.Admin, "birds", 0)
	must(t, err)
	found := false
	for _, e := range entries {
		found = found || e.Action == "edit.import" && e.Actor == "Grace" && strings.Contains(e.Detail, "5 maps from") && strings.HasSuffix(e.Detail, "maps.jsonl")
	}
	if !found {
		t.Errorf("the trail has no line of the import: %+v", entries)
	}
}

func TestMapsRefused(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	service := serviceOf(w)
	good := `{"image":"train/0.png","h":2,"w":3,"values":[0,0.25,0.5,0.75,1,0],"author":"Zoë"}`
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	entry, err := z.Create("train/0.png.npy")
	must(t, err)
	_, err = entry.Write([]byte("no array"))
	must(t, errors.Join(err, z.Close()))
	for name, c := range map[string]struct{ file, content, says string }{
		"not on the grid":     {"a.jsonl", `{"image":"train/0.png","h":1,"w":2,"values":[0,1],"author":"Zoë"}`, "a.jsonl, line 1 (train/0.png): attention map is on the wrong grid: it has 1×2 cells, the maps of v1 have 2×3: resample it"},
		"too few values":      {"a.jsonl", good + "\n" + `{"image":"train/1.png","h":2,"w":3,"values":[0,1],"author":"Zoë"}`, "line 2: train/1.png: attention map is on the wrong grid: 2 values for 2×3"},
		"beyond the range":    {"a.jsonl", strings.Replace(good, "0.75", "1.75", 1), "row 1, column 0 is 1.75"},
		"no number":           {"a.jsonl", strings.Replace(good, "0.75", "NaN", 1), "line 1: invalid character 'N'"},
		"no such image":       {"a.jsonl", good + "\n" + strings.Replace(good, "train/0.png", "train/99.png", 1), "1 of 2 maps cannot be added, the first: a.jsonl, line 2 (train/99.png): the project has no image of this name. Name each after its image"},
		"another source":      {"a.jsonl", strings.Replace(good, `{`, `{"source":"zoo",`, 1), "no image of this name"},
		"twice":               {"a.jsonl", good + "\n" + good, "has a map in line 1 already"},
		"by nobody":           {"a.jsonl", strings.Replace(good, `,"author":"Zoë"`, "", 1), "do not say by whom"},
		"judged by its maker": {"a.jsonl", strings.Replace(good, `"author"`, `"state":"approved","reviewer":"Zoë","author"`, 1), "nobody judges their own"},
		"no such state":       {"a.jsonl", strings.Replace(good, `"author"`, `"state":"done","author"`, 1), "is draft, submitted, approved or rejected"},
		"no line":             {"a.jsonl", "", "has no map"},
		"not UTF-8":           {"a.jsonl", strings.Replace(good, "ë", "\xeb", 1), "line 1: not UTF-8"},
		"no name":             {"a.jsonl", strings.Replace(good, "image", "picture", 1), `no "image"`},
		"a broken array":      {"a.npz", archive.String(), "a.npz:train/0.png.npy"},
		"a broken archive":    {"a.npz", archive.String()[:40], "reading maps a.npz"},
		"something else":      {"a.txt", "hello", "ends in one of .npz, .zip, .jsonl"},
	} {
		_, err := Read(t.Context(), service, w.Admin, Import{Project: "birds", Path: put(t, c.file, []byte(c.content)), Name: c.file, Choices: annotator.BringChoices{}})
		var invalid *annotator.ValidationError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want one that says %q", name, err, c.says)
		}
	}
	file := put(t, "a.jsonl", []byte(good+"\n"+strings.Replace(good, "train/0.png", "train/99.png", 1)))
	if _, err := Read(t.Context(), service, w.Reviewer, Import{Project: "birds", Path: file}); !errors.Is(err, annotator.ErrForbidden) {
		t.Errorf("a reviewer: %v", err)
	}
	n, err := service.CountExport(t.Context(), w.Ada, "birds", annotator.ExportMaps, annotator.ExportFilter{States: []string{"draft", "submitted", "approved", "rejected"}})
	must(t, err)
	if n != 0 {
		t.Errorf("refused files left %d maps", n)
	}
	report, err := Read(t.Context(), service, w.Admin, Import{Project: "birds", Path: file, SkipUnknown: true})
	must(t, err)
	if report.Added != 1 || report.Unknown != 1 || !strings.Contains(report.UnknownNames[0], "line 2") {
		t.Errorf("%+v", report)
	}
	one := put(t, "0.npy", npyOf(t, pgtest.Map(0.5)))
	if _, err := Read(t.Context(), service, w.Admin, Import{Project: "birds", Path: one, Choices: annotator.BringChoices{Author: "Zoë"}}); err == nil || !strings.Contains(err.Error(), "name it by the path") {
		t.Errorf("a name that fits three images: %v", err)
	}
}

func npyOf(t *testing.T, m attention.Map) []byte {
	t.Helper()
	var out bytes.Buffer
	z := newGrids(Format{Key: "npz"}, &out, "", func(m attention.Map) (annotator.ExportedImage, attention.Map) {
		return annotator.ExportedImage{Image: "a", Source: "main"}, m
	})
	must(t, errors.Join(z.write(m), z.finish()))
	return unzip(t, out.Bytes())["a.npy"]
}
