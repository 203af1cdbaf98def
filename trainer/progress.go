package trainer

import (
	"sync"
	"time"
)

// Phase names a stretch of a round.
type Phase string

// The phases, in order.
const (
	PhaseFeatures   Phase = "features"
	PhaseCandidate  Phase = "candidate"
	PhaseControl    Phase = "control"
	PhaseEvaluating Phase = "evaluating"
)

// Progress is how far a round is.
type Progress struct {
	Phase     Phase
	Fraction  float64 // of the whole round, [0,1], never falling
	Remaining time.Duration
	Step      int // done in this phase: images, steps, or images
	Steps     int
}

// Observer is told what a run does, from the goroutine that does it; nil fields are not called. A
// resumed run reports the points after its checkpoint once more, under the same (Arm, Step).
type Observer struct {
	Progress func(Progress)
	Point    func(Point)
}

// progressEvery bounds how often Progress is called within a phase.
const progressEvery = 200 * time.Millisecond

// meter estimates what remains of a round from what its phases' units have taken so far. A phase
// that has not begun counts at its prior.
type meter struct {
	mu      sync.Mutex
	observe func(Progress)
	now     func() time.Time
	phases  []*stretch
	best    float64 // largest fraction reported
	last    time.Time
}

// stretch is one phase: total units of which done, each expected to take prior until two have been timed.
type stretch struct {
	phase       Phase
	total, done int
	prior       time.Duration
	timed       int
	spent       time.Duration
}

func (s *stretch) rate() time.Duration {
	if s.timed < 2 {
		return s.prior
	}
	return s.spent / time.Duration(s.timed)
}

func newMeter(observe func(Progress), phases ...*stretch) *meter {
	return &meter{observe: observe, now: time.Now, phases: phases}
}

func (m *meter) find(p Phase) *stretch {
	for _, s := range m.phases {
		if s.phase == p {
			return s
		}
	}
	return &stretch{phase: p}
}

// expect sets how many units a phase has and, where prior is not 0, how long one is expected to take.
func (m *meter) expect(p Phase, total int, prior time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.find(p)
	s.total = total
	if prior != 0 {
		s.prior = prior
	}
}

// advance sets how many units of a phase are done, of which timed took so long, and reports.
func (m *meter) advance(p Phase, done, timed int, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.find(p)
	s.done, s.timed, s.spent = done, s.timed+timed, s.spent+took
	now := m.now()
	if m.observe == nil || now.Sub(m.last) < progressEvery && done != 0 && done != s.total {
		return
	}
	m.last = now
	var past, remaining time.Duration
	for _, s := range m.phases {
		past += time.Duration(s.done) * s.rate()
		remaining += time.Duration(s.total-s.done) * s.rate()
	}
	if past+remaining > 0 {
		m.best = max(m.best, float64(past)/float64(past+remaining))
	}
	m.observe(Progress{Phase: p, Fraction: m.best, Remaining: remaining, Step: s.done, Steps: s.total})
}
