package takeout

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
	"github.com/abn-studio/studio/internal/text"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// painted is the world of pgtest with maps: approved ones of four images, a rejected one, a submitted one and a draft.
type painted struct {
	*pgtest.World
	service *annotator.Service
	maps    map[string]attention.Map // the approved ones, by the image's name
}

func newPainted(t testing.TB) *painted {
	t.Helper()
	p := &painted{World: pgtest.NewWorld(t), maps: map[string]attention.Map{}}
	p.service = serviceOf(p.World)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 7 {
		p.Clock.Add(time.Minute)
		painter := p.Ada
		if i == 6 {
			painter = p.Bob
		}
		task, err := p.Service.NextTask(t.Context(), painter, annotator.TaskFilter{Project: p.Project.Slug})
		must(t, err)
		m := attention.New(2, 3)
		for j := range m.Values {
			m.Values[j] = random.Float32()
		}
		m.Values[0], m.Values[1] = 0, 1
		if i%2 == 0 {
			m.Marks = "..?x.x"
		}
		edit, err := p.Service.SaveDraft(t.Context(), painter, task.ID, annotator.Draft{Source: annotator.SourcePainted, Map: m, Provenance: json.RawMessage(fmt.Sprintf(`{"strokes":%d,"note":"<é>"}`, i))})
		must(t, err)
		if i == 6 {
			break
		}
		_, err = p.Service.Submit(t.Context(), p.Ada, task.ID, 1)
		must(t, err)
		switch {
		case i < 4:
			_, err = p.Service.Review(t.Context(), p.Reviewer, edit.ID, annotator.VerdictApprove, fmt.Sprintf("good, \"%d\"\nindeed", i))
			p.maps[task.Image.Name] = m
		case i == 5:
			_, err = p.Service.Review(t.Context(), p.Reviewer, edit.ID, annotator.VerdictReject, "no")
		}
		must(t, err)
	}
	return p
}

// serviceOf is the world's service with pictures, which tell where maps lie.
func serviceOf(w *pgtest.World) *annotator.Service {
	return annotator.NewService(annotator.ServiceConfig{Store: w.Store, Clock: w.Clock.Now, Pictures: inference.NewPictures(nil, "", 0, slog.New(slog.DiscardHandler))})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *painted) write(t testing.TB, r Request) ([]byte, int) {
	t.Helper()
	var out bytes.Buffer
	r.Project = p.Project.Slug
	n, err := Write(t.Context(), p.service, p.Ada, r, &out)
	must(t, err)
	return out.Bytes(), n
}

// exportedMaps are the records that all formats of maps are made of.
func (p *painted) exportedMaps(t testing.TB, f annotator.ExportFilter) (all []annotator.ExportedMap) {
	t.Helper()
	for m, err := range p.service.ExportMaps(t.Context(), p.Ada, p.Project.Slug, f) {
		must(t, err)
		all = append(all, m)
	}
	return all
}

func TestMapsByFormat(t *testing.T) {
	t.Parallel()
	p := newPainted(t)
	want := p.exportedMaps(t, annotator.ExportFilter{})
	if len(want) != 4 {
		t.Fatalf("%d approved maps, want 4", len(want))
	}
	for _, m := range want {
		if got := m.Edited(); !got.Equal(p.maps[m.Image]) {
			t.Errorf("%s: %v, want %v", m.Image, got, p.maps[m.Image])
		}
		if m.Author != "Ada" || m.Reviewer != "Rose" || m.State != "approved" || m.Version != 1 || m.ModelSHA256 != p.Version.ModelHash || m.Made != "painted" || m.Source != "main" ||
			m.SubmittedAt == nil || m.ReviewedAt == nil || m.Width != 64 || m.Height != 48 || m.Class == "" || m.Class == m.Predicted {
			t.Errorf("record %+v", m)
		}
	}
	t.Run("jsonl", func(t *testing.T) {
		raw, n := p.write(t, Request{What: annotator.ExportMaps, Format: "jsonl"})
		var got []annotator.ExportedMap
		for lines := json.NewDecoder(bytes.NewReader(raw)); ; {
			var m annotator.ExportedMap
			err := lines.Decode(&m)
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
			got = append(got, m)
		}
		same(t, got, want)
		if n != 4 {
			t.Errorf("%d records", n)
		}
	})
	t.Run("parquet", func(t *testing.T) {
		raw, _ := p.write(t, Request{What: annotator.ExportMaps, Format: "parquet"})
		got, err := parquet.Read[annotator.ExportedMap](bytes.NewReader(raw), int64(len(raw)))
		must(t, err)
		same(t, got, want)
	})
	t.Run("csv", func(t *testing.T) {
		raw, _ := p.write(t, Request{What: annotator.ExportMaps, Format: "csv"})
		rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
		must(t, err)
		column := func(name string) int { return slices.Index(rows[0], name) }
		for i, m := range want {
			var values []float32
			must(t, json.Unmarshal([]byte(rows[i+1][column("values")]), &values))
			if !slices.Equal(values, m.Values) || rows[i+1][column("image")] != m.Image || rows[i+1][column("comment")] != m.Comment || rows[i+1][column("author")] != "Ada" {
				t.Errorf("row %v", rows[i+1])
			}
		}
	})
	t.Run("png", func(t *testing.T) {
		for format, levels := range map[string]float64{"png8": 255, "png16": 65535} {
			raw, _ := p.write(t, Request{What: annotator.ExportMaps, Format: format})
			files := unzip(t, raw)
			if len(files) != 7 || !strings.Contains(string(files["about.json"]), fmt.Sprintf("pixel / %d", int(levels))) {
				t.Errorf("%s: %d files, about %s", format, len(files), files["about.json"])
			}
			for name, m := range p.maps {
				if marks, err := png.DecodeConfig(bytes.NewReader(files[name+".marks.png"])); (m.Marks != "") != (err == nil) || m.Marks != "" && marks.Width != 3 {
					t.Errorf("%s of %s: marks %q, and a picture %v (%v)", format, name, m.Marks, marks, err)
				}
				picture, err := png.Decode(bytes.NewReader(files[name+".png"]))
				must(t, err)
				for i, v := range m.Values {
					r, g, _, _ := picture.At(i%3, i/3).RGBA()
					if got := float64(r) / 65535; r != g || got < float64(v)-0.5001/levels || got > float64(v)+0.5001/levels {
						t.Errorf("%s of %s: cell %d is %v, want %v", format, name, i, got, v)
					}
				}
			}
		}
	})
}

func same(t *testing.T, got, want []annotator.ExportedMap) {
	t.Helper()
	text := func(all []annotator.ExportedMap) string {
		raw, err := json.Marshal(all)
		must(t, err)
		return string(raw)
	}
	for i := range got {
		utcOf(&got[i])
	}
	for i := range want {
		utcOf(&want[i])
	}
	if text(got) != text(want) {
		t.Errorf("got  %s\nwant %s", text(got), text(want))
	}
}

func utcOf(m *annotator.ExportedMap) {
	m.CreatedAt = m.CreatedAt.UTC()
	for _, at := range []*time.Time{m.SubmittedAt, m.ReviewedAt} {
		if at != nil {
			*at = at.UTC()
		}
	}
}

func unzip(t *testing.T, raw []byte) map[string][]byte {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	must(t, err)
	files := map[string][]byte{}
	for _, entry := range archive.File {
		f, err := entry.Open()
		must(t, err)
		files[entry.Name], err = io.ReadAll(f)
		must(t, err)
	}
	return files
}

func TestFoldersHoldWhatArchivesHold(t *testing.T) {
	t.Parallel()
	p := newPainted(t)
	raw, _ := p.write(t, Request{What: annotator.ExportMaps, Format: "npy"})
	dir := filepath.Join(t.TempDir(), "maps")
	n, err := WriteFolder(t.Context(), p.service, p.Ada, Request{Project: p.Project.Slug, What: annotator.ExportMaps, Format: "npy"}, dir)
	must(t, err)
	files := unzip(t, raw)
	if n != 4 || len(files) != 6 { // two of them have marks
		t.Fatalf("%d maps, %d files", n, len(files))
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	p := newPainted(t)
	count := func(kind annotator.ExportKind, f annotator.ExportFilter) int {
		t.Helper()
		n, err := p.service.CountExport(t.Context(), p.Ada, p.Project.Slug, kind, f)
		must(t, err)
		_, written := p.write(t, Request{What: kind, Format: "csv", Filter: f})
		if written != n {
			t.Errorf("%s %+v: %d counted, %d written", kind, f, n, written)
		}
		return n
	}
	all := []string{"draft", "submitted", "approved", "rejected"}
	since := p.exportedMaps(t, annotator.ExportFilter{})[0].CreatedAt
	for name, c := range map[string]struct {
		kind annotator.ExportKind
		f    annotator.ExportFilter
		want func(int) bool
	}{
		"approved":      {annotator.ExportMaps, annotator.ExportFilter{}, is(4)},
		"all states":    {annotator.ExportMaps, annotator.ExportFilter{States: all}, is(7)},
		"rejected":      {annotator.ExportMaps, annotator.ExportFilter{States: []string{"rejected"}}, is(1)},
		"by Ada":        {annotator.ExportMaps, annotator.ExportFilter{Author: "ada@EXAMPLE.org"}, is(4)},
		"by Bob":        {annotator.ExportMaps, annotator.ExportFilter{Author: "Bob"}, is(0)},
		"train":         {annotator.ExportMaps, annotator.ExportFilter{States: all, Splits: []annotator.Split{"train"}}, is(5, 6)},
		"test":          {annotator.ExportMaps, annotator.ExportFilter{States: all, Splits: []annotator.Split{"test"}}, is(0)},
		"class":         {annotator.ExportMaps, annotator.ExportFilter{States: all, Class: "Zero"}, is(2, 3)},
		"version":       {annotator.ExportMaps, annotator.ExportFilter{Version: 1}, is(4)},
		"round":         {annotator.ExportMaps, annotator.ExportFilter{Round: 1}, is(0)},
		"before all":    {annotator.ExportMaps, annotator.ExportFilter{States: all, Until: since.Add(-24 * time.Hour)}, is(0)},
		"since":         {annotator.ExportMaps, annotator.ExportFilter{States: all, Since: since.Add(-24 * time.Hour)}, is(7)},
		"named":         {annotator.ExportMaps, annotator.ExportFilter{States: all, Search: "pool/"}, is(1, 2)},
		"predictions":   {annotator.ExportPredictions, annotator.ExportFilter{}, is(12)},
		"of test":       {annotator.ExportPredictions, annotator.ExportFilter{Splits: []annotator.Split{"test"}}, is(4)},
		"reviews":       {annotator.ExportReviews, annotator.ExportFilter{}, is(5)},
		"rejections":    {annotator.ExportReviews, annotator.ExportFilter{States: []string{"rejected"}}, is(1)},
		"tasks":         {annotator.ExportTasks, annotator.ExportFilter{}, is(8)},
		"open tasks":    {annotator.ExportTasks, annotator.ExportFilter{States: []string{"open"}}, is(1)},
		"Ada's tasks":   {annotator.ExportTasks, annotator.ExportFilter{Author: "Ada"}, is(6)},
		"trail":         {annotator.ExportAudit, annotator.ExportFilter{Author: "Rose"}, is(5)},
		"trail of none": {annotator.ExportAudit, annotator.ExportFilter{Until: since.Add(-24 * time.Hour)}, is(0)},
	} {
		if n := count(c.kind, c.f); !c.want(n) {
			t.Errorf("%s: %d", name, n)
		}
	}
	for name, r := range map[string]struct {
		Request
		field string
	}{
		"no such kind":              {Request{What: "edits", Format: "jsonl"}, "what"},
		"no such format":            {Request{What: annotator.ExportMaps, Format: "xlsx"}, "format"},
		"reviews as arrays":         {Request{What: annotator.ExportReviews, Format: "npz"}, "format"},
		"a state of tasks":          {Request{What: annotator.ExportMaps, Format: "jsonl", Filter: annotator.ExportFilter{States: []string{"open"}}}, "state"},
		"a split of the trail":      {Request{What: annotator.ExportAudit, Format: "jsonl", Filter: annotator.ExportFilter{Splits: []annotator.Split{"test"}}}, "split"},
		"no such split":             {Request{What: annotator.ExportMaps, Format: "jsonl", Filter: annotator.ExportFilter{Splits: []annotator.Split{"dev"}}}, "split"},
		"no such class":             {Request{What: annotator.ExportMaps, Format: "jsonl", Filter: annotator.ExportFilter{Class: "emu"}}, "class"},
		"no such version":           {Request{What: annotator.ExportMaps, Format: "jsonl", Filter: annotator.ExportFilter{Version: 7}}, "version"},
		"nothing in between":        {Request{What: annotator.ExportMaps, Format: "jsonl", Filter: annotator.ExportFilter{Since: since, Until: since}}, "until"},
		"revisions as arrays":       {Request{What: annotator.ExportMaps, Format: "npz", Filter: annotator.ExportFilter{Revisions: true}}, "revisions"},
		"a threshold of all values": {Request{What: annotator.ExportMaps, Format: "npz", Threshold: 0.5}, "threshold"},
		"a threshold beyond":        {Request{What: annotator.ExportMaps, Format: "coco", Threshold: 1.5}, "threshold"},
	} {
		r.Project = p.Project.Slug
		var invalid *annotator.ValidationError
		if _, err := Write(t.Context(), p.service, p.Ada, r.Request, io.Discard); !errors.As(err, &invalid) || invalid.Field != r.field {
			t.Errorf("%s: %v, want one about %s", name, err, r.field)
		}
	}
	if _, err := Write(t.Context(), p.service, annotator.User{}, Request{Project: "birds", What: annotator.ExportMaps, Format: "csv"}, io.Discard); !errors.Is(err, annotator.ErrUnauthorized) {
		t.Errorf("nobody: %v", err)
	}
}

func is(all ...int) func(int) bool { return func(n int) bool { return slices.Contains(all, n) } }

// Pages follow each other without gaps, also where maps are so large that a page has few.
func TestPagesFollowEachOther(t *testing.T) {
	t.Parallel()
	p := newPainted(t)
	var ids []int64
	for after := int64(0); ; {
		page, err := p.Store.ExportMaps(t.Context(), p.Project.ID, annotator.ExportFilter{States: []string{"approved", "submitted"}, Revisions: true}, after, 2)
		must(t, err)
		for _, m := range page {
			ids = append(ids, m.EditID)
		}
		if len(page) < 2 {
			break
		}
		after = page[1].EditID
	}
	if len(ids) != 5 || !slices.IsSorted(ids) {
		t.Errorf("edits %v", ids)
	}
}

func TestParseDate(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]time.Time{"": {}, "2026-11-28": time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC), "2026-11-28T15:04:05Z": time.Date(2026, 11, 28, 15, 4, 5, 0, time.UTC)} {
		if got, err := ParseDate(typed); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", typed, got, err)
		}
	}
	if _, err := ParseDate("28/11/2026"); err == nil {
		t.Error("28/11/2026 is taken")
	}
}

// No cell of an export is a formula to a spreadsheet, whichever text of a record somebody chose.
func TestTablesHaveNoFormulas(t *testing.T) {
	t.Parallel()
	guarded[annotator.ExportedMap](t)
	guarded[annotator.ExportedPrediction](t)
	guarded[annotator.ExportedReview](t)
	guarded[annotator.ExportedTask](t)
	guarded[annotator.ExportedLine](t)
	guarded[annotator.TrailLine](t)
}

// guarded writes a record all of whose texts are a formula.
func guarded[T any](t *testing.T) {
	t.Helper()
	const formula = `=HYPERLINK("https://elsewhere.example","x")`
	var record T
	value, texts := reflect.ValueOf(&record).Elem(), 0
	for _, field := range reflect.VisibleFields(value.Type()) {
		if field.Type.Kind() == reflect.String {
			value.FieldByIndex(field.Index).SetString(formula)
			texts++
		}
	}
	var file bytes.Buffer
	table, err := newTable[T](Format{Key: "csv"}, &file)
	must(t, err)
	must(t, table.write(record))
	must(t, table.finish())
	rows, err := csv.NewReader(&file).ReadAll()
	must(t, err)
	found := 0
	for i, cell := range rows[1] {
		if strings.HasPrefix(cell, "=") {
			t.Errorf("%T: %s is a formula: %s", record, rows[0][i], cell)
		}
		if text.Unguarded(cell) == formula {
			found++
		}
	}
	if texts == 0 || found == 0 {
		t.Errorf("%T: %d texts, %d found again", record, texts, found)
	}
}
