package study

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/progress"
	"github.com/abn-studio/studio/internal/random"
	"github.com/abn-studio/studio/internal/samples"
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

// fewMasks is the share of pictures with a mask below which those are divided by themselves: poolOfMasked of them go to the pool, where
// edits are made of them, the others to the test, where maps are measured by them.
const (
	fewMasks     = 0.5
	poolOfMasked = 2. / 3
)

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

// dividedSplits are the splits in the order in which they are filled.
var dividedSplits = []string{dataset.Train, dataset.Validation, dataset.Pool, dataset.Test}

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
	split  string
	file   string // below images and masks, without the mask's suffix
}

// Make writes the pictures to out: images/SPLIT/CLASS/NNNN as they are, masks likewise, metadata.csv with what each is made of, and study.json.
// A folder that has the same set already is left as it is; one that has another is refused.
func (s Split) Make(ctx context.Context, out string, meter *progress.Meter) (d Divided, err error) {
	if err := s.Validate(); err != nil {
		return d, err
	}
	about := filepath.Join(out, studyFile)
	text, err := os.ReadFile(about)
	switch {
	case err == nil:
		if err := json.Unmarshal(text, &d); err != nil {
			return d, fmt.Errorf("%s: %w", about, err)
		}
		was, _ := json.Marshal(d.SplitOptions)
		if is, _ := json.Marshal(s.SplitOptions); string(was) != string(is) {
			return d, fmt.Errorf("%s holds another set: give another --out", out)
		}
		return d, nil
	case !errors.Is(err, fs.ErrNotExist):
		return d, err
	}
	if files, err := os.ReadDir(out); err == nil && len(files) > 0 {
		return d, fmt.Errorf("%s holds other files: give a new or an empty folder with --out", out)
	}
	made := filepath.Clean(out) + ".part" // a run that is cut off leaves no half set
	if err := os.RemoveAll(made); err != nil {
		return d, err
	}
	if err := os.MkdirAll(made, 0o755); err != nil {
		return d, err
	}
	d = Divided{SplitOptions: s.SplitOptions, Splits: map[string]DividedPart{}}
	list, err := s.read(ctx, &d)
	if err != nil {
		return d, err
	}
	var rows strings.Builder
	table := csv.NewWriter(&rows)
	_ = table.Write([]string{"file", "class", "split", "source", "sha256", "cluster"})
	for i, one := range list {
		masked, err := s.write(ctx, made, one)
		if err != nil {
			return d, fmt.Errorf("%s: %w", one.sample.Name, err)
		}
		part := d.Splits[one.split]
		part.Images++
		if masked {
			part.Masked++
		}
		d.Splits[one.split] = part
		_ = table.Write([]string{one.file, one.class, one.split, one.sample.Name, one.hash, one.sample.Cluster})
		meter.Advance(progress.Composing, i+1)
	}
	table.Flush()
	for name, text := range map[string]string{"metadata.csv": rows.String(), "images/metadata.csv": groupsOf(list)} {
		if err := durable.WriteFile(filepath.Join(made, filepath.FromSlash(name)), []byte(text)); err != nil {
			return d, err
		}
	}
	sum := sha256.Sum256([]byte(rows.String()))
	d.Digest = hex.EncodeToString(sum[:])
	if text, err = json.MarshalIndent(d, "", "  "); err != nil {
		return d, err
	}
	if err := durable.WriteFile(filepath.Join(made, studyFile), append(text, '\n')); err != nil {
		return d, err
	}
	if err := os.Remove(out); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	return d, os.Rename(made, out)
}

// groupsOf is what the pictures' folder says of groups and clusters.
func groupsOf(list []divided) string {
	var text strings.Builder
	table := csv.NewWriter(&text)
	_ = table.Write([]string{"file", dataset.ColumnGroup, dataset.ColumnCluster})
	for _, one := range list {
		_ = table.Write([]string{one.file, one.sample.Group, one.sample.Cluster})
	}
	table.Flush()
	return text.String()
}

// read looks at every picture and says where it goes, in the order of splits, classes and numbers.
func (s Split) read(ctx context.Context, d *Divided) (list []divided, err error) {
	if err := s.checkJoin(); err != nil {
		return nil, err
	}
	of, twice := map[string][]divided{}, map[string]bool{}
	masks, all := samples.View{Masks: s.Masks}, 0
	masked := 0
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
		all++
		if s.Images.HasMask(one) {
			masked++
		}
		of[class] = append(of[class], divided{sample: one, class: class, hash: hash})
	}
	for class := range of {
		d.Classes = append(d.Classes, class)
	}
	slices.Sort(d.Classes)
	if len(of) < 2 {
		return nil, fmt.Errorf("%s has labelled pictures of %d classes: a network tells at least two apart", s.Images.Dir, len(of))
	}
	if masked == 0 {
		return nil, fmt.Errorf("%s has no masks: edits are made of them. Name a folder of masks, named after the pictures, with --masks", s.Images.Dir)
	}
	few := float64(masked) < fewMasks*float64(all)
	for _, class := range d.Classes {
		one := of[class]
		random.New(s.Seed, "divide", class).Shuffle(len(one), func(i, j int) { one[i], one[j] = one[j], one[i] })
		s.deal(one, few)
		list = append(list, one...)
	}
	whole := map[string]string{} // the split of a cluster: that of its first picture
	for i, one := range list {
		cluster := one.sample.Cluster
		if first, known := whole[cluster]; known {
			list[i].split = first
		} else if cluster != "" {
			whole[cluster] = one.split
		}
	}
	slices.SortStableFunc(list, func(a, b divided) int {
		return cmp.Or(slices.Index(dividedSplits, a.split)-slices.Index(dividedSplits, b.split), strings.Compare(a.class, b.class))
	})
	count := map[string]int{}
	for i := range list {
		folder := path.Join(list[i].split, list[i].class)
		list[i].file = fmt.Sprintf("%s/%04d%s", folder, count[folder], strings.ToLower(path.Ext(list[i].sample.Name)))
		count[folder]++
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

// deal gives a class's pictures, in a random order, their splits.
func (s Split) deal(list []divided, few bool) {
	var rest []int
	if few {
		var masked []int
		for i := range list {
			if s.Images.HasMask(list[i].sample) {
				masked = append(masked, i)
			} else {
				rest = append(rest, i)
			}
		}
		pool := int(math.Ceil(poolOfMasked * float64(len(masked))))
		for n, i := range masked {
			list[i].split = dataset.Test
			if n < pool {
				list[i].split = dataset.Pool
			}
		}
	} else {
		for i := range list {
			rest = append(rest, i)
		}
	}
	shares := []float64{s.Train, s.Validation, s.Pool}
	if few { // the pool has its pictures: its share is divided like the others
		for i := range shares {
			shares[i] /= 1 - s.Pool
		}
		shares[2] = 0
	}
	at := 0
	for n, share := range shares {
		for range int(math.Round(share * float64(len(rest)))) {
			if at < len(rest) {
				list[rest[at]].split = dividedSplits[n]
				at++
			}
		}
	}
	for ; at < len(rest); at++ {
		list[rest[at]].split = dataset.Test
	}
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

// write copies a picture and writes its mask, if it shows an object.
func (s Split) write(ctx context.Context, out string, one divided) (masked bool, err error) {
	data, err := os.ReadFile(one.sample.Path)
	if err != nil {
		return false, err
	}
	if err := writeBelow(filepath.Join(out, "images", filepath.FromSlash(one.file)), func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil {
		return false, err
	}
	if !s.Images.HasMask(one.sample) {
		return false, nil
	}
	to := filepath.Join(out, "masks", filepath.FromSlash(strings.TrimSuffix(one.file, path.Ext(one.file))+".png"))
	err = s.Images.ObjectMask(ctx, one.sample, func(mask *image.Gray) error {
		return writeBelow(to, func(w io.Writer) error { return png.Encode(w, mask) })
	})
	if errors.Is(err, dataset.ErrNoObject) {
		return false, nil
	}
	return err == nil, err
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
