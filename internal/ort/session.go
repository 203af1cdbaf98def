package ort

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	ortgo "github.com/yalue/onnxruntime_go"

	"github.com/abn-studio/studio/internal/ort/blocked"
)

// ErrClosed is the error of a run on a closed session.
var ErrClosed = errors.New("session is closed")

// ErrTooLong is the error of a run that was stopped because it took too long: an uploaded graph may hold an endless Loop.
var ErrTooLong = errors.New("it did not end in time")

// How long a run may take. Before the first run nothing is known of a graph, so each row of the batch adds much to the limit. Later
// the limit follows from the time that rows have taken.
const (
	DefaultRunLimit = time.Minute
	limitPerRow     = 6  // before a run has ended, every row of the batch after the first adds a sixth of the limit
	slowerThan      = 20 // later a run may take this many times the slowest time per row, if that is more than the limit
	compilesFor     = 15 // providers that compile a graph when they first see a shape get this many times the limit
	stopsWithin     = 6  // a run that is told to stop may take a sixth of the limit to do so
	limitTicks      = 60 // see await
)

// Optimization is how far the runtime may rewrite a graph before running it.
type Optimization int

// The levels. The zero value is all of them.
const (
	OptimizeAll Optimization = iota
	OptimizeNothing
	OptimizeBasic    // constant folding, dead nodes
	OptimizeExtended // and fusions that need no other memory layout
)

// Options tune a session. The zero value is the runtime's own choice.
type Options struct {
	// Name says in errors what the session is, such as "perception branch".
	Name string
	// IntraOpThreads is how many threads one operator may use; 0: one per core.
	IntraOpThreads int
	// NoSpinning makes idle threads sleep at once instead of spinning for the next operator. Slower for
	// a single run, better where other work wants the cores.
	NoSpinning bool
	// Optimization limits graph rewriting.
	Optimization Optimization
	// NoMemoryPattern allocates each value by itself instead of planning memory for each set of input shapes. Use it where shapes
	// change so often that planning costs more than it saves.
	NoMemoryPattern bool
	// NoArena frees memory at once instead of keeping it for the next run.
	NoArena bool
	// ProfilePrefix, if not "", makes Close write PREFIX_<time>.json with the time of every node.
	ProfilePrefix string
	// Warnings lets the runtime write warnings to standard error too, not only errors.
	Warnings bool
	// BlockedDomain, if not "", is the domain under which the graph uses the operators of package blocked.
	BlockedDomain string
	// RunLimit is the least time after which a run is stopped with ErrTooLong; 0: a minute. Batches get more, by what their
	// rows have taken before.
	RunLimit time.Duration
	// Config holds further session entries, by the runtime's own keys ("session.…").
	Config map[string]string
}

// unnamed begins the name of a session that was given none: it is made of the file's own names.
const unnamed = "graph "

// Session is a graph loaded and optimised, ready to run. Runs may overlap.
type Session struct {
	name            string
	inputs, outputs []string
	runLimit        time.Duration
	perRow          atomic.Int64 // nanoseconds, of the slowest run that ended; 0: none has
	left            atomic.Int32 // runs that go on though their callers no longer wait
	mu              sync.RWMutex // held for reading by runs, for writing by Close
	session         *ortgo.DynamicAdvancedSession
}

// Open loads an ONNX file's bytes, which are not needed afterwards, onto the provider chosen by Use. inputs and outputs name the values
// that Run takes and gives, in that order; outputs may be fewer than the graph has.
func Open(model []byte, inputs, outputs []string, o Options) (*Session, error) {
	p, err := Active()
	if err != nil {
		return nil, err
	}
	return openOn(p, model, inputs, outputs, o)
}

// openOn is Open on a provider.
func openOn(p Provider, model []byte, inputs, outputs []string, o Options) (*Session, error) {
	name := o.Name
	if name == "" {
		name = unnamed + strings.Join(inputs, ", ") + " → " + strings.Join(outputs, ", ")
	}
	if len(inputs) == 0 || len(outputs) == 0 {
		return nil, fmt.Errorf("opening %s: it needs at least one input and one output", name)
	}
	options, err := o.native()
	if err != nil {
		return nil, fmt.Errorf("opening %s: setting options: %w", name, err)
	}
	defer options.Destroy()
	if err := p.append(options); err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	if o.BlockedDomain != "" {
		if err := addBlocked(o.BlockedDomain, options); err != nil {
			return nil, fmt.Errorf("opening %s: adding the operators %s: %w", name, o.BlockedDomain, err)
		}
		defer alone(o.BlockedDomain)()
	}
	session, err := ortgo.NewDynamicAdvancedSessionWithONNXData(model, inputs, outputs, options)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, explained(err))
	}
	s := &Session{name: name, inputs: inputs, outputs: outputs, runLimit: cmp.Or(o.RunLimit, DefaultRunLimit), session: session}
	if p.compiles() {
		s.runLimit *= compilesFor
	}
	return s, nil
}

var unknownAttribute = regexp.MustCompile(`Unrecognized attribute: (\w+) for operator (\w+)`)

// explained puts a file's fault that exporters make into words before the runtime's own.
func explained(err error) error {
	if found := unknownAttribute.FindStringSubmatch(err.Error()); found != nil {
		return fmt.Errorf("%s has no attribute %s in the operator set that the file declares, so that the file is no valid ONNX: export it again with a newer opset_version, in which the operator has it: %w", found[2], found[1], err)
	}
	return err
}

// domains are those that the runtime knows. It looks whether it knows a domain, and then adds it: of two sessions that are opened at
// the same time as the first with a domain, one would be refused.
var domains struct {
	sync.Mutex
	known map[string]bool
}

// alone keeps others from opening a session with a domain until the first one with it is open. opened ends that.
func alone(domain string) (opened func()) {
	domains.Lock()
	if domains.known[domain] {
		domains.Unlock()
		return func() {}
	}
	return func() {
		if domains.known == nil {
			domains.known = map[string]bool{}
		}
		domains.known[domain] = true
		domains.Unlock()
	}
}

// addBlocked makes a session know the operators of package blocked.
func addBlocked(domain string, options *ortgo.SessionOptions) error {
	native, err := runtimeOptions(options)
	if err != nil {
		return err
	}
	library.Lock()
	path := library.path
	library.Unlock()
	return blocked.Add(path, domain, native)
}

// runtimeOptions is the runtime's own OrtSessionOptions behind the binding's. onnxruntime_go has no call that adds operators from
// within the process, so this looks into its struct, whose only field is that pointer. TestRuntimeOptions says which version was
// looked at.
func runtimeOptions(options *ortgo.SessionOptions) (unsafe.Pointer, error) {
	fields := reflect.ValueOf(options).Elem()
	if fields.NumField() != 1 || fields.Field(0).Kind() != reflect.Pointer {
		return nil, errors.New("this version of onnxruntime_go keeps its session options in another way")
	}
	return fields.Field(0).UnsafePointer(), nil
}

// native translates o; the caller destroys what it gets.
func (o Options) native() (*ortgo.SessionOptions, error) {
	options, err := ortgo.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	level := map[Optimization]ortgo.GraphOptimizationLevel{
		OptimizeAll:      ortgo.GraphOptimizationLevelEnableAll,
		OptimizeNothing:  ortgo.GraphOptimizationLevelDisableAll,
		OptimizeBasic:    ortgo.GraphOptimizationLevelEnableBasic,
		OptimizeExtended: ortgo.GraphOptimizationLevelEnableExtended,
	}[o.Optimization]
	severity := ortgo.LoggingLevel(ortgo.LoggingLevelError)
	if o.Warnings {
		severity = ortgo.LoggingLevelWarning
	}
	threads := o.IntraOpThreads
	if threads == 0 {
		// The runtime's own default looks at the machine; GOMAXPROCS also knows a container's quota.
		threads = runtime.GOMAXPROCS(0)
	}
	errs := []error{
		options.SetGraphOptimizationLevel(level),
		options.SetLogSeverityLevel(severity),
		options.SetIntraOpNumThreads(threads),
		options.SetInterOpNumThreads(1),
		options.SetMemPattern(!o.NoMemoryPattern),
		options.SetCpuMemArena(!o.NoArena),
	}
	if o.NoSpinning {
		errs = append(errs, options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"))
	}
	if o.ProfilePrefix != "" {
		errs = append(errs, options.EnableProfiling(o.ProfilePrefix))
	}
	for key, value := range o.Config {
		errs = append(errs, options.AddSessionConfigEntry(key, value))
	}
	if err := errors.Join(errs...); err != nil {
		options.Destroy()
		return nil, err
	}
	return options, nil
}

// Run computes the outputs from the inputs, both in the order of Open's names. Where outputs[i] is nil
// the runtime's result is copied into a new tensor put in its place (the caller closes it); otherwise
// it is written into the tensor given, whose shape must be the result's. When ctx ends the run stops
// after the operators it is in, outputs are undefined, and the error wraps context.Cause(ctx). A run that takes too long (see
// Options.RunLimit) is stopped in the same way, with ErrTooLong.
func (s *Session) Run(ctx context.Context, inputs, outputs []*Tensor) error {
	if ctx.Err() != nil {
		return fmt.Errorf("running %s: %w", s.name, context.Cause(ctx))
	}
	if len(inputs) != len(s.inputs) || len(outputs) != len(s.outputs) {
		return fmt.Errorf("running %s: %d inputs and %d outputs given, want %d and %d",
			s.name, len(inputs), len(outputs), len(s.inputs), len(s.outputs))
	}
	r := &running{in: make([]ortgo.Value, len(inputs)), out: make([]ortgo.Value, len(outputs)), done: make(chan struct{})}
	for i, t := range inputs {
		if t == nil {
			return fmt.Errorf("running %s: input %s is missing", s.name, s.inputs[i])
		}
		r.in[i] = t.backing.value
		r.held = append(r.held, t.backing)
	}
	for i, t := range outputs {
		if t != nil {
			r.out[i] = t.backing.value
			r.held = append(r.held, t.backing)
		}
	}
	r.given = slices.Clone(r.out)
	rows := inputs[0].rows()
	ended := s.watch(ctx, rows)
	start := time.Now()
	err := s.run(ctx, s.limit(rows), r)
	ended(err)
	if err != nil {
		return fmt.Errorf("running %s: %w", s.name, err)
	}
	s.took(time.Since(start), rows)
	for i, v := range r.out {
		if outputs[i] == nil {
			outputs[i] = wrap(v)
		}
	}
	return nil
}

// running is one run under way.
type running struct {
	in, out []ortgo.Value
	given   []ortgo.Value // of out, what the caller gave
	held    []*backing    // memory that the runtime reads by address: it must stay valid until the runtime is done
	options *ortgo.RunOptions
	done    chan struct{} // closed when the runtime is done
	err     error         // the runtime's; read after done
	settled atomic.Bool   // set by whichever comes first: the runtime is done, or the caller stops waiting. The other one cleans up
}

// run has the runtime compute r, and tells it to stop when ctx ends or limit has passed. The runtime notices
// between two operators only. A run that does not get there is no longer waited for; what it uses is freed when it ends.
func (s *Session) run(ctx context.Context, limit time.Duration, r *running) (err error) {
	s.mu.RLock()
	switch {
	case s.session == nil:
		err = ErrClosed
	case s.left.Load() > 0:
		err = fmt.Errorf("%w: an earlier run of this network has not ended; restart the studio to end it", ErrTooLong)
	default:
		r.options, err = ortgo.NewRunOptions()
	}
	if err != nil {
		s.mu.RUnlock()
		return err
	}
	for _, b := range r.held {
		b.hold()
	}
	go s.compute(r)
	stopped := await(ctx, limit, r.done)
	if stopped != nil {
		_ = r.options.Terminate() // fails only on destroyed options
		if grace := await(context.WithoutCancel(ctx), s.runLimit/stopsWithin, r.done); grace != nil {
			s.left.Add(1)
			if !r.settled.Swap(true) {
				return fmt.Errorf("%w (it did not stop when told to, and computes until its present operator has ended)", stopped)
			}
			s.left.Add(-1) // it ended just now
			<-r.done
		}
	}
	err = errors.Join(r.err, r.options.Destroy())
	if err != nil && stopped != nil {
		err = stopped
	}
	return err
}

// compute is run's part that waits for the runtime.
func (s *Session) compute(r *running) {
	r.err = s.session.RunWithOptions(r.in, r.out, r.options)
	left := r.settled.Swap(true)
	if r.err != nil || left {
		for i, v := range r.out { // results converted before the one that failed
			if v != nil && r.given[i] == nil && !reflect.ValueOf(v).IsNil() { // the failed one is a nil inside an interface
				_ = v.Destroy()
			}
		}
	}
	for _, b := range r.held {
		b.drop()
	}
	if left {
		_ = r.options.Destroy()
		s.left.Add(-1)
	}
	s.mu.RUnlock()
	close(r.done)
}

// await waits for done. It fails if ctx ends before, or if limit passes. It counts the time in ticks, so that a process that was
// frozen, as by a closed laptop or a paused container, loses one tick at most.
func await(ctx context.Context, limit time.Duration, done <-chan struct{}) error {
	ticker := time.NewTicker(max(1, limit/limitTicks))
	defer ticker.Stop()
	for range limitTicks {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
	return fmt.Errorf("%w and was stopped after %v: the graph may hold a Loop without end; where the network is only large, run smaller batches", ErrTooLong, limit)
}

// limit is how long a run of rows may take.
func (s *Session) limit(rows int64) time.Duration {
	if perRow := s.perRow.Load(); perRow > 0 {
		return max(s.runLimit, time.Duration(slowerThan*perRow*rows))
	}
	return s.runLimit + time.Duration(rows-1)*(s.runLimit/limitPerRow)
}

// took remembers the slowest time per row of the runs so far.
func (s *Session) took(d time.Duration, rows int64) {
	perRow := max(1, int64(d)/rows)
	for seen := s.perRow.Load(); perRow > seen && !s.perRow.CompareAndSwap(seen, perRow); seen = s.perRow.Load() {
	}
}

// Close frees the session after the runs under way. It waits for them, except where a run goes on that its caller no longer waits
// for: then it returns at once, and the session is freed when that run ends. Closing nil or twice does nothing.
func (s *Session) Close() error {
	if s == nil {
		return nil
	}
	if s.left.Load() > 0 {
		go func() { _ = s.close() }()
		return nil
	}
	return s.close()
}

func (s *Session) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		return nil
	}
	session := s.session
	s.session = nil
	if err := session.Destroy(); err != nil {
		return fmt.Errorf("closing %s: %w", s.name, err)
	}
	return nil
}
