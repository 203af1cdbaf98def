package arms_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/abn-studio/studio/internal/arms"
)

// Every arm is told of, has something it is compared with, and a refit is of an arm that is there.
func TestTheTableIsWhole(t *testing.T) {
	t.Parallel()
	for _, k := range arms.Kinds() {
		if k.Label == "" || k.Words == "" || k.What == "" {
			t.Errorf("nothing is told of %s", k.Arm)
		}
		if k.Trains && k.Refits != "" {
			t.Errorf("%s is trained and refitted", k.Arm)
		}
		for _, other := range []arms.Arm{k.Refits, k.Against, k.Arm.Pair()} {
			if other != "" && arms.Of(other).What == "" {
				t.Errorf("%s names %s, which is no arm", k.Arm, other)
			}
		}
		if p := k.Arm.Pair(); p != "" && p.Pair() != k.Arm {
			t.Errorf("%s and %s do not go together", k.Arm, p)
		}
	}
}

func TestSetsAsText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "none", "none": "none", "map_at_test, parent_refit": "parent_refit,map_at_test",
		"all": "parent_refit,control_refit,shuffled_within,shuffled_across,candidate_refit,map_at_test",
	} {
		s, err := arms.Parse(text)
		if err != nil || s.String() != want {
			t.Errorf("%q is %s, %v", text, s, err)
		}
		data, err := json.Marshal(s)
		var back arms.Set
		if err == nil {
			err = json.Unmarshal(data, &back)
		}
		if err != nil || back != s {
			t.Errorf("%q is %s, read as %s, %v", text, data, back, err)
		}
	}
	for _, text := range []string{"candidate", "parent", "other", "parent_refit,"} {
		var unknown *arms.UnknownError
		if s, err := arms.Parse(text); !errors.As(err, &unknown) || s != 0 {
			t.Errorf("%q is taken for %s, %v", text, s, err)
		}
	}
	var s arms.Set
	if err := json.Unmarshal([]byte(`["control"]`), &s); err == nil {
		t.Error("every round has a control")
	}
}
