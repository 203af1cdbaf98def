package takeout

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/bits"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// labelStudio writes Label Studio's tasks, as its import takes them: a brush stroke of the image's class over the cells that are at
// least the threshold.
type labelStudio struct {
	out       *bufio.Writer
	project   annotator.Project
	region    func(annotator.ExportedMap) (annotator.ViewRegion, error)
	threshold float64
	n         int
}

func newLabelStudio(w io.Writer, p annotator.Project, region func(annotator.ExportedMap) (annotator.ViewRegion, error), threshold float64) *labelStudio {
	return &labelStudio{out: bufio.NewWriterSize(w, 1<<16), project: p, region: region, threshold: threshold}
}

// studioTask is a task with its one annotation.
type studioTask struct {
	ID          int64              `json:"id"`
	Data        studioData         `json:"data"`
	Annotations []studioAnnotation `json:"annotations"`
	Predictions []struct{}         `json:"predictions"`
}

// studioData is what a task's labelling interface shows, and what the studio knows beside it.
type studioData struct {
	Image       string  `json:"image"`
	Source      string  `json:"source"`
	SHA256      string  `json:"sha256"`
	Split       string  `json:"split"`
	Threshold   float64 `json:"threshold"` // the least value of a cell that is in the stroke
	Author      string  `json:"author"`
	CorrectedBy string  `json:"corrected_by,omitempty"`
	Reviewer    string  `json:"reviewer"`
	State       string  `json:"state"`
	Version     int     `json:"version"`
}

type studioAnnotation struct {
	ID      int64          `json:"id"`
	Created time.Time      `json:"created_at"`
	Result  []studioResult `json:"result"`
}

type studioResult struct {
	ID       string     `json:"id"`
	Type     string     `json:"type"`
	From     string     `json:"from_name"`
	To       string     `json:"to_name"`
	Width    int        `json:"original_width"`
	Height   int        `json:"original_height"`
	Rotation int        `json:"image_rotation"`
	Value    studioRuns `json:"value"`
}

type studioRuns struct {
	Format string   `json:"format"`
	Runs   numbers  `json:"rle"`
	Labels []string `json:"brushlabels"`
}

// numbers are bytes that JSON has as a list of numbers.
type numbers []byte

// MarshalJSON implements json.Marshaler.
func (n numbers) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 4*len(n)+2)
	out = append(out, '[')
	for i, b := range n {
		if i > 0 {
			out = append(out, ',')
		}
		out = fmt.Append(out, b)
	}
	return append(out, ']'), nil
}

func (l *labelStudio) write(m annotator.ExportedMap) error {
	view, err := l.region(m)
	if err != nil {
		return fmt.Errorf("where the map of %s lies: %w", m.Image, err)
	}
	task := studioTask{ID: m.ImageID, Predictions: []struct{}{}, Data: studioData{m.Image, m.Source, m.SHA256, m.Split, l.threshold, m.Author, m.CorrectedBy, m.Reviewer, m.State, m.Version}}
	annotation := studioAnnotation{ID: m.EditID, Created: m.CreatedAt, Result: []studioResult{}}
	if shapes := above(m.Edited(), l.threshold); len(shapes) > 0 {
		annotation.Result = append(annotation.Result, studioResult{
			ID: fmt.Sprintf("map-%d", m.EditID), Type: "brushlabels", From: "tag", To: "image", Width: view.Picture[0], Height: view.Picture[1],
			Value: studioRuns{"rle", brush(shapes, view, m.Rows, m.Columns), []string{m.Class}},
		})
	}
	task.Annotations = []studioAnnotation{annotation}
	l.n++
	before := ",\n"
	if l.n == 1 {
		before = "["
	}
	_, _ = l.out.WriteString(before) // bufio keeps its first error until Flush
	return item(l.out, 1, task)
}

func (l *labelStudio) finish() error {
	if l.n == 0 {
		_, _ = l.out.WriteString("[")
	}
	_, _ = l.out.WriteString("]\n")
	return l.out.Flush()
}

func (l *labelStudio) close() error { return nil }

// brush writes rectangles of cells as a mask of the picture, run by run, as Label Studio's brush does: four bytes a pixel (red, green,
// blue, alpha), all 255 in a rectangle and 0 elsewhere. The bits are: 32 of how many bytes there are, 5 of the bits of a value less
// one, four times 4 of the lengths' bits less one (3, 4, 8, 16), then the runs: a 1, 2 bits of which length, the length less one, the
// value.
func brush(shapes []cells, view annotator.ViewRegion, rows, columns int) numbers {
	width, height := view.Picture[0], view.Picture[1]
	w := &bitWriter{}
	w.put(uint64(4*width*height), 32)
	w.put(7, 5)
	for _, size := range runSizes {
		w.put(uint64(size-1), 4)
	}
	value, length := 0, 0
	add := func(v, n int) {
		if n <= 0 {
			return
		}
		if v != value {
			w.run(value, 4*length)
			value, length = v, 0
		}
		length += n
	}
	for y := range height {
		x := 0
		for _, span := range spansAt(shapes, view, rows, columns, y) {
			from, to := max(span[0], x), min(span[1], width)
			if to <= from {
				continue
			}
			add(0, from-x)
			add(255, to-from)
			x = to
		}
		add(0, width-x)
	}
	w.run(value, 4*length)
	return w.bytes()
}

// spansAt lists the pixels [from, to) of a row whose centres lie in a rectangle, from left to right.
func spansAt(shapes []cells, view annotator.ViewRegion, rows, columns, y int) (spans [][2]int) {
	centre := func(edge float64) int { return int(math.Ceil(edge - 0.5)) } // the first pixel whose centre is not before edge
	for column := 0; column < columns; {
		next := columns
		inside := false
		for _, c := range shapes {
			b := box{view.X + view.Width*float64(c.left)/float64(columns), view.Y + view.Height*float64(c.top)/float64(rows), 0, view.Y + view.Height*float64(c.bottom)/float64(rows)}
			if y < centre(b.top) || y >= centre(b.bottom) {
				continue
			}
			switch {
			case c.left == column:
				inside, next = true, c.right
			case c.left > column && !inside:
				next = min(next, c.left)
			}
			if inside {
				break
			}
		}
		if inside {
			at := func(c int) int { return max(0, centre(view.X+view.Width*float64(c)/float64(columns))) }
			spans = append(spans, [2]int{at(column), at(next)})
		}
		column = next
	}
	return spans
}

// runSizes are how many bits the length of a run may have.
var runSizes = [4]int{3, 4, 8, 16}

// bitWriter collects bits, the highest of a byte first.
type bitWriter struct {
	out  []byte
	last uint64
	free int // bits of last that are set
}

func (w *bitWriter) put(value uint64, n int) {
	for n > 0 {
		take := min(n, 8-w.free)
		part := value >> (n - take) & (1<<take - 1)
		w.last = w.last<<take | part
		w.free += take
		n -= take
		if w.free == 8 {
			w.out, w.last, w.free = append(w.out, byte(w.last)), 0, 0
		}
	}
}

// run writes a value that is repeated.
func (w *bitWriter) run(value, length int) {
	for length > 0 {
		n := min(length, 1<<16)
		which := 0
		for which < 3 && bits.Len(uint(n-1)) > runSizes[which] {
			which++
		}
		w.put(1, 1)
		w.put(uint64(which), 2)
		w.put(uint64(n-1), runSizes[which])
		w.put(uint64(value), 8)
		length -= n
	}
}

func (w *bitWriter) bytes() []byte {
	if w.free > 0 {
		return append(w.out, byte(w.last<<(8-w.free)))
	}
	return w.out
}
