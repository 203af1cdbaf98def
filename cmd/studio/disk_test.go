package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/postgres/embedded/embeddedtest"
)

// fileLimit is a variable that simulates a full disk: no file of the program may grow beyond so many bytes. The kernel itself refuses
// more (EFBIG), and no privilege is needed.
const fileLimit = "STUDIO_TEST_FILE_LIMIT"

// admin makes an account that c can sign in with.
func (p *aviaryProject) admin(t *testing.T) {
	t.Helper()
	service := annotator.NewService(annotator.ServiceConfig{Store: p.Store, Blobs: p.Blobs})
	if _, err := service.CreateUser(t.Context(), annotator.System, annotator.NewUser{Email: painter.email, Name: "Painter", Password: painter.password, Role: annotator.RoleAdmin}); err != nil {
		t.Fatal(err)
	}
}

// A studio whose disk is full reports that to its health checks, refuses files, and still shows its pages.
func TestServeOnAFullDisk(t *testing.T) {
	t.Parallel()
	p := openAviary(t, onSharedDatabase(t), 1)
	defer p.Close()
	p.admin(t)
	images, err := p.Store.Images(t.Context(), p.project.ID)
	if err != nil {
		t.Fatal(err)
	}
	server := launchWith(t, []string{fileLimit + "=0"}, "", append([]string{"serve", "--listen", "127.0.0.1:0", "--no-worker"}, p.flags...)...)
	line := server.until(t, "answers on ")
	address := line[strings.Index(line, "http://"):]
	c := signIn(t, address)

	status, body := c.fetch(t, address+"/readyz")
	for _, place := range []string{"the data folder takes no more", "the blob store takes no more", "the cache folder takes no more"} {
		if status != http.StatusServiceUnavailable || !strings.Contains(string(body), place) {
			t.Errorf("/readyz: %d %s, want 503 and %q", status, body, place)
		}
	}
	if bytes.Contains(body, []byte(p.Data)) {
		t.Errorf("/readyz names paths to anybody: %s", body)
	}
	for range 2 { // not cached, and still shown
		status, body = c.fetch(t, fmt.Sprintf("%s/images/%d/picture?kind=thumb", c.base, images[0].ID))
		if _, err := jpeg.Decode(bytes.NewReader(body)); status != http.StatusOK || err != nil {
			t.Errorf("a picture: %d, %v", status, err)
		}
	}
	model, _, err := aviary.Model()
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Post(c.base+"/projects/aviary/versions?name=m.onnx", "application/octet-stream", bytes.NewReader(model))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusInsufficientStorage || !bytes.Contains(answer, []byte("free some space")) {
		t.Errorf("an upload: %s %s", response.Status, answer)
	}
	left, err := os.ReadDir(filepath.Join(p.Data, "cache", "incoming"))
	if err != nil || len(left) > 0 {
		t.Errorf("%d files are left of the upload, %v", len(left), err)
	}
	if log := server.log(); strings.Count(log, "pictures are rendered anew") != 1 {
		t.Errorf("the log says this %d times:\n%s", strings.Count(log, "pictures are rendered anew"), log)
	}
}

// fetch reads an address.
func (c *client) fetch(t *testing.T, address string) (int, []byte) {
	t.Helper()
	response, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// The studio's own database is on a full file system. A save that finds no space is answered with 507 and says what to do; earlier saves
// are there once there is space again. Mounting a file system needs root.
func TestSaveOnAFullFileSystem(t *testing.T) {
	t.Parallel()
	at := storageFlags{DataDir: embeddedtest.Folder(t)}
	base := filepath.Dir(at.DataDir)
	if err := syscall.Mount("tmpfs", base, "tmpfs", 0, "size=256m,mode=755"); err != nil {
		t.Skip("no file system of one's own can be mounted:", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(base, syscall.MNT_DETACH) })
	p := openAviary(t, at, 1)
	task := paintableTask(t, p)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	server := launch(t, "serve", "--data", at.DataDir, "--listen", "127.0.0.1:0", "--no-worker")
	line := server.until(t, "answers on ")
	address := line[strings.Index(line, "http://"):]
	c := signIn(t, address)
	if !c.draft(task, 0, 0.25) {
		t.Fatal("the first stroke is not saved")
	}
	filler, err := os.Create(filepath.Join(base, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for _, err = io.Copy(filler, zeros{}); err == nil; {
	}
	filler.Close()
	for _, place := range []string{"the data folder takes no more", "the database's disk takes no more"} {
		if status, body := c.fetch(t, address+"/readyz"); status != http.StatusServiceUnavailable || !bytes.Contains(body, []byte(place)) {
			t.Errorf("/readyz: %d %s, want it to say that %s", status, body, place)
		}
	}
	saved, refused := 1, 0
	for range 2000 { // until the database's free pages are used up
		values := make([]float32, 14*14)
		values[0] = float32(saved+1) / 4000
		status, body := c.send(http.MethodPut, fmt.Sprintf("/tasks/%d/draft", task), map[string]any{"base_revision": saved, "source": "painted", "values": values})
		if status == http.StatusOK {
			saved++
			continue
		}
		refused++
		if status != http.StatusInsufficientStorage || !bytes.Contains(body, []byte("free some space")) {
			t.Fatalf("a save without space: %d %s", status, body)
		}
		break
	}
	if refused == 0 {
		t.Fatal("2000 saves found space on a full disk")
	}
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a save finds space again", func() bool { return c.draft(task, saved, 0.5) })
	if got := c.task(t, task).Edit.Revision; got != saved+1 {
		t.Errorf("the latest revision is %d, want %d", got, saved+1)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// studio verify finds every file that is missing or damaged, names the rows that refer to it, and fails with its own exit code.
func TestVerify(t *testing.T) {
	t.Parallel()
	p := openAviary(t, onSharedDatabase(t), 1)
	defer p.Close()
	verify := func() (int, verifyReport) {
		t.Helper()
		code, out, errs := runStudio(t, append([]string{"verify", "--json"}, p.flags...)...)
		if out == "" {
			t.Fatalf("exit %d: %s", code, errs)
		}
		return code, decodeJSON[verifyReport](t, out)
	}
	code, report := verify()
	if code != exitOK || report.Files == 0 || report.Files != report.Referenced || report.Orphaned != 0 || report.Bytes == 0 {
		t.Fatalf("exit %d, %+v", code, report)
	}
	ctx := t.Context()
	images, err := p.Store.Images(ctx, p.project.ID)
	if err != nil {
		t.Fatal(err)
	}
	path := func(hash string) string {
		found, err := p.Blobs.Path(context.WithoutCancel(ctx), hash)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	flipped := path(p.version.ModelHash)
	data, err := os.ReadFile(flipped)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.Remove(flipped); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(flipped, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path(images[0].Hash)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Blobs.Put(ctx, strings.NewReader("nobody's")); err != nil {
		t.Fatal(err)
	}
	code, report = verify()
	if code != exitLost || len(report.Missing) != 1 || report.Missing[0].Hash != images[0].Hash || !strings.HasSuffix(report.Missing[0].Uses[0], images[0].Name) ||
		len(report.Damaged) != 1 || report.Damaged[0].Hash != p.version.ModelHash || report.Damaged[0].Uses[0] != "model of version 1 of aviary" || report.Orphaned != 1 {
		t.Errorf("exit %d, %+v", code, report)
	}
	code, out, errs := runStudio(t, append([]string{"verify"}, p.flags...)...)
	for _, text := range []string{"missing: " + images[0].Hash, "damaged: " + p.version.ModelHash + " (model of version 1 of aviary)", "1 files (0.0 MB) that nothing refers to"} {
		if code != exitLost || !strings.Contains(out, text) {
			t.Errorf("exit %d, %q is not in\n%s%s", code, text, out, errs)
		}
	}
	// A damaged model gives no wrong answer, but an error that says which file it is and what to do.
	_, err = p.Blobs.Path(ctx, p.version.ModelHash)
	if err == nil || !strings.Contains(err.Error(), p.version.ModelHash) || !strings.Contains(err.Error(), "put it back from a backup") {
		t.Errorf("opening it: %v", err)
	}
}

// The bounds of memory come from the environment or the command line. The error for a picture beyond them says what to do.
func TestPictureLimitOfTheEnvironment(t *testing.T) {
	t.Parallel()
	model, _ := smallSubject(t)
	images := t.TempDir()
	if err := os.Mkdir(filepath.Join(images, "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	writePNG(t, filepath.Join(images, "a", "large.png"), image.NewRGBA(image.Rect(0, 0, 1500, 1000)))
	predict := func(environment ...string) string {
		t.Helper()
		p := launchWith(t, environment, "", "predict", "--model", model, "--images", images, "--out", filepath.Join(t.TempDir(), "p.jsonl"))
		_ = p.ended()
		return p.log()
	}
	if log := predict("STUDIO_PICTURE_MEMORY_MB=1"); strings.Contains(log, "limit") || strings.Contains(log, "studio:") {
		t.Errorf("a picture that outweighs the memory for all, but not the limit for one:\n%s", log)
	}
	if log := predict("STUDIO_MAX_PICTURE_MB=8"); !strings.Contains(log, "1500×1000 pixels (png) and takes 11 MiB to decode, over the limit of 8 MiB") || !strings.Contains(log, "STUDIO_MAX_PICTURE_MB") {
		t.Errorf("with a limit of 8 MiB it says:\n%s", log)
	}
	if log := predict("STUDIO_MAX_PICTURE_MB=-1"); !strings.Contains(log, "--max-picture-mb -1") {
		t.Errorf("with a limit of −1 MiB it says:\n%s", log)
	}
}
