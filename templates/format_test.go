package templates

import (
	"encoding/json"
	"math"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
)

func TestFigures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ got, want string }{
		{Count(0), "0"}, {Count(999), "999"}, {Count(1120), "1,120"}, {Count(1234567), "1,234,567"}, {Count(-1500), "−1,500"},
		{Plural(1, "image"), "1 image"}, {Plural(1120, "image"), "1,120 images"}, {Plural(60, "class"), "60 classes"},
		{Fraction(0.7249), "0.72"}, {Fraction(math.NaN()), "–"}, {Percent(0.6834), "68.3%"},
		{Figure("fraction", 0.5), "50.0%"}, {Figure("", 2.31), "2.310"},
		{Difference("fraction", 0.031), "+3.1"}, {Difference("fraction", -0.0649), "−6.5"}, {Difference("fraction", 0.0001), "±0.0"}, {Difference("", -2.79), "−2.790"},
		{Bytes(512), "512 B"}, {Bytes(45_512_000), "45.5 MB"}, {Millions(2_769_989), "2.8 M"},
		{EncodeMap(attention.Map{Height: 1, Width: 3, Values: []float32{0, 0.5, 1}}), "1,3,AID/"}, {EncodeMap(attention.Map{}), ""},
		{EncodeExact(attention.Map{Height: 1, Width: 1, Values: []float32{1}}), "1,1,f,AACAPw=="},
		{figureLabel(t.Context(), "test/worst_group"), "worst group, test"}, {baseName("a/b/c.jpg"), "c.jpg"}, {sentence(t.Context(), "in review"), "In review"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestViewRatio(t *testing.T) {
	t.Parallel()
	v := &annotator.Version{Manifest: json.RawMessage(`{"crop":[112,224]}`), GridHeight: 7, GridWidth: 14}
	if r := ViewRatio(v); r != 0.5 {
		t.Errorf("a crop of 112 by 224 has ratio %v", r)
	}
	v.Manifest = nil
	if r := ViewRatio(v); r != 0.5 {
		t.Errorf("a grid of 7 by 14 has ratio %v", r)
	}
	if r := ViewRatio(nil); r != 1 {
		t.Errorf("nothing known has ratio %v", r)
	}
}

func TestQueueAddressesSayWhatTheyFilter(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"queue", "queue?state=approved", "queue?from=3&label=2&predicted=5&q=a+b&to=4", "queue?author=7&state=all"} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := ParseQueueQuery(u.Query()).address(); got != address {
			t.Errorf("%s reads and writes as %s", address, got)
		}
	}
	q := ParseQueueQuery(url.Values{"from": {"3"}, "to": {"4"}, "label": {"2"}})
	f := q.Filter("birds")
	if *f.MinConfidence != 0.3 || *f.MaxConfidence >= 0.4 || *f.MaxConfidence < 0.3999 || *f.Label != 2 {
		t.Errorf("the filter is %+v", f)
	}
	if diff := cmp.Diff(todo, f.States); diff != "" {
		t.Errorf("a queue without a state is not the work to be done: %s", diff)
	}
	if got := q.address("label", ""); got != "queue?from=3&to=4" {
		t.Errorf("letting a filter go leads to %s", got)
	}
}

func TestJudgementOfMeasures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		m    annotator.Measure
		want string
	}{
		{annotator.Measure{Name: "accuracy", Difference: 0.03, Low: 0.01, High: 0.05}, "good"},
		{annotator.Measure{Name: "accuracy", Difference: 0.03, Low: -0.01, High: 0.07}, ""},
		{annotator.Measure{Name: "accuracy", Difference: -0.03, Low: -0.05, High: -0.01}, "bad"},
		{annotator.Measure{Name: "map_distance", Difference: -2, Low: -3, High: -1}, "good"},
		{annotator.Measure{Name: "wrong_reason", Better: "lower", Difference: -0.2, Low: -0.3, High: -0.1}, "good"},
		{annotator.Measure{Name: "mean_confidence", Difference: 0.2, Low: 0.1, High: 0.3}, ""},
	} {
		if got := judgement(c.m); got != c.want {
			t.Errorf("%s %+.2f [%.2f, %.2f] is %q, want %q", c.m.Name, c.m.Difference, c.m.Low, c.m.High, got, c.want)
		}
	}
}
