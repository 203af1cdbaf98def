package dataset

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"os"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/internal/text"
)

// cubMasks are the folders in which the layout, or those who added to it, keep masks as pictures.
// The original annotations-mat holds MATLAB files and is not read.
var cubMasks = []string{"pseudomasks", "masks", "segmentations"}

// readCUB reads the layout of Caltech-UCSD Birds 200 (2010): images/NNN.Name/*.jpg, lists/train.txt
// and lists/test.txt with one path below images/ a line. The class is the folder's name. A mask is
// a grey picture of the same name; one that is empty (all black) counts as unknown.
func (d *Dataset) readCUB() error {
	if !d.isDir("images") {
		return fmt.Errorf("%w: no folder images/ (with images/NNN.Name/*.jpg)", ErrLayout)
	}
	splitOf := map[string]string{}
	for _, list := range []struct{ file, split string }{
		{"lists/train.txt", Train}, {"lists/test.txt", Test}, {"lists/validation.txt", Validation}, {"lists/pool.txt", Pool},
	} {
		if err := d.readList(list.file, list.split, splitOf); err != nil {
			return err
		}
	}
	classes, err := d.entries("images")
	if err != nil {
		return err
	}
	for _, entry := range classes {
		below := path.Join("images", entry.Name())
		if !entry.IsDir() {
			d.skip(below, "in no class folder")
			continue
		}
		err := d.walk(below, func(name string) {
			listed := strings.TrimPrefix(name, "images/")
			split := splitOf[listed]
			if split == "" && len(splitOf) > 0 {
				d.skip(name, "in none of the lists")
			} else {
				d.add(name, split, entry.Name())
			}
			delete(splitOf, listed)
		})
		if err != nil {
			return err
		}
	}
	skipped := map[string]bool{}
	for _, p := range d.Skipped {
		skipped[p.Path] = true
	}
	for listed, split := range splitOf {
		if name := path.Join("images", listed); !skipped[name] {
			d.miss(name, "named in the %s list", split)
		}
	}
	return d.addCUBMasks()
}

func (d *Dataset) readList(file, split string, splitOf map[string]string) error {
	if !d.isRegular(file) {
		return nil
	}
	f, err := os.Open(d.file(file))
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for number := 1; lines.Scan(); number++ {
		listed := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if listed == "" {
			continue
		}
		if !text.Valid(listed) {
			return fmt.Errorf("%w: line %d of %s %s: save the list as UTF-8", ErrLayout, number, file, text.Problem)
		}
		name, ok := localName(listed)
		if !ok {
			d.skip(listed, "line %d of %s leads out of the data set's folder", number, file)
			continue
		}
		if other := splitOf[name]; other != "" && other != split {
			return fmt.Errorf("%w: %s is in the %s list and in the %s list: remove it from one", ErrLayout, name, other, split)
		}
		splitOf[name] = split
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	return nil
}

func (d *Dataset) addCUBMasks() error {
	var folder string
	for _, name := range cubMasks {
		if d.isDir(name) {
			folder = name
			break
		}
	}
	if folder == "" {
		return nil
	}
	reasons := make([]string, len(d.Samples))
	names := make([]string, len(d.Samples))
	var group errgroup.Group
	group.SetLimit(4) // decoding is cheap; a few at once hide the disk
	for i := range d.Samples {
		s := &d.Samples[i]
		stem := strings.TrimPrefix(strings.TrimSuffix(s.Name, path.Ext(s.Name)), "images/")
		names[i] = path.Join(folder, stem+".png")
		if !d.isRegular(names[i]) {
			continue // unknown
		}
		group.Go(func() error {
			empty := false
			err := Mask(context.Background(), d.file(names[i]), func(mask *image.Gray) error {
				empty = isBlack(mask)
				return nil
			})
			switch {
			case err != nil:
				reasons[i] = bare(err)
			case empty:
				reasons[i] = "the mask is empty: taken as unknown"
			default:
				s.Mask = d.file(names[i])
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, reason := range reasons {
		if reason != "" {
			d.Notes = append(d.Notes, Problem{Path: names[i], Reason: reason})
		}
	}
	return nil
}
