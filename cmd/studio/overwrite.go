package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

// namedFile is a file and its role in a command, such as --model.
type namedFile struct{ what, path string }

// withManifest returns a model's file and the path of the manifest beside it, which may exist.
func withManifest(what, path string) []namedFile {
	return []namedFile{{what, path}, {"the manifest of " + what, manifestPath(path)}}
}

// wholeModel returns the files of a model that is read: its own, its manifest, and the files with its data.
func wholeModel(what, path string) []namedFile {
	files := withManifest(what, path)
	beside, _ := onnx.DataFiles(path) // a fault of the model is reported when it is read
	for _, file := range beside {
		files = append(files, namedFile{"the data of " + what, file})
	}
	return files
}

// refuseOverwriting returns an error for an output file that would overwrite an input, also under another name, another output, or a file
// in a folder that is read, such as a picture or a map; and for one that exists and is not a regular file. Commands check that before
// they begin, so that a mistyped path does not cost a network that took a day to train.
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

// lies reports whether a file exists in a folder or below it. Networks and their manifests do not count, since a folder of pictures or
// maps is not read for them: they may be overwritten.
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

// sameFile reports whether two paths lead to one file, by links, hard links or another spelling. The files need not exist.
func sameFile(a, b string) bool {
	one, err1 := os.Stat(a)
	two, err2 := os.Stat(b)
	if err1 == nil && err2 == nil {
		return os.SameFile(one, two)
	}
	return resolved(a) == resolved(b)
}

// resolved returns a path without links, as far as it exists.
func resolved(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for range 40 { // follow links whose target does not exist yet: writing would make it
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
