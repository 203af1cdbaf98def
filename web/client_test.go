package web

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
)

// A Python client that is generated from the description does what docs/python/example.py does with it, pictures included.
func TestGeneratedPythonClient(t *testing.T) {
	t.Parallel()
	python := pythonWith(t, "openapi_python_client")
	s := newStudio(t)
	s.submit()
	token := s.as(annotator.RoleAdmin).token()
	client := filepath.Join(t.TempDir(), "client")
	generate := exec.CommandContext(t.Context(), python, "-m", "openapi_python_client", "generate", "--meta", "none", "--path", openapiFile, "--config", "../docs/python/client.yaml",
		"--output-path", filepath.Join(client, "studio_client"))
	generate.Env = append(os.Environ(), "PATH="+filepath.Dir(python)+":"+os.Getenv("PATH")) // it formats what it writes with ruff
	must(t, os.MkdirAll(client, 0o755))
	if out, err := generate.CombinedOutput(); err != nil || strings.Contains(string(out), "WARNING") || strings.Contains(string(out), "Unable") {
		t.Fatalf("generating: %v\n%s", err, out)
	}
	script := exec.CommandContext(t.Context(), python, "../docs/python/example.py", s.http.URL, "birds", filepath.Join(fixture.Reference(t), "preprocess", "wide-odd.jpg"))
	script.Env = append(os.Environ(), "PYTHONPATH="+client, "STUDIO_TOKEN="+token)
	out, err := script.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"signed in as The admin", "images 6", "picture of train/", "answer bird-", "import imported"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the script does not say %q:\n%s", want, out)
		}
	}
}
