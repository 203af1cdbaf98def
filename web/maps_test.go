package web

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// mapsForm is a form that brings maps: files by name and content, then fields.
func mapsForm(t *testing.T, files [][2]string, fields ...string) (io.Reader, string) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, file := range files {
		part, err := w.CreateFormFile("maps", file[0])
		must(t, err)
		_, err = io.WriteString(part, file[1])
		must(t, err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		must(t, w.WriteField(fields[i], fields[i+1]))
	}
	must(t, w.Close())
	return &body, w.FormDataContentType()
}

// lines are maps of the first images that can have one, as JSON Lines.
func (s *studio) lines(n int) string {
	s.t.Helper()
	targets, version, err := s.service.MapTargets(s.t.Context(), s.people[annotator.RoleAdmin], "birds")
	must(s.t, err)
	var out strings.Builder
	for _, target := range targets {
		if n == 0 {
			break
		}
		if target.Why != "" || target.Worked {
			continue
		}
		n--
		values := make([]float32, version.GridHeight*version.GridWidth)
		values[0] = 1
		raw, err := json.Marshal(map[string]any{"image": target.Name, "source": target.Source, "h": version.GridHeight, "w": version.GridWidth, "values": values})
		must(s.t, err)
		out.Write(append(raw, '\n'))
	}
	if n > 0 {
		s.t.Fatalf("%d images too few can have a map", n)
	}
	return out.String()
}

func (s *studio) mapsOf(author string) int {
	s.t.Helper()
	n, err := s.service.CountExport(s.t.Context(), s.people[annotator.RoleAdmin], "birds", annotator.ExportMaps, annotator.ExportFilter{Author: author, States: []string{"submitted"}})
	must(s.t, err)
	return n
}

// The API brings maps as one file and as a form, counts them first if asked to, and adds none twice.
func TestMapsByAPI(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	lines := s.lines(2)
	report := func(r *response) (report annotator.BringReport) {
		t.Helper()
		must(t, json.Unmarshal(r.want(http.StatusOK).body, &report))
		return report
	}
	raw := func(query string) *response {
		return admin.do(http.MethodPost, apiPrefix+"/projects/birds/maps?name=maps.jsonl&author=Zo%C3%AB"+query, strings.NewReader(lines), "Content-Type", "application/octet-stream")
	}
	if r := report(raw("&look=true")); r.Added != 2 || s.mapsOf("") != 0 {
		t.Errorf("looking: %+v, %d maps", r, s.mapsOf(""))
	}
	if r := report(raw("")); r.Added != 2 || s.mapsOf("Zoë") != 2 {
		t.Errorf("the file: %+v, %d maps", r, s.mapsOf("Zoë"))
	}
	body, media := mapsForm(t, [][2]string{{"maps.jsonl", lines}}, "author", "Zoë")
	if r := report(admin.do(http.MethodPost, apiPrefix+"/projects/birds/maps", body, "Content-Type", media)); r.Same != 2 || r.Added != 0 {
		t.Errorf("once more, as a form: %+v", r)
	}
	for name, c := range map[string]struct {
		query, says string
		status      int
	}{
		"no name":       {"author=Zoe", "no name of a file", http.StatusUnprocessableEntity},
		"no author":     {"name=a.jsonl", "do not say by whom", http.StatusUnprocessableEntity},
		"another file":  {"name=a.xlsx&author=Zoe", "a.xlsx is no file of maps", http.StatusUnprocessableEntity},
		"no state":      {"name=a.jsonl&author=Zoe&state=taken-back", "state", http.StatusUnprocessableEntity},
		"no such field": {"name=a.jsonl&author=Zoe&look=maybe", "look", http.StatusUnprocessableEntity},
	} {
		if r := admin.do(http.MethodPost, apiPrefix+"/projects/birds/maps?"+c.query, strings.NewReader(s.lines(1)), "Content-Type", "application/octet-stream").want(c.status); !strings.Contains(string(r.body), c.says) {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	s.as(annotator.RoleReviewer).do(http.MethodPost, apiPrefix+"/projects/birds/maps?name=a.jsonl", strings.NewReader(lines), "Content-Type", "application/octet-stream").want(http.StatusForbidden)
	admin.do(http.MethodPost, apiPrefix+"/projects/bees/maps?name=a.jsonl", strings.NewReader(lines), "Content-Type", "application/octet-stream").want(http.StatusNotFound)
}

// The page tells what would be added, adds it, and says what is wrong with what was sent, with what was typed still there.
func TestMapsByPage(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	if page := string(admin.get("/projects/birds/settings").want(http.StatusOK).body); !strings.Contains(page, `href="/projects/birds/maps"`) {
		t.Error("the project's page does not lead to it")
	}
	admin.get("/projects/birds/maps").want(http.StatusOK)
	lines := s.lines(2)
	send := func(files [][2]string, fields ...string) *response {
		t.Helper()
		body, media := mapsForm(t, files, fields...)
		return admin.do(http.MethodPost, "/projects/birds/maps", body, "Content-Type", media)
	}
	says := func(r *response, all ...string) {
		t.Helper()
		for _, words := range all {
			if !strings.Contains(string(r.body), words) {
				t.Errorf("the page lacks %q", words)
			}
		}
	}
	maps := [][2]string{{"maps.jsonl", lines}}
	says(send(maps, "author", "Zoë", "look", "true").want(http.StatusOK), "<strong class=\"num\">2 maps</strong> of 2 would be added", `value="Zoë"`)
	if s.mapsOf("") != 0 {
		t.Error("counting adds maps")
	}
	says(send(maps, "author", "", "reviewer", "", "state", "submitted", "made", "painted").want(http.StatusUnprocessableEntity), "do not say by whom they are", `aria-invalid="true"`)
	says(send([][2]string{{"", ""}}, "author", "Zoë").want(http.StatusUnprocessableEntity), "No file came: choose the maps")
	unknown := strings.ReplaceAll(lines, `"image":"`, `"image":"x/`)
	says(send([][2]string{{"m.jsonl", unknown}}, "author", "Zoë", "state", "approved").want(http.StatusUnprocessableEntity), "2 of 2 maps cannot be added, the first: m.jsonl, line 1", `<option value="approved" selected>`)
	says(send([][2]string{{"m.jsonl", unknown + lines}}, "author", "Zoë", "skip_unknown", "true").want(http.StatusOK), "<strong class=\"num\">2 maps</strong> of 4 added", "2 left out", "the project has no image of this name", `name="skip_unknown" value="true" checked`)
	if n := s.mapsOf("Zoë"); n != 2 {
		t.Errorf("%d maps", n)
	}
	says(send(maps, "author", "Zoë").want(http.StatusOK), "0 maps", "2 there already")
	says(send(maps, "artist", "Zoë").want(http.StatusUnprocessableEntity), `part &#34;artist&#34; is not known`)
	s.as(annotator.RoleReviewer).get("/projects/birds/maps").want(http.StatusForbidden)
}
