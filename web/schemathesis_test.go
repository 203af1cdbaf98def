package web

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
)

// TestTheStudioDoesWhatItsDescriptionSays has Schemathesis call every operation with requests that the description allows, and with such
// that it doesn't, and looks whether the answers are among those described. The studio is thrown away afterwards.
func TestTheStudioDoesWhatItsDescriptionSays(t *testing.T) {
	t.Parallel()
	python := pythonWith(t, "schemathesis")
	s := newStudio(t)
	admin := s.as(annotator.RoleAdmin)
	token := admin.token()
	imported := s.workedOn(admin)
	var browserOnlys, browserOnlyNot []string
	for operation, scope := range scopes {
		if scope == browserOnly {
			browserOnlyNot = append(browserOnlyNot, "--exclude-operation-id", operation)
			if operation != "signOut" { // nothing would be allowed after it
				browserOnlys = append(browserOnlys, "--include-operation-id", operation)
			}
		}
	}
	cookie := admin.client.Jar.Cookies(admin.do(http.MethodGet, "/projects", nil).Request.URL)[0]
	s.schemathesis(python, browserOnlyNot, "STUDIO_TOKEN="+token, "STUDIO_IMPORT="+imported)
	s.schemathesis(python, append(browserOnlys, "--generation-with-security-parameters", "false", "--header", "Cookie: "+cookie.String()), "STUDIO_TOKEN=none", "STUDIO_IMPORT=none")
}

// pythonWith is the Python of STUDIO_PYTHON, and skips the test where it has no such module.
func pythonWith(t *testing.T, module string) string {
	t.Helper()
	python := os.Getenv("STUDIO_PYTHON")
	if python == "" {
		t.Skipf("set STUDIO_PYTHON to a Python that has %s to run this test", module)
	}
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import "+module).CombinedOutput(); err != nil {
		t.Skipf("STUDIO_PYTHON %s has no %s: %s", python, module, out)
	}
	return python
}

// token makes a bearer token that may all that its owner may.
func (b *browser) token() string {
	b.s.t.Helper()
	return into[tokenMade](b.api(http.MethodPost, "/tokens", map[string]any{
		"name": "script", "scopes": annotator.AllScopes(), "current_password": password}).want(http.StatusCreated)).Token
}

// workedOn makes something of every kind that the API addresses, and returns the id of an import.
func (s *studio) workedOn(admin *browser) string {
	s.t.Helper()
	s.submit()
	s.as(annotator.RoleAnnotator).api(http.MethodPost, "/images/6/label", map[string]any{"says": "ambiguous"}).want(http.StatusCreated)
	model, err := os.ReadFile(filepath.Join(fixture.Reference(s.t), "abn-resnet-tiny.onnx"))
	must(s.t, err)
	admin.do(http.MethodPost, apiPrefix+"/projects/birds/versions?inspect=true", bytes.NewReader(model), "Content-Type", "application/octet-stream")
	return into[annotator.StagedImport](admin.api(http.MethodPost, "/projects/birds/imports", map[string]any{
		"name": "more", "files": []any{map[string]any{"path": "a.jpg", "bytes": 1}}}).want(http.StatusCreated)).ID
}

// schemathesis has the program call the studio, as web/testdata/schemathesis says.
func (s *studio) schemathesis(python string, args []string, environment ...string) {
	s.t.Helper()
	dir := s.t.TempDir()
	must(s.t, os.CopyFS(dir, os.DirFS("testdata/schemathesis")))
	args = append([]string{"-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", s.http.URL + apiPrefix + "/openapi.json", "--no-color", "--max-examples", "5"}, args...)
	cmd := exec.CommandContext(s.t.Context(), python, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environment...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Errorf("%v\n%s", err, out)
	} else {
		s.t.Logf("%s", out)
	}
}
