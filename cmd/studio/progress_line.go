package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/abn-studio/studio/trainer"
)

// progressLine shows progress on a terminal as one line that is written over, and elsewhere as a line
// every few seconds.
type progressLine struct {
	out      io.Writer
	terminal bool
	last     time.Time
	open     bool // the cursor stands on a progress line
}

// progressLineEvery is how often a log that is no terminal gets a line.
const progressLineEvery = 5 * time.Second

func newProgressLine(out io.Writer) *progressLine {
	f, ok := out.(*os.File)
	return &progressLine{out: out, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// say shows where things stand.
func (p *progressLine) say(text string) {
	if p.terminal {
		fmt.Fprintf(p.out, "\r%s\x1b[K", text)
		p.open = true
		return
	}
	if now := time.Now(); now.Sub(p.last) >= progressLineEvery {
		p.last = now
		fmt.Fprintln(p.out, text)
	}
}

// done ends the line.
func (p *progressLine) done() {
	if p.open {
		fmt.Fprintln(p.out)
		p.open = false
	}
}

// observer shows a training's progress with its latest losses.
func (p *progressLine) observer() trainer.Observer {
	losses := ""
	return trainer.Observer{
		Point: func(pt trainer.Point) {
			losses = fmt.Sprintf(", epoch %.1f: L_att %.3f, L_per %.3f, L_map %.3f, accuracy %.3f", pt.Epoch, pt.LossAtt, pt.LossPer, pt.LossMap, pt.Accuracy)
			if pt.MapDistance == 0 {
				losses = fmt.Sprintf(", epoch %.1f: L_att %.3f, L_per %.3f, accuracy %.3f", pt.Epoch, pt.LossAtt, pt.LossPer, pt.Accuracy)
			}
		},
		Progress: func(pr trainer.Progress) {
			p.say(fmt.Sprintf("%3.0f%% %s %d/%d, %s left%s", 100*pr.Fraction, pr.Phase, pr.Step, pr.Steps, pr.Remaining.Round(time.Second), losses))
		},
	}
}
