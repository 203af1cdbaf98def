package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"

	"github.com/abn-studio/studio/internal/text"
)

// jsonFile reads a large JSON document piece by piece; a piece has at most maxRow bytes.
type jsonFile struct {
	*json.Decoder
	ration *rationed
	name   string
	file   io.Closer
}

func (d *Dataset) openJSON(name string) (*jsonFile, error) {
	f, err := os.Open(d.file(name))
	if err != nil {
		return nil, err
	}
	j, err := newJSON(f, d.options.Encoding)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	j.name, j.file = name, f
	return j, nil
}

// newJSON reads a document and refuses bytes that are not UTF-8, which encoding/json would silently replace.
func newJSON(r io.Reader, name string) (*jsonFile, error) {
	converted, err := text.Reader(r, name)
	if err != nil {
		return nil, err
	}
	ration := &rationed{Reader: transform.NewReader(converted, encoding.UTF8Validator), left: maxRow}
	return &jsonFile{Decoder: json.NewDecoder(ration), ration: ration}, nil
}

// fault says where a document is broken.
func (j *jsonFile) fault(err error) error {
	if errors.Is(err, encoding.ErrInvalidUTF8) {
		err = errors.New("not UTF-8: save the file as UTF-8, or name its encoding with --encoding")
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("reading %s, near byte %d: %w", j.name, j.InputOffset(), err)
}

// value decodes the next value.
func (j *jsonFile) value(to any) error {
	j.ration.left = maxRow
	if err := j.Decode(to); err != nil {
		return j.fault(err)
	}
	return nil
}

// token takes the next token.
func (j *jsonFile) token() (json.Token, error) {
	j.ration.left = maxRow
	t, err := j.Token()
	if err != nil {
		return nil, j.fault(err)
	}
	return t, nil
}

// skip passes over the next value, whatever its size.
func (j *jsonFile) skip() error {
	for depth := 0; ; {
		t, err := j.token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// object calls use for every key of the next object; use must read the key's value.
func (j *jsonFile) object(use func(key string) error) error {
	if err := j.open('{'); err != nil {
		return err
	}
	for j.More() {
		key, err := j.token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		if err := use(name); err != nil {
			return err
		}
	}
	_, err := j.token()
	return err
}

// array calls use for every element of the next array; use must read the element.
func (j *jsonFile) array(use func(i int) error) error {
	if err := j.open('['); err != nil {
		return err
	}
	for i := 0; j.More(); i++ {
		j.ration.left = maxRow
		if err := use(i); err != nil {
			return err
		}
	}
	_, err := j.token()
	return err
}

func (j *jsonFile) open(want json.Delim) error {
	t, err := j.token()
	if err != nil {
		return err
	}
	if t != want {
		return j.fault(fmt.Errorf("want %v, it has %v", want, t))
	}
	return nil
}

// Kinds of documents, as sniff tells them.
const (
	kindCOCO         = "COCO"
	kindFiftyOne     = "FiftyOne classification"
	kindFiftyOneSet  = "FiftyOne data set"
	kindLabelStudio  = "Label Studio"
	kindLabelStudio1 = "Label Studio, short"
)

var errEnough = errors.New("enough is known")

// sniff tells the kind of a JSON file from its keys and the first elements of its lists; "" for a kind that is not read.
func (d *Dataset) sniff(name string) string {
	j, err := d.openJSON(name)
	if err != nil {
		return ""
	}
	defer j.file.Close()
	return j.kind()
}

func (j *jsonFile) kind() (kind string) {
	first := func() map[string]json.RawMessage {
		var element map[string]json.RawMessage
		_ = j.array(func(int) error {
			_ = j.value(&element)
			return errEnough
		})
		return element
	}
	start, err := j.token()
	if err != nil {
		return ""
	}
	if start == json.Delim('[') {
		var element map[string]json.RawMessage
		if !j.More() || j.value(&element) != nil {
			return ""
		}
		switch {
		case element["data"] != nil && (element["annotations"] != nil || element["completions"] != nil || element["predictions"] != nil):
			return kindLabelStudio
		case element["image"] != nil && (element["annotator"] != nil || element["annotation_id"] != nil || element["lead_time"] != nil || element["choice"] != nil),
			element["annotation_id"] != nil && element["annotator"] != nil && element["lead_time"] != nil:
			return kindLabelStudio1
		}
		return ""
	}
	if start != json.Delim('{') {
		return ""
	}
	seen := map[string]bool{}
	for n := 0; j.More() && n < 1000; n++ {
		t, err := j.token()
		if err != nil {
			return ""
		}
		key, _ := t.(string)
		seen[key] = true
		var element map[string]json.RawMessage
		switch key {
		case "images", "annotations", "samples":
			element = first()
		case "labels":
			if seen["classes"] {
				return kindFiftyOne
			}
			t, err := j.token()
			if err != nil || t != json.Delim('{') {
				return ""
			}
			for n := 0; j.More() && n < 100_000; n++ { // "classes" may follow
				if _, err := j.token(); err != nil || j.skip() != nil {
					return ""
				}
			}
			if _, err := j.token(); err != nil {
				return ""
			}
			continue
		default:
			if err := j.skip(); err != nil {
				return ""
			}
			if key == "classes" && seen["labels"] {
				return kindFiftyOne
			}
			continue
		}
		switch {
		case key == "images" && element["file_name"] != nil, key == "annotations" && element["image_id"] != nil:
			return kindCOCO
		case key == "samples" && element["filepath"] != nil:
			return kindFiftyOneSet
		}
		return ""
	}
	return ""
}

// jsonFiles lists the JSON files of a folder that are of some kinds. It looks at 32 files at most.
func (d *Dataset) jsonFiles(below string, kinds ...string) []string {
	var out []string
	looked := 0
	for _, entry := range d.look(below) {
		if entry.IsDir() || suffix(entry.Name()) != ".json" {
			continue
		}
		if looked++; looked > 32 { // there may be a file for each image
			return nil
		}
		name := strings.TrimPrefix(below+"/"+entry.Name(), "/")
		kind := d.sniff(name)
		for _, k := range kinds {
			if k == kind {
				out = append(out, name)
			}
		}
	}
	return out
}

// identity is an id, which some programs write as a number and others as a string.
type identity string

// UnmarshalJSON reads a number or a string.
func (i *identity) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*i = identity(s)
		return nil
	}
	*i = identity(data)
	return nil
}

// checkName refuses a name that cannot be stored.
func checkName(file, what, name string) error {
	if !text.Valid(name) || len(name) > text.MaxName {
		return fmt.Errorf("%w: %s: the %s %q %s", ErrLayout, file, what, text.Cut(text.Clean(name), 40), map[bool]string{true: text.TooLong, false: text.Problem}[text.Valid(name)])
	}
	return nil
}
