package dataset

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// placer finds the pictures that a table names: under the name itself, else with a picture's suffix added, else in one of the folders of
// pictures, at most two deep. Competitions give a table of ids and a folder such as train_images. Of a path or an address from another
// place the first folders, which are not here, are left out.
type placer struct {
	d       *Dataset
	split   string // of the table, by its name: its files are in folders of no other
	folders []string
	masks   nameSet // of all rows: none of them is a picture
	looked  bool
	noted   map[string]bool
	listed  map[string]nameSet // the names in folders, so that a name need not be looked for there with every suffix
	folded  struct {           // the names of one folder, by their form in lower case
		folder string
		names  map[string]string
	}
}

// find returns a file as the disk spells it, "" if it does not exist, or the reason why it is ambiguous. split is the one that the row
// names. A name that leads out of the root, or is an address, is one from another place.
func (p *placer) find(given, split string) (disk, reason string) {
	name, ok := localName(given)
	foreign := !ok || strings.Contains(given, "://") || hasDrive(name)
	if !foreign {
		if disk, reason := p.place(name, split); disk != "" || reason != "" {
			return disk, reason
		}
		if plain, err := url.PathUnescape(given); err == nil && plain != given {
			if name, ok := localName(plain); ok {
				if disk, reason := p.place(name, split); disk != "" {
					p.note("names in which characters are written as %20 and the like are read as addresses are")
					return disk, reason
				}
			}
		}
		first, _, below := strings.Cut(name, "/")
		if !below || p.d.isDir(p.d.locate(first)) {
			return "", ""
		}
	}
	return p.from(given, split)
}

// hasDrive reports whether a path begins with a letter of Windows' drives.
func hasDrive(name string) bool {
	return len(name) > 1 && name[1] == ':' && (len(name) == 2 || name[2] == '/' || name[2] == '\\')
}

// urlPath is the path of an address, or the name itself if it is none.
func urlPath(given string) string {
	if u, err := url.Parse(given); err == nil && u.Scheme != "" && u.Host+u.Path != "" && strings.Contains(given, "://") {
		return u.Path
	}
	return given
}

// from finds a file by a path from another place: the rest after the folders that are not here.
func (p *placer) from(given, split string) (disk, reason string) {
	parts := strings.FieldsFunc(text.NFC(urlPath(given)), func(r rune) bool { return r == '/' || r == '\\' })
	for i := range parts {
		rest := path.Join(parts[i:]...)
		if i < len(parts)-1 && (parts[i] == ".." || parts[i] == "." || !p.d.isDir(p.d.locate(parts[i]))) {
			continue
		}
		if name, ok := localName(rest); ok {
			disk, _ = p.place(name, split) // one of several would be a guess
			if before := strings.Join(parts[:i], "/"); disk != "" && before != "" {
				p.note("paths are read without the folders that are not here: " + text.Cut(before, 200) + "/")
			}
		}
		return disk, ""
	}
	return "", ""
}

// place finds a file by its path below the root or below one of the folders.
func (p *placer) place(name, split string) (disk, reason string) {
	if disk := p.d.locate(name); p.there(disk) {
		return disk, ""
	}
	suffixes := []string{""}
	if !picture.HasSuffix(name) {
		suffixes = picture.Completions()
		for _, s := range suffixes {
			if disk := p.d.locate(name + s); p.mayHold(disk) && p.there(disk) {
				p.note("names are completed with " + s)
				return disk, ""
			}
		}
	}
	if disk := p.spelt(name); disk != "" {
		return disk, ""
	}
	p.look()
	found := p.inFolders(name, cmp.Or(split, p.split), suffixes)
	if len(found) == 0 && suffixes[0] != "" { // it may have none, which is then said of it
		found = p.inFolders(name, cmp.Or(split, p.split), []string{""})
	}
	switch len(found) {
	case 0:
		return "", ""
	case 1:
		folder := path.Dir(found[0])
		if i := strings.LastIndex(found[0], "/"+name); i >= 0 {
			folder = found[0][:i]
		}
		p.note("files are found in " + folder + "/")
		return found[0], ""
	default:
		return "", fmt.Sprintf("could be %s or %s: write the path below the folder", found[0], found[1])
	}
}

// inFolders lists the files of a name in the folders, without those of another split.
func (p *placer) inFolders(name, split string, suffixes []string) (found []string) {
	for _, folder := range p.folders {
		first, _, _ := strings.Cut(folder, "/")
		if other, ok := p.d.splitWord(first); ok && split != "" && other != split {
			continue
		}
		for _, s := range suffixes {
			if disk := p.d.locate(path.Join(folder, name+s)); p.mayHold(disk) && p.there(disk) {
				found = append(found, disk)
				break
			}
		}
	}
	return found
}

// mostListed bounds how many folders' names are kept.
const mostListed = 10_000

// mayHold reports whether a file's folder has its name, which is false for most that are tried.
func (p *placer) mayHold(disk string) bool {
	folder, base := path.Split(disk)
	names, ok := p.listed[folder]
	if !ok {
		if len(p.listed) == mostListed {
			return true
		}
		names = nameSet{}
		if f, err := os.Open(p.d.file(path.Clean(folder))); err == nil {
			for err == nil {
				var some []string
				some, err = f.Readdirnames(atOnce)
				for _, name := range some {
					names.add(name)
				}
			}
			f.Close()
		}
		if p.listed == nil {
			p.listed = map[string]nameSet{}
		}
		p.listed[folder] = names
	}
	return names.has(base)
}

// maxPlaces bounds the folders in which files are looked for.
const maxPlaces = 64

func (p *placer) look() {
	if p.looked {
		return
	}
	p.looked = true
	level := []string{""}
	for range 2 {
		var next []string
		for _, above := range level {
			for _, entry := range p.d.look(above) {
				if entry.IsDir() && !isCompanion(entry.Name()) && len(p.folders) < maxPlaces {
					next = append(next, path.Join(above, entry.Name()))
					p.folders = append(p.folders, path.Join(above, entry.Name()))
				}
			}
		}
		level = next
	}
}

// spelt finds a file whose name has other capitals, or another picture's suffix.
func (p *placer) spelt(name string) string {
	ext := path.Ext(name)
	if picture.HasSuffix(name) {
		for _, s := range picture.Completions() {
			if disk := p.d.locate(strings.TrimSuffix(name, ext) + s); p.mayHold(disk) && p.there(disk) {
				p.note(fmt.Sprintf("files end in %s where the table says %s", s, ext))
				return disk
			}
		}
	}
	folder, base := path.Split(name)
	folder = p.d.locate(path.Clean(folder))
	if p.folded.names == nil || p.folded.folder != folder {
		p.folded.folder, p.folded.names = folder, map[string]string{}
		if folder == "." || p.d.isDir(folder) {
			list := p.d.look(folder)
			for _, entry := range list {
				key := strings.ToLower(text.NFC(entry.Name()))
				if other, twice := p.folded.names[key]; twice && other != entry.Name() {
					p.folded.names[key] = "" // which of the two cannot be told
				} else if !entry.IsDir() {
					p.folded.names[key] = entry.Name()
				}
			}
		}
	}
	if base := p.folded.names[strings.ToLower(base)]; base != "" {
		if disk := path.Join(folder, base); p.there(disk) {
			p.note("names differ from those of the table in their capitals")
			return disk
		}
	}
	return ""
}

func (p *placer) there(name string) bool {
	if p.masks.has(text.NFC(name)) {
		return false
	}
	info, err := os.Lstat(p.d.file(name))
	return err == nil && (info.Mode().IsRegular() || info.Mode()&fs.ModeSymlink != 0 || p.d.linked(name) != "")
}

func (p *placer) note(what string) {
	if len(p.noted) < maxPlaces && !p.noted[what] {
		if p.noted == nil {
			p.noted = map[string]bool{}
		}
		p.noted[what] = true
		if !slices.Contains(p.d.Notes, Problem{Reason: what}) { // of another table
			p.d.note("", "%s", what)
		}
	}
}
