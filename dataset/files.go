package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// suffixes of pictures the studio decodes; others that are pictures get a reason of their own.
var (
	pictureSuffix = map[string]bool{".jpg": true, ".jpeg": true, ".jpe": true, ".jfif": true, ".png": true, ".webp": true}
	otherPicture  = map[string]bool{".gif": true, ".bmp": true, ".tif": true, ".tiff": true, ".heic": true, ".heif": true, ".avif": true, ".jp2": true, ".svg": true}
	litter        = map[string]bool{"thumbs.db": true, "desktop.ini": true, "ehthumbs.db": true, "__macosx": true, "$recycle.bin": true}
)

func pictureSuffixes() string { return ".jpg, .jpeg, .png or .webp" }

// passOver says why an entry is no part of a data set, before anything is opened; "" if it may be.
func passOver(entry fs.DirEntry) string {
	name := entry.Name()
	switch {
	case litter[strings.ToLower(name)]:
		return "left by an operating system"
	case strings.HasPrefix(name, "."):
		return "hidden"
	case entry.Type()&fs.ModeSymlink != 0:
		return "symbolic link: copy what it points to into the folder"
	case !entry.IsDir() && !entry.Type().IsRegular():
		return "not a regular file"
	case !utf8.ValidString(name):
		return "its name is not UTF-8"
	}
	return ""
}

// checkPicture says why a regular file is no picture we decode; "" if it looks like one. It reads
// the first bytes, so that a text file named .jpg is told apart.
func checkPicture(file string) string {
	suffix := strings.ToLower(filepath.Ext(file))
	if otherPicture[suffix] {
		return suffix + " is not read: convert it to PNG or JPEG"
	}
	if !pictureSuffix[suffix] {
		return "not a picture: its name does not end in " + pictureSuffixes()
	}
	f, err := os.Open(file)
	if err != nil {
		return "cannot be opened: " + bare(err)
	}
	defer f.Close()
	var head [12]byte
	n, err := io.ReadFull(f, head[:])
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return "empty file"
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return "cannot be read: " + bare(err)
	case !hasPictureSignature(head[:n]):
		return fmt.Sprintf("not a JPEG, PNG or WebP: it starts with %q", head[:min(n, 8)])
	}
	return ""
}

func hasPictureSignature(head []byte) bool {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return true
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return true
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return true
	}
	return false
}

// bare drops the path from an error that is reported beside its path.
func bare(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}

// entries lists a folder below the root in byte order; what is never part of a data set is noted in Skipped.
func (d *Dataset) entries(below string) ([]fs.DirEntry, error) {
	all, err := os.ReadDir(d.file(below))
	if err != nil {
		return nil, err
	}
	kept := all[:0]
	for _, entry := range all {
		if reason := passOver(entry); reason != "" {
			d.skip(path.Join(below, entry.Name()), "%s", reason)
			continue
		}
		kept = append(kept, entry)
	}
	return kept, nil
}

// file turns a slash-separated name below the root into a path.
func (d *Dataset) file(name string) string { return filepath.Join(d.Dir, filepath.FromSlash(name)) }

// walk calls found for every picture below a folder, to any depth, and notes every other file in Skipped.
func (d *Dataset) walk(below string, found func(name string)) error {
	list, err := d.entries(below)
	if err != nil {
		return err
	}
	for _, entry := range list {
		name := path.Join(below, entry.Name())
		if entry.IsDir() {
			if err := d.walk(name, found); err != nil {
				return err
			}
			continue
		}
		if reason := checkPicture(d.file(name)); reason != "" {
			d.skip(name, "%s", reason)
			continue
		}
		found(name)
	}
	return nil
}

// linked returns the first part of a name that is a symbolic link, "" if none is. What it leads to, inside or out, is no part
// of the data set, as for folders that are walked.
func (d *Dataset) linked(name string) string {
	below := ""
	for part := range strings.SplitSeq(name, "/") {
		below = path.Join(below, part)
		if info, err := os.Lstat(d.file(below)); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return below
		}
	}
	return ""
}

// isRegular reports whether the root holds a regular file of that name, reached without a symbolic link.
func (d *Dataset) isRegular(name string) bool {
	info, err := os.Lstat(d.file(name))
	return err == nil && info.Mode().IsRegular() && d.linked(name) == ""
}

func (d *Dataset) isDir(name string) bool {
	info, err := os.Lstat(d.file(name))
	return err == nil && info.IsDir() && d.linked(name) == ""
}

// linkReason is why a name that leads through a link is not followed.
func linkReason(link string) string {
	return fmt.Sprintf("leads through the symbolic link %s: copy what it points to into the folder", link)
}

// entriesQuietly is entries without noting what it passes over, for a look ahead.
func (d *Dataset) entriesQuietly(below string) ([]fs.DirEntry, error) {
	return os.ReadDir(d.file(below))
}
