package dataset

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

func (d *Dataset) fitsLabelStudio() string {
	if files := d.jsonFiles("", kindLabelStudio, kindLabelStudio1); len(files) == 1 {
		return "Label Studio: " + files[0]
	}
	return ""
}

// studioResult is one result of an annotation in Label Studio: a choice, or a shape with its label.
type studioResult struct {
	Type  string `json:"type"`
	Value struct {
		Choices   []string     `json:"choices"`
		X, Y      float32      // in hundredths of the picture
		Width     float32      `json:"width"`
		Height    float32      `json:"height"`
		Points    [][2]float32 `json:"points"`
		Boxes     []string     `json:"rectanglelabels"`
		Polygons  []string     `json:"polygonlabels"`
		Brushes   []string     `json:"brushlabels"`
		Keypoints []string     `json:"keypointlabels"`
	} `json:"value"`
}

// studioTask is a task of Label Studio's export.
type studioTask struct {
	Data        map[string]any `json:"data"`
	Annotations []struct {
		Cancelled bool           `json:"was_cancelled"`
		Result    []studioResult `json:"result"`
	} `json:"annotations"`
}

// readLabelStudio reads an export as JSON or JSON-MIN. The pictures may be anywhere below the folder. They are found by the path in
// their address, or by their file name, with or without the eight hexadecimal digits that Label Studio puts before the name of an
// uploaded file.
func (d *Dataset) readLabelStudio() error {
	files := d.jsonFiles("", kindLabelStudio, kindLabelStudio1)
	if len(files) != 1 {
		return fmt.Errorf("%w: want one export of Label Studio (JSON or JSON-MIN); there are %d", ErrLayout, len(files))
	}
	file := files[0]
	short := d.sniff(file) == kindLabelStudio1
	j, err := d.openJSON(file)
	if err != nil {
		return err
	}
	defer j.file.Close()
	named := nameSet{}
	return j.array(func(i int) error {
		var given, class string
		var boxes []Box
		var polygons [][]Corner
		if short {
			var task map[string]any
			if err := j.value(&task); err != nil {
				return err
			}
			given = studioPicture(task)
			var err error
			if class, err = studioChoice(task, given); err != nil {
				return j.fault(fmt.Errorf("task %d: %w", i+1, err))
			}
		} else {
			var task studioTask
			if err := j.value(&task); err != nil {
				return err
			}
			given = studioPicture(task.Data)
			var err error
			if class, boxes, polygons, err = d.studioLabel(file, &task); err != nil {
				return j.fault(fmt.Errorf("task %d (%s): %w", i+1, text.Cut(given, 60), err))
			}
		}
		if given == "" {
			d.count(file, "a task without an image is passed over")
			return nil
		}
		if err := checkName(file, "class", class); err != nil {
			return err
		}
		disk, ok := d.pictureOf(given, file, named)
		if !ok {
			return nil
		}
		if class == "" {
			d.count(disk, "no label in "+file+": unlabelled")
		}
		s := Sample{Path: d.file(disk), Class: class}
		if header := headerOf(s.Path); header.Width > 0 && len(boxes)+len(polygons) > 0 { // they are drawn in a browser, on the picture as it is shown
			s.Marks = &Marks{}
			s.Marks.Width, s.Marks.Height = header.Shown()
			width, height := float32(s.Marks.Width), float32(s.Marks.Height)
			s.Marks.addShares(boxes, width, height)
			if len(polygons) > 0 {
				for _, polygon := range polygons {
					for k := range polygon {
						polygon[k].X, polygon[k].Y = polygon[k].X*width, polygon[k].Y*height
					}
					s.Marks.Polygons = append(s.Marks.Polygons, polygon)
				}
			}
		}
		d.add(disk, s)
		return nil
	})
}

// studioKeys are the keys of a task in JSON-MIN that are neither its picture nor what annotators said.
var studioKeys = []string{"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "meta", "agreement"}

// studioPicture returns the picture of a task: under a usual key, else the only text that is called like a picture.
func studioPicture(task map[string]any) string {
	for _, key := range []string{"image", "img", "image_url", "url", "picture"} {
		if given := cellOf(task[key]); given != "" {
			return given
		}
	}
	for _, key := range slices.Sorted(maps.Keys(task)) {
		if given, ok := task[key].(string); ok && picture.HasSuffix(urlPath(given)) {
			return given
		}
	}
	return ""
}

// studioChoice returns the choice of a task in JSON-MIN: under a usual key, else under the only one that is left.
func studioChoice(task map[string]any, given string) (string, error) {
	var left []string
	for _, key := range slices.Sorted(maps.Keys(task)) {
		value := task[key]
		if several, ok := value.(map[string]any); ok && several["choices"] != nil {
			return "", fmt.Errorf("several labels (%s), and "+oneLabel, key)
		}
		if text, ok := value.(string); ok && text != given && !slices.Contains(studioKeys, key) {
			left = append(left, key)
		}
	}
	for _, key := range []string{"choice", "label", "class"} {
		if value, ok := task[key]; ok {
			return cellOf(value), nil
		}
	}
	switch len(left) {
	case 0:
		return "", nil
	case 1:
		return cellOf(task[left[0]]), nil
	}
	return "", fmt.Errorf("the keys %s may each hold the label: name the one that does \"choice\", or export as JSON", strings.Join(left, ", "))
}

// studioLabel returns the label of a task: its choice, or the label of all its shapes. The task's annotators must agree on it.
func (d *Dataset) studioLabel(file string, task *studioTask) (class string, boxes []Box, polygons [][]Corner, err error) {
	var choices, labels []string
	for _, annotation := range task.Annotations {
		if annotation.Cancelled {
			continue
		}
		for _, r := range annotation.Result {
			v := r.Value
			choices = append(choices, v.Choices...)
			switch {
			case v.Boxes != nil:
				boxes = append(boxes, Box{v.X / 100, v.Y / 100, v.Width / 100, v.Height / 100})
				labels = append(labels, v.Boxes...)
			case v.Polygons != nil:
				polygon := make([]Corner, len(v.Points))
				for i, p := range v.Points {
					polygon[i] = Corner{p[0] / 100, p[1] / 100}
				}
				polygons = append(polygons, polygon)
				labels = append(labels, v.Polygons...)
			case v.Brushes != nil:
				labels = append(labels, v.Brushes...)
				d.count(file, "masks by brush are not read: export them as PNG, and name their folder")
			}
		}
	}
	if len(choices) == 0 {
		choices = labels
	}
	slices.Sort(choices)
	switch choices = slices.Compact(choices); len(choices) {
	case 0:
		return "", boxes, polygons, nil
	case 1:
		return choices[0], boxes, polygons, nil
	}
	return "", nil, nil, fmt.Errorf("the labels %s, and "+oneLabel, strings.Join(choices[:min(5, len(choices))], ", "))
}

// uploaded matches what Label Studio puts before the name of an uploaded file.
var uploaded = regexp.MustCompile(`^[0-9a-f]{8}-`)

// pictureOf finds a picture by the path or address that another program has for it. It refuses one that was named before; one that does
// not exist is Missing.
func (d *Dataset) pictureOf(given, file string, named nameSet) (disk string, ok bool) {
	if !text.Valid(given) {
		d.skip(text.Clean(given), "its name is not UTF-8")
		return "", false
	}
	disk = d.seekPicture(given)
	switch {
	case disk == "":
		d.miss(given, "named in %s", file)
		return "", false
	case named.has(disk):
		d.skip(text.NFC(disk), "named again in %s", file)
		return "", false
	}
	named.add(disk)
	if reason := d.checkPicture(disk); reason != "" {
		d.skip(text.NFC(disk), "%s", reason)
		return "", false
	}
	return disk, true
}

// seekPicture finds a picture by the path or address that another program has for it; "" if there is none.
func (d *Dataset) seekPicture(given string) (disk string) {
	given = strings.ReplaceAll(given, `\`, "/")
	name := given
	if u, err := url.Parse(given); err == nil && (u.Scheme != "" || u.RawQuery != "") {
		name = u.Path
		if inside := u.Query().Get("d"); inside != "" { // /data/local-files/?d=folder/1.jpg
			name = inside
		}
	}
	name = strings.TrimLeft(name, "/")
	parts := strings.Split(name, "/")
	if len(parts) > 32 {
		parts = parts[len(parts)-32:]
	}
	base := uploaded.ReplaceAllString(parts[len(parts)-1], "")
	var candidates []string
	for i := range parts { // the whole path, then without its first folders
		rest := path.Join(parts[i:]...)
		candidates = append(candidates, rest, path.Join("images", rest), path.Join("data", rest))
	}
	candidates = append(candidates, base, path.Join("images", base), path.Join("data", base))
	for _, candidate := range candidates {
		clean, local := localName(candidate)
		if !local {
			continue
		}
		if disk := d.locate(clean); d.isRegular(disk) {
			return disk
		}
	}
	return ""
}

// headerOf returns a picture's header, without a size if it cannot be read.
func headerOf(file string) picture.Header {
	f, err := os.Open(file)
	if err != nil {
		return picture.Header{}
	}
	defer f.Close()
	header, err := picture.Process().Header(f)
	if err != nil {
		return picture.Header{}
	}
	return header
}

// inPixels makes marks of boxes that are shares of a picture.
func (d *Dataset) inPixels(file string, boxes []Box) *Marks {
	header := headerOf(file)
	if len(boxes) == 0 || header.Width == 0 {
		return nil
	}
	m := &Marks{}
	m.addShares(boxes, float32(header.Width), float32(header.Height))
	return m
}

// addShares adds boxes that are shares of a picture of this size.
func (m *Marks) addShares(boxes []Box, width, height float32) {
	for _, b := range boxes {
		m.Boxes = append(m.Boxes, Box{b.X * width, b.Y * height, b.Width * width, b.Height * height})
	}
}
