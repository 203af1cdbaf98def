package ort

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// LibraryVariable is the environment variable that names the runtime's shared library.
const LibraryVariable = "STUDIO_ORT_LIB"

// ErrNoLibrary is returned where the runtime's shared library is not found. The error that wraps it says how to get it.
var ErrNoLibrary = errors.New("no ONNX Runtime library")

// Locate finds the shared library: LibraryVariable, else the npm package onnxruntime-node in a
// node_modules of the executable's folder, the working directory or a parent of either, else beside
// the executable or in lib beside it, else where systems keep libraries. The error (ErrNoLibrary)
// is one line that says how to get one.
func Locate() (string, error) {
	if path := os.Getenv(LibraryVariable); path != "" {
		if !isFile(path) {
			return "", fmt.Errorf("%w: %s is set to %s, where there is no file", ErrNoLibrary, LibraryVariable, path)
		}
		return filepath.Abs(path)
	}
	var starts []string
	if executable, err := os.Executable(); err == nil {
		if resolved, err := filepath.EvalSymlinks(executable); err == nil {
			executable = resolved
		}
		starts = append(starts, filepath.Dir(executable))
	}
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	for _, pattern := range candidates(starts, runtime.GOOS, runtime.GOARCH) {
		matches, _ := filepath.Glob(pattern) // the only error is a malformed pattern
		for _, path := range matches {
			if isFile(path) {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%w (%s) for %s/%s: run \"npm install\" in the studio's folder, or set %s to the library's path",
		ErrNoLibrary, libraryName(runtime.GOOS), runtime.GOOS, runtime.GOARCH, LibraryVariable)
}

// candidates lists glob patterns, the most wanted first. starts are the folders to search from.
func candidates(starts []string, goos, goarch string) []string {
	name := libraryName(goos)
	// Node's names for systems and processors differ from Go's.
	system, ok := map[string]string{"windows": "win32"}[goos]
	if !ok {
		system = goos
	}
	processor, ok := map[string]string{"amd64": "x64"}[goarch]
	if !ok {
		processor = goarch
	}
	var patterns []string
	for _, start := range starts {
		for dir := start; ; dir = filepath.Dir(dir) {
			patterns = append(patterns,
				filepath.Join(dir, "node_modules", "onnxruntime-node", "bin", "napi-v*", system, processor, name))
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	if len(starts) > 0 { // the executable's folder comes first
		patterns = append(patterns, filepath.Join(starts[0], name), filepath.Join(starts[0], "lib", name))
	}
	if goos != "windows" {
		for _, dir := range []string{"/usr/local/lib", "/usr/lib", "/usr/lib64", "/usr/lib/*-linux-gnu", "/opt/homebrew/lib", "/opt/onnxruntime/lib"} {
			patterns = append(patterns, filepath.Join(dir, name))
		}
	}
	return patterns
}

// libraryName is the glob for the library's file on an operating system.
func libraryName(goos string) string {
	switch goos {
	case "windows":
		return "onnxruntime.dll"
	case "darwin":
		return "libonnxruntime*.dylib"
	default:
		return "libonnxruntime.so*"
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
