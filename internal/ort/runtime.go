package ort

import (
	"fmt"
	"sync"

	ortgo "github.com/yalue/onnxruntime_go"
)

// initialising guards the runtime's one environment per process.
var initialising sync.Mutex

// Init loads the runtime's shared library ("" means Locate) and starts its environment. It may be
// called any number of times from anywhere: after the first success the others do nothing, whatever
// path they name. A failure may be tried again.
func Init(libraryPath string) error {
	initialising.Lock()
	defer initialising.Unlock()
	if ortgo.IsInitialized() {
		return nil
	}
	if libraryPath == "" {
		var err error
		if libraryPath, err = Locate(); err != nil {
			return err
		}
	}
	ortgo.SetSharedLibraryPath(libraryPath)
	if err := ortgo.InitializeEnvironment(ortgo.WithLogLevelError()); err != nil {
		return fmt.Errorf("loading ONNX Runtime from %s: %w (version 1.30 or newer is needed; set %s to another)",
			libraryPath, err, LibraryVariable)
	}
	return nil
}

// Version is the loaded library's version, such as "1.30.0", or "" before Init.
func Version() string {
	initialising.Lock()
	defer initialising.Unlock()
	if !ortgo.IsInitialized() {
		return ""
	}
	return ortgo.GetVersion()
}
