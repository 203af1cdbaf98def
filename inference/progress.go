package inference

import (
	"fmt"
	"time"
)

// Progress is how far a scan is.
type Progress struct {
	Done      int           // images finished, broken ones included
	Total     int           // images there are, 0 where that is not known
	Broken    int           // images that could not be used
	PerSecond float64       // images a second since the start
	Remaining time.Duration // estimate; 0 where Total is not known or nothing is done
}

// String is the progress in words for a terminal: "1200 of 9000 (13%), 85 images/s, 1m32s left, 2 broken".
func (p Progress) String() string {
	out := fmt.Sprintf("%d images", p.Done)
	if p.Total > 0 {
		out = fmt.Sprintf("%d of %d (%d%%)", p.Done, p.Total, 100*p.Done/p.Total)
	}
	if p.PerSecond > 0 {
		out += fmt.Sprintf(", %.3g images/s", p.PerSecond)
	}
	if p.Remaining > 0 {
		out += fmt.Sprintf(", %s left", p.Remaining.Round(time.Second))
	}
	if p.Broken > 0 {
		out += fmt.Sprintf(", %d broken", p.Broken)
	}
	return out
}

// at fills in what follows from the counts and the time they took.
func (p Progress) at(elapsed time.Duration) Progress {
	if seconds := elapsed.Seconds(); seconds > 0 && p.Done > 0 {
		p.PerSecond = float64(p.Done) / seconds
		if p.Total > p.Done {
			p.Remaining = time.Duration(float64(p.Total-p.Done) / p.PerSecond * float64(time.Second))
		}
	}
	return p
}
