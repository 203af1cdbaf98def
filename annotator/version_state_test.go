package annotator_test

import (
	"errors"
	"testing"

	"github.com/abn-studio/studio/annotator"
)

func TestStateOfANewVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hasModel, classes, activate bool
		want                        annotator.VersionState // "": refused
	}{
		{classes: true, want: annotator.VersionActive},
		{classes: true, activate: true, want: annotator.VersionActive},
		{want: ""},
		{hasModel: true, want: annotator.VersionCandidate},
		{hasModel: true, classes: true, want: annotator.VersionCandidate},
		{hasModel: true, activate: true, want: annotator.VersionActive},
	} {
		v := annotator.NewVersion{Activate: c.activate}
		if c.classes {
			v.Classes = named("owl", "tit")
		}
		got, err := v.StateIn(c.hasModel)
		var invalid *annotator.ValidationError
		if got != c.want || (c.want == "") != (errors.As(err, &invalid) && invalid.Field == "classes") {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

func TestWhichVersionMayBeActivated(t *testing.T) {
	t.Parallel()
	for state, changes := range map[annotator.VersionState]bool{
		annotator.VersionCandidate: true,
		annotator.VersionArchived:  true, // rollback
		annotator.VersionActive:    false,
	} {
		v := annotator.Version{State: state, Manifest: []byte(`{"classes": ["owl", "tit"]}`)}
		if got, err := v.MayActivate(); got != changes || err != nil {
			t.Errorf("one that is %s: changes something: %v, %v", state, got, err)
		}
		if v.MakesTasks() != (state == annotator.VersionActive) {
			t.Errorf("one that is %s makes tasks: %v", state, v.MakesTasks())
		}
		v.Manifest = []byte(`{"classes": ["owl"]}`)
		var invalid *annotator.ValidationError
		if got, err := v.MayActivate(); got || !errors.As(err, &invalid) || invalid.Field != "version" {
			t.Errorf("one that is %s and cannot answer: %v, %v", state, got, err)
		}
	}
}
