package progress

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/quick"
	"time"
)

// clocked is a meter whose time the test moves, and what it reported.
func clocked() (m *Meter, got *[]Progress, pass func(time.Duration)) {
	now := time.Unix(0, 0)
	got = new([]Progress)
	m = NewMeter(func(p Progress) { *got = append(*got, p) })
	m.now = func() time.Time { return now }
	return m, got, func(d time.Duration) { now = now.Add(d) }
}

func TestMeterCorrectsWhatItExpected(t *testing.T) {
	t.Parallel()
	m, got, pass := clocked()
	m.Plan(Plan{Stage: Features, Total: 100, Each: time.Second}, Plan{Stage: Candidate, Total: 10, Each: time.Second},
		Plan{Stage: Control, Total: 10, Each: time.Second, Like: Candidate})
	m.Begin(Features, 0)
	pass(5 * time.Second)
	m.Advance(Features, 50)
	pass(5 * time.Second)
	m.Advance(Features, 100)
	m.Begin(Candidate, 0)
	pass(10 * time.Second)
	m.Advance(Candidate, 5)
	pass(10 * time.Second)
	m.Advance(Candidate, 10)
	m.Begin(Control, 0)
	pass(20 * time.Second)
	m.Advance(Control, 10)
	m.Finish()
	want := []struct {
		share     float64
		remaining int // seconds
	}{{0, 120}, {5. / 30, 25}, {10. / 30, 20}, {10. / 30, 20}, {20. / 50, 30}, {30. / 50, 20}, {30. / 50, 20}, {almost, 0}, {1, 0}}
	for i, p := range *got {
		if i >= len(want) || p.Share != want[i].share || p.Remaining != time.Duration(want[i].remaining)*time.Second {
			t.Errorf("report %d: %v of the whole, %v remain; want %+v", i, p.Share, p.Remaining, want[min(i, len(want)-1)])
		}
	}
	if len(*got) != len(want) {
		t.Errorf("%d reports, want %d", len(*got), len(want))
	}
}

// Whatever a run does, in whatever order its surprises come: the share is within [0,1], never falls, and is 1 at the end only.
func TestShareNeverFalls(t *testing.T) {
	t.Parallel()
	all := []Stage{Reading, Features, EvaluatingParent, Candidate, EvaluatingCandidate, Control, EvaluatingControl}
	if err := quick.Check(func(seed uint64) bool {
		rng := rand.New(rand.NewPCG(seed, 1))
		m, got, pass := clocked()
		stages := all[:1+rng.IntN(len(all))]
		for _, s := range stages {
			m.Plan(Plan{Stage: s, Total: rng.IntN(50), Each: time.Duration(rng.IntN(3)) * 100 * time.Millisecond, Like: all[rng.IntN(len(all))]})
		}
		for i, s := range stages {
			if rng.IntN(4) == 0 {
				continue // a stage that turns out not to be needed
			}
			done := rng.IntN(10)
			if rng.IntN(4) > 0 {
				m.Begin(s, done)
			}
			for range rng.IntN(20) {
				pass(time.Duration(rng.IntN(5000)) * time.Millisecond)
				switch rng.IntN(6) {
				case 0:
					m.Expect(stages[rng.IntN(len(stages))], rng.IntN(80), time.Duration(rng.IntN(2))*time.Second)
				case 1:
					m.Advance(stages[rng.IntN(i+1)], rng.IntN(40)) // one that is over says nothing
				default:
					done += rng.IntN(5)
					m.Advance(s, done)
				}
			}
		}
		before := len(*got)
		m.Finish()
		if len(*got) != before+1 {
			return false
		}
		last, at := -1.0, -1
		for i, p := range *got {
			over := i == len(*got)-1
			if p.Share < last || p.Share < 0 || p.Remaining < 0 || p.Share > almost && !over || over && (p.Share != 1 || p.Remaining != 0) {
				t.Logf("seed %d, report %d of %d: %+v after a share of %v", seed, i, len(*got), p, last)
				return false
			}
			if now := slices.Index(p.Stages, p.Stage); now < at || p.Done > p.Total {
				t.Logf("seed %d, report %d: %+v after stage %d", seed, i, p, at)
				return false
			} else {
				at = now
			}
			last = p.Share
		}
		return true
	}, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

func TestProgressInWords(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]Progress{
		" 43% training 120 of 260 steps, 1m32s left":    {Stage: Train, Share: 0.4399, Done: 120, Total: 260, Remaining: 92 * time.Second},
		" 99% training the control 980 of 980 steps":    {Stage: Control, Share: almost, Done: 980, Total: 980},
		"100% measuring 60 of 60 images":                Progress{Stage: Train, Stages: []Stage{Train, Evaluating}, Done: 60, Total: 60}.Over(),
		" 13% scanning 1200 of 9000 images, 1m18s left": Of(Scanning, 1200, 9000, 12*time.Second),
		"scanning, 3 images":                            Of(Scanning, 3, 0, time.Second),
		"  0% reading 0 of 10 images":                   Of(Reading, 0, 10, time.Hour),
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v in words: %q, want %q", p, got, want)
		}
	}
}

func TestStagesOfArms(t *testing.T) {
	t.Parallel()
	for s, want := range map[Stage]struct {
		arm         string
		n           int
		trained     bool
		words, unit string
	}{
		Training("control", 0):          {"control", 0, true, "training the control", "steps"},
		Training("control", 2):          {"control", 2, true, "training control, seed 3", "steps"},
		Training("shuffled_within", 0):  {"shuffled_within", 0, true, "training shuffled within", "steps"},
		Measuring("control", 0):         {"control", 0, false, "measuring the control", "images"},
		Measuring("shuffled_within", 1): {"shuffled_within", 1, false, "measuring shuffled within, seed 2", "images"},
		EvaluatingParent:                {"parent", 0, false, "measuring the parent", "images"},
		Features:                        {"", 0, false, "features", "images"},
	} {
		if arm, n, trained := s.Arm(); arm != want.arm || n != want.n || trained != want.trained || s.Words() != want.words || s.Unit() != want.unit {
			t.Errorf("%s is of %q, seed %d, trained %v: %q, in %s", s, arm, n, trained, s.Words(), s.Unit())
		}
	}
	if Training("candidate", 0) != Candidate || Measuring("control", 0) != EvaluatingControl || Measuring("parent", 0) != EvaluatingParent {
		t.Error("the first seeds of candidate and control have other stages than before")
	}
}
