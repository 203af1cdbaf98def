package web

import (
	"strings"
	"testing"
)

// Errors in a body are described with JSON's types.
func TestBodiesAreRefusedInWordsOfJSON(t *testing.T) {
	t.Parallel()
	var settings struct {
		Settings struct {
			Gamma float64 `json:"gamma"`
			Seed  int64   `json:"seed"`
		} `json:"settings"`
	}
	for body, want := range map[string]string{
		`{"settings": {"gamma": 1e400}}`:               "body.settings.gamma: the number 1e400 is out of range",
		`{"settings": {"seed": 99999999999999999999}}`: "body.settings.seed: the number 99999999999999999999 is out of range",
		`{"settings": "none"}`:                         "body.settings is of another type: a string",
		`{"settings": {"gamma": 1, "gamma": 2}}`:       "body.settings.gamma stands twice",
		`{"settings": {}, "settings": {}}`:             "body.settings stands twice",
	} {
		if err := legibleJSON.Unmarshal([]byte(body), &settings); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
	var anything any
	if err := legibleJSON.Unmarshal([]byte(`{"gamma": 1e400}`), &anything); err == nil || strings.Contains(err.Error(), "Go") {
		t.Errorf("before it is known what is wanted: %v", err)
	}
}
