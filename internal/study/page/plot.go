package main

import (
	"bytes"
	"image/color"
	"os"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/study"
)

// Sizes of a plot.
const (
	plotWidth   = 26 * vg.Centimeter
	panelHead   = 2.4 * vg.Centimeter // title and axis of a panel
	panelPerArm = 0.55 * vg.Centimeter
)

var (
	accuracyColour = color.RGBA{R: 0x1d, G: 0x4e, B: 0xd8, A: 0xff}
	worstColour    = color.RGBA{R: 0xb4, G: 0x53, B: 0x09, A: 0xff}
)

// plotCells draws what the maps' side has over each other arm, with intervals: a panel a cell, two beside each other.
func plotCells(cells []study.Cell, path string) error {
	most := 0
	var panels []*plot.Plot
	low, high := 0., 0.
	for _, c := range cells {
		most = max(most, len(c.Arms))
		p, err := panel(c)
		if err != nil {
			return err
		}
		low, high = min(low, p.X.Min), max(high, p.X.Max)
		panels = append(panels, p)
	}
	for _, p := range panels {
		p.X.Min, p.X.Max = low, high
	}
	const columns = 2
	lines := (len(panels) + columns - 1) / columns
	height := vg.Length(lines) * (panelHead + vg.Length(most)*panelPerArm)
	canvas := vgsvg.New(plotWidth, height)
	grid := make([][]*plot.Plot, lines)
	for i := range grid {
		grid[i] = make([]*plot.Plot, columns)
		for j := range grid[i] {
			if n := i*columns + j; n < len(panels) {
				grid[i][j] = panels[n]
			}
		}
	}
	for i, line := range plot.Align(grid, draw.Tiles{Rows: lines, Cols: columns, PadX: vg.Centimeter, PadY: vg.Centimeter / 2}, draw.New(canvas)) {
		for j, tile := range line {
			if grid[i][j] != nil {
				grid[i][j].Draw(tile)
			}
		}
	}
	return save(canvas, path)
}

func save(canvas *vgsvg.Canvas, path string) error {
	var text bytes.Buffer
	if _, err := canvas.WriteTo(&text); err != nil {
		return err
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}

// grown are the arms of a learning curve, with their colours.
var grown = []struct {
	arm    arms.Arm
	colour color.Color
}{
	{arms.ParentRefit, color.Gray{Y: 0x99}}, {arms.Control, color.RGBA{R: 0x92, G: 0x6c, B: 0x2e, A: 0xff}}, {arms.ControlRefit, color.RGBA{R: 0xd6, G: 0xa1, B: 0x4b, A: 0xff}},
	{arms.ShuffledWithin, color.RGBA{R: 0x7c, G: 0x7c, B: 0xa8, A: 0xff}}, {arms.Candidate, color.RGBA{R: 0x1d, G: 0x4e, B: 0xd8, A: 0xff}},
	{arms.CandidateRefit, color.RGBA{R: 0x38, G: 0x9f, B: 0xe8, A: 0xff}},
}

// plotCurves draws accuracy by the number of edits, from the parent on: a panel for each list of cells that differ in that number alone.
// It writes nothing, and says so, where no list has two numbers.
func plotCurves(cells []study.Cell, path string) (drawn bool, err error) {
	var lists [][]study.Cell
	for _, c := range cells {
		key := c.CellOf
		key.Edits = 0
		if n := len(lists); n > 0 {
			last := lists[n-1][0].CellOf
			if last.Edits = 0; last == key {
				lists[n-1] = append(lists[n-1], c)
				continue
			}
		}
		lists = append(lists, []study.Cell{c})
	}
	lists = slices.DeleteFunc(lists, func(list []study.Cell) bool { return len(list) < 2 })
	if len(lists) == 0 {
		return false, nil
	}
	var panels []*plot.Plot
	for _, list := range lists {
		p, err := curves(list)
		if err != nil {
			return false, err
		}
		panels = append(panels, p)
	}
	canvas := vgsvg.New(plotWidth, 10*vg.Centimeter)
	for i, tile := range plot.Align([][]*plot.Plot{panels}, draw.Tiles{Rows: 1, Cols: len(panels), PadX: vg.Centimeter}, draw.New(canvas))[0] {
		panels[i].Draw(tile)
	}
	return true, save(canvas, path)
}

// curves are the learning curves of cells that differ in the number of edits alone.
func curves(list []study.Cell) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = list[0].Subject()
	p.Title.TextStyle.Font.Size = vg.Points(11)
	p.X.Label.Text, p.Y.Label.Text = "edits", "accuracy, %"
	p.Legend.Top, p.Legend.Left = false, false
	for _, g := range grown {
		var line plotter.XYs
		for _, c := range list {
			if a := c.Of(g.arm); a != nil {
				line = append(line, plotter.XY{X: c.MeanEdits(), Y: 100 * a.Accuracy})
			}
		}
		if parent := list[0].Of(arms.Parent); parent != nil {
			line = append(plotter.XYs{{X: 0, Y: 100 * parent.Accuracy}}, line...)
		}
		if len(line) < 2 {
			continue
		}
		l, dots, err := plotter.NewLinePoints(line)
		if err != nil {
			return nil, err
		}
		l.Color, l.Width, dots.Color, dots.Shape, dots.Radius = g.colour, vg.Points(1.5), g.colour, draw.CircleGlyph{}, vg.Points(2.5)
		p.Add(l, dots)
		p.Legend.Add(arms.Of(g.arm).Label, l)
	}
	return p, nil
}

// points are differences with their intervals, for a plotter.
type points struct {
	plotter.XYs
	plotter.XErrors
}

// panel is a cell's: a row for each arm but the maps' own.
func panel(c study.Cell) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = c.Title()
	p.Title.TextStyle.Font.Size = vg.Points(11)
	p.X.Label.Text = "points that " + arms.Of(c.Maps).Words + " has over it"
	var names []string
	accuracy, worst := points{}, points{}
	for i := len(c.Arms) - 1; i >= 0; i-- {
		a := c.Arms[i]
		if a.Maps == nil {
			continue
		}
		name := arms.Of(a.Arm).Label
		if a.Arm == c.Baseline {
			name += " (baseline)"
		}
		y := float64(len(names))
		names = append(names, name)
		for _, of := range []struct {
			points *points
			v      *study.Interval
			y      float64
		}{{&accuracy, a.Maps, y + 0.14}, {&worst, a.MapsWorst, y - 0.14}} {
			of.points.XYs = append(of.points.XYs, plotter.XY{X: 100 * of.v.Value, Y: of.y})
			of.points.XErrors = append(of.points.XErrors, struct{ Low, High float64 }{100 * (of.v.Low - of.v.Value), 100 * (of.v.High - of.v.Value)})
		}
	}
	zero, err := plotter.NewLine(plotter.XYs{{X: 0, Y: -0.5}, {X: 0, Y: float64(len(names)) - 0.5}})
	if err != nil {
		return nil, err
	}
	zero.Color = color.Gray{Y: 0x99}
	p.Add(zero)
	fifth := "worst fifth of classes"
	if c.Within != "" {
		fifth += ", " + c.Within
	}
	for _, of := range []struct {
		points points
		colour color.Color
		name   string
	}{{accuracy, accuracyColour, "accuracy"}, {worst, worstColour, fifth}} {
		dots, err := plotter.NewScatter(of.points.XYs)
		if err != nil {
			return nil, err
		}
		bars, err := plotter.NewXErrorBars(of.points)
		if err != nil {
			return nil, err
		}
		dots.Color, dots.Shape, dots.Radius = of.colour, draw.CircleGlyph{}, vg.Points(2.5)
		bars.Color, bars.CapWidth = of.colour, 0
		p.Add(bars, dots)
		p.Legend.Add(of.name, dots)
	}
	p.Legend.Top = false
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.6, float64(len(names))-0.4
	return p, nil
}
