package dataset

import (
	"context"
	"fmt"
	"image"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/internal/text"
)

// cubMasks are the folders that may hold masks as pictures. Some are the layout's own, others were added by users.
var cubMasks = []string{"pseudomasks", "masks", "segmentations"}

// readCUB reads Caltech-UCSD Birds 200: the layout of 2011 if there is an images.txt, else that of 2010.
func (d *Dataset) readCUB() error {
	if d.isRegular("images.txt") {
		return d.readCUB2011()
	}
	return d.readCUB2010()
}

// fitsCUB tells the layouts of 2010 and 2011 by their lists.
func (d *Dataset) fitsCUB() string {
	if !d.isDir("images") {
		return ""
	}
	var found []string
	for _, name := range []string{"images.txt", "train_test_split.txt", "image_class_labels.txt"} {
		if d.isRegular(name) {
			found = append(found, name)
		}
	}
	if len(found) >= 2 && found[0] == "images.txt" {
		return "CUB-200-2011: " + found[0] + " and " + found[1]
	}
	lists := d.isRegular("lists/train.txt") || d.isRegular("lists/test.txt")
	switch {
	case lists:
		return "CUB-200-2010: images/ and lists/"
	case d.isDir(matFolder):
		return "CUB-200-2010: images/ and " + matFolder + "/"
	}
	return ""
}

// readCUB2010 reads the layout of 2010: images/NNN.Name/*.jpg, lists/train.txt and lists/test.txt with one path below images/ a
// line. The class is the folder's name. A mask is a grey picture of the same name, and one that is empty (all black) counts as
// unknown; else the segmentation and the box of annotations-mat.
func (d *Dataset) readCUB2010() error {
	if !d.isDir("images") {
		for _, up := range []string{"images.txt", "lists"} {
			if _, err := os.Stat(filepath.Join(d.Dir, "..", up)); err == nil {
				return fmt.Errorf("%w: no folder images/ in it, and %s stands beside it: point at the folder above", ErrLayout, up)
			}
		}
		return fmt.Errorf("%w: no folder images/ (with images/NNN.Name/*.jpg)", ErrLayout)
	}
	if d.isRegular("train_test_split.txt") {
		return fmt.Errorf("%w: train_test_split.txt (of CUB-200-2011) cannot be read without images.txt: put it beside it", ErrLayout)
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
			listed := text.NFC(strings.TrimPrefix(name, "images/"))
			split := splitOf[listed]
			if split == "" && len(splitOf) > 0 {
				d.skip(name, "in none of the lists")
			} else {
				d.add(name, Sample{Split: split, Class: entry.Name()})
			}
			delete(splitOf, listed)
		})
		if err != nil {
			return err
		}
	}
	if d.Len() > 0 && len(d.Split("")) == d.Len() {
		d.note("lists", "no lists/train.txt and lists/test.txt: the images have no split")
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
	return d.lines(file, func(number int, line string) error {
		name, ok := localName(line)
		if !ok {
			d.skip(line, "line %d of %s leads out of the data set's folder", number, file)
			return nil
		}
		if other := splitOf[name]; other != "" && other != split {
			return fmt.Errorf("%w: %s is in the %s list and in the %s list: remove it from one", ErrLayout, name, other, split)
		}
		splitOf[name] = split
		return nil
	})
}

// matFolder is where CUB-200-2010 keeps a MATLAB file for each image, with a box and a segmentation.
const matFolder = "annotations-mat"

// addCUBMasks looks for each image's mask under the image's own name in a folder of masks or of MATLAB files.
func (d *Dataset) addCUBMasks() error {
	folder := d.maskFolder()
	mat := d.isDir(matFolder)
	if folder == "" && !mat {
		return nil
	}
	reasons := make([]string, d.Len())
	names := make([]string, d.Len())
	var group errgroup.Group
	group.SetLimit(4) // decoding is cheap; several at once hide the wait for the disk
	masks := make([]string, d.Len())
	for i, s := range d.All() {
		stem := strings.TrimPrefix(strings.TrimSuffix(s.Name, path.Ext(s.Name)), "images/")
		names[i] = d.locate(path.Join(folder, stem+".png"))
		if folder == "" || !d.isRegular(names[i]) {
			if names[i] = d.locate(path.Join(matFolder, stem+".mat")); mat && d.isRegular(names[i]) {
				group.Go(func() error {
					if _, err := readBirdFile(d.file(names[i])); err != nil {
						reasons[i] = "not read, the mask is unknown: " + bare(err)
					} else {
						masks[i] = d.file(names[i])
					}
					return nil
				})
			}
			continue // unknown
		}
		group.Go(func() error {
			empty := false
			err := Mask(context.Background(), d.file(names[i]), d.options.Mask, func(mask *image.Gray) error {
				empty = isBlack(mask)
				return nil
			})
			switch {
			case err != nil:
				reasons[i] = bare(err)
			case empty:
				reasons[i] = "the mask is empty: taken as unknown"
			default:
				masks[i] = d.file(names[i])
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, reason := range reasons {
		if masks[i] != "" {
			d.samples.mask(i, masks[i])
		}
		if reason != "" {
			d.note(names[i], "%s", reason)
		}
	}
	return nil
}

// maskFolder returns the folder of masks beside images/, "" for none.
func (d *Dataset) maskFolder() string {
	for _, name := range cubMasks {
		if d.isDir(name) {
			return name
		}
	}
	return ""
}
