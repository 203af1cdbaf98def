package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/trainer"
)

// progressLine shows progress: on a terminal as one line that is overwritten, elsewhere as a new line every few seconds.
type progressLine struct {
	out      io.Writer
	terminal bool
	last     time.Time
	said     bool   // a line was written
	beside   string // shown beside the progress: losses, images per second
}

// progressLineEvery is how often a line is written if the output is not a terminal.
const progressLineEvery = 5 * time.Second

func newProgressLine(out io.Writer) *progressLine {
	out = verbatim(out)
	f, ok := out.(*os.File)
	return &progressLine{out: out, terminal: ok && term.IsTerminal(int(f.Fd())), last: time.Now()}
}

// meter returns a meter whose progress the line shows. When the work is over, call the meter's Finish and then done.
func (p *progressLine) meter(plans ...progress.Plan) *progress.Meter {
	m := progress.NewMeter(p.show)
	m.Plan(plans...)
	return m
}

// show shows the progress. If the output is not a terminal, the first line comes after progressLineEvery, and a last one only if there was
// a first.
func (p *progressLine) show(pr progress.Progress) {
	now := time.Now()
	switch {
	case p.terminal:
		fmt.Fprintf(p.out, "\r%s%s\x1b[K", pr, p.beside)
	case now.Sub(p.last) >= progressLineEvery || pr.Share == 1 && p.said:
		p.last = now
		fmt.Fprintf(p.out, "%s%s\n", pr, p.beside)
	default:
		return
	}
	p.said = true
}

// done ends the line.
func (p *progressLine) done() {
	if p.said && p.terminal {
		fmt.Fprintln(p.out)
	}
	p.said = false
}

// observer shows a training's latest losses beside its progress.
func (p *progressLine) observer(m *progress.Meter) trainer.Observer {
	return trainer.Observer{
		Meter: m,
		Point: func(pt trainer.Point) {
			p.beside = fmt.Sprintf(", epoch %.1f: L_att %.3f, L_per %.3f, L_map %.3f, accuracy %.3f", pt.Epoch, pt.LossAtt, pt.LossPer, pt.LossMap, pt.Accuracy)
			if pt.MapDistance == 0 {
				p.beside = fmt.Sprintf(", epoch %.1f: L_att %.3f, L_per %.3f, accuracy %.3f", pt.Epoch, pt.LossAtt, pt.LossPer, pt.Accuracy)
			}
		},
	}
}

// scanned shows a scan's rate beside its progress.
func (p *progressLine) scanned(m *progress.Meter) func(inference.Progress) {
	return func(s inference.Progress) {
		if s.PerSecond > 0 {
			p.beside = ", " + s.String()
		}
		m.Advance(progress.Scanning, s.Done)
	}
}
