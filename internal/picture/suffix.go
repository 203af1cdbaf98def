package picture

import (
	"path"
	"slices"
	"strings"
)

// FormatList names the formats that are read, as people call them.
const FormatList = "JPEG, PNG, WebP, BMP or TIFF"

// unread are the suffixes of pictures that are not read, in lower case. Files that begin as such a picture are named by others.
var unread = []string{".gif", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg"}

// Suffixes are those of the formats that are read: in lower case, with their dot, the formats in the order of FormatList and the
// usual suffix of each first.
func Suffixes() (all []string) {
	for _, f := range formats {
		all = append(all, f.suffixes...)
	}
	return all
}

// suffixes are Suffixes, to look one up.
var suffixes = Suffixes()

// HasSuffix reports whether a file's name ends as those of pictures that are read, in lower or upper case.
func HasSuffix(name string) bool { return slices.Contains(suffixes, strings.ToLower(path.Ext(name))) }

// UnreadSuffix is a name's suffix, in lower case, if it is that of a picture that is not read; else "".
func UnreadSuffix(name string) string {
	if suffix := strings.ToLower(path.Ext(name)); slices.Contains(unread, suffix) {
		return suffix
	}
	return ""
}

// SuffixOf is the usual suffix of a format (Format, Header.Format); "" of what is none.
func SuffixOf(format string) string {
	for _, f := range formats {
		if f.name == format {
			return f.suffixes[0]
		}
	}
	return ""
}

// Completions are what may follow a name without a suffix for it to be a picture's: all Suffixes, in lower case and then in upper
// case.
func Completions() []string {
	all := Suffixes()
	for _, s := range suffixes {
		all = append(all, strings.ToUpper(s))
	}
	return all
}
