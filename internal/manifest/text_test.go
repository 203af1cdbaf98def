package manifest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/manifest"
)

// Editors on Windows begin a file with a byte order mark, or write UTF-16; a Mac's names are decomposed.
func TestManifestAsEditorsWriteIt(t *testing.T) {
	t.Parallel()
	plain := "{\"classes\": [\"Ka\u0308fer\", \"red\"], \"resize\": 8, \"crop\": [8, 8],\r\n \"mean\": [0, 0, 0], \"std\": [1, 1, 1]}"
	sixteen := []byte("\xff\xfe")
	for _, r := range plain {
		sixteen = append(sixteen, byte(r), byte(r>>8))
	}
	for name, document := range map[string]string{"plain": plain, "mark": "\ufeff" + plain, "UTF-16": string(sixteen)} {
		m, err := manifest.Parse([]byte(document))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if m.Classes[0] != "K\u00e4fer" {
			t.Errorf("%s: class %q", name, m.Classes[0])
		}
	}
	if _, err := manifest.Parse([]byte("{\n\xff\xfe}")); !errors.Is(err, manifest.ErrManifest) || !strings.Contains(err.Error(), "UTF-8") {
		t.Error(err)
	}
}
