package progress

import (
	"slices"
	"sync"
	"time"
)

// reportEvery bounds how often a meter reports within a stage.
const reportEvery = 200 * time.Millisecond

// Plan is what is known of a stage before it begins.
type Plan struct {
	Stage Stage
	Total int           // units; what turns out otherwise is told by Expect
	Each  time.Duration // what one unit is expected to take until two have been timed
	// Like names an earlier stage whose units take as long as this one's: once those are timed, they say what to expect.
	Like Stage
}

// Meter measures one piece of work as it is done. It is safe for concurrent use; report is called
// by the goroutine that moves the meter, one call at a time.
type Meter struct {
	mu     sync.Mutex
	report func(Progress)
	now    func() time.Time
	stages []*stretch
	at     int // of stages; -1 before the first
	best   float64
	told   time.Time // last report
	since  time.Time // last unit of the stage at work
}

// stretch is a stage as it goes.
type stretch struct {
	Plan
	done  int
	timed int
	spent time.Duration
}

// NewMeter makes a meter of work that has not begun. report may be nil.
func NewMeter(report func(Progress)) *Meter {
	return &Meter{report: report, now: time.Now, at: -1}
}

// Plan says which stages are to come, in order, after those that are planned already. A stage that is planned already
// keeps its place and is expected anew.
func (m *Meter) Plan(plans ...Plan) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range plans {
		if i := m.find(p.Stage); i >= 0 {
			m.stages[i].Plan = p
			m.stages[i].Total = max(p.Total, m.stages[i].done)
		} else {
			m.stages = append(m.stages, &stretch{Plan: p})
		}
	}
}

func (m *Meter) find(s Stage) int {
	return slices.IndexFunc(m.stages, func(t *stretch) bool { return t.Stage == s })
}

// Expect says how many units a stage has and, where each is not 0, what one is expected to take.
func (m *Meter) Expect(stage Stage, total int, each time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.find(stage); i >= 0 {
		m.stages[i].Total = max(total, m.stages[i].done)
		if each != 0 {
			m.stages[i].Each = each
		}
	}
}

// Each is what a unit of a stage takes, or is expected to.
func (m *Meter) Each(stage Stage) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.find(stage); i >= 0 {
		return m.each(m.stages[i])
	}
	return 0
}

func (m *Meter) each(s *stretch) time.Duration {
	if s.timed >= 2 {
		return s.spent / time.Duration(s.timed)
	}
	if i := m.find(s.Like); i >= 0 && m.stages[i].timed >= 2 {
		return m.stages[i].spent / time.Duration(m.stages[i].timed)
	}
	return s.Each
}

// Begin says that a stage is at work, with units that were done before, as after a resume. The stages before it are over.
func (m *Meter) Begin(stage Stage, done int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.find(stage); i >= m.at && i >= 0 {
		m.begin(i)
		m.stages[i].done, m.stages[i].Total = done, max(m.stages[i].Total, done)
		m.tell()
	}
}

// begin moves on to a stage. What the ones before it left undone will not be done.
func (m *Meter) begin(i int) {
	m.at, m.since = i, m.now()
	for _, s := range m.stages[:i] {
		s.Total = s.done
	}
}

// Advance says how many units of a stage are done. The time since the last unit, or since the stage began, is what they took.
func (m *Meter) Advance(stage Stage, done int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.find(stage)
	if i < 0 || i < m.at {
		return // a stage that is over says nothing more
	}
	if i > m.at {
		m.begin(i)
	}
	s, now := m.stages[i], m.now()
	if done > s.done { // not so where several goroutines count, and one is late to tell
		s.timed += done - s.done
		s.spent += now.Sub(m.since)
		s.done, m.since = done, now
	}
	s.Total = max(s.Total, s.done)
	if now.Sub(m.told) >= reportEvery || s.done == s.Total {
		m.tell()
	}
}

// Finish says that the work has ended well: only then its share is 1.
func (m *Meter) Finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.stages) == 0 {
		return
	}
	m.begin(len(m.stages) - 1)
	last := m.stages[m.at]
	last.Total = last.done
	m.best = 1
	m.tell()
}

// tell reports how far the work is.
func (m *Meter) tell() {
	m.told = m.now()
	if m.report == nil {
		return
	}
	p := Progress{Stages: make([]Stage, len(m.stages))}
	var past time.Duration
	for i, s := range m.stages {
		p.Stages[i] = s.Stage
		each := m.each(s)
		past += time.Duration(s.done) * each
		p.Remaining += time.Duration(max(0, s.Total-s.done)) * each
	}
	if m.best < 1 && past+p.Remaining > 0 {
		m.best = max(m.best, min(almost, float64(past)/float64(past+p.Remaining)))
	}
	at := m.stages[m.at]
	p.Stage, p.Done, p.Total, p.Share = at.Stage, at.done, at.Total, m.best
	m.report(p)
}
