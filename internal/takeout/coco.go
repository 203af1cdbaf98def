package takeout

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/abn-studio/studio/annotator"
)

// coco writes COCO's object detection format. Images are written as they come; their annotations stand behind all of them, and are
// in a temporary file meanwhile.
type coco struct {
	out       *bufio.Writer
	region    func(annotator.ExportedMap) (annotator.ViewRegion, error)
	threshold float64
	class     map[string]int // id of a category
	spool     *os.File
	behind    *bufio.Writer
	images    int
	shapes    int
}

// cocoImage is a picture.
type cocoImage struct {
	ID     int64  `json:"id"`
	Name   string `json:"file_name"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Source string `json:"source"`
	SHA256 string `json:"sha256"`
	Split  string `json:"split"`
}

// cocoShape is where a person looks for an image's class.
type cocoShape struct {
	ID         int          `json:"id"`
	Image      int64        `json:"image_id"`
	Category   int          `json:"category_id"`
	Polygons   [][8]float64 `json:"segmentation"`
	Area       float64      `json:"area"`
	Box        [4]float64   `json:"bbox"`
	Crowd      int          `json:"iscrowd"`
	Attributes cocoMade     `json:"attributes"`
}

// cocoMade says how a shape was made.
type cocoMade struct {
	Author      string    `json:"author"`
	CorrectedBy string    `json:"corrected_by,omitempty"`
	Reviewer    string    `json:"reviewer"`
	State       string    `json:"state"`
	Made        string    `json:"made"`
	Revision    int       `json:"revision"`
	Version     int       `json:"version"`
	At          time.Time `json:"created_at"`
}

func newCOCO(w io.Writer, p annotator.Project, region func(annotator.ExportedMap) (annotator.ViewRegion, error), threshold float64) (*coco, error) {
	spool, err := os.CreateTemp("", "studio-export-*")
	if err != nil {
		return nil, err
	}
	c := &coco{out: bufio.NewWriterSize(w, 1<<16), region: region, threshold: threshold, class: map[string]int{}, spool: spool, behind: bufio.NewWriterSize(spool, 1<<16)}
	type category struct {
		ID    int    `json:"id"`
		Key   string `json:"name"`
		Name  string `json:"display_name"`
		Above string `json:"supercategory"`
	}
	categories := []category{}
	for _, class := range p.Classes {
		c.class[class.Key] = class.Index + 1
		categories = append(categories, category{class.Index + 1, class.Key, class.Name, "class"})
	}
	head := map[string]any{
		"description": fmt.Sprintf("Where people look in the project %s: cells of their attention maps", p.Name), "contributor": "ABN Studio",
		"threshold": threshold, "rule": "a cell of the map that is at least threshold belongs to the segmentation; its category is the image's class",
		"date_created": time.Now().UTC().Format(time.RFC3339),
	}
	for _, part := range []struct {
		before string
		value  any
	}{{`{"info":`, head}, {`,"licenses":[],"categories":`, categories}} {
		raw, err := json.Marshal(part.value)
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		_, _ = c.out.WriteString(part.before) // bufio keeps its first error until Flush
		_, _ = c.out.Write(raw)
	}
	_, _ = c.out.WriteString(`,"images":[`)
	return c, nil
}

func (c *coco) write(m annotator.ExportedMap) error {
	view, err := c.region(m)
	if err != nil {
		return fmt.Errorf("where the map of %s lies: %w", m.Image, err)
	}
	c.images++
	if err := item(c.out, c.images, cocoImage{m.ImageID, m.Image, view.Picture[0], view.Picture[1], m.Source, m.SHA256, m.Split}); err != nil {
		return err
	}
	shape := cocoShape{Image: m.ImageID, Category: c.class[m.Class], Attributes: cocoMade{m.Author, m.CorrectedBy, m.Reviewer, m.State, m.Made, m.Revision, m.Version, m.CreatedAt}}
	var around box
	for _, run := range above(m.Edited(), c.threshold) {
		b, ok := run.on(view, m.Rows, m.Columns)
		if !ok {
			continue
		}
		b = box{hundredth(b.left), hundredth(b.top), hundredth(b.right), hundredth(b.bottom)}
		if len(shape.Polygons) == 0 {
			around = b
		}
		around = around.around(b)
		shape.Area += b.area()
		shape.Polygons = append(shape.Polygons, [8]float64{b.left, b.top, b.right, b.top, b.right, b.bottom, b.left, b.bottom})
	}
	if len(shape.Polygons) == 0 { // the image is there, and nothing on it
		return nil
	}
	c.shapes++
	shape.ID, shape.Area = c.shapes, hundredth(shape.Area)
	shape.Box = [4]float64{around.left, around.top, hundredth(around.right - around.left), hundredth(around.bottom - around.top)}
	return item(c.behind, c.shapes, shape)
}

// item writes the nth value of a list.
func item(w io.Writer, n int, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if n > 1 {
		raw = append([]byte(",\n"), raw...)
	}
	_, err = w.Write(raw)
	return err
}

func (c *coco) finish() error {
	if err := c.behind.Flush(); err != nil {
		return err
	}
	if _, err := c.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, _ = c.out.WriteString(`],"annotations":[`)
	if _, err := io.Copy(c.out, c.spool); err != nil {
		return err
	}
	_, _ = c.out.WriteString("]}\n")
	return c.out.Flush()
}

func (c *coco) close() error { return errors.Join(c.spool.Close(), os.Remove(c.spool.Name())) }
