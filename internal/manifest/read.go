package manifest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/abn-studio/studio/internal/text"
)

// MaxBytes bounds a manifest's JSON.
const MaxBytes = 16 << 20

// Path is where a model's manifest stands: NAME.json beside NAME.onnx.
func Path(modelPath string) string {
	return strings.TrimSuffix(modelPath, filepath.Ext(modelPath)) + ".json"
}

// Load finds a model's manifest, beside its file or else in its metadata, and checks it. metadata looks an entry up by its
// key (onnx.Model.MetadataValue).
func Load(modelPath string, metadata func(key string) (string, bool)) (Manifest, error) {
	path := Path(modelPath)
	m, err := ReadFile(path)
	switch {
	case err == nil:
		return m, nil
	case !errors.Is(err, fs.ErrNotExist):
		return Manifest{}, err
	}
	inside, ok := metadata(Key)
	if !ok {
		return Manifest{}, fmt.Errorf("%w: %s has none: write %s beside it, or the same JSON under %q in its metadata_props",
			ErrManifest, modelPath, filepath.Base(path), Key)
	}
	if m, err = Parse([]byte(inside)); err != nil {
		return Manifest{}, fmt.Errorf("%s, metadata_props[%q]: %w", modelPath, Key, err)
	}
	return m, nil
}

// ReadFile reads and checks a manifest file.
func ReadFile(path string) (Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	m, err := Parse(data)
	if err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Parse decodes a manifest that comes from outside and checks it by itself (Validate). Interpolation and channels have
// defaults (Interpolations, Channels). Class names are brought to NFC, and equal ones get their number appended. A byte order mark is skipped and
// UTF-16 is read. An unknown field is an error: it is most likely a misspelled one, and ignoring it would change every prediction.
func Parse(data []byte) (Manifest, error) {
	if len(data) > MaxBytes {
		return Manifest{}, fmt.Errorf("%w: larger than %d bytes", ErrManifest, MaxBytes)
	}
	plain, illegible := text.UTF8(data) // editors begin a file with a byte order mark, or write UTF-16
	if illegible == nil {
		data = plain
	}
	if path, found := text.InJSON(data); found {
		return Manifest{}, &Error{cmp.Or(path, "(top)"), text.Problem}
	}
	if illegible != nil {
		return Manifest{}, fmt.Errorf("%w: %w", ErrManifest, illegible)
	}
	m, err := decode(data, true)
	if err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return Manifest{}, &Error{cmp.Or(wrong.Field, "(top)"), fmt.Sprintf("a JSON %s at byte %d, want %s", wrong.Value, wrong.Offset, jsonWord(wrong.Type))}
		}
		var named *Error
		if errors.As(err, &named) {
			return Manifest{}, named
		}
		return Manifest{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	m.Interpolation = m.InterpolationOf()
	m.Channels = m.ChannelsOf()
	for i, class := range m.Classes {
		m.Classes[i] = text.NFC(class) // as folders and tables are read
	}
	m.Classes = apart(m.Classes)
	if err := m.Validate(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// jsonWord says what a field wants, in JSON's words.
func jsonWord(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return "a list of " + strings.TrimPrefix(strings.TrimPrefix(jsonWord(t.Elem()), "a "), "an ") + "s"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Pointer:
		return jsonWord(t.Elem())
	default:
		return "a number"
	}
}

// apart appends the number, from 0, to classes of the same name: common lists of ImageNet's classes have crane twice, the bird and the
// machine, and maillot.
func apart(classes []string) []string {
	times := make(map[string]int, len(classes))
	for _, name := range classes {
		times[name]++
	}
	for i, name := range classes {
		if times[name] > 1 && name != "" {
			classes[i] = fmt.Sprintf("%s (%d)", name, i)
		}
	}
	return classes
}

// Stored decodes a manifest that the studio has stored. It may have been stored under earlier rules, or with faults that are still to
// be corrected. Therefore nothing is checked, and unknown fields are ignored. With an error it holds what could be read.
func Stored(data []byte) (Manifest, error) {
	m, err := decode(data, false)
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return m, nil
}

// Keepable reports whether a manifest can be stored, even with faults: it must be JSON, of text that the database takes.
func Keepable(data []byte) bool {
	_, illegible := text.InJSON(data)
	return !illegible && json.Valid(data)
}

// decode is the one place where JSON becomes a Manifest. With an error it holds what could be read.
func decode(data []byte, known bool) (Manifest, error) {
	var m Manifest
	if known {
		if err := exactly(json.NewDecoder(bytes.NewReader(data)), reflect.TypeFor[Manifest](), ""); err != nil {
			return m, err
		}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	err := d.Decode(&m)
	if err == nil && d.More() {
		err = errors.New("something follows the JSON object")
	}
	return m, err
}

// exactly refuses fields whose name is not, letter by letter, one of the struct's, and fields that are given twice: encoding/json
// accepts names in any case and takes the last of two. within is the prefix of field names in errors. What is not valid JSON is not
// refused here: decoding it gives the error.
func exactly(d *json.Decoder, t reflect.Type, within string) error {
	if start, _ := d.Token(); start != json.Delim('{') { // nil where it is no JSON
		return nil
	}
	fields := map[string]reflect.Type{}
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields[name], names = t.Field(i).Type, append(names, name)
	}
	seen := map[string]bool{}
	for d.More() {
		token, _ := d.Token()
		name, ok := token.(string)
		if !ok {
			return nil
		}
		field, known := fields[name]
		switch {
		case !known:
			for _, other := range names {
				if strings.EqualFold(other, name) {
					return wrong(within+text.Cut(name, 40), "is no field, %s is: names are taken as they are written", other)
				}
			}
			return wrong(within+text.Cut(name, 40), "is no field of a manifest: those are %s", strings.Join(names, ", "))
		case seen[name]:
			return wrong(within+name, "stands twice")
		}
		seen[name] = true
		var value json.RawMessage
		if _ = d.Decode(&value); value == nil {
			return nil
		}
		if field.Kind() == reflect.Pointer && field.Elem().Kind() == reflect.Struct {
			if err := exactly(json.NewDecoder(bytes.NewReader(value)), field.Elem(), name+"."); err != nil {
				return err
			}
		}
	}
	return nil
}
