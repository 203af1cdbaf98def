package annotator_test

import (
	"errors"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

func TestUploadStates(t *testing.T) {
	t.Parallel()
	for state, want := range map[annotator.UploadState]struct {
		mayBeAdded bool
		refused    annotator.UploadState
		becomes    bool
	}{
		annotator.UploadInspected: {mayBeAdded: true, refused: annotator.UploadInspected},
		annotator.UploadAdding:    {refused: annotator.UploadRefused, becomes: true},
		annotator.UploadAdded:     {refused: annotator.UploadAdded},
		annotator.UploadRefused:   {mayBeAdded: true, refused: annotator.UploadRefused, becomes: true}, // by a worker that was given up
	} {
		u := annotator.Upload{State: state, Tries: 3}
		if state == annotator.UploadRefused {
			u.Problem = "it did not run"
		}
		added, err := u.Add([]byte(`{}`), true)
		if want.mayBeAdded && (err != nil || added.State != annotator.UploadAdding || !added.Activate || added.Problem != "" || added.Tries != 0 || string(added.Manifest) != `{}`) ||
			!want.mayBeAdded && !errors.Is(err, annotator.ErrConflict) {
			t.Errorf("adding one that is %s: %+v, %v", state, added, err)
		}
		if got := u.Refuse("no network"); got.State != want.refused || (got.Problem == "no network") != (state == annotator.UploadAdding) {
			t.Errorf("refusing one that is %s: %+v", state, got)
		}
		version, err := u.Become(annotator.Version{ID: 9})
		if want.becomes && (err != nil || version.State != annotator.UploadAdded || version.Problem != "" || *version.VersionID != 9) ||
			!want.becomes && (!errors.Is(err, annotator.ErrConflict) || version.State != state || version.VersionID != nil) {
			t.Errorf("one that is %s became a version: %+v, %v", state, version, err)
		}
	}
	for tries, want := range map[int]bool{1: false, annotator.MaxUploadTries: false, annotator.MaxUploadTries + 1: true} {
		if got := (annotator.Upload{Tries: tries}).BringsWorkersDown(); got != want {
			t.Errorf("begun %d times in a row, it brings its workers down: %v", tries, got)
		}
	}
}
