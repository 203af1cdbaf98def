package onnx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/abn-studio/studio/internal/text"
)

// A tensor may keep its data in another file, wherever a tensor can stand: among the initializers, in a node's attributes, in the
// graphs of control flow at any depth, in functions, and in what a file says of its own training. A runtime looks for the file
// relative to its working directory, so that a model from somebody else could make it read any file and return its bytes in an
// answer. Therefore all such tensors are resolved here, right after a file is decoded: the data is read into the model, from the
// model's own folder, or the file is refused. What Marshal writes names no other file.

// ErrExternal says that a tensor's data stands in another file that cannot or must not be read. Errors wrap it as an *ExternalError.
var ErrExternal = errors.New("external data")

// ExternalError names a tensor whose data lies in another file.
type ExternalError struct {
	Place    string // such as: node X (If), then_branch, initializer w
	Location string // as the model has it; "" where it has none
	Err      error  // why it is not read; wraps ErrExternal
}

func (e *ExternalError) Error() string {
	file := ""
	if e.Location != "" {
		file = fmt.Sprintf(" (%q)", cut(e.Location))
	}
	return fmt.Sprintf("%s: its data lies in another file%s: %s", e.Place, file, strings.TrimPrefix(e.Err.Error(), ErrExternal.Error()+": "))
}

func (e *ExternalError) Unwrap() error { return e.Err }

// cut shortens a text from a file, for a message.
func cut(s string) string { return text.Cut(s, 100) }

// externalData is where a tensor stored outside the model file is kept.
type externalData struct {
	entries   []Metadata
	elsewhere bool // the tensor says that its data is stored outside

	location       string // path relative to the model's folder
	offset, length int64  // length -1: as many bytes as the tensor needs
}

// parse reads the entries. A key that is not known is refused, since it too may say where the data is.
func (e *externalData) parse() error {
	e.length = -1
	seen := map[string]bool{}
	for _, entry := range e.entries {
		if seen[entry.Key] {
			return fmt.Errorf("%q is given twice", cut(entry.Key))
		}
		seen[entry.Key] = true
		switch entry.Key {
		case "location":
			e.location = entry.Value
		case "offset", "length":
			n, err := strconv.ParseUint(entry.Value, 10, 63)
			if err != nil {
				return fmt.Errorf("%s is %q, want a number of bytes", entry.Key, cut(entry.Value))
			}
			if entry.Key == "offset" {
				e.offset = int64(n)
			} else {
				e.length = int64(n)
			}
		case "checksum": // of the whole file, which other models may share
		default:
			return fmt.Errorf("%q says where, which is not known here", cut(entry.Key))
		}
	}
	return nil
}

// resolveExternal goes through every tensor of a model and calls load for those that are stored in other files, budget bytes at
// most. If load is nil, a tensor that names a file is refused. Nothing is fetched before all of it is known to be affordable.
func resolveExternal(ctx context.Context, m *Model, load func(*Tensor, externalData) error, budget int64) error {
	var fetch []func() error
	total := maxFileBytes - budget
	err := m.eachTensor(func(t *Tensor, where *place) error {
		e := t.external
		if e == nil {
			return nil
		}
		fail := func(err error) error {
			if !errors.Is(err, ErrExternal) {
				err = fmt.Errorf("%w: %w", ErrExternal, err)
			}
			return &ExternalError{Place: where.of(t), Location: e.location, Err: err}
		}
		err := e.parse()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case load == nil:
			return fail(errors.New("only the model's own bytes are at hand"))
		case err != nil:
			return fail(err)
		case !e.elsewhere: // entries left over from before the data was taken in, which everybody ignores
			t.external = nil
			return nil
		case t.Type.Size() == 0:
			return fail(fmt.Errorf("elements of %v cannot be kept outside the file", t.Type))
		}
		if err := checkLocation(e.location); err != nil {
			return fail(err)
		}
		elements, err := t.Elements()
		if err != nil {
			return fail(err)
		}
		need := elements * int64(t.Type.Size())
		if e.length >= 0 && e.length != need {
			return fail(fmt.Errorf("%w: %d bytes for %d elements of %v", ErrSize, e.length, elements, t.Type))
		}
		total += need
		fetch = append(fetch, func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := load(t, *e); err != nil {
				return fail(err)
			}
			if err := t.check(); err != nil {
				return fail(err)
			}
			t.external = nil
			at := slices.IndexFunc(m.sources, func(s DataSource) bool { return s.Location == e.location })
			if at < 0 {
				at, m.sources = len(m.sources), append(m.sources, DataSource{Location: e.location})
			}
			m.sources[at].Bytes += need
			return nil
		})
		return nil
	})
	if err != nil {
		return err
	}
	if total > maxFileBytes {
		return tooLarge(total)
	}
	for _, f := range fetch {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// checkLocation reports a location that is not, on every system, a plain path below the model's folder.
func checkLocation(location string) error {
	switch {
	case location == "":
		return errors.New("it gives no location")
	case len(location) > maxName:
		return fmt.Errorf("its location has %d bytes, at most %d are read", len(location), maxName)
	case strings.ContainsFunc(location, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == ':' || r == '\ufffd' }), !filepath.IsLocal(location):
		return errors.New("outside the model's folder: put the data beside the model")
	}
	for element := range strings.SplitSeq(location, "/") {
		if element == "" || element == ".." {
			return errors.New("outside the model's folder: put the data beside the model")
		}
	}
	return nil
}

// DataFiles lists the files beside the model at path that it keeps data in, each once; none for most models.
func DataFiles(path string) ([]string, error) {
	data, err := readBytes(path)
	if err != nil {
		return nil, err
	}
	m, _, err := decodeModel(context.Background(), data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var files []string
	err = m.eachTensor(func(t *Tensor, _ *place) error {
		if e := t.external; e != nil && e.parse() == nil && e.elsewhere && checkLocation(e.location) == nil {
			if file := filepath.Join(filepath.Dir(path), filepath.FromSlash(e.location)); !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
		return nil
	})
	return files, err
}

// DataSource is a file beside a model that some of its values were read from.
type DataSource struct {
	Location string `json:"location"` // as the model has it
	Bytes    int64  `json:"bytes"`    // that were read
}

// loadFrom reads external data from files inside a folder. The location comes from the model and is not trusted: checkLocation keeps it
// inside the folder, and reached what lies there.
func loadFrom(dir string) func(*Tensor, externalData) error {
	return func(t *Tensor, e externalData) error {
		file, err := reached(dir, e.location)
		if err != nil {
			return err
		}
		return loadAt(file, t, e.offset)
	}
}

// cached is the end of a path in Hugging Face's cache, to which the files of its snapshots are links: models--ORG--NAME/blobs/SHA-256,
// or Git's SHA-1.
var cached = regexp.MustCompile(`/models--[^/]+/blobs/(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// reached is the file that a location in a folder means once links are followed. Model and links may have come together, in an archive:
// a link that leads out of the folder would make any file of the machine a weight, which everybody who downloads the model can read. So
// it is refused, but for one into Hugging Face's cache, which holds models alone. (A hard link is a file of the folder like any other;
// only who could read the file could make one.)
func reached(dir, location string) (string, error) {
	given := filepath.Join(dir, filepath.FromSlash(location))
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	file, err := filepath.EvalSymlinks(given)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return given, nil // opening it says what to do
	case err != nil:
		return "", err
	}
	if below, err := filepath.Rel(root, file); (err != nil || !filepath.IsLocal(below)) && !cached.MatchString(filepath.ToSlash(file)) {
		return "", errors.New("a link that leads out of the model's folder: put the data itself beside the model")
	}
	return file, nil
}

// loadAt reads a tensor's data from a file, beginning at offset.
func loadAt(path string, t *Tensor, offset int64) (err error) {
	elements, err := t.Elements()
	if err != nil {
		return err
	}
	need := elements * int64(t.Type.Size())
	regular := func(info os.FileInfo, err error) error {
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New("no regular file")
		}
		return err
	}
	if err := regular(os.Stat(path)); err != nil { // before opening it: a pipe or a device would answer to that
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("it is not there; PyTorch writes two files: put both into one folder (%w)", err)
		}
		return err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err := regular(info, err); err != nil {
		return err
	}
	if offset > info.Size() || need > info.Size()-offset { // before allocating: a header may ask for anything
		return fmt.Errorf("%w: the file has %d bytes, the tensor needs %d from byte %d", ErrSize, info.Size(), need, offset)
	}
	t.Raw = make([]byte, need)
	_, err = io.ReadFull(io.NewSectionReader(file, offset, need), t.Raw)
	return err
}

// SentFile is a file that was sent together with a model.
type SentFile struct {
	Name string // as it was called where it came from, with folders or without
	Path string
}

// ReadSent is Read for a model that came with the files it keeps data in. A location in the model means the file of the same
// name: the same path if a file has it, else the same last element if only one file has it. No other files are read.
func ReadSent(ctx context.Context, data []byte, sent []SentFile) (*Model, error) {
	return read(ctx, data, func(t *Tensor, e externalData) error {
		file, err := sentAs(e.location, sent)
		if err != nil {
			return err
		}
		return loadAt(file.Path, t, e.offset)
	})
}

// sentAs finds the file that a location means.
func sentAs(location string, sent []SentFile) (SentFile, error) {
	name := func(f SentFile) string { return path.Clean("/" + strings.ReplaceAll(f.Name, `\`, "/")) }
	for _, same := range []func(f SentFile) bool{
		func(f SentFile) bool { return strings.HasSuffix(name(f), "/"+path.Clean(location)) },
		func(f SentFile) bool { return path.Base(name(f)) == path.Base(location) },
	} {
		var found []SentFile
		for _, f := range sent {
			if same(f) {
				found = append(found, f)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return SentFile{}, fmt.Errorf("%d files of that name were sent: send the one that belongs to the model", len(found))
		}
	}
	return SentFile{}, errors.New("it was not sent: send it together with the model")
}
