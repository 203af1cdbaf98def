package manifest_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/manifest"
)

// Each string of PartNames has its field, under the key of its JSON.
func TestEveryNameHasAField(t *testing.T) {
	t.Parallel()
	of := reflect.TypeFor[manifest.PartNames]()
	strs := 0
	for i := range of.NumField() {
		if of.Field(i).Type.Kind() != reflect.String {
			continue
		}
		strs++
		key, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		var names manifest.PartNames
		if !names.Set(key, "v") || reflect.ValueOf(names).Field(i).String() != "v" || !names.Any() {
			t.Errorf("%s is not set by %q", of.Field(i).Name, key)
		}
	}
	if strs != len(manifest.NameFields) || (&manifest.PartNames{}).Set("size", "v") {
		t.Errorf("%d fields of %d", len(manifest.NameFields), strs)
	}
}

func TestNamesOverAManifest(t *testing.T) {
	t.Parallel()
	names := manifest.PartNames{Map: "m", LogitsAtt: "a"}
	for text, want := range map[string]string{
		"":                                       `{"names":{"map":"m","logits_att":"a"}}`,
		`{"crop": "odd", "other": 1}`:            `{"crop":"odd","names":{"map":"m","logits_att":"a"},"other":1}`,
		`{"names": {"map": "x", "image": "i"}}`:  `{"names":{"image":"i","map":"m","logits_att":"a"}}`,
		`{"names": "odd", "classes": ["a","b"]}`: `{"classes":["a","b"],"names":{"map":"m","logits_att":"a"}}`,
		`[1]`:                                    `[1]`,
		`{`:                                      `{`,
	} {
		var given []byte
		if text != "" {
			given = []byte(text)
		}
		if got := string(manifest.WithNames(given, names)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		if got := manifest.WithNames(given, manifest.PartNames{}); string(got) != text {
			t.Errorf("%s without names: %s", text, got)
		}
	}
}
