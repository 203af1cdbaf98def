package jobs

import (
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
)

// Sources are the folders and buckets from which images are imported without being sent, by the names that people choose them by.
type Sources map[string]string

var sourceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$`)

// ParseSources reads what whoever runs the studio offers: NAME=/folder and NAME=s3://bucket/prefix.
func ParseSources(given []string) (Sources, error) {
	s := Sources{}
	for _, one := range given {
		name, at, ok := strings.Cut(one, "=")
		_, twice := s[name]
		switch {
		case !ok || at == "":
			return nil, fmt.Errorf("%q: want NAME=/folder or NAME=s3://bucket/prefix", one)
		case !sourceName.MatchString(name):
			return nil, fmt.Errorf("%q: a source's name has at most 60 letters, digits, dots, hyphens and underscores", name)
		case twice:
			return nil, fmt.Errorf("%s is given twice", name)
		}
		if !dataset.IsAddress(at) {
			info, err := os.Stat(at)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if !info.IsDir() {
				return nil, fmt.Errorf("%s: %s is no folder", name, at)
			}
			if at, err = filepath.Abs(at); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		s[name] = at
	}
	return s, nil
}

// Names are the names, in order.
func (s Sources) Names() []string { return slices.Sorted(maps.Keys(s)) }

// at is where something below a source lies. Nothing outside is reached: neither by the path, nor by symbolic links in it.
func (s Sources) at(name, below string) (string, error) {
	base, known := s[name]
	if !known {
		hint := "none is offered: whoever runs the studio starts it with --source NAME=FOLDER"
		if len(s) > 0 {
			hint = "choose from " + strings.Join(s.Names(), ", ")
		}
		return "", &annotator.ValidationError{Field: "source", Message: fmt.Sprintf("%q is no source: %s", name, hint)}
	}
	below = strings.TrimSuffix(below, "/")
	if below != "" && (!fs.ValidPath(below) || !filepath.IsLocal(filepath.FromSlash(below))) {
		return "", &annotator.ValidationError{Field: "path", Message: fmt.Sprintf("%q is no path below %s: write it as birds/2024, without .. and without a / before it", below, name)}
	}
	if dataset.IsAddress(base) {
		u, err := url.Parse(base)
		if err != nil {
			return "", fmt.Errorf("the source %s: its address cannot be read", name)
		}
		if below != "" {
			u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/")+"/"+below, ""
		}
		return u.String(), nil
	}
	root, err := filepath.EvalSymlinks(base)
	if err != nil {
		return "", fmt.Errorf("the source %s is not there: whoever runs the studio has to see to it", name)
	}
	at, err := filepath.EvalSymlinks(filepath.Join(root, filepath.FromSlash(below)))
	if err != nil {
		return "", &annotator.ValidationError{Field: "path", Message: fmt.Sprintf("%q is not in %s", below, name)}
	}
	if inside, err := filepath.Rel(root, at); err != nil || !filepath.IsLocal(inside) {
		return "", &annotator.ValidationError{Field: "path", Message: fmt.Sprintf("%q leads out of %s by a symbolic link", below, name)}
	}
	return at, nil
}

// redacted replaces where something lies by what people call it.
func redacted(message, at, name string) string {
	if u, err := url.Parse(at); err == nil && dataset.IsAddress(at) {
		message = strings.ReplaceAll(message, u.Redacted(), name)
	}
	return strings.ReplaceAll(message, at, name)
}
