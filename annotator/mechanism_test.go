package annotator_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

// mechanismsFile holds the words of each mechanism for the editor's tests.
const mechanismsFile = "../web/editor/test/mechanisms.json"

func TestEditorIsTestedWithTheseWords(t *testing.T) {
	t.Parallel()
	words, err := json.MarshalIndent(map[string]annotator.Mechanism{
		"1+M": annotator.MechanismOf("1+M"), "M": annotator.MechanismOf("M"), "other": annotator.MechanismOf("other"),
	}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	words = append(words, '\n')
	if os.Getenv("STUDIO_UPDATE") != "" {
		if err := os.WriteFile(mechanismsFile, words, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(mechanismsFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != string(words) {
		t.Errorf("%s has other words: run STUDIO_UPDATE=1 go test ./annotator -run TheseWords", mechanismsFile)
	}
}
