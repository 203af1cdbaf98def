package text

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// InJSON finds the first string of a JSON document that is not Valid: one with bytes that are no UTF-8, an escaped NUL
// (\u0000) or half of a surrogate pair (\ud800), all of which Go's decoder takes and partly mends. It returns where the
// string stands ("classes[3]", "" at the top) and whether there is one. A document that is no JSON has none: its decoder tells.
func InJSON(data []byte) (path string, found bool) {
	at := firstInvalid(data)
	if at < 0 {
		return "", false
	}
	return pathAt(data, int64(at))
}

// firstInvalid is the offset of the first byte of an invalid sequence, -1 if there is none.
func firstInvalid(data []byte) int {
	for i := 0; i < len(data); {
		switch c := data[i]; {
		case c == '\\' && i+1 < len(data) && data[i+1] == 'u':
			unit, ok := escaped(data[i:])
			if !ok {
				return -1 // no JSON
			}
			switch {
			case unit == 0, unit >= 0xdc00 && unit <= 0xdfff:
				return i
			case unit >= 0xd800 && unit <= 0xdbff:
				if low, ok := escaped(data[i+6:]); !ok || low < 0xdc00 || low > 0xdfff {
					return i
				}
				i += 6
			}
			i += 6
		case c == '\\':
			i += 2
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(data[i:])
			if r == utf8.RuneError && n == 1 {
				return i
			}
			i += n
		}
	}
	return -1
}

// escaped reads the UTF-16 unit of \uXXXX.
func escaped(data []byte) (uint64, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return unit, err == nil
}

// pathAt names the token of a document that covers an offset.
func pathAt(data []byte, at int64) (string, bool) {
	type level struct {
		key     string // "" in a list
		index   int    // of the element under way
		object  bool
		wantKey bool
	}
	var stack []level
	name := func() string {
		var path strings.Builder
		for _, l := range stack {
			switch {
			case !l.object:
				fmt.Fprintf(&path, "[%d]", l.index)
			case path.Len() > 0:
				path.WriteString("." + l.key)
			default:
				path.WriteString(l.key)
			}
		}
		return strings.TrimSuffix(path.String(), ".")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return "", false
		}
		key := len(stack) > 0 && stack[len(stack)-1].wantKey
		if decoder.InputOffset() > at {
			return name(), true // of a key: the object, or what came before it in the object
		}
		switch delimiter, ok := token.(json.Delim); {
		case ok && (delimiter == '{' || delimiter == '['):
			stack = append(stack, level{object: delimiter == '{', wantKey: delimiter == '{'})
			continue
		case ok:
			stack = stack[:len(stack)-1]
		case key:
			stack[len(stack)-1].key, stack[len(stack)-1].wantKey = token.(string), false
			continue
		}
		if len(stack) > 0 { // a value has ended
			l := &stack[len(stack)-1]
			l.index++
			if l.object {
				l.key, l.wantKey = "", true
			}
		}
	}
}

// RepeatedKey finds the first key that stands twice in one object of a JSON document, of which Go's decoder silently takes the last. It
// returns where that is ("settings.gamma") and whether there is one. A document that is no JSON may have one: its decoder tells more.
func RepeatedKey(data []byte) (path string, found bool) {
	type level struct {
		keys    map[string]bool // nil in a list
		wantKey bool
	}
	var stack []level
	for i := 0; i < len(data); i++ {
		switch c := data[i]; c {
		case '{':
			stack = append(stack, level{map[string]bool{}, true})
		case '[':
			stack = append(stack, level{})
		case '}', ']':
			if len(stack) == 0 {
				return "", false // no JSON
			}
			stack = stack[:len(stack)-1]
		case ',':
			if len(stack) > 0 {
				stack[len(stack)-1].wantKey = stack[len(stack)-1].keys != nil
			}
		case '"':
			start := i
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			if len(stack) == 0 || !stack[len(stack)-1].wantKey || i >= len(data) {
				continue
			}
			key := string(data[start+1 : i])
			if strings.Contains(key, `\`) && json.Unmarshal(data[start:i+1], &key) != nil {
				return "", false // no JSON
			}
			top := &stack[len(stack)-1]
			if top.keys[key] {
				within, _ := pathAt(data, int64(start))
				return strings.TrimPrefix(within+"."+key, "."), true
			}
			top.keys[key], top.wantKey = true, false
		}
	}
	return "", false
}

// CleanJSON is a document, as encoding/json wrote it, with U+FFFD in place of what is not valid in its strings. It is for
// what is only shown, such as the names in somebody's model.
func CleanJSON(data []byte) []byte {
	for {
		at := firstInvalid(data)
		if at < 0 {
			return data
		}
		n := 1
		if data[at] == '\\' {
			n = len(`\u0000`)
		}
		data = slices.Concat(data[:at], []byte(`\ufffd`), data[at+n:])
	}
}
