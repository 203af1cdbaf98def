package takeout

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
	"syscall"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/text"
)

// MaxFiles is how many files of maps are taken at a time. An archive holds any number.
const MaxFiles = 20_000

// Incoming are files of maps on their way here. They lie in a folder of their own until they are closed.
type Incoming struct {
	folder *disk.TemporaryFolder
	most   int64 // bytes that all may have, and have so far
	bytes  int64
	names  []string
}

// Receive makes room for files of at most so many bytes in all.
func Receive(most int64) (*Incoming, error) {
	folder, err := disk.NewTemporaryFolder("abn-studio-maps-")
	if err != nil {
		return nil, fmt.Errorf("receiving maps: %w", err)
	}
	return &Incoming{folder: folder, most: most}, nil
}

// Close removes the files.
func (in *Incoming) Close() error { return in.folder.Close() }

// Add keeps one file. Its name may have folders, as where one was dropped. annotator.ErrTooLarge beyond the bound of all; a
// *annotator.ValidationError names a file that is no map, is empty, or came twice.
func (in *Incoming) Add(name string, from io.Reader) error {
	refuse := func(format string, args ...any) error {
		return &annotator.ValidationError{Field: "maps", Message: fmt.Sprintf(format, args...)}
	}
	name = path.Clean(strings.ReplaceAll(text.NFC(name), `\`, "/"))
	switch local := filepath.FromSlash(name); {
	case name == "." || !filepath.IsLocal(local) || text.Clean(name) != name:
		return refuse("%q is no name of a file", name)
	case len(in.names) == MaxFiles:
		return refuse("more than %d files came: send them in a .zip", MaxFiles)
	case !slices.Contains(ReadSuffixes, suffixOf(name)):
		return refuse("%s is no file of maps: want one that ends in one of %s", name, strings.Join(ReadSuffixes, ", "))
	}
	at := filepath.Join(in.folder.Path, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(at), 0o700)
	if err != nil {
		return in.failed(name, err)
	}
	to, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return in.failed(name, err)
	}
	defer to.Close()
	in.names = append(in.names, name)
	size, err := io.Copy(to, io.LimitReader(from, in.most-in.bytes+1))
	if err == nil {
		err = to.Close()
	}
	switch in.bytes += size; {
	case err != nil:
		return in.failed(name, err)
	case in.bytes > in.most:
		return fmt.Errorf("%w: the maps have more than %d MiB: bring them on the server with 'studio import-maps'", annotator.ErrTooLarge, in.most>>20)
	case size == 0:
		return refuse("%s is empty", name)
	}
	return nil
}

// failed says whose fault it is that a file was not kept: the name's, the disk's or the sender's.
func (in *Incoming) failed(name string, err error) error {
	var known *annotator.ValidationError
	var place *fs.PathError
	switch {
	case errors.As(err, &known), errors.Is(err, annotator.ErrTooLarge):
		return err
	case errors.Is(err, fs.ErrExist):
		return &annotator.ValidationError{Field: "maps", Message: name + " came twice: send each file once"}
	case errors.Is(err, syscall.ENOTDIR):
		return &annotator.ValidationError{Field: "maps", Message: name + " lies in what came as a file"}
	case errors.Is(err, syscall.ENAMETOOLONG):
		return &annotator.ValidationError{Field: "maps", Message: name + " is too long a name"}
	case errors.As(err, &place):
		return fmt.Errorf("receiving maps: %w", disk.Full(err))
	}
	return &annotator.ValidationError{Field: "maps", Message: fmt.Sprintf("%s broke off (%v): send it again", name, err)}
}

// Import asks for what came to be read: one file, or a folder of maps. Where several came, each has to be one map.
func (in *Incoming) Import(project string) (Import, error) {
	switch len(in.names) {
	case 0:
		return Import{}, &annotator.ValidationError{Field: "maps", Message: "no file came: choose the maps"}
	case 1:
		name := in.names[0]
		return Import{Project: project, Path: filepath.Join(in.folder.Path, filepath.FromSlash(name)), Name: path.Base(name)}, nil
	}
	for _, name := range in.names {
		if suffix := suffixOf(name); !slices.Contains(oneMap, suffix) {
			return Import{}, &annotator.ValidationError{Field: "maps", Message: fmt.Sprintf("%s came with %d other files: send it alone, or files of one map each (%s)", name, len(in.names)-1, strings.Join(oneMap, ", "))}
		}
	}
	return Import{Project: project, Path: in.folder.Path, Name: fmt.Sprintf("%d files", len(in.names))}, nil
}

func suffixOf(name string) string { return strings.ToLower(path.Ext(name)) }
