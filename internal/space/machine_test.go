package space

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// What a machine tells is what lies in its folders; it is measured again when it is old, or when somebody asks.
func TestMachine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, bytes int) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, bytes), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("features/ab/one", 1000)
	write("features/two", 24)
	write("pictures/three", 7)
	m := NewMachine(Options{Lasts: time.Hour, Places: []Place{{"data", dir}, {"database", filepath.Join(dir, "features")}, {"nowhere", filepath.Join(dir, "absent")}},
		Folders: []Folder{
			{annotator.FolderSpace{What: "features", Limit: 9000}, filepath.Join(dir, "features")}, {annotator.FolderSpace{What: "pictures"}, filepath.Join(dir, "pictures")},
			{annotator.FolderSpace{What: "rounds"}, filepath.Join(dir, "rounds")},
		}})
	defer m.Close()
	look := func(again bool, features int64) {
		t.Helper()
		found := m.Space(t.Context(), again)
		for found == nil {
			found = m.Space(t.Context(), false)
		}
		if len(found.Folders) != 3 || found.Folders[0].Bytes != features || found.Folders[0].Files != 2 || found.Folders[0].Limit != 9000 || found.Folders[1].Bytes != 7 || found.Folders[2].Bytes != 0 {
			t.Errorf("%+v", found.Folders)
		}
		if len(found.Disks) != 1 || len(found.Disks[0].Of) != 2 || found.Disks[0].Free <= 0 || found.Disks[0].Size < found.Disks[0].Free {
			t.Errorf("%+v", found.Disks)
		}
	}
	look(false, 1024)
	write("features/two", 76)
	look(false, 1024)
	look(true, 1076)
}
