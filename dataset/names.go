package dataset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// Labels that are numbers mean the classes that a file beside them names: classes.txt with a name a line, "0 cat" with the number
// first, or JSON as {"0": "cat"} or {"cat": 0}.

// nameLists are the names of such files, in lower case, without their suffix and what is between words.
var nameLists = []string{
	"classes", "classnames", "classlist", "classname", "classmap", "classmapping", "classid", "classids", "classindex", "classindices", "classtoidx", "classtoid", "idxtoclass",
	"labels", "labelnames", "labellist", "labelmap", "labelmapping", "labelname", "id2label", "label2id", "idtolabel", "idtoname", "idx2label", "categories", "categorynames", "names", "species", "speciesnames",
}

func isNameList(name string) bool {
	return slices.Contains([]string{".txt", ".names", ".json", ".csv", ".tsv"}, suffix(name)) &&
		slices.Contains(nameLists, strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(stem(name))))
}

// classNames are the names of classes that a file gives.
type classNames struct {
	file     string
	listed   []string       // in the file's order, where it has no numbers
	numbered map[int]string // nil: it has no numbers
}

const maxNameList = 8 << 20 // bytes

var (
	isNumber    = regexp.MustCompile(`^-?\d{1,9}(\.0+)?$`)
	numberFirst = regexp.MustCompile(`^(\d{1,9})(?:\s*[:,;=\t]\s*|\s+)(\S.*)$`)
	numberLast  = regexp.MustCompile(`^(.*\S)(?:\s*[:,;=\t]\s*|\s+)(\d{1,9})$`)
)

// number reads a label that is a number; tables that went through other programs write 1 as "1.0".
func number(label string) (n int, ok bool) {
	if !isNumber.MatchString(label) {
		return 0, false
	}
	whole, _, _ := strings.Cut(label, ".")
	n, err := strconv.Atoi(whole)
	return n, err == nil
}

// readClassNames reads a file's names, nil where it is not a list of names.
func (d *Dataset) readClassNames(file string) (*classNames, error) {
	f, err := os.Open(d.file(file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxNameList+1))
	if err != nil || len(data) > maxNameList {
		return nil, err
	}
	converted, err := text.Reader(bytes.NewReader(data), d.options.Encoding)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	if data, err = io.ReadAll(converted); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	out := &classNames{file: strings.ReplaceAll(file, "../", "")}
	if isLegend(path.Base(file)) && len(parseLegend(file, data).entries) >= 2 {
		return nil, nil
	}
	if suffix(file) == ".json" {
		return out.fromJSON(data), nil
	}
	number, empty := 0, 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.Trim(strings.TrimSpace(line), `"`)
		switch {
		case line == "" && empty == 0:
			empty = number
			continue
		case line == "":
			continue
		case empty > 0:
			return nil, fmt.Errorf("%w: line %d of %s is empty, and which class its number means cannot be told: write the number before each name (\"0 cat\")", ErrLayout, empty, file)
		case !text.Valid(line) || len(line) > text.MaxName:
			return nil, fmt.Errorf("%w: line %d of %s is no name of a class: save the list as UTF-8, a name a line", ErrLayout, number, file)
		}
		out.listed = append(out.listed, text.NFC(line))
	}
	if s := suffix(file); (s == ".csv" || s == ".tsv") && len(out.listed) > 0 && !numberFirst.MatchString(out.listed[0]) && !numberLast.MatchString(out.listed[0]) {
		out.listed = out.listed[1:] // its header
	}
	if len(out.listed) == 0 || named.MatchString(out.listed[len(out.listed)-1]) {
		return nil, nil // a list of pictures
	}
	if found := out.numbers(numberFirst, 1, 2); found != nil {
		out.listed, out.numbered = nil, found
	} else if found := out.numbers(numberLast, 2, 1); found != nil {
		least, most := bounds(found)
		if least <= 1 && most == least+len(found)-1 { // else the numbers are a part of the names, as of Boeings
			out.listed, out.numbered = nil, found
		}
	}
	if s := suffix(file); (s == ".csv" || s == ".tsv") && (out.numbered == nil || d.namesPictures(out, strings.HasPrefix(strings.ToLower(stem(file)), "label"))) {
		return nil, nil
	}
	return out, nil
}

// numbers reads lines of a number and a name, nil unless all are such, with different numbers.
func (c *classNames) numbers(line *regexp.Regexp, number, name int) map[int]string {
	found := map[int]string{}
	for _, l := range c.listed {
		parts := line.FindStringSubmatch(l)
		if parts == nil {
			return nil
		}
		n, err := strconv.Atoi(parts[number])
		if _, again := found[n]; err != nil || again {
			return nil
		}
		found[n] = strings.Trim(parts[name], `"`)
	}
	return found
}

// fromJSON reads {"0": "cat"}, {"cat": 0}, or, in a file with a list's name, ["cat", "dog"]; nil for other JSON.
func (c *classNames) fromJSON(data []byte) *classNames {
	var list []string
	if json.Unmarshal(data, &list) == nil && len(list) > 0 && isNameList(path.Base(c.file)) {
		for _, name := range list {
			c.listed = append(c.listed, text.NFC(strings.TrimSpace(name)))
		}
		return c
	}
	var document map[string]any
	if json.Unmarshal(data, &document) != nil || len(document) == 0 {
		return nil
	}
	c.numbered = map[int]string{}
	for key, value := range document {
		n, name := -1, ""
		switch v := value.(type) {
		case string:
			if at, ok := number(key); ok {
				n, name = at, v
			}
		case float64:
			if v == float64(int(v)) {
				n, name = int(v), key
			}
		}
		if name = text.NFC(strings.TrimSpace(name)); n < 0 || name == "" || !text.Valid(name) || len(name) > text.MaxName || c.numbered[n] != "" {
			return nil
		}
		c.numbered[n] = name
	}
	return c
}

func bounds(numbered map[int]string) (least, most int) {
	all := slices.Sorted(maps.Keys(numbered))
	return all[0], all[len(all)-1]
}

// findClassNames finds the file that names the classes of these labels; nil: there is none.
func (d *Dataset) findClassNames() (*classNames, error) {
	var others []string
	folders, above := []string{"", "meta"}, ""
	if below, err := filepath.Rel(d.root, d.Dir); err == nil && filepath.IsLocal(below) && below != "." {
		for range strings.Count(filepath.ToSlash(below), "/") + 1 { // the folders above the one that the pictures were found in
			above = path.Join(above, "..")
			folders = append(folders, above)
		}
	}
	for _, folder := range folders {
		for _, entry := range d.look(folder) {
			name := path.Join(folder, entry.Name())
			switch {
			case entry.IsDir() || slices.Contains(d.tables, name) || name == d.labelFile():
			case isNameList(entry.Name()):
				if c, err := d.readClassNames(name); c != nil || err != nil {
					return c, err
				}
			case suffix(name) == ".json":
				others = append(others, name)
			}
		}
	}
	for _, name := range others { // cat_to_name.json, label_num_to_disease_map.json
		if c, err := d.readClassNames(name); c != nil || err != nil {
			return c, err
		}
	}
	return nil, nil
}

// labelFile is the table that the labels were read from.
func (d *Dataset) labelFile() string {
	file, _, _ := strings.Cut(d.labelled, ", column ")
	return file
}

// nameClasses gives images whose labels are numbers the names of their classes, if a file beside them has these.
func (d *Dataset) nameClasses() error {
	if !slices.Contains([]string{"csv", "jsonl", "json", "lists", "folder", "imagefolder", "parquet"}, d.Format) {
		return nil
	}
	places := map[uint32]int{}
	for _, r := range d.samples.rows {
		if r.class == 0 {
			continue
		}
		if _, ok := places[r.class]; !ok {
			n, ok := number(d.samples.texts.at(r.class))
			if !ok || len(places) > maxShared {
				return nil
			}
			places[r.class] = n
		}
	}
	if len(places) == 0 {
		return nil
	}
	c, err := d.findClassNames()
	if c == nil || err != nil {
		return err
	}
	d.Skipped = slices.DeleteFunc(d.Skipped, func(p Problem) bool { return p.Path == c.file })
	names, from, err := c.byNumber(places)
	if err != nil {
		return err
	}
	if names == nil {
		return nil
	}
	renamed := map[uint32]uint32{}
	for place, n := range places {
		renamed[place] = d.samples.texts.share(d.shared(names[n]))
	}
	for i := range d.samples.rows {
		if r := &d.samples.rows[i]; r.class > 0 {
			r.class = renamed[r.class]
		}
	}
	d.labelled = ""
	first := slices.Min(slices.Collect(maps.Values(places)))
	d.note(c.file, "the labels are numbers, and the names of their classes are read from this file%s: %d is %q", from, first, names[first])
	return nil
}

// byNumber returns the name of each number of labels; nil: the numbers are the names themselves.
func (c *classNames) byNumber(places map[uint32]int) (names map[int]string, from string, err error) {
	used := slices.Sorted(maps.Values(places))
	least, most := used[0], used[len(used)-1]
	names = c.numbered
	if names == nil {
		numbers := 0
		for _, name := range c.listed {
			if _, ok := number(name); ok {
				numbers++
			}
		}
		if numbers == len(c.listed) {
			return nil, "", nil
		}
		base := 0
		count := len(c.listed)
		switch {
		case most == count && least >= 1:
			base, from = 1, ", counted from 1"
		case least == 0 && most < count:
			from = ", counted from 0"
		case least > 0 && most < count:
			return nil, "", fmt.Errorf("%w: the labels are the numbers %d to %d, and %s names %d classes: whether it is counted from 0 or from 1 cannot be told: write the number before each name (\"%d …\"), or take the file away to have the numbers for names",
				ErrLayout, least, most, c.file, count, least)
		}
		names = map[int]string{}
		for i, name := range c.listed {
			names[base+i] = name
		}
	}
	owners := map[string]int{}
	for _, n := range used {
		name := names[n]
		if name == "" {
			return nil, "", fmt.Errorf("%w: the label %d is none of the %d classes of %s: add its name, or take the file away to have the numbers for names", ErrLayout, n, len(names), c.file)
		}
		if other, ok := owners[name]; ok && other != n {
			return nil, "", fmt.Errorf("%w: %s gives the labels %d and %d one name, %q: give each its own", ErrLayout, c.file, other, n, text.Cut(name, 60))
		}
		owners[name] = n
	}
	return names, from, nil
}

// listsNames reports whether a file is a list of the names of classes, and not of pictures.
func (d *Dataset) listsNames(file string) bool {
	if !isNameList(file) {
		return false
	}
	c, err := d.readClassNames(file)
	if c == nil || err != nil {
		return false
	}
	return true
}

// namesPictures reports whether a table of numbers and words is one of pictures: it names them, or the numbers may be their names, and
// are.
func (d *Dataset) namesPictures(c *classNames, numbers bool) bool {
	places := placer{d: d}
	looked := 0
	for n, words := range c.numbered {
		for word := range strings.FieldsFuncSeq(words, func(r rune) bool { return strings.ContainsRune(",;\t|\"", r) }) {
			if picture.HasSuffix(strings.TrimSpace(word)) {
				return true
			}
		}
		if looked++; numbers && looked <= 3 {
			if disk, reason := places.place(strconv.Itoa(n), ""); disk != "" || reason != "" {
				return true
			}
		}
	}
	return false
}
