package dataset

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/text"
)

// Bounds of an archive: how many files it may have, how large one may be, and how many times the archive's size all of them may take on
// disk. Packed pictures are hardly smaller, so an archive that unpacks to much more does not hold pictures.
const (
	maxFiles  = 5_000_000
	maxFile   = 4 << 30
	maxGrowth = 50
	minGrowth = 1 << 30 // whatever the archive's size
)

// ErrArchive is returned for an archive that cannot be unpacked, or whose content exceeds the bounds.
var ErrArchive = errors.New("the archive cannot be unpacked")

var archiveSuffixes = []string{".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2"}

// isArchive reports whether a file's name is that of an archive.
func isArchive(name string) bool {
	return slices.ContainsFunc(archiveSuffixes, func(s string) bool { return strings.HasSuffix(strings.ToLower(name), s) })
}

// isPacked reports whether a file's name is that of an archive, also of a kind that is not read.
func isPacked(name string) bool {
	return isArchive(name) || slices.Contains([]string{".7z", ".rar", ".xz", ".zst", ".gz", ".lz4"}, suffix(name))
}

// unpacker writes the files of archives into a folder. It writes nothing outside that folder: names that lead out of it are skipped, and
// so are links and all that is not a regular file.
type unpacker struct {
	d     *Dataset
	dir   string
	of    string // what the files are of, "the archive"
	left  int64  // bytes that may still be written
	files int
	room  []byte // what is being copied
}

// unpack unpacks the archive that was given, or all shards of a folder, into a temporary folder, which is then the one to read.
func (d *Dataset) unpack(archives []string) error {
	dir, err := d.temporary()
	if err != nil {
		return err
	}
	u := &unpacker{d: d, dir: dir, of: "the archive"}
	for _, archive := range archives {
		info, err := os.Stat(archive)
		if err != nil {
			return err
		}
		u.left += max(minGrowth, maxGrowth*info.Size())
		below := ""
		if name := d.fromGiven(archive); len(archives) > 1 || path.Dir(name) != "." { // shards may have the same names inside
			below = withoutArchive(name)
		}
		if err := u.archive(archive, below); err != nil {
			return fmt.Errorf("%s: %w", d.fromGiven(archive), err)
		}
	}
	d.Dir, d.root = dir, dir
	return nil
}

// fromGiven is the path of an archive below the folder that was given, or its name where it was given itself.
func (d *Dataset) fromGiven(archive string) string {
	if name, err := filepath.Rel(d.given, archive); err == nil && name != "." {
		return filepath.ToSlash(name)
	}
	return filepath.Base(archive)
}

// copyBeside copies the tables and texts that stand beside the archives of the given folder, since they speak of what was unpacked.
func (d *Dataset) copyBeside() error {
	outside := *d
	outside.Dir = d.given
	u := &unpacker{d: d, dir: d.Dir, of: "the folder", left: maxFile}
	for _, entry := range outside.look("") {
		if entry.IsDir() || isArchive(entry.Name()) || !mayTell(entry.Name()) && suffix(entry.Name()) != ".txt" && suffix(entry.Name()) != ".names" {
			continue
		}
		f, err := os.Open(outside.file(entry.Name()))
		if err != nil {
			return err
		}
		err = u.write("", entry.Name(), f)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// TemporaryPrefix is how the names of temporary folders for unpacked archives begin.
const TemporaryPrefix = "studio-dataset-"

// temporary makes the data set's temporary folder, which Close removes. It also removes those that killed processes left.
func (d *Dataset) temporary() (string, error) {
	folder, err := disk.NewTemporaryFolder(TemporaryPrefix)
	if err != nil {
		return "", fmt.Errorf("making a temporary folder (TMPDIR says where): %w", err)
	}
	d.unpacked = append(d.unpacked, folder)
	return folder.Path, nil
}

func withoutArchive(name string) string {
	for _, s := range archiveSuffixes {
		if strings.HasSuffix(strings.ToLower(name), s) {
			name = name[:len(name)-len(s)]
			break
		}
	}
	return name
}

func (u *unpacker) archive(file, below string) error {
	if strings.HasSuffix(strings.ToLower(file), ".zip") {
		z, err := zip.OpenReader(file)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrArchive, err)
		}
		defer z.Close()
		return u.zip(&z.Reader, below)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return u.tar(bufio.NewReaderSize(f, 1<<20), below)
}

func (u *unpacker) zip(z *zip.Reader, below string) error {
	for _, entry := range z.File {
		if entry.FileInfo().IsDir() {
			continue
		}
		if !entry.Mode().IsRegular() {
			u.d.skip(text.Clean(entry.Name), "not a regular file of the archive")
			continue
		}
		if entry.Flags&1 != 0 {
			return fmt.Errorf("%w: %s is encrypted with a password: unpack it yourself", ErrArchive, text.Clean(entry.Name))
		}
		name, err := u.decoded(entry)
		if err != nil {
			return err
		}
		content, err := entry.Open()
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrArchive, text.Clean(entry.Name), err)
		}
		err = u.write(below, name, content)
		content.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// decoded returns the name of a zip's file. Old programs write names in their system's encoding.
func (u *unpacker) decoded(entry *zip.File) (string, error) {
	if text.Valid(entry.Name) || u.d.options.Encoding == "" {
		return entry.Name, nil
	}
	r, err := text.Reader(strings.NewReader(entry.Name), u.d.options.Encoding)
	if err != nil {
		return "", err
	}
	name, err := io.ReadAll(r)
	return string(name), err
}

// tar unpacks a tar, also a packed one.
func (u *unpacker) tar(r *bufio.Reader, below string) error {
	var plain io.Reader = r
	head, _ := r.Peek(3)
	switch {
	case len(head) >= 2 && head[0] == 0x1f && head[1] == 0x8b:
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrArchive, err)
		}
		plain = z
	case string(head) == "BZh":
		plain = bzip2.NewReader(r)
	}
	for t := tar.NewReader(plain); ; {
		entry, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrArchive, err)
		}
		switch entry.Typeflag {
		case tar.TypeReg:
			if err := u.write(below, entry.Name, t); err != nil {
				return err
			}
		case tar.TypeDir, tar.TypeXGlobalHeader:
		default:
			u.d.skip(text.Clean(entry.Name), "not a regular file of the archive")
		}
	}
}

// place returns where a file goes below the folder, and makes the folders above it; "" for a file that is never part of a data set, which
// is skipped.
func (u *unpacker) place(below, given string) (file string, err error) {
	name := path.Clean(strings.ReplaceAll(given, `\`, "/"))
	local := filepath.FromSlash(name)
	switch {
	case !text.Valid(name):
		u.d.skip(text.Clean(given), "its name is not UTF-8: name its encoding with --encoding (shift_jis, gbk, windows-1252), or pack it with names in UTF-8")
		return "", nil
	case !filepath.IsLocal(local) || name == ".":
		u.d.skip(given, "leads out of %s", u.of)
		return "", nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if litter[strings.ToLower(part)] || strings.HasPrefix(part, ".") {
			u.d.count(given, "left by an operating system, or hidden, in "+u.of+": passed over")
			return "", nil
		}
	}
	if u.files++; u.files > maxFiles {
		return "", fmt.Errorf("%w: it holds more than %d files", ErrArchive, maxFiles)
	}
	file = filepath.Join(u.dir, filepath.FromSlash(below), local)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", fmt.Errorf("%w: %s: %s", ErrArchive, given, bare(err))
	}
	return file, nil
}

// write puts one file below the folder.
func (u *unpacker) write(below, given string, content io.Reader) error {
	file, err := u.place(below, given)
	if err != nil || file == "" {
		return err
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		u.d.skip(given, "named again in the archive")
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrArchive, given, err)
	}
	most := min(u.left, maxFile)
	if u.room == nil {
		u.room = make([]byte, 64<<10)
	}
	// Only a Writer, since what a file reads from has room of its own made for it.
	n, err := io.CopyBuffer(struct{ io.Writer }{out}, io.LimitReader(content, most+1), u.room)
	err = errors.Join(err, out.Close())
	u.left -= n
	if n > most {
		return fmt.Errorf("%w: %s makes it larger inside than it may be (%d times its size): unpack it yourself if that is right", ErrArchive, given, maxGrowth)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrArchive, given, err)
	}
	return nil
}
