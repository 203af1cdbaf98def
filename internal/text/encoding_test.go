package text_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/abn-studio/studio/internal/text"
)

func TestReader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, name, want string }{
		{"a,b\n", "", "a,b\n"},
		{"\xef\xbb\xbfä", "", "ä"},
		{"\xff\xfea\x00\xe4\x00", "", "aä"},
		{"\xfe\xff\x00a\x00\xe4", "", "aä"},
		{"f\x00i\x00l\x00e\x00,\x00", "", "file,"},
		{"\x00f\x00i\x00l\x00e\x00,", "", "file,"},
		{"Gr\xfcn", "windows-1252", "Grün"},
		{"\x83o\x83b\x83^", "shift_jis", "バッタ"},
		{"\xef\xbb\xbfä", "windows-1252", "ä"}, // the mark says otherwise
		{"Gr\xfcn", "", "Gr\xfcn"},
		{"a\x00b", "", "a\x00b"},
		{"", "", ""},
	} {
		r, err := text.Reader(strings.NewReader(c.in), c.name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != c.want {
			t.Errorf("%q as %q: %q, %v; want %q", c.in, c.name, got, err, c.want)
		}
	}
	if _, err := text.Reader(strings.NewReader("a"), "klingon"); !errors.Is(err, text.ErrEncoding) {
		t.Errorf("klingon: %v", err)
	}
}

func TestUTF8(t *testing.T) {
	t.Parallel()
	if got, err := text.UTF8([]byte("\xef\xbb\xbf{}\r\n")); err != nil || string(got) != "{}\r\n" {
		t.Errorf("%q, %v", got, err)
	}
	_, err := text.UTF8([]byte("red\nGr\xfcn\n"))
	if !errors.Is(err, text.ErrEncoding) || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "windows-1252") {
		t.Error(err)
	}
}

func TestNamesThatLookTheSame(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Käfer", "がぎぐ", "한글", "plain"} {
		if text.NFC(text.NFD(name)) != text.NFC(name) {
			t.Errorf("%q", name)
		}
	}
}

func FuzzUTF8(f *testing.F) {
	for _, seed := range []string{"", "\xff\xfe\x00\xd8", "\xfe\xff\x00", "a\x00b\x00c\x00d\x00", "\xef\xbb", "Gr\xfcn"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if out, err := text.UTF8(data); err == nil && !utf8.Valid(out) {
			t.Errorf("%q becomes %q", data, out)
		}
	})
}
