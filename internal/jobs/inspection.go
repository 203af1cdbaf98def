package jobs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/onnx"
)

// A model file that was uploaded is looked at by a process of its own: this program again, with inspectCommand as its first
// argument. Bytes made to exhaust memory or time, or to bring the runtime down, end that process and nothing else. It gets
// its limits and the file's path as arguments, what is asked of it on its standard input, and answers with one line of JSON.
const inspectCommand = "inspect-upload"

// limits are what an inspection may take.
type limits struct {
	memory int64 // bytes
	time   time.Duration
}

// ofTrial are the limits within which a model is run as well, each pass within run (0: ort's default). What as many images of so many
// pixels as are run together make in a network comes on top, 1 KiB a pixel: the widest value of ResNet-50, 64 channels at half the side, has 64 bytes a pixel.
func (l limits) ofTrial(run time.Duration, pixels int) limits {
	l.memory += inference.TriedTogether * int64(min(pixels, 1<<20)) << 10
	l.time += (inference.Tried + inference.TriedTogether) * cmp.Or(run, ort.DefaultRunLimit)
	return l
}

// inspectionLimits is where these limits stand. A file is held several times while it is taken apart and opened: as it
// came, as the graph's parts, as what the runtime reads, and as what that makes of it. Measured on two cores that others used
// too: ResNet-152 with both branches (299 MB) 1.97 GB in 8 s, ResNet-50 (166 MB) 1.37 GB in 4.6 s, Wide ResNet-50 (435 MB)
// 2.97 GB in 13 s, MobileNetV2 (11 MB) 127 MB in 1 s. That was with all weights, as what does not open without them is still looked
// at; ResNet-101 (251 MB) takes 1.8 GB and 3.9 s of the processor with them, and 0.74 GB and 0.9 s without (inference.CheckOpens).
func inspectionLimits(fileBytes int64) limits {
	return limits{
		memory: 512<<20 + 8*fileBytes,
		time:   time.Minute + time.Duration(fileBytes>>20)*time.Second/4,
	}
}

const (
	maxReport     = 32 << 20 // of the answer, a manifest of maxManifestBytes within
	maxComplaints = 16 << 10 // of what is kept of standard error
	rssEvery      = 20 * time.Millisecond
)

// request is what such a process is asked for.
type request struct {
	Do       string             `json:"do"`
	File     string             `json:"-"`                   // the model's path, an argument: a list of processes shows it
	Manifest []byte             `json:"manifest,omitempty"`  // that came with it
	Names    manifest.PartNames `json:"names"`               // doInspect: of values, over the manifest's
	RunLimit time.Duration      `json:"run_limit,omitempty"` // doTry: of each pass; 0: ort's default
	Sent     []onnx.SentFile    `json:"sent,omitempty"`      // doJoin: the files it keeps data in
	Home     *homeRequest       `json:"home,omitempty"`      // doHome
}

// What such a process does.
const (
	doInspect = "inspect"    // tell what a file is
	doTry     = "run"        // run what was inspected
	doJoin    = "join"       // make one file of several
	doHome    = "bring home" // make a state_dict of it
)

// elsewhere is how to do without these limits what is asked.
func (r request) elsewhere() string {
	if r.Do == doHome {
		return "download the ONNX file and make it on the command line with 'studio model export --state-dict'"
	}
	return "add it on the server with 'studio model add'"
}

// verdict is what it answers, one line of JSON. What was joined follows it.
type verdict struct {
	File    *annotator.ModelFile  `json:"file,omitempty"`
	Data    []annotator.ModelData `json:"data,omitempty"`    // of what was joined
	Refused string                `json:"refused,omitempty"` // what is wrong with the file
	Fault   string                `json:"fault,omitempty"`   // what is wrong with this installation
	// Field is what of a request was refused; "" is the model.
	Field string `json:"field,omitempty"`
	Parts bool   `json:"parts,omitempty"` // it is refused since its parts are not found (annotator.ErrParts)
}

// problem is what is against the file, or against this installation.
func (v verdict) problem() error {
	if v.Refused != "" {
		refused := &annotator.ValidationError{Field: cmp.Or(v.Field, "model"), Message: v.Refused}
		if v.Parts {
			return fmt.Errorf("%w: %w", annotator.ErrParts, refused)
		}
		return refused
	}
	return fmt.Errorf("inspecting a model: %s", cmp.Or(v.Fault, "the process said nothing"))
}

var (
	errMemory = errors.New("more memory than it may")
	errTime   = errors.New("longer than it may")
	errReport = errors.New("a report that is too large")
)

// runInspection has a process look at a file, or run it, and returns what it says.
func runInspection(ctx context.Context, asked request, l limits) (annotator.ModelFile, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	report := &bounded{most: maxReport, full: func() { cancel(errReport) }}
	if err := runConfined(ctx, asked, l, report); err != nil {
		return annotator.ModelFile{}, err
	}
	var v verdict
	if err := json.Unmarshal(report.data.Bytes(), &v); err != nil {
		return annotator.ModelFile{}, fmt.Errorf("inspecting a model: its report: %w", err)
	}
	if v.File == nil {
		return annotator.ModelFile{}, v.problem()
	}
	return *v.File, nil
}

// runConfined has a process of its own do what is asked and waits for its end. What it says goes to report. When ctx ends, so does
// the process. What it fails at is the file's fault, a *ValidationError of field "model", wherever that can be told.
func runConfined(ctx context.Context, asked request, l limits, report io.Writer) error {
	fail := func(err error) error { return fmt.Errorf("inspecting a model: %w", err) }
	var err error
	if asked.File, err = filepath.Abs(asked.File); err != nil { // the process works elsewhere
		return fail(err)
	}
	others := []*string{}
	for i := range asked.Sent {
		others = append(others, &asked.Sent[i].Path)
	}
	if asked.Home != nil {
		others = append(others, asked.Home.files()...)
	}
	for _, path := range others {
		if *path, err = filepath.Abs(*path); err != nil {
			return fail(err)
		}
	}
	library, err := ort.Library()
	if err != nil {
		return fail(err)
	}
	program, err := ownProgram()
	if err != nil {
		return fail(err)
	}
	question, err := json.Marshal(asked)
	if err != nil {
		return fail(err)
	}
	dir, err := os.MkdirTemp("", "abn-studio-inspection-")
	if err != nil {
		return fail(err)
	}
	defer os.Remove(dir)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(l.time, func() { cancel(errTime) })
	defer timer.Stop()

	complaints := &bounded{most: maxComplaints}
	crashed := map[string]string{doInspect: "the inspection", doTry: "running it", doJoin: "making one file of it", doHome: "making a state_dict of it"}[asked.Do]
	command := exec.CommandContext(ctx, program, inspectCommand, strconv.FormatInt(l.memory, 10), strconv.Itoa(int(l.time.Seconds())), asked.File)
	command.Dir = dir
	command.Env = inspectionEnvironment(library)
	command.Stdout, command.Stderr = report, complaints
	command.SysProcAttr = inspectionAttributes()
	command.Cancel = func() error { return killGroup(command.Process.Pid) }
	command.WaitDelay = 5 * time.Second
	// What comes on standard input is the length of what is asked, that itself, and then nothing until this process has ended: the other
	// ends when its input does.
	input, err := command.StdinPipe()
	if err != nil {
		return fail(err)
	}
	defer input.Close()

	ended := make(chan error, 1)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Linux ends the process with the thread that started it
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			ended <- command.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fail(err)
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go watchMemory(watching, command.Process.Pid, l.memory, func() { cancel(errMemory) })
	_, writeErr := fmt.Fprintf(input, "%d\n%s", len(question), question) // fails where it ended before, which is told below
	err = <-ended
	stop()
	_ = killGroup(command.Process.Pid) // whatever it left behind

	cause := context.Cause(ctx)
	switch {
	case err == nil: // it said what there is to say
		if writeErr != nil {
			return fail(writeErr)
		}
		return nil
	case errors.Is(cause, errMemory), mentions(complaints.data.String(), noMemory...):
		return wrongModel("it takes more than %d MiB of memory to %s, which is the limit for a file of %s: where you trust it, %s",
			l.memory>>20, asked.Do, fileSize(asked.File), asked.elsewhere())
	case errors.Is(cause, errTime), mentions(complaints.data.String(), "cpu limit exceeded"):
		return wrongModel("it took longer than %v to %s, which is the limit for a file of %s: where you trust it, %s", l.time, asked.Do, fileSize(asked.File), asked.elsewhere())
	case errors.Is(cause, errReport):
		return wrongModel("what is to be said of it has more than %d MiB: it has too many nodes that cannot be told or trained", maxReport>>20)
	case cause != nil:
		return cause
	default:
		return wrongModel("%s crashed (%v%s): ONNX Runtime or the studio does not survive it", crashed, err, complaints.first())
	}
}

// ownProgram is this program: on Linux itself, though its file may have been replaced meanwhile.
func ownProgram() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self, nil
	}
	return os.Executable()
}

// inspectionEnvironment is all that an inspection learns of this process: no address of a database, no key, no token.
func inspectionEnvironment(library string) []string {
	env := []string{ort.LibraryVariable + "=" + library, "GOTRACEBACK=none"}
	for _, name := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} { // where the library finds what it needs
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func fileSize(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "its size"
	}
	if info.Size() < 1<<20 {
		return fmt.Sprintf("%d KiB", (info.Size()+1023)>>10)
	}
	return fmt.Sprintf("%d MiB", info.Size()>>20)
}

// bounded keeps the first bytes that are written to it. Beyond them it calls full, or where that is nil forgets them.
type bounded struct {
	data bytes.Buffer
	most int
	full func()
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	room := b.most - b.data.Len()
	if len(p) <= room {
		return b.data.Write(p)
	}
	b.data.Write(p[:room])
	if b.full != nil {
		b.full()
		return room, io.ErrShortWrite
	}
	return len(p), nil
}

// noMemory is how Go, C++, ONNX Runtime and the race detector say that they get no memory.
var noMemory = []string{"out of memory", "cannot allocate memory", "bad_alloc", "failed to allocate", "pthread_create failed"} // the last has no room for a stack

// mentions reports whether a text has one of some others in it, which are in lower case.
func mentions(said string, texts ...string) bool {
	said = strings.ToLower(said)
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(said, text) })
}

// first is the first line that was written, with what joins it to a sentence.
func (b *bounded) first() string {
	line, _, _ := strings.Cut(strings.TrimSpace(b.data.String()), "\n")
	if line == "" {
		return ""
	}
	return "; " + text.Cut(line, 200)
}
