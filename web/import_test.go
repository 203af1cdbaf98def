package web

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/jobs"
)

// stagedIn is the import that an answer holds.
func stagedIn(t *testing.T, r *response) (s annotator.StagedImport) {
	t.Helper()
	must(t, json.Unmarshal(r.body, &s))
	return s
}

// A data set is sent by the API in chunks, begun twice, looked at and discarded; its page says how far it is.
func TestImagesAreSentInChunks(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	files := []annotator.StagedFile{{Path: "auk/1.png", Bytes: 5}, {Path: "owl/2.png", Bytes: 4}}
	list := map[string]any{"name": "sea <birds>", "files": files}
	begun := stagedIn(t, admin.api(http.MethodPost, "/projects/birds/imports", list).want(http.StatusCreated))
	chunk := func(offset, bytes string, want int) *response {
		t.Helper()
		return admin.do(http.MethodPut, apiPrefix+"/imports/"+begun.ID+"/bytes?offset="+offset, strings.NewReader(bytes), "Content-Type", "application/octet-stream").want(want)
	}
	if at := stagedIn(t, chunk("0", "abcdefg", http.StatusOK)); at.Received != 7 || at.State != annotator.StagedReceiving {
		t.Errorf("after a chunk: %+v", at)
	}
	if body := string(chunk("3", "x", http.StatusConflict).body); !strings.Contains(body, "begins at byte 7") {
		t.Errorf("a chunk from elsewhere: %s", body)
	}
	if again := stagedIn(t, admin.api(http.MethodPost, "/projects/birds/imports", list).want(http.StatusOK)); again.ID != begun.ID || again.Received != 7 {
		t.Errorf("begun once more: %+v", again)
	}
	if text := admin.get("/projects/birds/imports/new").page().Find(".staged").Text(); !strings.Contains(text, "sea <birds>") || !strings.Contains(text, "not all here") {
		t.Errorf("the page of sending lists %q", text)
	}
	for _, files := range [][]annotator.StagedFile{{{Path: "../x"}}, {{Path: "a"}, {Path: "a"}}, {}} {
		admin.api(http.MethodPost, "/projects/birds/imports", map[string]any{"name": "n", "files": files}).want(http.StatusUnprocessableEntity)
	}
	admin.api(http.MethodPost, "/imports/"+begun.ID+"/look", map[string]any{}).want(http.StatusConflict)
	if at := stagedIn(t, chunk("7", "hi", http.StatusOK)); at.State != annotator.StagedReceived {
		t.Errorf("after all chunks: %+v", at)
	}
	page := "/projects/birds/imports/" + begun.ID
	if admin.get(page).want(http.StatusOK).page().Find("button[value=look]").Length() != 1 {
		t.Error("the page has no button to look at it")
	}
	admin.post(page, map[string][]string{"action": {"look"}, "splits": {"fold1"}}).want(http.StatusUnprocessableEntity)
	admin.api(http.MethodPost, "/imports/"+begun.ID+"/look", map[string]any{"split": "exam"}).want(http.StatusUnprocessableEntity)
	admin.post(page, map[string][]string{"action": {"discard"}}).want(http.StatusSeeOther)
	admin.get(page).want(http.StatusNotFound)
	admin.api(http.MethodGet, "/imports/"+begun.ID, nil).want(http.StatusNotFound)
	other, err := s.service.CreateProject(t.Context(), s.people[annotator.RoleAdmin], "others", "Others", "")
	must(t, err)
	begun = stagedIn(t, admin.api(http.MethodPost, "/projects/"+other.Slug+"/imports", list).want(http.StatusCreated))
	admin.get("/projects/birds/imports/" + begun.ID).want(http.StatusNotFound) // another project's
	large := bytes.Repeat([]byte("x"), annotator.MaxStagedChunk+1)
	if r := admin.do(http.MethodPut, apiPrefix+"/imports/"+begun.ID+"/bytes?offset=0", bytes.NewReader(large), "Content-Type", "application/octet-stream"); r.StatusCode < 400 || r.StatusCode >= 500 {
		t.Errorf("a chunk beyond the bound: %s", r.Status)
	}
}

// newStaging keeps what a test sends in a folder of its own.
func newStaging(t *testing.T, s *studio) *jobs.Staging {
	t.Helper()
	staging, err := jobs.NewStaging(s.blobs, t.TempDir(), 0, s.sources, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(staging.Close)
	return staging
}

// sentImport is a data set of one picture that is sent and looked at.
func (s *studio) sentImport(admin *browser) annotator.StagedImport {
	s.t.Helper()
	file, err := os.ReadFile(filepath.Join(fixture.Reference(s.t), "preprocess", referencePictures[0]))
	must(s.t, err)
	file = append(file, 0) // behind the picture's end: the project has these pictures, and would know one of the same bytes again
	begun := stagedIn(s.t, admin.api(http.MethodPost, "/projects/birds/imports", map[string]any{"name": "more", "files": []annotator.StagedFile{{Path: "train/bird-0/1.jpg", Bytes: int64(len(file))}}}).want(http.StatusCreated))
	admin.do(http.MethodPut, apiPrefix+"/imports/"+begun.ID+"/bytes?offset=0", bytes.NewReader(file), "Content-Type", "application/octet-stream").want(http.StatusOK)
	admin.api(http.MethodPost, "/imports/"+begun.ID+"/look", map[string]any{}).want(http.StatusAccepted)
	return s.lookedAt(admin, begun.ID)
}

// lookedAt is an import once it has been looked at.
func (s *studio) lookedAt(admin *browser, id string) annotator.StagedImport {
	s.t.Helper()
	for {
		at := stagedIn(s.t, admin.api(http.MethodGet, "/imports/"+id, nil).want(http.StatusOK))
		if at.State != annotator.StagedLooking {
			return at
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// What an import would do stands on its page, with a picture.
func TestAnImportIsLookedAtOnItsPage(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	at := s.sentImport(admin)
	if at.State != annotator.StagedLooked || at.Report.Sync.Added != 1 {
		t.Fatalf("looked at: %+v, %+v", at, at.Report)
	}
	page := admin.get("/projects/birds/imports/" + at.ID).want(http.StatusOK).page()
	if text := page.Find("button[value=import]").Text(); text != "Import 1 image" {
		t.Errorf("the button says %q", text)
	}
	src, _ := page.Find(".examples img").Attr("src")
	if r := admin.get(src).want(http.StatusOK); r.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("the example is %s", r.Header.Get("Content-Type"))
	}
	s.as(annotator.RoleReviewer).get(src).want(http.StatusForbidden)
}

// A table whose cells may hold several labels is refused, and its page offers what the refusal names: to take a cell for one class.
func TestACellOfSeveralLabelsIsOneClassAsChosen(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	picture, err := os.ReadFile(filepath.Join(fixture.Reference(t), "preprocess", referencePictures[0]))
	must(t, err)
	table := "file,class\na.jpg,bird-0;bird-1\nb.jpg,bird-0\n"
	begun := stagedIn(t, admin.api(http.MethodPost, "/projects/birds/imports", map[string]any{"name": "more", "files": []annotator.StagedFile{
		{Path: "a.jpg", Bytes: int64(len(picture))}, {Path: "b.jpg", Bytes: int64(len(picture))}, {Path: "images.csv", Bytes: int64(len(table))}}}).want(http.StatusCreated))
	admin.do(http.MethodPut, apiPrefix+"/imports/"+begun.ID+"/bytes?offset=0", strings.NewReader(string(picture)+string(picture)+table), "Content-Type", "application/octet-stream").want(http.StatusOK)
	page := "/projects/birds/imports/" + begun.ID
	admin.post(page, map[string][]string{"action": {"look"}}).want(http.StatusSeeOther)
	if at := s.lookedAt(admin, begun.ID); at.State != annotator.StagedReceived || !strings.Contains(at.Problem, "several labels") {
		t.Fatalf("without a choice: %s, %q", at.State, at.Problem)
	}
	if options := admin.get(page).want(http.StatusOK).page().Find("details[open] select[name=label] option[value=whole]").Length(); options != 1 {
		t.Fatalf("the page has %d options for it", options)
	}
	admin.post(page, map[string][]string{"action": {"look"}, "label": {"half"}}).want(http.StatusUnprocessableEntity)
	admin.api(http.MethodPost, "/imports/"+begun.ID+"/look", map[string]any{"label": "half"}).want(http.StatusUnprocessableEntity)
	admin.post(page, map[string][]string{"action": {"look"}, "label": {"whole"}}).want(http.StatusSeeOther)
	if at := s.lookedAt(admin, begun.ID); strings.Contains(at.Problem, "several labels") || at.Choices.Label != "whole" {
		t.Errorf("a cell for one class: %s, %q, %+v", at.State, at.Problem, at.Choices)
	}
	if selected, _ := admin.get(page).want(http.StatusOK).page().Find("select[name=label] option[selected]").Attr("value"); selected != "whole" {
		t.Errorf("the page has %q chosen", selected)
	}
}

// Masks of which it cannot be told what the object is are refused in the page's own words, and read as is said there.
func TestWhatIsTheObjectInMasksIsSaidOnThePage(t *testing.T) {
	t.Parallel()
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	trimap := image.NewGray(image.Rect(0, 0, 4, 4))
	for i := range trimap.Pix {
		trimap.Pix[i] = uint8(1 + i%2)
	}
	var mask bytes.Buffer
	must(t, png.Encode(&mask, trimap))
	size := int64(mask.Len())
	begun := stagedIn(t, admin.api(http.MethodPost, "/projects/birds/imports", map[string]any{"name": "masked", "files": []annotator.StagedFile{
		{Path: "bird-0/1.png", Bytes: size}, {Path: "bird-0/1_mask.png", Bytes: size}, {Path: "bird-1/2.png", Bytes: size}}}).want(http.StatusCreated))
	admin.do(http.MethodPut, apiPrefix+"/imports/"+begun.ID+"/bytes?offset=0", strings.NewReader(strings.Repeat(mask.String(), 3)), "Content-Type", "application/octet-stream").want(http.StatusOK)
	page := "/projects/birds/imports/" + begun.ID
	admin.post(page, map[string][]string{"action": {"look"}}).want(http.StatusSeeOther)
	if at := s.lookedAt(admin, begun.ID); !strings.Contains(at.Problem, `"What in a mask is the object": 1`) || strings.Contains(at.Problem, "--") {
		t.Errorf("without a choice: %s, %q", at.State, at.Problem)
	}
	if fields := admin.get(page).want(http.StatusOK).page().Find("details[open] input[name=mask]").Length(); fields != 1 {
		t.Errorf("the page has %d fields for it", fields)
	}
	admin.post(page, map[string][]string{"action": {"look"}, "mask": {"#12"}}).want(http.StatusUnprocessableEntity)
	admin.post(page, map[string][]string{"action": {"look"}, "mask": {"2"}}).want(http.StatusSeeOther)
	if at := s.lookedAt(admin, begun.ID); at.State != annotator.StagedLooked || at.Report.Masks != 1 || at.Choices.Mask != "2" {
		t.Errorf("with one: %s, %q, %+v", at.State, at.Problem, at.Report)
	}
	admin.post(page, map[string][]string{"action": {"look"}, "mask": {"9"}}).want(http.StatusSeeOther)
	at := s.lookedAt(admin, begun.ID)
	if at.Report == nil || at.Report.Masks != 0 || len(at.Report.Notes) == 0 || !strings.Contains(at.Report.Notes[0].Reason, "shows no object") {
		t.Errorf("with none of its values: %s, %q, %+v", at.State, at.Problem, at.Report)
	}
}
