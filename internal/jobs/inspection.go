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
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/text"
)

// A model file that was uploaded is looked at by a process of its own: this program again, with inspectCommand as its first
// argument. Bytes made to exhaust memory or time, or to bring the runtime down, end that process and nothing else. It gets
// the file's path and its limits as arguments, the manifest on its standard input, and answers with one JSON document.
const inspectCommand = "inspect-upload"

// limits are what an inspection may take.
type limits struct {
	memory int64 // bytes
	time   time.Duration
	trial  *time.Duration // the model is run too, each pass within so long (0: ort's default); nil: it is not
}

// ofTrial are the limits within which a model is run as well, each pass within run (0: ort's default). What an image of so many
// pixels makes in a network comes on top, 1 KiB a pixel: the widest value of ResNet-50, 64 channels at half the side, has 64 bytes a pixel.
func (l limits) ofTrial(run time.Duration, pixels int) limits {
	l.trial = &run
	l.memory += int64(min(pixels, 1<<20)) << 10
	l.time += tried * cmp.Or(run, ort.DefaultRunLimit)
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

// verdict is what an inspection answers.
type verdict struct {
	File    *annotator.ModelFile `json:"file,omitempty"`
	Refused string               `json:"refused,omitempty"` // what is wrong with the file
	Fault   string               `json:"fault,omitempty"`   // what is wrong with this installation
}

var (
	errMemory = errors.New("more memory than it may")
	errTime   = errors.New("longer than it may")
	errReport = errors.New("a report that is too large")
)

// runInspection has a process look at a file and waits for what it says. When ctx ends, so does the process.
func runInspection(ctx context.Context, path string, manifest []byte, l limits) (annotator.ModelFile, error) {
	var none annotator.ModelFile
	fail := func(err error) (annotator.ModelFile, error) { return none, fmt.Errorf("inspecting a model: %w", err) }
	path, err := filepath.Abs(path) // the process works elsewhere
	if err != nil {
		return fail(err)
	}
	library, err := ort.Library()
	if err != nil {
		return fail(err)
	}
	program, err := ownProgram()
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

	report := &bounded{most: maxReport, full: func() { cancel(errReport) }}
	complaints := &bounded{most: maxComplaints}
	doing, crashed, trial := "inspect", "the inspection", ""
	if l.trial != nil {
		doing, crashed, trial = "run", "running it", l.trial.String()
	}
	command := exec.CommandContext(ctx, program, inspectCommand, strconv.FormatInt(l.memory, 10), strconv.Itoa(int(l.time.Seconds())), path, trial)
	command.Dir = dir
	command.Env = inspectionEnvironment(library)
	command.Stdout, command.Stderr = report, complaints
	command.SysProcAttr = inspectionAttributes()
	command.Cancel = func() error { return killGroup(command.Process.Pid) }
	command.WaitDelay = 5 * time.Second
	// What comes on standard input is the manifest's length, the manifest, and then nothing until this process has ended: an
	// inspection ends when its input does.
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
	_, writeErr := fmt.Fprintf(input, "%d\n%s", len(manifest), manifest) // fails where it ended before, which is told below
	err = <-ended
	stop()
	_ = killGroup(command.Process.Pid) // whatever it left behind

	cause := context.Cause(ctx)
	switch {
	case err == nil: // it said what there is to say
	case errors.Is(cause, errMemory), mentions(complaints.data.String(), noMemory...):
		return none, wrongModel("it takes more than %d MiB of memory to %s, which is the limit for a file of %s: where you trust it, add it on the server with 'studio model add'",
			l.memory>>20, doing, fileSize(path))
	case errors.Is(cause, errTime), mentions(complaints.data.String(), "cpu limit exceeded"):
		return none, wrongModel("it took longer than %v to %s, which is the limit for a file of %s: where you trust it, add it on the server with 'studio model add'", l.time, doing, fileSize(path))
	case errors.Is(cause, errReport):
		return none, wrongModel("what is to be said of it has more than %d MiB: it has too many nodes that cannot be told or trained", maxReport>>20)
	case cause != nil:
		return none, cause
	default:
		return none, wrongModel("%s crashed (%v%s): ONNX Runtime or the studio does not survive it", crashed, err, complaints.first())
	}
	var v verdict
	if err := json.Unmarshal(report.data.Bytes(), &v); err != nil {
		return fail(errors.Join(fmt.Errorf("its report: %w", err), writeErr))
	}
	switch {
	case v.File != nil:
		return *v.File, nil
	case v.Refused != "":
		return none, wrongModel("%s", v.Refused)
	default:
		return fail(errors.New(cmp.Or(v.Fault, "it said nothing")))
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
