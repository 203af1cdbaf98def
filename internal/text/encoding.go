package text

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// ErrEncoding is an encoding of an unknown name, or text that is not in the encoding that its first bytes name.
var ErrEncoding = errors.New("encoding")

// NFC is s with composed characters, as keyboards write them: "ä" in one rune where a Mac's file system has two. Names that
// look the same are the same only in one form, so every name from a disk, a file or a person is compared in this one.
func NFC(s string) string { return norm.NFC.String(s) }

// NFD is s with decomposed characters, as some file systems and archives write names.
func NFD(s string) string { return norm.NFD.String(s) }

// marks are what a text may begin with to say how it is written.
var marks = []struct {
	mark     string
	encoding encoding.Encoding // nil: UTF-8
}{
	{"\xef\xbb\xbf", nil},
	{"\xff\xfe", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
	{"\xfe\xff", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
}

// Reader turns a text file into UTF-8. Without a name its first bytes tell: a byte order mark is taken away, UTF-16 is
// converted, with a mark or by the NULs of its first letters, and everything else is taken as it is, so that what is no UTF-8
// is found by whoever checks it (see Valid). A name, as browsers know it ("windows-1252", "shift_jis", "gbk"), converts from
// that encoding; one that is not known is ErrEncoding.
func Reader(r io.Reader, name string) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	head, _ := buffered.Peek(64)
	for _, m := range marks {
		if bytes.HasPrefix(head, []byte(m.mark)) {
			_, _ = buffered.Discard(len(m.mark))
			if m.encoding == nil {
				return buffered, nil
			}
			return transform.NewReader(buffered, m.encoding.NewDecoder()), nil
		}
	}
	if name != "" {
		e, err := htmlindex.Get(name)
		if err != nil {
			return nil, fmt.Errorf("%w %q is not known: use a name such as windows-1252, shift_jis or utf-16le", ErrEncoding, name)
		}
		return transform.NewReader(buffered, e.NewDecoder()), nil
	}
	if e := unmarked(head); e != nil {
		return transform.NewReader(buffered, e.NewDecoder()), nil
	}
	return buffered, nil
}

// unmarked knows UTF-16 without a mark by Latin letters: every second byte of the beginning is a NUL, and no other is.
func unmarked(head []byte) encoding.Encoding {
	if len(head) < 8 {
		return nil
	}
	zeros := [2]int{}
	for i, b := range head[:len(head)&^1] {
		if b == 0 {
			zeros[i%2]++
		}
	}
	half := len(head) / 2
	switch {
	case zeros[0] == 0 && zeros[1] == half:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case zeros[1] == 0 && zeros[0] == half:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return nil
}

// UTF8 is a whole text without its byte order mark, converted from UTF-16 where it is that. What is neither is ErrEncoding,
// with the line and what to do.
func UTF8(data []byte) ([]byte, error) {
	r, err := Reader(bytes.NewReader(data), "")
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncoding, err)
	}
	for rest, line := out, 1; len(rest) > 0; line++ {
		this, after, _ := bytes.Cut(rest, []byte("\n"))
		if !utf8.Valid(this) {
			return nil, fmt.Errorf("%w: line %d is not UTF-8%s: save the file as UTF-8", ErrEncoding, line, guess(this))
		}
		rest = after
	}
	return out, nil
}

// Likely names the encoding that bytes which are no UTF-8 are probably in, as Reader takes it; "" where they tell nothing.
func Likely(s string) string {
	high := 0
	for _, b := range []byte(s) {
		switch {
		case b == 0, b == 0x81, b == 0x8d, b == 0x8f, b == 0x90, b == 0x9d: // no letters of Windows-1252
			return ""
		case b >= 0x80:
			high++
		}
	}
	if high == 0 || utf8.ValidString(s) || 2*high > len(s) {
		return ""
	}
	return "windows-1252"
}

func guess(line []byte) string {
	if name := Likely(string(line)); name != "" {
		return " (it may be " + name + ")"
	}
	return ""
}
