package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/postgres/embedded/embeddedtest"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// says runs a command whose exit code and a word of its output are known.
func says(t *testing.T, code int, want string, args ...string) string {
	t.Helper()
	got, out, errs := runStudio(t, args...)
	if got != code || !strings.Contains(out+errs, want) {
		t.Errorf("studio %s: exit %d, want %d and %q in\n%s%s", strings.Join(args, " "), got, code, want, out, errs)
	}
	return out
}

// A studio on its own PostgreSQL is backed up while it serves, to a key that it does not have; the backup is checked and restored into another
// data folder, where somebody signs in and sees the pictures. A killed backup and a full disk leave the one before as it was.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	data, dir := embeddedtest.Folder(t), filepath.Join(t.TempDir(), "backups")
	p := openAviary(t, storageFlags{DataDir: data}, 1)
	p.admin(t)
	images, err := p.Store.Images(t.Context(), p.project.ID)
	if err != nil {
		t.Fatal(err)
	}
	queued, err := p.Store.EnqueueEvaluate(t.Context(), p.version.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	server := launch(t, "serve", "--data", data, "--listen", "127.0.0.1:0", "--no-worker")
	server.until(t, "answers on ")

	key := filepath.Join(t.TempDir(), "key.txt")
	public := regexp.MustCompile(`age1\w+`).FindString(says(t, exitOK, "Keep it where", "backup", "keygen", key))
	says(t, exitFailure, "backups may need it", "backup", "keygen", key)
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
	backup := []string{"backup", dir, "--data", data, "--recipient", public, "--keep", "2"}
	for range 2 {
		// Killed somewhere, it leaves nothing that is taken for a backup.
		killed := launch(t, backup...)
		eventually(t, "a backup begins", func() bool {
			begun, _ := filepath.Glob(filepath.Join(dir, "backups", "*", "tables", "*"))
			return len(begun) > 0
		})
		killed.kill(t)
		_ = killed.ended()
	}
	says(t, exitOK, "encrypted to "+public, backup...)
	full := launchWith(t, []string{fileLimit + "=600"}, "", "backup", filepath.Join(t.TempDir(), "full"), "--data", data)
	if err := full.ended(); err == nil || !strings.Contains(full.log(), "the disk takes no more") || !strings.Contains(full.log(), "run the backup again") {
		t.Errorf("on a full disk: %v, %s", err, full.log())
	}
	says(t, exitOK, "was not opened", "backup", "verify", dir)
	says(t, exitOK, "all is well", "backup", "verify", dir, "--identity", key)
	says(t, exitOK, "encrypted to "+public, "backup", "list", dir)
	var report struct {
		NewFiles int `json:"new_files"`
		Lost     []any
	}
	if err := json.Unmarshal([]byte(says(t, exitOK, "", append(backup, "--json")...)), &report); err != nil || report.NewFiles != 0 || report.Lost == nil {
		t.Errorf("a second backup: %+v, %v", report, err)
	}

	says(t, exitFailure, "a studio is running on that data folder", "restore", dir, "--data", data, "--identity", key)
	there := embeddedtest.Folder(t)
	says(t, exitFailure, "--identity", "restore", dir, "--data", there)
	says(t, exitOK, "Every hash was compared", "restore", dir, "--data", there, "--identity", key)
	says(t, exitFailure, "nothing was restored: the database has a studio in use", "restore", dir, "--data", there, "--identity", key)
	restored := launch(t, "serve", "--data", there, "--listen", "127.0.0.1:0", "--threads", "1")
	c := signIn(t, addressIn(restored.until(t, "answers on ")))
	if status, body := c.fetch(t, c.base+"/projects/aviary"); status != http.StatusOK {
		t.Errorf("the project after the restore: %d %s", status, body)
	}
	lost := filepath.Join(there, "blobs", images[0].Hash[:2], images[0].Hash)
	if err := os.Remove(lost); err != nil {
		t.Fatal(err)
	}
	says(t, exitLost, "studio restore --files", "verify", "--data", there)
	says(t, exitOK, "Put back 1 files", "restore", "--files", dir, "--data", there, "--identity", key)
	says(t, exitOK, "all is well", "verify", "--data", there)
	if err := os.Remove(lost); err != nil {
		t.Fatal(err)
	}
	says(t, exitLost, "not in it: file "+images[0].Hash, "backup", filepath.Join(t.TempDir(), "other"), "--data", there)
	says(t, exitOK, "Put back 1 files", "restore", "--files", dir, "--data", there, "--identity", key)

	// Work that was queued is done.
	s, err := storageFlags{DataDir: there}.open(t.Context(), discard(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	eventually(t, "what was queued when the backup was made is done", func() bool {
		j, err := s.Store.Job(t.Context(), queued.ID)
		return err == nil && j.State == "finished"
	})
	stop(t, server)

	objects, err := filepath.Glob(filepath.Join(dir, "blobs-*", "*", "*"))
	if err != nil || len(objects) == 0 {
		t.Fatalf("%d objects, %v", len(objects), err)
	}
	content, err := os.ReadFile(objects[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(objects[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, exitLost, "damaged: blobs-", "backup", "verify", dir)
	says(t, exitLost, filepath.Base(objects[0]), "restore", dir, "--data", t.TempDir(), "--database", pgtest.EmptyDSN(t), "--identity", key)
}

// What a backup would come to harm by is refused before anything is written.
func TestBackupRefusals(t *testing.T) {
	t.Parallel()
	at := onSharedDatabase(t)
	flags := []string{"--data", at.DataDir, "--database", at.DatabaseURL}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "b")
	public := regexp.MustCompile(`age1\w+`).FindString(says(t, exitOK, "", "backup", "keygen", filepath.Join(t.TempDir(), "key")))
	phrase := filepath.Join(t.TempDir(), "phrase")
	if err := os.WriteFile(phrase, []byte("four words and one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"lies in the studio's own folder":  {"backup", filepath.Join(at.DataDir, "backups")},
		"is the disk mounted?":             {"backup", filepath.Join(at.DataDir, "..", "nowhere", "deep")},
		"--keep -1":                        {"backup", to, "--keep=-1"},
		"its first line is empty":          {"backup", to, "--passphrase-file", empty},
		"not both":                         {"backup", to, "--passphrase-file", phrase, "--recipient", public},
		"that is no public key of age's":   {"backup", to, "--recipient", "hello"},
		"that is no file of age's secret":  {"restore", to, "--identity", phrase},
		"has no backups":                   {"restore", to},
		"has no backups: it has no abn-st": {"restore", "--files", to},
	} {
		says(t, exitFailure, want, append(args, flags...)...)
	}
	if _, err := os.Stat(to); err == nil {
		t.Errorf("%s was made", to)
	}
	says(t, exitFailure, "has no studio", "backup", to, "--data", t.TempDir())
	// An empty studio is a studio.
	says(t, exitOK, "encrypted with the passphrase", append([]string{"backup", to, "--passphrase-file", phrase}, flags...)...)
	says(t, exitOK, "Every hash was compared", append([]string{"restore", to, "--passphrase-file", phrase}, flags...)...)
}
