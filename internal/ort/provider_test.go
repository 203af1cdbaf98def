package ort

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseProvider(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Provider{
		"":                         {Name: "cpu"},
		"CUDA":                     {Name: "cuda"},
		"cuda:1":                   {Name: "cuda", Options: map[string]string{"device_id": "1"}},
		"cuda:1,use_tf32=1":        {Name: "cuda", Options: map[string]string{"device_id": "1", "use_tf32": "1"}},
		"openvino:device_type=GPU": {Name: "openvino", Options: map[string]string{"device_type": "GPU"}},
	} {
		got, err := ParseProvider(text)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("ParseProvider(%q) = %v, %v; want %v", text, got, err, want)
		}
		if again, err := ParseProvider(got.String()); err != nil || !cmp.Equal(again, got) {
			t.Errorf("%q spelled %q is read as %v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"gpu", "cuda:", "cuda:x", "cuda:device_id=", "cuda:=1"} {
		if p, err := ParseProvider(text); !errors.Is(err, ErrProvider) {
			t.Errorf("ParseProvider(%q) = %v, %v; want ErrProvider", text, p, err)
		}
	}
}

// missing is a provider that no library of this system has.
func missing() string {
	if runtime.GOOS == "darwin" {
		return "directml"
	}
	return "coreml"
}

// A process has one provider, so each case runs in a process of its own.
func TestProviderMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, provider, fallback, want string
	}{
		{"refused", missing(), "", "--provider cpu"},
		{"fallback", missing(), "yes", "runs on cpu\n"},
		{"cpu", "cpu", "", "runs on cpu\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			child := exec.Command(os.Args[0], "-test.run=^TestProviderProcess$", "-test.v")
			child.Env = append(os.Environ(), "ORT_TEST_PROVIDER="+c.provider, "ORT_TEST_FALLBACK="+c.fallback)
			out, err := child.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if !strings.Contains(string(out), c.want) {
				t.Errorf("got\n%s\nwant it to say %q", out, c.want)
			}
		})
	}
}

// TestProviderProcess is TestProviderMissing's other process. Beside it, ORT_TEST_PROVIDER=cuda tries a device.
func TestProviderProcess(t *testing.T) {
	text := os.Getenv("ORT_TEST_PROVIDER")
	if text == "" {
		t.Skip("a part of TestProviderMissing, run with ORT_TEST_PROVIDER to try a device")
	}
	p, err := ParseProvider(text)
	if err != nil {
		t.Fatal(err)
	}
	var fallback func(error)
	if os.Getenv("ORT_TEST_FALLBACK") != "" {
		fallback = func(why error) { t.Logf("falls back: %v", why) }
	}
	Use(p, fallback)
	if err := Init(""); err != nil {
		if !errors.Is(err, ErrProvider) || Init("") == nil {
			t.Fatalf("Init = %v; want ErrProvider, and again", err)
		}
		t.Logf("refused: %v", err)
		return
	}
	s, err := Open(trial, []string{"X"}, []string{"Y"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p, err = active()
	t.Logf("runs on %s", p)
	if err != nil {
		t.Fatal(err)
	}
}

// The trial run works on the CPU too, where every machine can test it: tensors, a run, and the sum.
func TestTrialRuns(t *testing.T) {
	t.Parallel()
	if err := load(""); err != nil {
		t.Fatal(err)
	}
	provider.Lock() // as when a provider is tried
	defer provider.Unlock()
	if err := run(Provider{}); err != nil {
		t.Error(err)
	}
}
