package inference

import (
	"fmt"
	"time"
)

// Progress counts what a scan has done. Package internal/progress computes its share and the remaining time.
type Progress struct {
	Done      int     // images finished, broken ones included
	Total     int     // images there are, 0 where that is not known
	Broken    int     // images that could not be used
	PerSecond float64 // images a second since the start
}

// String is what a terminal shows beside the share: "85 images/s, 2 broken".
func (p Progress) String() string {
	out := fmt.Sprintf("%.3g images/s", p.PerSecond)
	if p.Broken > 0 {
		out += fmt.Sprintf(", %d broken", p.Broken)
	}
	return out
}

// at fills in what follows from the counts and the time they took.
func (p Progress) at(elapsed time.Duration) Progress {
	if seconds := elapsed.Seconds(); seconds > 0 && p.Done > 0 {
		p.PerSecond = float64(p.Done) / seconds
	}
	return p
}
