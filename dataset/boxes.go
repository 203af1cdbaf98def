package dataset

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxXML bounds a file of boxes, in bytes.
const maxXML = 4 << 20

// readBoxes reads the boxes of Pascal VOC's XML, as ImageNet has them: an annotation with objects.
func readBoxes(file string) ([]Box, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return decodeBoxes(f)
}

func decodeBoxes(r io.Reader) ([]Box, error) {
	var annotation struct {
		Objects []struct {
			Box *struct {
				Left   float32 `xml:"xmin"`
				Top    float32 `xml:"ymin"`
				Right  float32 `xml:"xmax"`
				Bottom float32 `xml:"ymax"`
			} `xml:"bndbox"`
		} `xml:"object"`
	}
	if err := xml.NewDecoder(io.LimitReader(r, maxXML)).Decode(&annotation); err != nil {
		return nil, fmt.Errorf("not an XML file of boxes: %w", err)
	}
	var boxes []Box
	for _, o := range annotation.Objects {
		if o.Box != nil && o.Box.Right > o.Box.Left && o.Box.Bottom > o.Box.Top {
			boxes = append(boxes, Box{X: o.Box.Left, Y: o.Box.Top, Width: o.Box.Right - o.Box.Left, Height: o.Box.Bottom - o.Box.Top})
		}
	}
	if len(boxes) == 0 {
		return nil, errors.New("it has no object with a box")
	}
	return boxes, nil
}
