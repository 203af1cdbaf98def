package study

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/samples"

	"github.com/abn-studio/studio/internal/text"
)

// Split divides labelled pictures into the splits that a study needs, each class by the same shares.
type Split struct {
	Images *dataset.Dataset
	Masks  string // a folder of masks named after the pictures; "": the data set's own
	SplitOptions
}

// SplitOptions say how a data set is divided.
type SplitOptions struct {
	Seed       int64   `json:"seed"`
	Train      float64 `json:"train"`      // the share of each class's pictures in training
	Validation float64 `json:"validation"` // in validation
	Pool       float64 `json:"pool"`       // in the pool. The others are the test's
	// Join are new classes by name, and the classes that each is made of; the others are left out. nil: the classes stay.
	Join map[string][]string `json:"join,omitempty"`
}

// Divided is what a divided set has.
type Divided struct {
	SplitOptions
	Classes []string               `json:"classes"`
	Splits  map[string]DividedPart `json:"splits"`
	Broken  []string               `json:"broken,omitempty"` // files that could not be read, with the reason
	Twice   int                    `json:"twice,omitempty"`  // files of the bytes of another one, which are left out
	Digest  string                 `json:"digest"`           // SHA-256 over metadata.csv, which has the hash of each file
}

// DividedPart is a split of a divided set.
type DividedPart struct {
	Images int `json:"images"`
	Masked int `json:"masked"`
}

// DividedSplits are the splits in the order in which they are filled.
var DividedSplits = []string{dataset.Train, dataset.Validation, dataset.Pool, dataset.Test}

// Validate returns an error for shares that leave a split empty.
func (o SplitOptions) Validate() error {
	for _, share := range []struct {
		flag  string
		v     float64
		least bool // more than 0
	}{{"--train", o.Train, true}, {"--validation", o.Validation, false}, {"--pool", o.Pool, true}} {
		if !(share.v >= 0 && share.v < 1) || share.least && share.v == 0 {
			return fmt.Errorf("%s is %v, want a share of the pictures, more than 0 and below 1", share.flag, share.v)
		}
	}
	if sum := o.Train + o.Validation + o.Pool; sum >= 1 {
		return fmt.Errorf("--train, --validation and --pool are %.4g in all: nothing is left for the test", sum)
	}
	return nil
}

// divided is a picture and where it goes.
type divided struct {
	sample dataset.Sample
	class  string
	hash   string // SHA-256 of the file
	mask   string // of its mask's pixels; "" without an object
	split  string
	file   string // below images and masks, without the mask's suffix
}

// Make writes the pictures to out: images/SPLIT/CLASS/NNNN as they are, masks likewise, metadata.csv with what each is made of, and study.json.
// A folder that has the same set already is left as it is; one that has another, or other files, is refused.
func (s Split) Make(ctx context.Context, out string, meter *progress.Meter) (d Divided, err error) {
	if err := s.Validate(); err != nil {
		return d, err
	}
	if target, err := filepath.EvalSymlinks(out); err == nil {
		out = target
	}
	d = Divided{SplitOptions: s.SplitOptions, Splits: map[string]DividedPart{}}
	list, err := s.read(ctx, &d)
	if err != nil {
		return d, err
	}
	table := tableOf(list)
	sum := sha256.Sum256([]byte(table))
	d.Digest = hex.EncodeToString(sum[:])
	text, err := os.ReadFile(filepath.Join(out, studyFile))
	switch {
	case err == nil:
		var was Divided
		if err := json.Unmarshal(text, &was); err != nil || was.Digest != d.Digest {
			return d, errors.Join(err, fmt.Errorf("%s holds another set: give another --out", out))
		}
		return was, nil
	case !errors.Is(err, fs.ErrNotExist):
		return d, err
	}
	if files, err := os.ReadDir(out); err == nil && len(files) > 0 {
		return d, fmt.Errorf("%s holds other files: give a new or an empty folder with --out", out)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return d, err
	}
	made, err := os.MkdirTemp(filepath.Dir(out), ".studio-split-") // a run that is cut off leaves no half set
	if err != nil {
		return d, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(made))
		}
	}()
	for i, one := range list {
		if err := s.write(ctx, made, one); err != nil {
			return d, fmt.Errorf("%s: %w", one.sample.Name, err)
		}
		meter.Advance(progress.Composing, i+1)
	}
	if text, err = json.MarshalIndent(d, "", "  "); err != nil {
		return d, err
	}
	for name, text := range map[string]string{"metadata.csv": table, "images/metadata.csv": groupsOf(list), studyFile: string(text) + "\n"} {
		if err := durable.WriteFile(filepath.Join(made, filepath.FromSlash(name)), []byte(text)); err != nil {
			return d, err
		}
	}
	if err := os.Chmod(made, 0o755); err != nil {
		return d, err
	}
	if err := os.Remove(out); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	return d, os.Rename(made, out)
}

// tableOf says of every picture where it goes, what it is made of and where its object is.
func tableOf(list []divided) string {
	var rows strings.Builder
	table := text.NewCSV(&rows)
	_ = table.Write([]string{"file", "class", "split", "source", "sha256", "mask_sha256", "group", "cluster"})
	for _, one := range list {
		_ = table.Write([]string{one.file, one.class, one.split, one.sample.Name, one.hash, one.mask, one.sample.Group, one.sample.Cluster})
	}
	table.Flush()
	return rows.String()
}

// groupsOf is what the pictures' folder says of classes, whose names need not be names of folders, of groups and of clusters.
func groupsOf(list []divided) string {
	var rows strings.Builder
	table := text.NewCSV(&rows)
	_ = table.Write([]string{dataset.ColumnFile, dataset.ColumnClass, dataset.ColumnSplit, dataset.ColumnGroup, dataset.ColumnCluster})
	for _, one := range list {
		_ = table.Write([]string{one.file, one.class, one.split, one.sample.Group, one.sample.Cluster})
	}
	table.Flush()
	return rows.String()
}

// read looks at every picture and says where it goes, in the order of splits, classes and numbers.
func (s Split) read(ctx context.Context, d *Divided) (list []divided, err error) {
	if err := s.checkJoin(); err != nil {
		return nil, err
	}
	twice, masks, masked := map[string]bool{}, samples.View{Masks: s.Masks}, 0
	var named []dataset.Sample
	for _, one := range s.Images.All() {
		named = append(named, one)
	}
	slices.SortFunc(named, func(a, b dataset.Sample) int { return strings.Compare(a.Name, b.Name) })
	for _, one := range named {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		class := s.joined(one.Class)
		if class == "" {
			continue
		}
		data, err := os.ReadFile(one.Path)
		if err != nil {
			d.Broken = append(d.Broken, one.Name+": "+err.Error())
			continue
		}
		sum := sha256.Sum256(data)
		hash := hex.EncodeToString(sum[:])
		if twice[hash] {
			d.Twice++
			continue
		}
		twice[hash] = true
		one = masks.Masked(one)
		mask, err := s.maskOf(ctx, one)
		if err != nil {
			return nil, fmt.Errorf("the mask of %s: %w", one.Name, err)
		}
		if mask != "" {
			masked++
		}
		list = append(list, divided{sample: one, class: class, hash: hash, mask: mask})
	}
	byClass := func(a, b divided) int { return strings.Compare(a.class, b.class) }
	slices.SortStableFunc(list, byClass)
	for _, one := range slices.CompactFunc(slices.Clone(list), func(a, b divided) bool { return a.class == b.class }) {
		d.Classes = append(d.Classes, one.class)
	}
	if len(d.Classes) < 2 {
		return nil, fmt.Errorf("%s has labelled pictures of %d classes: a network tells at least two apart", s.Images.Dir, len(d.Classes))
	}
	if masked == 0 {
		return nil, fmt.Errorf("%s has no masks: edits are made of them. Name a folder of masks, named after the pictures, with --masks", s.Images.Dir)
	}
	s.deal(list, float64(masked) < fewMasks*float64(len(list)))
	for _, split := range []string{dataset.Train, dataset.Pool, dataset.Test} {
		if !slices.ContainsFunc(list, func(one divided) bool { return one.split == split }) {
			return nil, fmt.Errorf("no picture is left for the %s: there are %d, in %d clusters and pictures of their own", split, len(list), len(unitsOf(list)))
		}
	}
	slices.SortStableFunc(list, func(a, b divided) int {
		return cmp.Or(slices.Index(DividedSplits, a.split)-slices.Index(DividedSplits, b.split), byClass(a, b))
	})
	numbers := map[string]int{}
	for i := range list {
		folder := path.Join(list[i].split, folderOf(list[i].class, d.Classes))
		list[i].file = fmt.Sprintf("%s/%04d%s", folder, numbers[folder], strings.ToLower(path.Ext(list[i].sample.Name)))
		numbers[folder]++
		part := d.Splits[list[i].split]
		part.Images++
		if list[i].mask != "" {
			part.Masked++
		}
		d.Splits[list[i].split] = part
	}
	return list, nil
}

// checkJoin refuses classes that are not there, and one that two are made of.
func (s Split) checkJoin() error {
	in := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.Join)) {
		for _, class := range s.Join[name] {
			if !slices.Contains(s.Images.Classes, class) {
				return fmt.Errorf("--join: %s is made of %q, and no picture is of that class: there are %s", name, class, strings.Join(s.Images.Classes, ", "))
			}
			if in[class] != "" {
				return fmt.Errorf("--join: %s and %s are both made of %s", in[class], name, class)
			}
			in[class] = name
		}
	}
	return nil
}

// folderOf is the name of a class's folder: its own, where that is one on every system, else its number among the classes.
func folderOf(class string, classes []string) string {
	plain := strings.IndexFunc(class, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" ._-", r)
	}) < 0
	if plain && !strings.HasPrefix(class, ".") && strings.TrimSpace(class) == class && !strings.HasSuffix(class, ".") {
		return class
	}
	return fmt.Sprintf("class-%04d", slices.Index(classes, class))
}

// joined is the class that a picture of a class gets; "" for none.
func (s Split) joined(class string) string {
	if s.Join == nil {
		return class
	}
	for name, classes := range s.Join {
		if slices.Contains(classes, class) {
			return name
		}
	}
	return ""
}

// maskOf is the hash of a picture's mask; "" where it shows no object.
func (s Split) maskOf(ctx context.Context, one dataset.Sample) (hash string, err error) {
	if !s.Images.HasMask(one) {
		return "", nil
	}
	err = s.Images.ObjectMask(ctx, one, func(mask *image.Gray) error {
		sum := sha256.Sum256(mask.Pix)
		hash = hex.EncodeToString(sum[:])
		return nil
	})
	if errors.Is(err, dataset.ErrNoObject) {
		return "", nil
	}
	return hash, err
}

// write copies a picture, and its mask where it shows an object.
func (s Split) write(ctx context.Context, out string, one divided) error {
	data, err := os.ReadFile(one.sample.Path)
	if err != nil {
		return err
	}
	if err := writeBelow(filepath.Join(out, "images", filepath.FromSlash(one.file)), func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil {
		return err
	}
	if one.mask == "" {
		return nil
	}
	to := filepath.Join(out, "masks", filepath.FromSlash(strings.TrimSuffix(one.file, path.Ext(one.file))+".png"))
	return s.Images.ObjectMask(ctx, one.sample, func(mask *image.Gray) error {
		return writeBelow(to, func(w io.Writer) error { return png.Encode(w, mask) })
	})
}

// writeBelow writes a file and the folders above it.
func writeBelow(name string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
