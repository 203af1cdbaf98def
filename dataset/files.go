package dataset

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// litter are the names, in lower case, of files and folders that systems, file servers and tools leave among pictures. Names that begin
// with a dot are skipped without it.
var litter = map[string]bool{
	// Windows
	"thumbs.db": true, "thumbs.db:encryptable": true, "ehthumbs.db": true, "ehthumbs_vista.db": true, "desktop.ini": true, "folder.htt": true,
	"$recycle.bin": true, "recycler": true, "recycled": true, "system volume information": true, "found.000": true,
	// macOS
	"__macosx": true, "icon\r": true, "network trash folder": true, "temporary items": true,
	// Synology, QNAP and others that serve files
	"@eadir": true, "#recycle": true, "@recycle": true, "@recently-snapshot": true, "@__thumb": true, "#snapshot": true, "@tmp": true,
	"@sharebin": true, "@sharesnap": true, "@snapshot": true, "@synologyworkspace": true, "#work": true,
	// Linux, Android, tools
	"lost+found": true, "lost.dir": true, "__pycache__": true, "_gsdata_": true, "picasa.ini": true, "zbthumbnail.info": true,
}

// pictureSuffixes are those of pictures, for a message.
func pictureSuffixes() string {
	all := picture.Suffixes()
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// suffix is a name's, in lower case.
func suffix(name string) string { return strings.ToLower(path.Ext(name)) }

// passOver says why an entry is not part of a data set, from its name and type alone; "" if it may be.
func passOver(entry fs.DirEntry) string {
	name := entry.Name()
	switch {
	case litter[strings.ToLower(name)]:
		return "left by an operating system"
	case strings.HasPrefix(name, "."):
		return "hidden"
	case entry.Type()&fs.ModeSymlink != 0:
		return "symbolic link: copy what it points to into the folder, or pass --follow-links"
	case !entry.IsDir() && !entry.Type().IsRegular():
		return "not a regular file"
	case !text.Valid(name):
		return "its name is not UTF-8"
	}
	return ""
}

// checkPicture says why a regular file is not a picture that can be decoded; "" if it looks like one. It reads the first bytes, so that
// a text file named .jpg is found, and counts files that hold more than one picture.
func (d *Dataset) checkPicture(name string) string {
	if suffix := picture.UnreadSuffix(name); suffix != "" {
		return suffix + " is not read: convert it to PNG or JPEG"
	}
	if !picture.HasSuffix(name) {
		return "not a picture: its name does not end in " + pictureSuffixes()
	}
	f, err := os.Open(d.file(name))
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
	case picture.Format(head[:n]) == "":
		return notAPicture(head[:n])
	}
	d.countSeveral(name, f)
	return ""
}

// notAPicture says that a file with these first bytes is of no format that is read.
func notAPicture(head []byte) string {
	return fmt.Sprintf("not a %s: it starts with %q", picture.FormatList, head[:min(len(head), 8)])
}

// countSeveral notes a file that holds more pictures than one.
func (d *Dataset) countSeveral(name string, file io.ReadSeeker) {
	if picture.Frames(file) > 1 {
		d.count(name, "it holds several pictures (an animation, pages): the first is used")
	}
}

// bare returns an error's text without the path, which is reported beside it.
func bare(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}

// entry is a file or folder in a list. It is small, since a folder may have a million.
type entry struct {
	name  string
	isDir bool
}

func (e entry) Name() string { return e.name }
func (e entry) IsDir() bool  { return e.isDir }

// entries lists a folder below the root in byte order. Entries that are never part of a data set are left out and noted in Skipped.
func (d *Dataset) entries(below string) ([]entry, error) { return d.list(below, d.skip, nil) }

// glanced is how many of a folder's pictures look lists, and how many entries a folder has whose list it keeps.
const glanced = 1000

// look lists what tells a folder's layout, without notes in Skipped: all that entries lists, and of pictures the first that are found.
// A folder that cannot be listed is empty. The lists of large folders are kept, as each layout looks at them.
func (d *Dataset) look(below string) []entry {
	dir := d.file(below)
	if list, ok := d.looked[dir]; ok {
		return list
	}
	all, pictures := 0, 0
	list, err := d.list(below, func(string, string, ...any) {}, func(e entry) bool {
		all++
		if e.isDir || !picture.HasSuffix(e.name) {
			return true
		}
		pictures++
		return pictures <= glanced
	})
	if err != nil {
		return nil
	}
	if all > glanced && d.looked != nil {
		d.looked[dir] = list
	}
	return list
}

// atOnce is how many entries of a folder are read at a time.
const atOnce = 1024

// list lists a folder: the entries that keep is true of (nil: all), in byte order. It holds no more than their names.
func (d *Dataset) list(below string, skip func(path, format string, args ...any), keep func(entry) bool) ([]entry, error) {
	folder, err := os.Open(d.file(below))
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	var kept []entry
	var links []fs.DirEntry // only the first of two links to a folder is followed, so they wait until they are in order
	take := func(part []fs.DirEntry) {
		first := len(kept)
		var names strings.Builder // of this part, in one piece of memory
		for _, read := range part {
			if read.Type()&fs.ModeSymlink != 0 && links != nil {
				links = append(links, read)
				continue
			}
			e, reason := d.consider(below, read)
			if reason != "" {
				skip(path.Join(below, read.Name()), "%s", reason)
			} else if keep == nil || keep(e) {
				names.WriteString(e.name)
				kept = append(kept, e)
			}
		}
		together := names.String()
		for i := range kept[first:] {
			e := &kept[first+i]
			e.name, together = together[:len(e.name)], together[len(e.name):]
		}
	}
	if d.options.FollowLinks {
		links = []fs.DirEntry{}
	}
	for {
		part, err := folder.ReadDir(atOnce)
		take(part)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(links, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	inOrder := links
	links = nil
	take(inOrder)
	slices.SortFunc(kept, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return kept, nil
}

// consider says why an entry of a folder is not part of the data set, "" if it may be. A link that is followed is what it leads to.
func (d *Dataset) consider(below string, read fs.DirEntry) (e entry, reason string) {
	if read.Type()&fs.ModeSymlink != 0 && d.options.FollowLinks && !strings.HasPrefix(read.Name(), ".") && !litter[strings.ToLower(read.Name())] {
		target, reason := d.follow(path.Join(below, read.Name()))
		if reason != "" {
			return entry{}, reason
		}
		read = fs.FileInfoToDirEntry(target)
	}
	return entry{read.Name(), read.IsDir()}, passOver(read)
}

// follow returns the target of a symbolic link, which must lie inside the root, or the reason why the link is not followed. Only one
// link to a folder is followed, and none from inside that folder, so that no walk goes round in circles.
func (d *Dataset) follow(name string) (target fs.FileInfo, reason string) {
	resolved, err := filepath.EvalSymlinks(d.file(name))
	if err != nil {
		return nil, "a symbolic link to nothing"
	}
	root, err := filepath.EvalSymlinks(d.root)
	if err != nil {
		return nil, bare(err)
	}
	if below, err := filepath.Rel(root, resolved); err != nil || !filepath.IsLocal(below) {
		return nil, "a symbolic link that leads out of the data set's folder"
	}
	info, err := os.Stat(d.file(name))
	if err != nil {
		return nil, bare(err)
	}
	if info.IsDir() {
		here, err := filepath.EvalSymlinks(filepath.Dir(d.file(name)))
		if err != nil {
			return nil, bare(err)
		}
		if up, err := filepath.Rel(resolved, here); err == nil && filepath.IsLocal(up) {
			return nil, "a symbolic link to a folder that it stands in"
		}
		if other, ok := d.links[resolved]; ok && other != name {
			return nil, "a symbolic link to the same folder as " + other
		}
		if d.links == nil {
			d.links = map[string]string{}
		}
		d.links[resolved] = name
	}
	return info, ""
}

// file turns a slash-separated name below the root, as the disk spells it, into a path.
func (d *Dataset) file(name string) string { return filepath.Join(d.Dir, filepath.FromSlash(name)) }

// walk calls found for every picture below a folder, to any depth, and notes every other file in Skipped. Names are as the
// disk spells them.
func (d *Dataset) walk(below string, found func(name string)) error {
	list, err := d.entries(below)
	if err != nil {
		return err
	}
	masks := map[string]string{}
	if folders := names(list); len(folders) > 0 && len(list) > 1 {
		masks = d.takeMasks(below, folders)
	}
	for _, entry := range list {
		name := path.Join(below, entry.Name())
		if entry.IsDir() {
			if inMap(masks, entry.Name()) {
				continue
			}
			if err := d.walk(name, found); err != nil {
				return err
			}
			continue
		}
		if d.isAbout(entry.Name()) {
			continue
		}
		if reason := d.checkPicture(name); reason != "" {
			d.skip(name, "%s", reason)
			continue
		}
		found(name)
	}
	return nil
}

// twin reports whether the disk has another file under the composed form of a name.
func (d *Dataset) twin(name, composed string) bool {
	other, err := os.Lstat(d.file(composed))
	if err != nil {
		return false
	}
	own, err := os.Lstat(d.file(name))
	return err == nil && !os.SameFile(own, other)
}

// locate finds how the disk spells a name that a list or a table gives in NFC.
func (d *Dataset) locate(name string) string {
	if ascii(name) {
		return name
	}
	if _, err := os.Lstat(d.file(name)); err == nil {
		return name
	}
	below := ""
	for part := range strings.SplitSeq(name, "/") {
		below = path.Join(below, d.spelt(below, part))
	}
	return below
}

// spelt returns one part of a name as the disk spells it.
func (d *Dataset) spelt(below, part string) string {
	if ascii(part) {
		return part
	}
	for _, form := range []string{part, text.NFD(part)} {
		if _, err := os.Lstat(d.file(path.Join(below, form))); err == nil {
			return form
		}
	}
	if d.spelling.folder != below || d.spelling.names == nil { // neither in NFC nor in NFD: look through the folder
		d.spelling.folder, d.spelling.names = below, map[string]string{}
		if list, err := os.ReadDir(d.file(below)); err == nil {
			for _, entry := range list {
				if !ascii(entry.Name()) {
					d.spelling.names[text.NFC(entry.Name())] = entry.Name()
				}
			}
		}
	}
	if name, ok := d.spelling.names[part]; ok {
		return name
	}
	return part
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// linked returns the first part of a name that is a symbolic link which is not followed, "" if none is. Files behind such a link are not
// part of the data set, whether a name or a walk leads there.
func (d *Dataset) linked(name string) string {
	below := ""
	for part := range strings.SplitSeq(name, "/") {
		below = path.Join(below, part)
		if info, err := os.Lstat(d.file(below)); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			if !d.options.FollowLinks {
				return below
			}
			if _, reason := d.follow(below); reason != "" && !strings.Contains(reason, "same folder as") {
				return below
			}
		}
	}
	return ""
}

// stat looks at a name, through links where those are followed; nil if it is not there.
func (d *Dataset) stat(name string) fs.FileInfo {
	look := os.Lstat
	if d.options.FollowLinks {
		look = os.Stat
	}
	info, err := look(d.file(name))
	if err != nil || d.linked(name) != "" {
		return nil
	}
	return info
}

// isRegular reports whether the root holds a regular file of that name, reached without a symbolic link that is not followed.
func (d *Dataset) isRegular(name string) bool {
	info := d.stat(name)
	return info != nil && info.Mode().IsRegular()
}

func (d *Dataset) isDir(name string) bool {
	info := d.stat(name)
	return info != nil && info.IsDir()
}

// linkReason says why a name that leads through a link is not followed.
func linkReason(link string) string {
	return fmt.Sprintf("leads through the symbolic link %s: copy what it points to into the folder, or pass --follow-links", link)
}
