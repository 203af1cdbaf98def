package jobs

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/logs"
	"github.com/abn-studio/studio/internal/progress"
)

// DefaultMaxImportBytes bounds all files of one import that is sent from a browser or the API.
const DefaultMaxImportBytes = 100 << 30

// stagingReserve is what is left free on the disk whatever is sent.
const stagingReserve = 1 << 30

// Staging implements annotator.Staging: each import has a folder of its own, with
//
//	files.json  what it is sent as, in the order of its bytes
//	state.json  how far it is
//	files/      what came
//	examples/   small JPEGs of some images
//
// All bytes of an import are one stream, the files one after the other, so that one offset says what is still to come: many small files
// go in one request, and a large one in several. It is safe for concurrent use within one process; a folder belongs to one.
type Staging struct {
	blobs    *blob.Store
	dir      string
	maxBytes int64
	sources  Sources
	log      *slog.Logger

	base    context.Context // ends with Close
	stop    context.CancelCauseFunc
	running sync.WaitGroup

	mu   sync.Mutex
	open map[string]*staged
}

var _ annotator.Staging = (*Staging)(nil)

// staged is one import. mu guards all but receiving, which is held by the one request that writes files.
type staged struct {
	dir       string
	receiving sync.Mutex

	mu    sync.Mutex
	state annotator.StagedImport
	key   string // of the project and the files
	files []annotator.StagedFile
	ends  []int64 // where each file ends in the stream
	saved time.Time
	gone  bool
}

// stagedState is what state.json holds.
type stagedState struct {
	annotator.StagedImport
	Key string `json:"key"`
}

// NewStaging opens the folder of staged imports, which is for nothing else, and removes what was abandoned. An import of more than
// maxBytes bytes (0: DefaultMaxImportBytes) is refused. What lies in sources need not be sent.
func NewStaging(blobs *blob.Store, dir string, maxBytes int64, sources Sources, log *slog.Logger) (*Staging, error) {
	s := &Staging{blobs: blobs, dir: dir, maxBytes: cmp.Or(maxBytes, DefaultMaxImportBytes), sources: sources, log: log, open: map[string]*staged{}}
	s.base, s.stop = context.WithCancelCause(context.Background())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder of imports: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of imports: %w", err)
	}
	for _, entry := range entries {
		if !stagedID.MatchString(entry.Name()) {
			continue
		}
		one, err := openStaged(filepath.Join(dir, entry.Name()))
		if err != nil { // cut off before it was an import
			log.Warn("a staged import that cannot be read is removed", "import", entry.Name(), "err", err)
			if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
				return nil, err
			}
			continue
		}
		s.open[entry.Name()] = one
	}
	return s, s.sweep()
}

// errStopping is why imports end when the studio stops.
var errStopping = errors.New("the studio was stopped meanwhile: begin again, what was sent is still here")

// Close ends what runs and waits for it.
func (s *Staging) Close() {
	s.stop(errStopping)
	s.running.Wait()
}

var stagedID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// openStaged reads an import's folder.
func openStaged(dir string) (*staged, error) {
	one := &staged{dir: dir}
	var state stagedState
	for name, into := range map[string]any{"files.json": &one.files, "state.json": &state} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = json.Unmarshal(data, into)
		}
		if err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(filepath.Join(dir, "state.json"))
	if err != nil {
		return nil, err
	}
	one.state, one.key, one.saved = state.StagedImport, state.Key, info.ModTime()
	if one.state.State.Busy() {
		one.state.State, one.state.Problem, one.state.Share = annotator.StagedReceived, errStopping.Error(), 0
	}
	one.measure()
	return one, nil
}

// measure fills in ends.
func (o *staged) measure() {
	end := int64(0)
	o.ends = make([]int64, len(o.files))
	for i, f := range o.files {
		end += f.Bytes
		o.ends[i] = end
	}
}

// save writes state.json; o.mu is held.
func (o *staged) save() error {
	data, err := json.Marshal(stagedState{o.state, o.key})
	if err == nil {
		err = durable.WriteFile(filepath.Join(o.dir, "state.json"), data)
	}
	if err != nil {
		return disk.Full(fmt.Errorf("keeping the state of an import: %w", err))
	}
	o.saved = time.Now()
	return nil
}

// sweep removes what nobody went on with.
func (s *Staging) sweep() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	for id, one := range s.open {
		one.mu.Lock()
		old := time.Since(one.saved) > annotator.StagedLasts && !one.state.State.Busy()
		if old && one.receiving.TryLock() {
			one.gone = true
			all = append(all, os.RemoveAll(one.dir))
			delete(s.open, id)
			one.receiving.Unlock()
		}
		one.mu.Unlock()
	}
	return errors.Join(all...)
}

// Begin implements annotator.Staging.
func (s *Staging) Begin(ctx context.Context, projectID int64, by, name string, files []annotator.StagedFile) (annotator.StagedImport, bool, error) {
	if err := s.sweep(); err != nil {
		s.log.WarnContext(ctx, "abandoned imports are not swept", "err", err)
	}
	one := &staged{files: files, state: annotator.StagedImport{
		ProjectID: projectID, Name: name, By: by, CreatedAt: time.Now().UTC(), Files: len(files), State: annotator.StagedReceiving,
	}}
	list, err := json.Marshal(files)
	if err != nil {
		return annotator.StagedImport{}, false, err
	}
	sum := sha256.Sum256(append([]byte(strconv.FormatInt(projectID, 10)+"\n"), list...))
	one.key = fmt.Sprintf("%x", sum)
	for _, f := range files {
		if f.Bytes > s.maxBytes-one.state.Bytes {
			return annotator.StagedImport{}, false, &annotator.ValidationError{Field: "files",
				Message: fmt.Sprintf("they have more than %d GiB: import them on the server with 'studio import', or start it with a larger --max-import-gb", s.maxBytes>>30)}
		}
		one.state.Bytes += f.Bytes
	}
	one.measure()

	s.mu.Lock()
	defer s.mu.Unlock()
	promised := int64(0) // to imports that are still coming
	for _, other := range s.open {
		state := other.look()
		if other.key == one.key && state.State == annotator.StagedReceiving {
			return state, true, nil
		}
		if state.State == annotator.StagedReceiving {
			promised += state.Bytes - state.Received
		}
	}
	if free, _, known := disk.Room(s.dir); known && one.state.Bytes > free-promised-stagingReserve {
		return annotator.StagedImport{}, false, &annotator.ValidationError{Field: "files",
			Message: fmt.Sprintf("they have %d MiB and the studio's disk has room for %d: whoever runs it has to make room", one.state.Bytes>>20, max(0, free-promised-stagingReserve)>>20)}
	}
	return one.state, false, s.add(one, list)
}

// add gives a new import its folder; s.mu is held.
func (s *Staging) add(one *staged, list []byte) error {
	id := rand.Text()
	one.state.ID, one.dir = id, filepath.Join(s.dir, id)
	if one.state.Bytes == 0 {
		one.state.State = annotator.StagedReceived
	}
	err := os.MkdirAll(filepath.Join(one.dir, "files"), 0o700)
	if err == nil {
		err = durable.WriteFile(filepath.Join(one.dir, "files.json"), list)
	}
	if err == nil {
		err = one.save()
	}
	if err != nil {
		return errors.Join(disk.Full(fmt.Errorf("beginning an import: %w", err)), os.RemoveAll(one.dir))
	}
	s.open[id] = one
	return nil
}

// Sources implements annotator.Staging.
func (s *Staging) Sources() []string { return s.sources.Names() }

// BeginSource implements annotator.Staging.
func (s *Staging) BeginSource(_ context.Context, projectID int64, by string, from annotator.ServerFolder) (annotator.StagedImport, error) {
	if _, err := s.sources.at(from.Source, from.Path); err != nil {
		return annotator.StagedImport{}, err
	}
	one := &staged{state: annotator.StagedImport{ProjectID: projectID, Name: from.String(), By: by, CreatedAt: time.Now().UTC(), From: &from}}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.add(one, []byte("[]"))
	return one.state, err
}

// look is the state of an import.
func (o *staged) look() annotator.StagedImport {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state
}

// List implements annotator.Staging.
func (s *Staging) List(projectID int64) ([]annotator.StagedImport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []annotator.StagedImport
	for _, one := range s.open {
		if state := one.look(); state.ProjectID == projectID {
			list = append(list, state)
		}
	}
	slices.SortFunc(list, func(a, b annotator.StagedImport) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return list, nil
}

func (s *Staging) get(id string) (*staged, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.open[id]; one != nil {
		return one, nil
	}
	return nil, fmt.Errorf("import %q: %w", id, annotator.ErrNotFound)
}

// Staged implements annotator.Staging.
func (s *Staging) Staged(id string) (annotator.StagedImport, error) {
	one, err := s.get(id)
	if err != nil {
		return annotator.StagedImport{}, err
	}
	return one.look(), nil
}

// Receive implements annotator.Staging.
func (s *Staging) Receive(ctx context.Context, id string, offset int64, body io.Reader) (annotator.StagedImport, error) {
	one, err := s.get(id)
	if err != nil {
		return annotator.StagedImport{}, err
	}
	if !one.receiving.TryLock() {
		return annotator.StagedImport{}, annotator.Conflict("another chunk of this import is on its way: wait for it")
	}
	defer one.receiving.Unlock()
	state := one.look()
	switch {
	case one.gone:
		return state, fmt.Errorf("import %q: %w", id, annotator.ErrNotFound)
	case state.State != annotator.StagedReceiving:
		return state, annotator.Conflict("all bytes of this import are here")
	case offset != state.Received:
		return state, annotator.Conflict("the next chunk begins at byte %d, not at %d", state.Received, offset)
	}
	at, failed := one.write(ctx, offset, body)
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.state.Received = at; at == one.state.Bytes && failed == nil {
		if failed = one.touchEmpty(); failed == nil {
			one.state.State = annotator.StagedReceived
		}
	}
	return one.state, errors.Join(failed, one.save())
}

// write puts bytes of the stream into their files, from an offset on, and returns how far it came.
func (o *staged) write(ctx context.Context, at int64, body io.Reader) (int64, error) {
	in := bufio.NewReaderSize(body, 256<<10)
	for at < o.state.Bytes {
		if err := context.Cause(ctx); err != nil {
			return at, err
		}
		if _, err := in.Peek(1); errors.Is(err, io.EOF) {
			return at, nil
		} else if err != nil {
			return at, err
		}
		n, _ := slices.BinarySearch(o.ends, at+1) // the file that byte at is in
		begin := o.ends[n] - o.files[n].Bytes
		wrote, err := o.writeFile(o.files[n].Path, at-begin, io.LimitReader(in, o.ends[n]-at))
		if at += wrote; err != nil {
			return at, err
		}
	}
	if _, err := in.Peek(1); !errors.Is(err, io.EOF) {
		return at, &annotator.ValidationError{Field: "body", Message: "there is more than the files have"}
	}
	return at, nil
}

// writeFile writes bytes of a file from an offset on; what stands there already is from a chunk that was cut off.
func (o *staged) writeFile(path string, at int64, from io.Reader) (int64, error) {
	root, err := os.OpenRoot(filepath.Join(o.dir, "files")) // nothing of what is sent leads out of it
	if err != nil {
		return 0, err
	}
	defer root.Close()
	name := filepath.FromSlash(path)
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = root.MkdirAll(filepath.Dir(name), 0o700); err == nil {
			file, err = root.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
		}
	}
	if err != nil {
		return 0, disk.Full(fmt.Errorf("keeping %s: %w", path, err))
	}
	if _, err := file.Seek(at, io.SeekStart); err != nil {
		return 0, errors.Join(err, file.Close())
	}
	wrote, err := io.Copy(file, from)
	return wrote, errors.Join(disk.Full(err), disk.Full(file.Close()))
}

// touchEmpty makes the files without bytes, which no chunk has.
func (o *staged) touchEmpty() error {
	for _, f := range o.files {
		if f.Bytes == 0 {
			if _, err := o.writeFile(f.Path, 0, strings.NewReader("")); err != nil {
				return err
			}
		}
	}
	return nil
}

// Discard implements annotator.Staging.
func (s *Staging) Discard(id string) error {
	one, err := s.get(id)
	if err != nil {
		return err
	}
	if !one.receiving.TryLock() {
		return annotator.Conflict("a chunk of this import is on its way: stop sending first")
	}
	defer one.receiving.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.state.State.Busy() {
		return annotator.Conflict("this import is being read: wait until that is over")
	}
	one.gone = true
	delete(s.open, id)
	return os.RemoveAll(one.dir)
}

// Example implements annotator.Staging.
func (s *Staging) Example(id string, n int) (io.ReadSeekCloser, error) {
	one, err := s.get(id)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.Join(one.dir, "examples", strconv.Itoa(n)+".jpg"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("example %d of import %q: %w", n, id, annotator.ErrNotFound)
	}
	return file, err
}

// Run implements annotator.Staging.
func (s *Staging) Run(ctx context.Context, id string, choices annotator.ImportChoices, to annotator.StagedState, do func(context.Context, annotator.ImageImport, func(progress.Progress)) (annotator.ImportReport, error)) (annotator.StagedImport, error) {
	one, err := s.get(id)
	if err != nil {
		return annotator.StagedImport{}, err
	}
	rule, err := dataset.ParseMaskRule(choices.Mask)
	if err != nil {
		return annotator.StagedImport{}, &annotator.ValidationError{Field: "mask", Message: err.Error()}
	}
	options := dataset.Options{Format: choices.Format, Splits: choices.Splits, Columns: choices.Columns, Label: choices.Label, Mask: rule, Parts: choices.Parts, Encoding: choices.Encoding}
	if f := choices.Format; f != "" && f != dataset.Auto && !slices.Contains(dataset.Formats(), f) {
		return annotator.StagedImport{}, &annotator.ValidationError{Field: "format", Message: "is one of " + strings.Join(append([]string{dataset.Auto}, dataset.Formats()...), ", ")}
	}
	if l := choices.Label; l != "" && !slices.Contains(dataset.Labels, l) {
		return annotator.StagedImport{}, &annotator.ValidationError{Field: "label", Message: "is " + strings.Join(dataset.Labels, " or ")}
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.gone || !one.state.State.May() {
		return one.state, annotator.Conflict("this import is %s", one.state.State)
	}
	one.state.Choices, one.state.Problem, one.state.Share, one.state.Remaining = choices, "", 0, 0
	if one.state.State = annotator.StagedLooking; to == annotator.StagedImported {
		one.state.State = annotator.StagedImporting
	}
	if err := one.save(); err != nil {
		return one.state, err
	}
	ctx = logs.Carry(s.base, ctx)
	s.running.Go(func() {
		report, err := s.read(ctx, one, choices, options, do)
		one.mu.Lock()
		defer one.mu.Unlock()
		one.state.Share, one.state.Remaining = 1, 0
		if err != nil {
			one.state.State, one.state.Problem, one.state.Share = annotator.StagedReceived, err.Error(), 0
		} else if one.state.State, one.state.Report = to, report; to == annotator.StagedImported {
			if err := os.RemoveAll(filepath.Join(one.dir, "files")); err != nil {
				s.log.WarnContext(ctx, "what was imported stays in its folder", "import", id, "err", err)
			}
		}
		if err := one.save(); err != nil {
			s.log.WarnContext(ctx, "the state of an import is not kept", "import", id, "err", err)
		}
	})
	return one.state, nil
}

// read opens what was sent and hands it to do. Its context ends when the studio stops.
func (s *Staging) read(ctx context.Context, one *staged, choices annotator.ImportChoices, options dataset.Options, do func(context.Context, annotator.ImageImport, func(progress.Progress)) (annotator.ImportReport, error)) (*annotator.StagedReport, error) {
	options.Context = ctx
	root, from := filepath.Join(one.dir, "files"), "browser: "
	if one.state.From != nil { // asked again: a link in it may be another now
		var err error
		if root, err = s.sources.at(one.state.From.Source, one.state.From.Path); err != nil {
			return nil, err
		}
		from = "source "
	}
	at := root
	if len(one.files) == 1 { // an archive or a table
		at = filepath.Join(root, filepath.FromSlash(one.files[0].Path))
	}
	set, err := dataset.Read(at, options)
	if err != nil && at != root { // one picture is a folder of one
		if again, alone := dataset.Read(root, options); alone == nil {
			set, err = again, nil
		}
	}
	if err != nil {
		return nil, errors.New(inChoices(redacted(err.Error(), at, one.state.Name))) // where it lies on the server is nobody's business
	}
	defer func() { _ = set.Close() }()
	in := ImageImport(s.blobs, from+one.state.Name, set, ImportOptions{Source: choices.Source, Split: choices.Split, Update: choices.Update, Prune: choices.Prune})
	found, err := do(ctx, in, func(p progress.Progress) {
		one.mu.Lock()
		defer one.mu.Unlock()
		one.state.Share, one.state.Remaining = p.Share, p.Remaining.Seconds()
	})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, errors.New(redacted(err.Error(), root, one.state.Name))
	}
	report := describe(set, choices)
	report.Sync = found
	examples := exampleSamples(set)
	for _, sample := range examples {
		if ctx.Err() != nil {
			break
		}
		if err := writeExample(ctx, sample.Path, filepath.Join(one.dir, "examples", strconv.Itoa(len(report.Examples))+".jpg")); err == nil {
			report.Examples = append(report.Examples, annotator.StagedSample{Name: sample.Name, Class: sample.Class})
		}
	}
	return report, nil
}

// flagNames are the choices of a page for what the command line has flags for, as dataset's messages name those.
var flagNames = strings.NewReplacer(
	"--splits ", `"Words for splits": `, "--columns ", `"Columns of a table": `, "--label ", `"Images with several labels": `, "--mask-object ", `"What in a mask is the object": `,
	"--encoding ", `"Encoding of tables": `, "--splits", `"Words for splits"`, "--columns", `"Columns of a table"`, "--label", `"Images with several labels"`,
	"--mask-object", `"What in a mask is the object"`, "--parts", `"Kinds of masks that are the object"`, "--encoding", `"Encoding of tables"`, "a --source", `a "Source"`, "--source", `"Source"`,
	", or pass --follow-links", "",
)

// inChoices is a message about a data set in the words of the page that it is shown on.
func inChoices(message string) string { return flagNames.Replace(message) }
