package bounded

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// folder is one with files of ten bytes, the first unused for longest, at its bound.
func folder(t *testing.T, o Options, names ...string) (f *Folder, dir string, clock *time.Time) {
	t.Helper()
	dir, now := t.TempDir(), time.Now()
	clock = &now
	o.Now = func() time.Time { return *clock }
	if o.Files == nil {
		o.Files = func(name string) bool { return filepath.Ext(name) == ".x" }
	}
	f = New(dir, o)
	for i, name := range names {
		write(t, filepath.Join(dir, name), now.Add(time.Duration(i-len(names))*time.Hour))
	}
	return f, dir, clock
}

func write(t *testing.T, path string, used time.Time) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("ten bytes."), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, used, used); err != nil {
		t.Fatal(err)
	}
}

func left(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"*", "*/*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if info, err := os.Stat(path); err == nil && !info.IsDir() {
				names = append(names, filepath.Base(path))
			}
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestTheLongestUnusedGoes(t *testing.T) {
	t.Parallel()
	f, dir, clock := folder(t, Options{Limit: 40}, "a.x", "sub/b.x", "c.x", "d.x", "other.txt")
	f.Touch(filepath.Join(dir, "a.x"), clock.Add(-time.Hour))
	if ok, err := f.Reserve(10); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if got := left(t, dir); got != "a.x d.x other.txt" { // down to nine tenths
		t.Errorf("left: %s", got)
	}
	if used, removed := f.Stats(); used != 30 || removed != 2 {
		t.Errorf("%d bytes, %d removed", used, removed)
	}
	f.Return(10)
	if used, _ := f.Stats(); used != 20 {
		t.Errorf("%d bytes after a file that was not written", used)
	}
}

func TestWhatIsInUseStays(t *testing.T) {
	t.Parallel()
	f, dir, clock := folder(t, Options{Limit: 40, Keep: 90 * time.Minute, Held: func(path string) bool { return filepath.Base(path) == "a.x" }}, "a.x", "b.x", "c.x", "d.x")
	if ok, err := f.Reserve(10); !ok || err != nil {
		t.Fatal(ok, err)
	}
	write(t, filepath.Join(dir, "e.x"), *clock)
	if got := left(t, dir); got != "a.x d.x e.x" {
		t.Errorf("left: %s", got)
	}
	if ok, _ := f.Reserve(20); ok || !f.Full(20) || f.Full(10) {
		t.Error("what is held, or was used a moment ago, made room")
	}
	*clock = clock.Add(lookAgain)
	if f.Full(20) {
		t.Error("a full folder is not looked at again")
	}
	*clock = clock.Add(2 * time.Hour)
	if ok, err := f.Reserve(20); !ok || err != nil || left(t, dir) != "a.x" {
		t.Errorf("%v, %v, left %s", ok, err, left(t, dir))
	}
}

func TestWhatWasAddedStays(t *testing.T) {
	t.Parallel()
	f, dir, clock := folder(t, Options{Limit: 5}, "a.x", "b.x")
	if err := f.Added(filepath.Join(dir, "a.x"), 10); err != nil { // though it is the longest unused, and larger than the bound
		t.Fatal(err)
	}
	if got := left(t, dir); got != "a.x" {
		t.Errorf("left: %s", got)
	}
	write(t, filepath.Join(dir, "c.x"), *clock)
	if err := f.Added(filepath.Join(dir, "c.x"), 10); err != nil || left(t, dir) != "c.x" {
		t.Errorf("%v, left %s", err, left(t, dir))
	}
}

func TestStaleTemporaryFilesGo(t *testing.T) {
	t.Parallel()
	f, dir, clock := folder(t, Options{Limit: 100, Temporary: "tmp-"}, "tmp-1.x", "a.x")
	write(t, filepath.Join(dir, "tmp-2"), *clock)
	if err := f.Count(); err != nil {
		t.Fatal(err)
	}
	if used, _ := f.Stats(); used != 10 || left(t, dir) != "a.x tmp-2" {
		t.Errorf("%d bytes, left %s", used, left(t, dir))
	}
	if err := New(filepath.Join(dir, "absent"), Options{Limit: 1}).Count(); err != nil {
		t.Errorf("a folder that is not there yet: %v", err)
	}
}
