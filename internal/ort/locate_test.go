package ort

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLocateNamesTheRemedy(t *testing.T) {
	t.Setenv(LibraryVariable, filepath.Join(t.TempDir(), "absent.so"))
	_, err := Locate()
	if !errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), "absent.so") || !strings.Contains(err.Error(), LibraryVariable) {
		t.Errorf("Locate() = %v, want ErrNoLibrary that names the variable and its value", err)
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("the message has more than one line: %q", err)
	}
}

func TestLocateHonoursTheVariable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.so")
	if err := os.WriteFile(path, []byte("not really"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(LibraryVariable, path)
	if got, err := Locate(); got != path || err != nil {
		t.Errorf("Locate() = %q, %v, want %q", got, err, path)
	}
}

func TestCandidates(t *testing.T) {
	for _, c := range []struct{ goos, goarch, want string }{
		{"linux", "amd64", "/srv/studio/node_modules/onnxruntime-node/bin/napi-v*/linux/x64/libonnxruntime.so*"},
		{"darwin", "arm64", "/srv/studio/node_modules/onnxruntime-node/bin/napi-v*/darwin/arm64/libonnxruntime*.dylib"},
		{"linux", "arm64", "/srv/studio/bin/lib/libonnxruntime.so*"},
		{"windows", "amd64", "/srv/studio/node_modules/onnxruntime-node/bin/napi-v*/win32/x64/onnxruntime.dll"},
	} {
		if got := candidates([]string{"/srv/studio/bin"}, c.goos, c.goarch); !slices.Contains(got, c.want) {
			t.Errorf("%s/%s: %s is not among\n%s", c.goos, c.goarch, c.want, strings.Join(got, "\n"))
		}
	}
}
