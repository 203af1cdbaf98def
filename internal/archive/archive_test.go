package archive

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ok is the value of a step that prepares the test.
func ok[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// studio is a studio with a database and a blob store of its own.
type studio struct{ *pgtest.Studio }

func newStudio(t testing.TB) *studio {
	t.Helper()
	return &studio{pgtest.NewStudio(t)}
}

func (s *studio) pack(t testing.TB, slug string, pictures bool) []byte {
	t.Helper()
	var out bytes.Buffer
	_, err := Write(t.Context(), s.Service, s.Admin, Request{Project: slug, PackChoices: annotator.PackChoices{Pictures: pictures}, Studio: "test", Now: time.Unix(1, 0)}, &out)
	must(t, err)
	return out.Bytes()
}

func (s *studio) unpack(ctx context.Context, raw []byte, slug, images string) (annotator.Project, error) {
	a, err := Open("flock.zip", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return annotator.Project{}, err
	}
	return s.Service.UnpackProject(ctx, s.Admin, slug, "", a.With(images, nil))
}

func entries(t testing.TB, raw []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	must(t, err)
	all := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		content, err := io.ReadAll(r)
		must(t, err)
		all[f.Name] = string(content)
	}
	return all
}

// A project that goes to another studio and is archived there again is the same to the bit: pictures, models, maps, histories, verdicts,
// rounds and the trail, which has one line more.
func TestAProjectComesBackEqual(t *testing.T) {
	t.Parallel()
	here, there := newStudio(t), newStudio(t)
	here.Work(t)
	// The other studio knows Ada and Rose, and has another Bob under another address.
	first := here.pack(t, "flock", true)
	project, err := there.unpack(t.Context(), first, "", "")
	must(t, err)
	if project.Name != "A flock of birds" || project.Slug != "flock" {
		t.Errorf("it is %+v", project)
	}
	was, is := entries(t, first), entries(t, there.pack(t, "flock", true))
	if want, got := slices.Sorted(maps.Keys(was)), slices.Sorted(maps.Keys(is)); !slices.Equal(got, want) {
		t.Errorf("entries are %v, want %v", got, want)
	}
	for name, content := range was {
		got := is[name]
		switch name {
		case "archive.json":
			continue
		case "rows/audit.jsonl":
			rest, ok := strings.CutPrefix(got, content)
			if !ok || strings.Count(rest, "\n") != 2 || !strings.Contains(rest, "project.unpack") || !strings.Contains(rest, "member.add") {
				t.Errorf("the trail is\n%s\nand was\n%s", got, content)
			}
			continue
		}
		if content == "" {
			t.Errorf("%s is empty: the test makes none of it", name)
		}
		if got != content {
			t.Errorf("%s is\n%s\nand was\n%s", name, got, content)
		}
	}
	for _, want := range []string{`"image `, `"edit `, `"task `, `"version `, `"round `} {
		if !strings.Contains(was["rows/audit.jsonl"], `"subject" : `+want) {
			t.Errorf("no line of the trail is about %s…\n%s", want, was["rows/audit.jsonl"])
		}
	}
	if !strings.Contains(was["rows/tasks.jsonl"], `"state" : "submitted"`) {
		t.Errorf("what somebody has to judge is in review in the archive, and not\n%s", was["rows/tasks.jsonl"])
	}
	// Work goes on there, once there are members.
	ok(there.Service.SetMember(t.Context(), there.Admin, "flock", there.Ada.ID, ""))
	d := ok(there.Service.NextTask(t.Context(), there.Ada, annotator.TaskFilter{Project: "flock"}))
	ok(there.Service.SaveDraft(t.Context(), there.Ada, d.ID, annotator.Draft{Source: annotator.SourcePainted, Map: attention.Map{Height: 2, Width: 3, Values: make([]float32, 6)}}))
	if _, err := there.unpack(t.Context(), first, "", ""); err == nil || !strings.Contains(err.Error(), "another project has it") {
		t.Errorf("a second one of the same name: %v", err)
	}
	if _, err := there.unpack(t.Context(), first, "flock-2", ""); err != nil {
		t.Errorf("a copy: %v", err)
	}
	if !bytes.Equal([]byte(entries(t, there.pack(t, "flock-2", true))["rows/people.jsonl"]), []byte(was["rows/people.jsonl"])) {
		t.Error("people came twice")
	}
}

// leftOut are columns of the database that an archive does not have, with the reason.
var leftOut = map[string]string{
	"round_rows.judged_some": "worked out from images when the row is written",
	"projects.id":            "it gets another", "projects.closed_at": "what comes in is open", "projects.deleted_at": "as there", "projects.purged_at": "as there", "projects.sampling_seed": "secret: another one decides there", "round_events.id": "the rows' order says it", "label_changes.id": "as there", "audit.id": "as there",
	"projects.quota": "each studio's own", "images.bytes": "counted from the files, not believed", "images.mask_bytes": "as there", "rounds.bytes": "of a round that runs, which no archive has",
	"users.role": "each studio's own", "users.disabled": "each studio's own", "users.created_at": "each studio's own", "users.last_seen_at": "each studio's own", "users.removed_at": "each studio's own",
	"users.password_hash": "secret", "users.generator": "program says it", "users.came_as": "email has it",
	"tasks.lease_expires_at": "no lease is archived", "tasks.reviewer_id": "as there", "tasks.assigned_before": "an assignment is taken back soon or never", "tasks.assignment": "as assigned_before", "rounds.idempotency_key": "of a request that is long over",
}

// Every column of the tables is in an archive, or stands above with the reason. A column that is added later fails this test.
func TestEveryColumnIsArchived(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	s.Work(t)
	all := entries(t, s.pack(t, "flock", false))
	for _, table := range annotator.ArchiveTables {
		line, _, _ := strings.Cut(all["rows/"+table+".jsonl"], "\n")
		var row map[string]json.RawMessage
		must(t, json.Unmarshal([]byte(line), &row))
		of := table
		if name, another := map[string]string{annotator.ArchiveProject: "projects", "people": "users", "round_points": "round_events"}[table]; another {
			of = name
		}
		rows, err := s.Store.Pool().Query(t.Context(), `SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1`, of)
		must(t, err)
		columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
		must(t, err)
		for _, column := range columns {
			if _, there := row[column]; !there && leftOut[of+"."+column] == "" && column != "project_id" {
				t.Errorf("%s.%s is in no archive: add it to archiveTables (internal/postgres), or say here why not", of, column)
			}
		}
	}
}

// Who is known by the address is the person here; who is not is a name that cannot sign in.
func TestPeopleOfAnArchive(t *testing.T) {
	t.Parallel()
	here, there := newStudio(t), newStudio(t)
	ok(here.Service.CreateUser(t.Context(), here.Admin, annotator.NewUser{Email: "Only-Here@example.org", Name: "Only Here", Password: "plum-kettle-91", Role: annotator.RoleAdmin}))
	users := ok(here.Store.Users(t.Context()))
	only := users[slices.IndexFunc(users, func(u annotator.User) bool { return u.Name == "Only Here" })]
	here.Work(t)
	name := "Flock"
	ok(here.Service.ChangeProject(t.Context(), only, "flock", annotator.ProjectChange{Name: &name}))
	_, err := there.unpack(t.Context(), here.pack(t, "flock", true), "", "")
	must(t, err)
	for _, u := range ok(there.Store.Users(t.Context())) {
		if u.Name == "Only Here" && (!u.Generator || strings.Contains(u.Email, "example.org")) {
			t.Errorf("a stranger can sign in: %+v", u)
		}
		if u.Name == "Ada" && u.ID != there.Ada.ID {
			t.Error("there are two Adas")
		}
	}
	if people := entries(t, there.pack(t, "flock", true))["rows/people.jsonl"]; !strings.Contains(people, "Only-Here@example.org") {
		t.Errorf("the next studio cannot find the person by the address:\n%s", people)
	}
}

// An archive to publish names nobody, also where the trail and rounds have names of their own; who made what is told apart as before. It is
// read like another one, and people of two such archives are not taken for each other.
func TestAnonymousArchives(t *testing.T) {
	t.Parallel()
	here, there := newStudio(t), newStudio(t)
	here.Work(t)
	var out bytes.Buffer
	about := ok(Write(t.Context(), here.Service, here.Admin, Request{Project: "flock", PackChoices: annotator.PackChoices{Pictures: true, Anonymous: true}, Now: time.Unix(1, 0)}, &out))
	if !about.Anonymous {
		t.Error("it does not say that it is anonymous")
	}
	all := entries(t, out.Bytes())
	for name, content := range all {
		if !strings.HasPrefix(name, "rows/") {
			continue
		}
		for _, word := range []string{"Ada", "Bob", "Rose", "Grace", "Zo", "example.org"} {
			if strings.Contains(content, word) {
				t.Errorf("%s has %s:\n%s", name, word, content)
			}
		}
	}
	if n := strings.Count(all["rows/people.jsonl"], `"Annotator `); n != len(strings.Split(strings.TrimSpace(entries(t, here.pack(t, "flock", false))["rows/people.jsonl"]), "\n")) {
		t.Errorf("%d people: %s", n, all["rows/people.jsonl"])
	}
	for row := range strings.SplitSeq(strings.TrimSpace(all["rows/audit.jsonl"]), "\n") {
		var line struct {
			Actor string
			ID    *int64 `json:"actor_id"`
		}
		must(t, json.Unmarshal([]byte(row), &line))
		if line.ID != nil && line.Actor != fmt.Sprintf("Annotator %d", *line.ID) {
			t.Errorf("a line of the trail: %s", row)
		}
	}
	people := func() int { return len(ok(there.Store.Users(t.Context()))) }
	before := people()
	_, err := there.unpack(t.Context(), out.Bytes(), "first", "")
	must(t, err)
	came := people() - before
	out.Reset()
	ok(Write(t.Context(), here.Service, here.Admin, Request{Project: "flock", PackChoices: annotator.PackChoices{Pictures: true, Anonymous: true}, Now: time.Unix(1, 0)}, &out))
	_, err = there.unpack(t.Context(), out.Bytes(), "second", "")
	must(t, err)
	if again := people() - before - came; came < 4 || again != came {
		t.Errorf("%d people came with the first archive, %d with the second", came, again)
	}
}

// An archive without pictures is read where they are, or from a folder, and says what is missing.
func TestImagesByReference(t *testing.T) {
	t.Parallel()
	here, there := newStudio(t), newStudio(t)
	here.Work(t)
	raw := here.pack(t, "flock", false)
	for name := range entries(t, raw) {
		if strings.HasPrefix(name, "files/") && len(entries(t, raw)[name]) < len("a network") {
			t.Errorf("%s is a picture", name)
		}
	}
	var invalid *annotator.ValidationError
	if _, err := there.unpack(t.Context(), raw, "", ""); !errors.As(err, &invalid) || invalid.Field != "images" || !strings.Contains(err.Error(), "train/0 — é.png") {
		t.Errorf("without pictures: %v", err)
	}
	folder := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(folder, "train"), 0o755))
	for i := range 24 {
		must(t, os.WriteFile(filepath.Join(folder, "train", fmt.Sprintf("%d — é.png", i)), fmt.Append(nil, "picture ", i), 0o600))
	}
	there.Put(t, "a mask")
	must(t, os.WriteFile(filepath.Join(folder, "train", "4 — é.png"), []byte("another"), 0o600))
	if _, err := there.unpack(t.Context(), raw, "", folder); !errors.As(err, &invalid) || !strings.Contains(err.Error(), "train/4 — é.png is another picture") {
		t.Errorf("with another picture: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(folder, "train", "4 — é.png"), []byte("picture 4"), 0o600))
	_, err := there.unpack(t.Context(), raw, "", folder)
	must(t, err)
	if _, err := here.unpack(t.Context(), raw, "copy", ""); err != nil {
		t.Errorf("where the pictures are: %v", err)
	}
}

// rewritten is an archive with other entries.
func rewritten(t *testing.T, raw []byte, change func(name, content string) string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	must(t, err)
	all := entries(t, raw)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range z.File {
		content := change(f.Name, all[f.Name])
		if content == "-" {
			continue
		}
		entry, err := w.Create(f.Name)
		must(t, err)
		_, err = entry.Write([]byte(content))
		must(t, err)
	}
	must(t, w.Close())
	return out.Bytes()
}

// A damaged archive is refused by the name of the part, and nothing of it stays.
func TestDamagedArchives(t *testing.T) {
	t.Parallel()
	here, there := newStudio(t), newStudio(t)
	here.Work(t)
	raw := here.pack(t, "flock", true)
	in := func(name string, replace ...string) []byte {
		return rewritten(t, raw, func(n, content string) string {
			if n == name {
				return strings.NewReplacer(replace...).Replace(content)
			}
			return content
		})
	}
	without := func(name string) []byte {
		return rewritten(t, raw, func(n, content string) string {
			if n == name {
				return "-"
			}
			return content
		})
	}
	hash := here.Put(t, "picture 0")
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"no zip":          {[]byte("hello"), "no archive of a project"},
		"cut off":         {raw[:len(raw)/2], "cut off"},
		"another zip":     {rewritten(t, raw, func(string, string) string { return "-" }), "has no archive.json"},
		"a newer one":     {in("archive.json", fmt.Sprintf(`"version": %d`, FormatVersion), `"version": 99`), fmt.Sprintf("in format 99, and this studio reads up to %d", FormatVersion)},
		"another format":  {in("archive.json", Format, "something"), "its format is"},
		"a table lacks":   {without("rows/edits.jsonl"), "rows/edits.jsonl"},
		"a file lacks":    {without("files/" + hash), "list of files"},
		"another picture": {in("files/"+hash, "picture", "pictures"), hash},
		"another row":     {in("rows/reviews.jsonl", "too wide", "too long"), "rows/reviews.jsonl"},
		"no row":          {in("rows/tasks.jsonl", "{", "["), "rows/tasks.jsonl"},
	} {
		_, err := there.unpack(t.Context(), c.raw, "", "")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, c.want)
		}
	}
	flipped := bytes.Clone(raw) // a bit on the disk
	flipped[bytes.Index(flipped, []byte("picture 0"))] ^= 1
	if _, err := there.unpack(t.Context(), flipped, "", ""); err == nil || !strings.Contains(err.Error(), "files/"+hash) {
		t.Errorf("a flipped bit: %v", err)
	}
	if projects := ok(there.Service.Projects(t.Context(), there.Admin, annotator.ProjectOpen)); len(projects) != 1 {
		t.Errorf("%d projects are there", len(projects))
	}
}

// An archive of format 2 has no table of draws, and is read as it was written.
func TestAnArchiveWithoutDrawsIsRead(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	s.Work(t)
	all := entries(t, s.pack(t, "flock", false))
	var about map[string]any
	must(t, json.Unmarshal([]byte(all["archive.json"]), &about))
	about["version"] = 2
	delete(about["tables"].(map[string]any), "draws")
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	for name, content := range all {
		if name == "rows/draws.jsonl" {
			continue
		}
		if name == "archive.json" {
			raw, err := json.Marshal(about)
			must(t, err)
			content = string(raw)
		}
		w, err := z.Create(name)
		must(t, err)
		_, err = io.WriteString(w, content)
		must(t, err)
	}
	must(t, z.Close())
	a, err := Open("old.zip", bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	must(t, err)
	if err := a.Rows("draws", func([]byte) error { return errors.New("a row") }); err != nil {
		t.Errorf("rows of a table that is not there: %v", err)
	}
}
