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

// An uploaded model file is inspected in a child process: this program again, with inspectCommand as its first argument. A file made
// to exhaust memory or time, or to crash the runtime, ends the child and nothing else. The child gets its limits and the file's path
// as arguments, a request on its standard input, and answers with a verdict, one line of JSON.
const inspectCommand = "inspect-upload"

// limits are the memory and time that an inspection may use.
type limits struct {
	memory int64 // bytes
	time   time.Duration
}

// ofTrial adds to the limits what it takes to run the model as well: for each pass the time run (0: ort's default), and memory for
// the values that a network computes of a batch of inference.TriedTogether images, each of pixels pixels (counted up to 2²⁰), at
// 1 KiB a pixel. For comparison, the largest value of ResNet-50, 64 channels at half the side, takes 64 bytes a pixel.
func (l limits) ofTrial(run time.Duration, pixels int) limits {
	l.memory += inference.TriedTogether * int64(min(pixels, 1<<20)) << 10
	l.time += (inference.Tried + inference.TriedTogether) * cmp.Or(run, ort.DefaultRunLimit)
	return l
}

// inspectionLimits returns the limits for inspecting a file of fileBytes bytes. While a file is taken apart and opened it is in memory
// several times: its bytes, the parts of its graph, the bytes that the runtime reads, and what the runtime makes of them. Measured on
// two busy cores: ResNet-152 with both branches (299 MB) takes 1.97 GB and 8 s, ResNet-50 (166 MB) 1.37 GB and 4.6 s, Wide ResNet-50
// (435 MB) 2.97 GB and 13 s, MobileNetV2 (11 MB) 127 MB and 1 s. That is with all weights, which some models need to be opened.
// Most can be opened without them (inference.CheckOpens): ResNet-101 (251 MB) then takes 0.74 GB and 0.9 s of processor time, with
// them 1.8 GB and 3.9 s.
func inspectionLimits(fileBytes int64) limits {
	return limits{
		memory: 512<<20 + 8*fileBytes,
		time:   time.Minute + time.Duration(fileBytes>>20)*time.Second/4,
	}
}

const (
	maxReport     = 32 << 20 // bytes of the verdict, which holds the manifest
	maxComplaints = 16 << 10 // bytes of standard error that are kept
	rssEvery      = 20 * time.Millisecond
)

// request is what an inspection is asked to do.
type request struct {
	Do       string             `json:"do"`
	File     string             `json:"-"`                   // the model's path; it is an argument, so that a list of processes shows it
	Manifest []byte             `json:"manifest,omitempty"`  // the manifest that came with the model
	Names    manifest.PartNames `json:"names"`               // doInspect: names of values, which replace the manifest's
	RunLimit time.Duration      `json:"run_limit,omitempty"` // doTry: the limit of each pass; 0: ort's default
	Sent     []onnx.SentFile    `json:"sent,omitempty"`      // doJoin: the files that hold the model's data
	Home     *homeRequest       `json:"home,omitempty"`      // doHome

	Decoder string                    `json:"decoder,omitempty"` // doSegment: the decoder's path; File is the encoder's
	Pixels  annotator.SegmenterPixels `json:"pixels,omitempty"`  // doSegment
}

// What an inspection can do: request.Do.
const (
	doInspect = "inspect"    // report what a file is
	doTry     = "run"        // run the model
	doJoin    = "join"       // make one file of several
	doHome    = "bring home" // make a state_dict of it
	doSegment = "segment"    // answer a click
)

// elsewhere says how to get the request done without these limits.
func (r request) elsewhere() string {
	switch r.Do {
	case doHome:
		return "download the ONNX file and make it on the command line with 'studio model export --state-dict'"
	case doSegment:
		return "add it on the server with 'studio model segmenter'"
	}
	return "add it on the server with 'studio model add'"
}

// verdict is an inspection's answer, one line of JSON. For doJoin and doHome the file that was made follows it.
type verdict struct {
	File    *annotator.ModelFile  `json:"file,omitempty"`
	Data    []annotator.ModelData `json:"data,omitempty"`    // doJoin: the files whose data is now in the model's
	Refused string                `json:"refused,omitempty"` // what is wrong with the file
	Fault   string                `json:"fault,omitempty"`   // what is wrong with this installation
	// Field is the part of a person's request that was refused; "": the model.
	Field string `json:"field,omitempty"`
	Parts bool   `json:"parts,omitempty"` // refused because its parts are not found (annotator.ErrParts)

	Segmenter *annotator.Segmenter `json:"segmenter,omitempty"` // doSegment
}

// problem returns the verdict's error: what is wrong with the file, or with this installation.
func (v verdict) problem() error {
	if v.Refused != "" {
		refused := &annotator.ValidationError{Field: cmp.Or(v.Field, "model"), Message: v.Refused}
		if v.Parts {
			return fmt.Errorf("%w: %w", annotator.ErrParts, refused)
		}
		return refused
	}
	return fmt.Errorf("inspecting a model: %s", cmp.Or(v.Fault, "the process gave no answer"))
}

var (
	errMemory = errors.New("more memory than it may")
	errTime   = errors.New("longer than it may")
	errReport = errors.New("a report that is too large")
)

// runInspection inspects or tries a file in a child process and returns the report.
func runInspection(ctx context.Context, asked request, l limits) (annotator.ModelFile, error) {
	v, err := runForVerdict(ctx, asked, l)
	if err != nil {
		return annotator.ModelFile{}, err
	}
	if v.File == nil {
		return annotator.ModelFile{}, v.problem()
	}
	return *v.File, nil
}

// runForVerdict runs a request in a child process that answers with a verdict alone.
func runForVerdict(ctx context.Context, asked request, l limits) (v verdict, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	report := &bounded{most: maxReport, full: func() { cancel(errReport) }}
	if err := runConfined(ctx, asked, l, report); err != nil {
		return v, err
	}
	if err := json.Unmarshal(report.data.Bytes(), &v); err != nil {
		return v, fmt.Errorf("inspecting a model: its report: %w", err)
	}
	return v, nil
}

// runConfined runs a request in a child process and waits for its end. The child's standard output goes to report. When ctx ends, the
// child is killed. A child that crashes or exceeds its limits is taken to be the file's fault: the error is a *ValidationError of
// field "model".
func runConfined(ctx context.Context, asked request, l limits, report io.Writer) error {
	fail := func(err error) error { return fmt.Errorf("inspecting a model: %w", err) }
	var err error
	if asked.File, err = filepath.Abs(asked.File); err != nil { // the child has another working directory
		return fail(err)
	}
	others := []*string{}
	for i := range asked.Sent {
		others = append(others, &asked.Sent[i].Path)
	}
	if asked.Decoder != "" {
		others = append(others, &asked.Decoder)
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
	crashed := map[string]string{doInspect: "the inspection", doTry: "running it", doJoin: "making one file of it", doHome: "making a state_dict of it", doSegment: "running it"}[asked.Do]
	command := exec.CommandContext(ctx, program, inspectCommand, strconv.FormatInt(l.memory, 10), strconv.Itoa(int(l.time.Seconds())), asked.File)
	command.Dir = dir
	command.Env = inspectionEnvironment(library)
	command.Stdout, command.Stderr = report, complaints
	command.SysProcAttr = inspectionAttributes()
	command.Cancel = func() error { return killGroup(command.Process.Pid) }
	command.WaitDelay = 5 * time.Second
	// The child reads the request's length and the request. Then its standard input stays open, and ends when this process ends: the
	// child watches for that, and ends too.
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
	_, writeErr := fmt.Fprintf(input, "%d\n%s", len(question), question) // fails if the child has ended, for which cause is better known below
	err = <-ended
	stop()
	_ = killGroup(command.Process.Pid) // processes that the child started

	cause := context.Cause(ctx)
	switch {
	case err == nil:
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
		return wrongModel("the report about it has more than %d MiB: too many of its nodes have unknown shapes or cannot be trained", maxReport>>20)
	case cause != nil:
		return cause
	default:
		return wrongModel("%s crashed (%v%s): ONNX Runtime or the studio does not survive it", crashed, err, complaints.first())
	}
}

// ownProgram returns the path of this program. On Linux that is the running program, even if its file has been replaced since.
func ownProgram() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self, nil
	}
	return os.Executable()
}

// inspectionEnvironment is the environment of an inspection. It does not pass on the studio's own variables, which hold the
// database's address, keys and tokens.
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

// bounded keeps the first most bytes that are written to it. At more it calls full and fails; if full is nil it drops them.
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

// noMemory lists words by which Go, C++, ONNX Runtime and the race detector say that memory could not be allocated.
var noMemory = []string{"out of memory", "cannot allocate memory", "bad_alloc", "failed to allocate", "pthread_create failed"} // the last has no room for a stack

// mentions reports whether said contains one of texts, which are in lower case; said may be in any.
func mentions(said string, texts ...string) bool {
	said = strings.ToLower(said)
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(said, text) })
}

// first returns the first line that was written, after "; ", to end a sentence with it; "" if there is none.
func (b *bounded) first() string {
	line, _, _ := strings.Cut(strings.TrimSpace(b.data.String()), "\n")
	if line == "" {
		return ""
	}
	return "; " + text.Cut(line, 200)
}
