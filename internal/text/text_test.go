package text_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/text"
)

func TestValid(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{"": true, "bird": true, "Zaunkönig 🐦": true, "\ufffd": true, "a\x00": false, "\xff": false, "caf\xe9": false, "\xed\xa0\x80": false} {
		if got := text.Valid(s); got != want {
			t.Errorf("Valid(%q) = %v", s, got)
		}
		if clean := text.Clean(s); !text.Valid(clean) || want && clean != s {
			t.Errorf("Clean(%q) = %q", s, clean)
		}
	}
}

func TestInJSON(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{"a": "x\u0000"}`:                             "a",
		`{"a": {"b": ["x", "\u0000"]}, "c": 1}`:        "a.b[1]",
		"{\"a\": [1, 2], \"b\": \"caf\xe9\"}":          "b",
		`[{"a": 1}, {"a": "\ud800"}]`:                  "[1].a",
		`{"classes": ["\ud83d\ude00", "\ude00"]}`:      "classes[1]",
		`{"classes": ["\ud83d\\ude00"]}`:               "classes[0]",
		`"\u0000"`:                                     "",
		`{"a": 1, "b\u0000": 2}`:                       "",
		`{"a": [[], {}, ["\uDBFF"]]}`:                  "a[2][0]",
		`{"a": ` + strings.Repeat("[", 3) + `"\u0000"`: "a[0][0][0]",
	} {
		if path, found := text.InJSON([]byte(document)); !found || path != want {
			t.Errorf("InJSON(%q) = %q, %v; want %q", document, path, found, want)
		}
	}
	for _, document := range []string{
		``, `{}`, `{"a": "\\u0000", "b": "\ud83d\ude00", "c": "Zaunkönig", "d": null}`, `{"a": "\u00`, "{\"a\": \xff}", `nonsense`,
	} {
		if path, found := text.InJSON([]byte(document)); found {
			t.Errorf("InJSON(%q) finds %q", document, path)
		}
	}
}

// Whatever is not found survives decoding and encoding as it is.
func FuzzInJSON(f *testing.F) {
	for _, seed := range []string{`{"a": "x\u0000"}`, `["\ud83d\ude00", "\ude00"]`, "{\"b\": \"caf\xe9\"}", `{"a": [1, {"b": null}]}`, `"\\u0000"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		path, found := text.InJSON(document)
		var value any
		if json.Unmarshal(document, &value) != nil {
			return
		}
		if !text.Valid(path) {
			t.Errorf("the place %q is no text itself", path)
		}
		if !found {
			checkStrings(t, value)
		}
	})
}

func checkStrings(t *testing.T, value any) {
	switch v := value.(type) {
	case string:
		if !text.Valid(v) {
			t.Errorf("%q passed", v)
		}
	case []any:
		for _, e := range v {
			checkStrings(t, e)
		}
	case map[string]any:
		for k, e := range v {
			checkStrings(t, k)
			checkStrings(t, e)
		}
	}
}

func TestRepeatedKey(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{"a": 1, "b": {"a": 2}, "c": [{"a": 1}, {"a": 2}]}`: "",
		`{"a": 1, "a": 2}`:                     "a",
		`{"m": {"k": [1, 2], "l": 0, "k": 3}}`: "m.k",
		`[{"a": 1}, {"b": 1, "b": 1}]`:         "[1].b",
		`{"a": 1, "\u0061": 2}`:                "a",
		`{"a": "a, \"a\": 1", "b": "{\"b\""}`:  "",
		`{"a": "x", "b": ["a", "a"]}`:          "",
		`{"A": 1, "a": 2}`:                     "",
		``:                                     "",
		`]`:                                    "",
		`{"a": 1, "a`:                          "",
		`"a"`:                                  "",
	} {
		if path, found := text.RepeatedKey([]byte(document)); path != want || found != (want != "") {
			t.Errorf("%s: %q, %v, want %q", document, path, found, want)
		}
	}
}
