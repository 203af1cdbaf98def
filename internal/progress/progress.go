// Package progress says how far a piece of work is. Terminals, pages and the API show the same value, made by one rule. The stages
// are known before the work begins. The share is the time spent, divided by the time that all of it is expected to take. It never
// falls, and is 1 only once the work says that it is over.
package progress

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stage is one stretch of a piece of work.
type Stage string

// The stages there are.
const (
	Drawing             Stage = "drawing"   // the demo's pictures
	Composing           Stage = "composing" // the pictures of a study
	Fetching            Stage = "fetching"  // files come out of a bucket
	Reading             Stage = "reading"   // files are read
	Storing             Stage = "storing"   // what was read goes to the database
	Scanning            Stage = "scanning"  // a network answers every image
	Features            Stage = "features"  // what training reads is computed once per image
	EvaluatingParent    Stage = "evaluating-parent"
	GammaSearch         Stage = "gamma-search" // short trainings, each with another γ
	Candidate           Stage = "candidate"
	EvaluatingCandidate Stage = "evaluating-candidate"
	Control             Stage = "control"
	EvaluatingControl   Stage = "evaluating-control"
	Train               Stage = "train" // a training that is no arm of a round
	Evaluating          Stage = "evaluating"
	Sweeping            Stage = "sweeping"  // one fine-tuning after the other
	Verifying           Stage = "verifying" // what is kept is read and compared with its hash
	Dumping             Stage = "dumping"   // rows go into a backup
	Copying             Stage = "copying"   // files go into a backup, or come out of one
	Loading             Stage = "loading"   // rows come out of a backup
)

// words are what a stage does, as people say it.
var words = map[Stage]string{
	Drawing: "drawing birds", Composing: "composing", Fetching: "fetching", Reading: "reading", Storing: "storing", Scanning: "scanning", Features: "features",
	EvaluatingParent: "measuring the parent", GammaSearch: "searching γ", Candidate: "training the candidate", EvaluatingCandidate: "measuring the candidate",
	Control: "training the control", EvaluatingControl: "measuring the control", Train: "training", Evaluating: "measuring", Sweeping: "sweeping", Verifying: "verifying",
	Dumping: "writing rows", Copying: "copying files", Loading: "loading rows",
}

// The stages of a round's further arms and seeds are called after them.
const (
	training  = "training-"
	measuring = "evaluating-"
)

// Training is the stage in which an arm of a round is trained, with the nth of its seeds, from 0.
func Training(arm string, n int) Stage {
	if s := Stage(arm); n == 0 && (s == Candidate || s == Control) {
		return s
	}
	return Stage(training + numbered(arm, n))
}

// Measuring is the stage in which it is measured.
func Measuring(arm string, n int) Stage { return Stage(measuring + numbered(arm, n)) }

func numbered(arm string, n int) string {
	if n == 0 {
		return arm
	}
	return fmt.Sprintf("%s-%d", arm, n+1)
}

// Arm returns which arm of a round is at work, with which of its seeds, from 0, and whether it is trained or measured; "" for a stage
// that is of no arm.
func (s Stage) Arm() (arm string, n int, trained bool) {
	name, trained := strings.CutPrefix(string(s), training)
	if !trained {
		trained = s == Candidate || s == Control
		if name, _ = strings.CutPrefix(name, measuring); name == string(s) && !trained {
			return "", 0, false
		}
	}
	if at := strings.LastIndexByte(name, '-'); at >= 0 {
		if i, err := strconv.Atoi(name[at+1:]); err == nil {
			name, n = name[:at], i-1
		}
	}
	return name, n, trained
}

// Words are what the stage does, as people say it.
func (s Stage) Words() string {
	if w, ok := words[s]; ok {
		return w
	}
	arm, n, trained := s.Arm()
	if arm == "" {
		return string(s)
	}
	w := "measuring "
	if trained {
		w = "training "
	}
	w += strings.ReplaceAll(arm, "_", " ")
	if n > 0 {
		w += fmt.Sprintf(", seed %d", n+1)
	}
	return w
}

// Unit is what a stage counts.
func (s Stage) Unit() string {
	switch s {
	case Train, GammaSearch:
		return "steps"
	case Fetching:
		return "files"
	case Sweeping:
		return "fine-tunings"
	case Verifying, Dumping, Copying:
		return "MiB"
	case Loading:
		return "rows"
	}
	if _, _, trained := s.Arm(); trained {
		return "steps"
	}
	return "images"
}

// almost is the largest share of work that is not over, so that no rounding makes it 100%.
const almost = 0.99

// Progress is how far a piece of work is.
type Progress struct {
	Stage       Stage         // at work
	Stages      []Stage       // of the whole work, in order
	Share       float64       // of the whole work, [0,1]
	Done, Total int           // units of the stage; Total 0: not known
	Remaining   time.Duration // of the whole work; 0: not known
}

// String is the progress as a terminal shows it: " 43% training 120 of 260 steps, 1m32s left".
func (p Progress) String() string {
	var b strings.Builder
	if p.Total > 0 {
		fmt.Fprintf(&b, "%3d%% %s %d of %d %s", int(100*p.Share), p.Stage.Words(), p.Done, p.Total, p.Stage.Unit())
	} else {
		fmt.Fprintf(&b, "%s, %d %s", p.Stage.Words(), p.Done, p.Stage.Unit())
	}
	if left := p.Remaining.Round(time.Second); left > 0 {
		fmt.Fprintf(&b, ", %s left", left)
	}
	return b.String()
}

// Of is the progress of work of one stage that has taken so long: what a meter would say whose units take the same time each.
func Of(stage Stage, done, total int, elapsed time.Duration) Progress {
	p := Progress{Stage: stage, Stages: []Stage{stage}, Done: done, Total: total}
	if total > 0 && done > 0 {
		each := elapsed / time.Duration(done)
		p.Remaining = time.Duration(max(0, total-done)) * each
		p.Share = min(almost, float64(done)/float64(total))
	}
	return p
}

// Over is the progress of work that has ended well.
func (p Progress) Over() Progress {
	p.Share, p.Remaining = 1, 0
	if p.Total > 0 {
		p.Done = p.Total
	}
	if n := len(p.Stages); n > 0 {
		p.Stage = p.Stages[n-1]
	}
	p.Stages = slices.Clone(p.Stages)
	return p
}
