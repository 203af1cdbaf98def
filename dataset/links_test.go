package dataset_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"image"
	"image/png"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/dataset"
)

// smallPicture is a real one.
func smallPicture(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// everything lists what lies in a folder, links as links.
func everything(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			all = append(all, strings.TrimPrefix(path, dir)+" "+entry.Type().String())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// An archive brings regular files alone: symbolic and hard links, devices, pipes and sockets in it are not made, whatever they lead to, nor
// is anything written through one that came before.
func TestArchivesBringNoLinks(t *testing.T) {
	t.Parallel()
	outside, dir := tree(t, map[string]string{"secret.png": ""}), t.TempDir()
	secret, picture := filepath.Join(outside, "secret.png"), smallPicture(t)
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, h := range []tar.Header{
		{Name: "train/a/1.png", Typeflag: tar.TypeReg},
		{Name: "train/a/hard-out.png", Typeflag: tar.TypeLink, Linkname: secret},
		{Name: "train/a/hard-up.png", Typeflag: tar.TypeLink, Linkname: "../../../../../../../../" + secret},
		{Name: "train/a/hard-in.png", Typeflag: tar.TypeLink, Linkname: "train/a/1.png"},
		{Name: "train/a/soft-out.png", Typeflag: tar.TypeSymlink, Linkname: secret},
		{Name: "train/a/soft-in.png", Typeflag: tar.TypeSymlink, Linkname: "1.png"},
		{Name: "train/b", Typeflag: tar.TypeSymlink, Linkname: outside},
		{Name: "train/b/through.png", Typeflag: tar.TypeReg}, // would be written through the link before it
		{Name: "train/a/device.png", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 5},
		{Name: "train/a/block.png", Typeflag: tar.TypeBlock, Devmajor: 8},
		{Name: "train/a/pipe.png", Typeflag: tar.TypeFifo},
		{Name: "train/a/hard-out.png", Typeflag: tar.TypeReg}, // would overwrite what the link leads to
	} {
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(picture))
		}
		h.Mode = 0o4755
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			_, _ = w.Write([]byte(picture))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "set.tar"), packed.String())
	packed.Reset()
	z := zip.NewWriter(&packed)
	for _, f := range []struct {
		name, content string
		mode          fs.FileMode
	}{
		{"train/a/1.png", picture, 0o4755},
		{"train/a/soft-out.png", secret, fs.ModeSymlink | 0o777},
		{"train/b", outside, fs.ModeSymlink | 0o777},
		{"train/b/through.png", picture, 0o644},
		{"train/a/device.png", "", fs.ModeDevice | fs.ModeCharDevice},
		{"train/a/pipe.png", "", fs.ModeNamedPipe},
		{"train/a/socket.png", "", fs.ModeSocket},
		{"train/a/hard-out.png", picture, 0o644},
	} {
		h := &zip.FileHeader{Name: f.name}
		h.SetMode(f.mode)
		entry, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = entry.Write([]byte(f.content))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "set.zip"), packed.String())
	before, err := os.ReadFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"set.tar", "set.zip"} {
		d, err := dataset.Read(filepath.Join(dir, name), dataset.Options{FollowLinks: true})
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff([]string{"train|a|train/a/1.png", "train|a|train/a/hard-out.png", "train|b|train/b/through.png"}, names(d.Samples())); diff != "" {
			t.Error(name, diff)
		}
		for _, s := range d.Samples() {
			info, err := os.Lstat(s.Path)
			if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 != 0 || info.Mode()&fs.ModeSetuid != 0 {
				t.Errorf("%s: %s is %v, %v", name, s.Name, info.Mode(), err)
			}
		}
		got := reasons(d.Skipped)
		for _, link := range []string{"train/a/soft-out.png", "train/b", "train/a/device.png", "train/a/pipe.png"} {
			if got[link] != "not a regular file of the archive" {
				t.Errorf("%s: %s is skipped for %q", name, link, got[link])
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if after, err := os.ReadFile(secret); err != nil || !bytes.Equal(after, before) {
		t.Errorf("what a link leads to was changed: %v", err)
	}
	if all := everything(t, outside); len(all) != 1 {
		t.Errorf("outside there is %v", all)
	}
}

// In a folder too, pipes, sockets and devices are passed over: nobody waits for one. A hard link is a file like any other, which only who can
// read the file could make.
func TestFoldersHoldNoSpecialFiles(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"train/a/1.png": ""})
	dir := filepath.Join(root, "train", "a")
	if err := errors.Join(syscall.Mkfifo(filepath.Join(dir, "pipe.png"), 0o600), syscall.Mkfifo(filepath.Join(root, "images.csv"), 0o600), os.Symlink("/dev/zero", filepath.Join(dir, "device.png")),
		os.Link(filepath.Join(dir, "1.png"), filepath.Join(dir, "hard.png"))); err != nil {
		t.Skip("no such files here:", err)
	}
	socket, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(dir, "s.png"))
	if err == nil {
		defer socket.Close()
	}
	for _, follow := range []bool{false, true} {
		d, err := dataset.Read(root, dataset.Options{FollowLinks: follow, Format: "folder"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"train|a|train/a/1.png", "train|a|train/a/hard.png"}, names(d.Samples())); diff != "" {
			t.Error(diff)
		}
		if why := reasons(d.Skipped)["train/a/pipe.png"]; why != "not a regular file" {
			t.Errorf("a pipe is skipped for %q", why)
		}
	}
}

// Whoever can write into a bucket chooses its keys, and no key leads out of the folder that its files are fetched into.
func TestKeysOfABucketStayInTheirFolder(t *testing.T) { // not in parallel: credentials are in the environment
	picture := smallPicture(t)
	files := map[string]string{"birds/train/a/1.png": picture}
	for _, key := range []string{"../out.png", "../../out.png", "train/../../../out.png", `..\..\out.png`, `train\..\..\..\out.png`, "/out.png", "//out.png", "train/a/../../../../out.png", ".ssh/out.png", "C:/out.png"} {
		files["birds/"+key] = picture
	}
	at := s3With(t, files, nil)
	temporary := os.Getenv("TMPDIR")
	d, err := dataset.Read("s3://pictures/birds"+at, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Len() == 0 || d.Sample(0).Name != "train/a/1.png" {
		t.Errorf("read %v", names(d.Samples()))
	}
	for _, s := range d.Samples() {
		if !strings.HasPrefix(s.Path, filepath.Join(temporary, dataset.TemporaryPrefix)) {
			t.Errorf("%s lies at %s", s.Name, s.Path)
		}
	}
	if got := reasons(d.Skipped); got["../out.png"] != "leads out of the bucket" || got[`..\..\out.png`] != "leads out of the bucket" {
		t.Errorf("skipped %v", d.Skipped)
	}
	for _, path := range everything(t, temporary) {
		if !strings.HasPrefix(path, string(filepath.Separator)+dataset.TemporaryPrefix) {
			t.Errorf("%s was written", path)
		}
	}
	for _, place := range []string{filepath.Dir(temporary), "/", "."} {
		if _, err := os.Lstat(filepath.Join(place, "out.png")); err == nil {
			t.Errorf("out.png was written into %s", place)
		}
	}
}
