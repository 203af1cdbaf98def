package ort

import (
	"context"
	_ "embed" // trial.onnx
	"fmt"
	"os"
	"sync"

	ortgo "github.com/yalue/onnxruntime_go"
)

// telemetryVariable, set to 1, keeps the runtime from sending anything and from keeping an identifier of the machine
// (github.com/microsoft/onnxruntime, docs/Privacy.md).
const telemetryVariable = "ORT_DISABLE_TELEMETRY"

// library is the runtime's shared library, loaded once per process.
var library struct {
	sync.Mutex
	path string
}

// provider is what sessions are opened on. Its lock is held while it is tried, which takes the library's.
var provider struct {
	sync.Mutex
	chosen   Provider        // what Use asked for
	fallback func(why error) // called when the CPU is used instead; nil: the CPU must not be
	tried    bool            // chosen was tried
	err      error           // why it cannot be used
	active   Provider
}

// Init loads the runtime's shared library ("" means Locate), starts its environment and tries the provider
// that Use chose. It may be called any number of times from anywhere: after the first success the others
// do nothing, whatever path they name. A failure to load may be tried again.
func Init(libraryPath string) error {
	if err := load(libraryPath); err != nil {
		return err
	}
	_, err := active()
	return err
}

// load is the first half of Init.
func load(path string) error {
	library.Lock()
	defer library.Unlock()
	if ortgo.IsInitialized() {
		return nil
	}
	if path == "" {
		var err error
		if path, err = Locate(); err != nil {
			return err
		}
	}
	// The official builds since 1.29 tell their makers names and hashes of the models they open, with an identifier of the machine. What
	// runs in a studio stays there. The variable counts when the library is loaded; the call is for Windows, which has no variable.
	if err := os.Setenv(telemetryVariable, "1"); err != nil {
		return fmt.Errorf("setting %s: %w", telemetryVariable, err)
	}
	ortgo.SetSharedLibraryPath(path)
	if err := ortgo.InitializeEnvironment(ortgo.WithLogLevelError()); err != nil {
		return fmt.Errorf("loading ONNX Runtime from %s: %w (version 1.30 or newer is needed; set %s to another)", path, err, LibraryVariable)
	}
	if err := ortgo.DisableTelemetry(); err != nil {
		return fmt.Errorf("ONNX Runtime from %s: %w", path, err)
	}
	library.path = path
	return nil
}

// active is the second half of Init. It returns the provider that sessions are opened on, and tries it at the first call.
func active() (Provider, error) {
	provider.Lock()
	defer provider.Unlock()
	if !provider.tried {
		provider.tried, provider.active, provider.err = true, provider.chosen, try(provider.chosen)
		if provider.err != nil {
			provider.err = fmt.Errorf("%s: %s; use --provider cpu, or --provider-fallback to use the CPU where it fails (%w)",
				provider.chosen, remedy(provider.chosen), provider.err)
		}
		if provider.err != nil && provider.fallback != nil {
			provider.fallback(provider.err)
			provider.active, provider.err = Provider{}, nil
		}
	}
	return provider.active, provider.err
}

// Active returns the provider that sessions are opened on. The first call tries it.
func Active() (Provider, error) {
	if err := load(""); err != nil {
		return Provider{}, err
	}
	return active()
}

// remedy says what a provider needs.
func remedy(p Provider) string {
	library.Lock()
	defer library.Unlock()
	switch p.Name {
	case "cuda", "tensorrt":
		return fmt.Sprintf("%s must be the GPU build of ONNX Runtime, with its provider libraries beside it and CUDA and cuDNN of the versions it was built for "+
			"where the system finds libraries (set %s to such a build, for example the one in the Python package onnxruntime-gpu)", library.path, LibraryVariable)
	case "coreml":
		return "it is for macOS"
	case "directml":
		return "it is for Windows"
	default:
		return fmt.Sprintf("%s must be a build of ONNX Runtime with this provider, and its device and driver must be there (set %s to such a build)", library.path, LibraryVariable)
	}
}

// Use chooses the provider of all sessions. Call it before the first Init or Open. Init tries the provider. If it cannot be used and
// fallback is nil, Init fails; otherwise fallback is called once with the reason, and sessions run on the CPU.
func Use(p Provider, fallback func(why error)) {
	provider.Lock()
	defer provider.Unlock()
	provider.chosen, provider.fallback, provider.tried = p, fallback, false
}

// trial is Y = Conv(X, ones 3×3): X [1,1,3,3], Y [1,1,1,1].
//
//go:embed trial.onnx
var trial []byte

// try finds out whether a provider can be used.
func try(p Provider) error {
	if p.IsCPU() {
		return nil
	}
	return run(p)
}

// run computes a convolution on a provider: libraries, driver and device are only known to be there once
// something has run on them.
func run(p Provider) error {
	session, err := openOn(p, trial, []string{"X"}, []string{"Y"}, Options{Name: "a trial of " + p.String(), IntraOpThreads: 1})
	if err != nil {
		return err
	}
	defer session.Close()
	x, err := Float32s([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9}, 1, 1, 3, 3)
	if err != nil {
		return err
	}
	defer x.Close()
	y := []*Tensor{nil}
	if err := session.Run(context.Background(), []*Tensor{x}, y); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrProvider, p, err)
	}
	defer y[0].Close()
	if sum := y[0].Float32()[0]; sum != 45 {
		return fmt.Errorf("%w: %s adds 1 to 9 up to %v", ErrProvider, p, sum)
	}
	return nil
}

// Library is the path of the shared library that is loaded, or would be.
func Library() (string, error) {
	library.Lock()
	defer library.Unlock()
	if library.path != "" {
		return library.path, nil
	}
	return Locate()
}

// Version is the loaded library's version, such as "1.30.0", or "" before Init.
func Version() string {
	library.Lock()
	defer library.Unlock()
	if !ortgo.IsInitialized() {
		return ""
	}
	return ortgo.GetVersion()
}
