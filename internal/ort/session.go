package ort

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"

	ortgo "github.com/yalue/onnxruntime_go"

	"github.com/abn-studio/studio/internal/ort/blocked"
)

// ErrClosed is a run on a session that was closed.
var ErrClosed = errors.New("session is closed")

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
	// NoMemoryPattern allocates each value by itself: needed where shapes change from run to run so
	// much that planning for each costs more than it saves.
	NoMemoryPattern bool
	// NoArena frees memory at once instead of keeping it for the next run.
	NoArena bool
	// ProfilePrefix, if not "", makes Close write PREFIX_<time>.json with the time of every node.
	ProfilePrefix string
	// Warnings lets the runtime write its warnings to standard error; else only errors are.
	Warnings bool
	// BlockedDomain, if not "", is the domain under which the graph uses the operators of package blocked.
	BlockedDomain string
	// Config holds further session entries, by the runtime's own keys ("session.…").
	Config map[string]string
}

// Session is a graph loaded and optimised, ready to run. Runs may overlap.
type Session struct {
	name            string
	inputs, outputs []string
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
		name = "graph " + strings.Join(inputs, ", ") + " → " + strings.Join(outputs, ", ")
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
	}
	session, err := ortgo.NewDynamicAdvancedSessionWithONNXData(model, inputs, outputs, options)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	return &Session{name: name, inputs: inputs, outputs: outputs, session: session}, nil
}

// addBlocked makes a session know the operators of package blocked. onnxruntime_go keeps the runtime's own options in its
// struct's only field and has no call that adds operators from within the process.
func addBlocked(domain string, options *ortgo.SessionOptions) error {
	fields := reflect.ValueOf(options).Elem()
	if fields.NumField() != 1 || fields.Field(0).Kind() != reflect.Pointer {
		return errors.New("this version of onnxruntime_go keeps its session options in another way")
	}
	library.Lock()
	path := library.path
	library.Unlock()
	return blocked.Add(path, domain, fields.Field(0).UnsafePointer())
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
// after the operators it is in, outputs are undefined, and the error wraps context.Cause(ctx).
func (s *Session) Run(ctx context.Context, inputs, outputs []*Tensor) error {
	if ctx.Err() != nil {
		return fmt.Errorf("running %s: %w", s.name, context.Cause(ctx))
	}
	if len(inputs) != len(s.inputs) || len(outputs) != len(s.outputs) {
		return fmt.Errorf("running %s: %d inputs and %d outputs given, want %d and %d",
			s.name, len(inputs), len(outputs), len(s.inputs), len(s.outputs))
	}
	in, out := make([]ortgo.Value, len(inputs)), make([]ortgo.Value, len(outputs))
	for i, t := range inputs {
		if t == nil {
			return fmt.Errorf("running %s: input %s is missing", s.name, s.inputs[i])
		}
		in[i] = t.backing.value
	}
	for i, t := range outputs {
		if t != nil {
			out[i] = t.backing.value
		}
	}

	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.session == nil {
		return fmt.Errorf("running %s: %w", s.name, ErrClosed)
	}
	err := s.run(ctx, in, out)
	// The runtime holds plain addresses: the tensors must be reachable until it is done with them.
	runtime.KeepAlive(inputs)
	runtime.KeepAlive(outputs)
	if err != nil {
		for i, v := range out { // results converted before the one that failed
			if v != nil && outputs[i] == nil && !reflect.ValueOf(v).IsNil() { // the failed one is a nil inside an interface
				_ = v.Destroy()
			}
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("running %s: %w", s.name, err)
	}
	for i, v := range out {
		if outputs[i] == nil {
			outputs[i] = wrap(v)
		}
	}
	return nil
}

// run calls the runtime, telling it to stop when ctx ends.
func (s *Session) run(ctx context.Context, in, out []ortgo.Value) error {
	if ctx.Done() == nil {
		return s.session.Run(in, out)
	}
	options, err := ortgo.NewRunOptions()
	if err != nil {
		return err
	}
	defer options.Destroy()
	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(terminated)
		_ = options.Terminate() // fails on destroyed options only
	})
	defer func() {
		if !stop() {
			<-terminated // options must outlive the call that is using them
		}
	}()
	return s.session.RunWithOptions(in, out, options)
}

// Close waits for runs under way and frees the session. Closing nil or twice does nothing.
func (s *Session) Close() error {
	if s == nil {
		return nil
	}
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
