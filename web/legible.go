package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/text"
)

// Text from clients is checked where it comes in: addresses and headers in legible, forms in readForm, JSON in legibleJSON, the parts
// of an upload in receiveModel. Package text says what valid text is.

// storedHeaders are the headers whose values are looked up in the database or stored in it.
var storedHeaders = []string{"Idempotency-Key", "Last-Event-ID"}

// legible refuses a request whose address or stored headers are not valid text. A path that is not is answered with 404.
func (s *Server) legible(next http.Handler) http.Handler {
	return s.plain(func(w http.ResponseWriter, r *http.Request) error {
		if !text.Valid(r.URL.Path) {
			return fmt.Errorf("the address %s: %w", text.Problem, annotator.ErrNotFound)
		}
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return &annotator.ValidationError{Field: "query", Message: "cannot be read: write % as %25 and ; as %3B"}
		}
		if err := checkValues("query", query); err != nil {
			return err
		}
		for _, name := range storedHeaders {
			for _, value := range r.Header.Values(name) {
				if !text.Valid(value) {
					return &annotator.ValidationError{Field: "header." + name, Message: text.Problem}
				}
			}
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// checkValues returns an error that names the first field of a query or a form that is not valid text.
func checkValues(place string, values url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !text.Valid(name) {
			return &annotator.ValidationError{Field: place, Message: fmt.Sprintf("the name of a field, %q, %s", name, text.Problem)}
		}
		if slices.ContainsFunc(values[name], func(v string) bool { return !text.Valid(v) }) {
			return &annotator.ValidationError{Field: place + "." + name, Message: text.Problem}
		}
	}
	return nil
}

// errIllegible is the error of a JSON body with a string that is not valid text. Problem.add finds out which string.
var errIllegible = errors.New("a string " + text.Problem)

// legibleJSON reads JSON bodies whose strings are valid text, and whose keys stand once. Go's decoder alone would accept an escaped NUL,
// silently replace invalid UTF-8, and take the last of several values.
var legibleJSON = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, v any) error {
		if _, found := text.InJSON(data); found {
			return errIllegible
		}
		if path, found := text.RepeatedKey(data); found {
			return fmt.Errorf("%s stands twice", inBody(path))
		}
		err := json.Unmarshal(data, v)
		if err != nil {
			if plain, changed := wholeNumbers(data); changed {
				err = json.Unmarshal(plain, v)
			}
		}
		if err == nil {
			if path, found := nullAt(data, reflect.TypeOf(v)); found {
				return fmt.Errorf("%s is null: give a value, or leave it out", inBody(path))
			}
		}
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) { // name JSON's types in the message, not Go's
			place := inBody(wrong.Field)
			if strings.HasPrefix(wrong.Value, "number ") {
				return fmt.Errorf("%s: the %s is out of range", place, wrong.Value)
			}
			return fmt.Errorf("%s is of another type: a %s", place, wrong.Value)
		}
		return err
	},
}

// wholeNumbers writes whole numbers as Go reads them into integers: 38.0 and 3.8e1 as 38, which are the same number to JSON.
func wholeNumbers(data []byte) (plain []byte, changed bool) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	last := int64(0)
	for {
		token, err := decoder.Token()
		if err != nil {
			return append(plain, data[last:]...), changed
		}
		number, is := token.(json.Number)
		if !is || !strings.ContainsAny(string(number), ".eE") {
			continue
		}
		if f, err := number.Float64(); err == nil && f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
			end := decoder.InputOffset()
			plain = append(plain, data[last:end-int64(len(number))]...)
			plain = strconv.AppendInt(plain, int64(f), 10)
			last, changed = end, true
		}
	}
}

// nullAt finds a null where a value of the type has none: the decoder would take it for a field that was left out. What decodes itself,
// and what takes anything, is asked nothing.
func nullAt(data []byte, t reflect.Type) (path string, found bool) {
	if !bytes.Contains(data, []byte("null")) {
		return "", false
	}
	var value any
	if json.Unmarshal(data, &value) != nil {
		return "", false
	}
	return nullIn(value, t)
}

func nullIn(value any, t reflect.Type) (path string, found bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Interface || t == reflect.TypeFor[json.RawMessage]() {
		return "", false
	}
	if value == nil {
		return "", true
	}
	below := func(name string, value any, t reflect.Type) bool {
		inside, found := nullIn(value, t)
		path = name
		if inside != "" && inside[0] != '[' {
			path += "."
		}
		path += inside
		return found
	}
	switch value := value.(type) {
	case []any:
		if t.Kind() != reflect.Slice {
			return "", false
		}
		for i, v := range value {
			if below(fmt.Sprintf("[%d]", i), v, t.Elem()) {
				return path, true
			}
		}
	case map[string]any:
		fields := map[string]reflect.Type{}
		if t.Kind() == reflect.Struct {
			for _, f := range reflect.VisibleFields(t) {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				fields[name] = f.Type
			}
		}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			inside, known := fields[name]
			switch {
			case known:
			case t.Kind() == reflect.Map:
				inside = t.Elem()
			default:
				inside = reflect.TypeFor[string]()
			}
			if below(name, value[name], inside) {
				return path, true
			}
		}
	}
	return "", false
}

// inBody returns the place of a value in a body, for a message.
func inBody(path string) string {
	switch {
	case path == "":
		return "body"
	case path[0] == '[':
		return "body" + path
	default:
		return "body." + path
	}
}
