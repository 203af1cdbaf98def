package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

// namedFile is a file by what it is to a command, such as --model.
type namedFile struct{ what, path string }

// withManifest is a model's file and the manifest beside it, which its own or another model may have.
func withManifest(what, path string) []namedFile {
	return []namedFile{{what, path}, {"the manifest of " + what, manifestPath(path)}}
}

// wholeModel is a model that is read, its manifest, and the files beside it that its data lies in.
func wholeModel(what, path string) []namedFile {
	files := withManifest(what, path)
	beside, _ := onnx.DataFiles(path) // who reads the model says what is wrong with it
	for _, file := range beside {
		files = append(files, namedFile{"the data of " + what, file})
	}
	return files
}

// refuseOverwriting reports a file that would be written over one that is read, by whatever names the two are given, or over
// another one that is written, or over what lies in a folder that is read, such as a picture or a map; and one that is no regular
// file. Commands ask before they begin: a network that was trained for a day, or a day's maps, should not be lost to a slip.
func refuseOverwriting(written, read []namedFile, folders ...namedFile) error {
	for i, w := range written {
		if info, err := os.Stat(w.path); err == nil && !info.Mode().IsRegular() {
			if info.IsDir() {
				return fmt.Errorf("%s, %s, is a folder: name a file in it", w.what, w.path)
			}
			return fmt.Errorf("%s, %s, is no regular file", w.what, w.path)
		}
		for k, r := range append(read[:len(read):len(read)], written[:i]...) {
			if !sameFile(w.path, r.path) {
				continue
			}
			if k < len(read) {
				return fmt.Errorf("%s and %s are one file, %s: write to another name, what is read stays as it is", w.what, r.what, r.path)
			}
			return fmt.Errorf("%s and %s would be one file, %s: give --out a name that ends in .onnx", w.what, r.what, r.path)
		}
		for _, folder := range folders {
			if lies(w.path, folder.path) {
				return fmt.Errorf("%s, %s, is there already and lies in the folder of %s: write to another name, what is read stays as it is", w.what, w.path, folder.what)
			}
		}
	}
	return nil
}

// lies reports whether a file is there, in a folder or below it. A network and its manifest are nothing that a folder of pictures
// or maps is read for: they may be written anew.
func lies(path, folder string) bool {
	if _, err := os.Stat(path); err != nil || folder == "" {
		return false
	}
	base := strings.TrimSuffix(path, filepath.Ext(path))
	if _, err := os.Stat(base + ".onnx"); err == nil {
		return false
	}
	below, err := filepath.Rel(resolved(folder), resolved(path))
	return err == nil && filepath.IsLocal(below)
}

// sameFile reports whether two names lead to one file, by links, hard links or other spellings. Files need not be there.
func sameFile(a, b string) bool {
	one, err1 := os.Stat(a)
	two, err2 := os.Stat(b)
	if err1 == nil && err2 == nil {
		return os.SameFile(one, two)
	}
	return resolved(a) == resolved(b)
}

// resolved is a path without links, as far as it is there.
func resolved(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for range 40 { // a link that leads nowhere yet is written through
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	rest := ""
	for at := path; ; at = filepath.Dir(at) {
		if found, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(found, rest)
		}
		if at == filepath.Dir(at) {
			return path
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}
