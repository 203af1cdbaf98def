package dataset

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
	"github.com/abn-studio/studio/internal/text"
)

// shards lists the archives of a folder that holds nothing besides them but tables and texts.
func (d *Dataset) shards() []string {
	var out []string
	for _, entry := range d.look("") {
		switch name := entry.Name(); {
		case entry.IsDir(), picture.HasSuffix(name):
			return nil
		case isArchive(name):
			out = append(out, d.file(name))
		}
	}
	return out
}

// shardsInSplits lists the tar files of a folder that holds folders of splits, and those nothing but tar files. ImageNet's train/n01440764.tar,
// an archive for each class, are none.
func (d *Dataset) shardsInSplits() []string {
	var out []string
	for _, entry := range d.look("") {
		if !entry.IsDir() {
			if picture.HasSuffix(entry.Name()) || isArchive(entry.Name()) {
				return nil
			}
			continue
		}
		if _, ok := d.splitWord(entry.Name()); !ok {
			return nil
		}
		for _, shard := range d.look(entry.Name()) {
			if shard.IsDir() || !isArchive(shard.Name()) || suffix(shard.Name()) == ".zip" || classTar.MatchString(shard.Name()) {
				if mayTell(shard.Name()) || suffix(shard.Name()) == ".txt" {
					continue
				}
				return nil
			}
			out = append(out, d.file(path.Join(entry.Name(), shard.Name())))
		}
	}
	return out
}

var classTar = regexp.MustCompile(`^n[0-9]{8}\.tar$`)

// numberedShard matches the name of a shard of a series: train-000012.tar.
var numberedShard = regexp.MustCompile(`^(.*[-_/])([0-9]{3,8})(\.[a-z.]+)$`)

// missNumbers lists the shards as missing whose numbers are below that of another.
func (d *Dataset) missNumbers(shards []string) {
	numbers := map[[3]string]nameSet{} // of each series, by what is before and after the number and how long that is
	last := map[[3]string]int{}
	for _, shard := range shards {
		m := numberedShard.FindStringSubmatch(d.fromGiven(shard))
		if m == nil {
			continue
		}
		series := [3]string{m[1], m[3], strconv.Itoa(len(m[2]))}
		n, _ := strconv.Atoi(m[2])
		if numbers[series] == nil {
			numbers[series] = nameSet{}
		}
		numbers[series].add(m[2])
		last[series] = max(last[series], n)
	}
	for series, there := range numbers {
		if len(there) < 2 || last[series] > 10*len(there)+10 { // a date or an id
			continue
		}
		for n := range last[series] {
			if number := fmt.Sprintf("%0"+series[2]+"d", n); n > 0 && !there.has(number) { // some count from 1
				d.miss(series[0]+number+series[1], "a shard with a higher number is there, and this one is not")
			}
		}
	}
}

// key splits a name at the first dot. The part before it is the key, which the files of one WebDataset sample share; the rest is the
// field.
func key(name string) (key, field string) {
	folder, base := path.Split(name)
	stem, field, _ := strings.Cut(base, ".")
	return folder + stem, strings.ToLower(field)
}

// shardFolders lists Dir, the folders in it and, of what was unpacked, those inside of them, since a key may have folders in it.
func (d *Dataset) shardFolders(below string) []string {
	all := []string{below}
	for _, folder := range d.folders(below) {
		if folder = path.Join(below, folder); len(d.unpacked) > 0 {
			all = append(all, d.shardFolders(folder)...)
		} else {
			all = append(all, folder)
		}
	}
	return all
}

// fitsWebDataset recognises unpacked shards: a picture beside the file of its class.
func (d *Dataset) fitsWebDataset() string {
	for _, folder := range d.shardFolders("") {
		list := d.look(folder)
		files := map[string]bool{}
		for _, entry := range list[:min(1000, len(list))] {
			files[entry.Name()] = true
		}
		for _, entry := range list[:min(1000, len(list))] {
			k, _ := key(entry.Name())
			if !picture.HasSuffix(entry.Name()) || entry.IsDir() {
				continue
			}
			if files[k+".cls"] {
				return "WebDataset: " + path.Join(folder, k+".cls") + " beside its picture"
			}
			if files[k+".json"] && len(d.unpacked) > 0 {
				return "WebDataset: " + path.Join(folder, k+".json") + " beside its picture"
			}
		}
	}
	return ""
}

// readWebDataset reads samples, each the files with one key: a picture, and its class in KEY.cls or under a usual name in KEY.json. The
// shard's name tells the split. If there is a classnames.txt or classes.txt, a class that is a number is the line of that file.
func (d *Dataset) readWebDataset() error {
	var classes []string
	for _, name := range []string{"classnames.txt", "classes.txt"} {
		if d.isRegular(name) && classes == nil {
			err := d.lines(name, func(_ int, line string) error {
				classes = append(classes, d.shared(line))
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	for _, folder := range d.shardFolders("") {
		list, err := d.entries(folder)
		if err != nil {
			return err
		}
		shard, _, _ := strings.Cut(folder, "/")
		split, _ := d.splitWord(shard)
		if split == "" && folder == "" && len(d.unpacked) > 0 {
			split, _ = d.splitWord(withoutArchive(path.Base(d.given)))
		}
		has := map[string]bool{}
		for _, entry := range list {
			if _, field := key(entry.Name()); field == "cls" || field == "json" {
				has[entry.Name()] = true
			}
		}
		for _, entry := range list {
			name := path.Join(folder, entry.Name())
			if entry.IsDir() {
				if folder != "" && len(d.unpacked) == 0 {
					d.skip(name, "a folder inside a shard")
				}
				continue
			}
			if !picture.HasSuffix(name) {
				if _, field := key(name); field != "cls" && field != "json" && !d.isAbout(entry.Name()) {
					d.count(name, "files ."+text.Cut(field, 20)+" are not read")
				}
				continue
			}
			if reason := d.checkPicture(name); reason != "" {
				d.skip(name, "%s", reason)
				continue
			}
			k, _ := key(entry.Name())
			s := Sample{Split: split}
			switch {
			case has[k+".cls"]:
				err = d.classFile(path.Join(folder, k+".cls"), classes, &s)
			case has[k+".json"]:
				err = d.sampleFile(path.Join(folder, k+".json"), classes, &s)
			default:
				d.count(name, "no .cls and no .json of its key: unlabelled")
			}
			if err != nil {
				return err
			}
			d.add(name, s)
		}
	}
	return nil
}

// maxSampleFile bounds the file of a sample's class, in bytes.
const maxSampleFile = 1 << 20

func (d *Dataset) small(name string) ([]byte, error) {
	f, err := os.Open(d.file(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSampleFile+1))
	if err == nil && len(data) > maxSampleFile {
		err = fmt.Errorf("larger than %d bytes", maxSampleFile)
	}
	if err == nil {
		data, err = text.UTF8(data)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrLayout, name, err)
	}
	return data, nil
}

func (d *Dataset) classFile(name string, classes []string, s *Sample) error {
	data, err := d.small(name)
	if err != nil {
		return err
	}
	return d.numberedClass(name, strings.TrimSpace(string(data)), classes, s)
}

// numberedClass sets a sample's class as it is given or, if it is a number n and there is a list of classes, to class n of the list,
// counted from 0.
func (d *Dataset) numberedClass(name, class string, classes []string, s *Sample) error {
	if len(classes) > 0 {
		var n int
		if _, err := fmt.Sscanf(class, "%d", &n); err == nil && fmt.Sprint(n) == class {
			if n < 0 || n >= len(classes) {
				return fmt.Errorf("%w: %s: class %d, and the list of classes has %d", ErrLayout, name, n, len(classes))
			}
			class = classes[n]
		}
	}
	if err := checkName(name, "class", class); err != nil {
		return err
	}
	s.Class = d.shared(class)
	if d.labelled == "" {
		d.labelled = "the files of labels"
	}
	return nil
}

func (d *Dataset) sampleFile(name string, classes []string, s *Sample) error {
	data, err := d.small(name)
	if err != nil {
		return err
	}
	if place, found := text.InJSON(data); found {
		return fmt.Errorf("%w: %s, %s %s", ErrLayout, name, place, text.Problem)
	}
	var fields map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrLayout, name, err)
	}
	if word := fieldOf(d, fields, ColumnSplit); word != "" {
		split, ok := d.splitWord(word)
		if !ok {
			return fmt.Errorf("%w: %s: split %q is none of train, validation, test, pool", ErrLayout, name, text.Cut(word, 40))
		}
		s.Split = split
	}
	class := fieldOf(d, fields, ColumnClass)
	if class == "" {
		d.count(name, "no label under a usual name: unlabelled")
		return nil
	}
	return d.numberedClass(name, class, classes, s)
}
