package dataset

import (
	"io/fs"
	"path"
	"strings"
)

// readFolder reads an image folder: split/class/image where a folder of the root is named like a
// split and holds folders itself, else class/image; a root that holds pictures and no folder of them
// is a set of unlabelled images. Below a class pictures are found to any depth, as torchvision's
// ImageFolder finds them. metadata.csv at the root adds groups and masks.
func (d *Dataset) readFolder() error {
	list, err := d.entries("")
	if err != nil {
		return err
	}
	masks := d.maskFolders()
	splits := false
	for _, entry := range list {
		if _, ok := SplitName(entry.Name()); ok && entry.IsDir() && d.holdsFolder(entry.Name()) {
			splits = true
		}
	}
	var strays []fs.DirEntry // pictures beside the folders
	for _, entry := range list {
		name := entry.Name()
		split, isSplit := SplitName(name)
		switch {
		case !entry.IsDir():
			if !d.isAbout(name) {
				strays = append(strays, entry)
			}
		case masks[name]: // named by metadata.csv as where masks are
		case splits && isSplit:
			err = d.readClasses(name, split)
		case splits:
			d.skip(name, "not a split: want train, val, validation, test or pool")
		default:
			err = d.readClass(name, "", name)
		}
		if err != nil {
			return err
		}
	}
	unlabelled := len(d.Samples) == 0 && !splits
	for _, entry := range strays {
		reason := checkPicture(d.file(entry.Name()))
		switch {
		case reason != "":
			d.skip(entry.Name(), "%s", reason)
		case unlabelled:
			d.add(entry.Name(), "", "")
		default:
			d.skip(entry.Name(), "in no class folder")
		}
	}
	return d.applyMetadata()
}

// readClasses reads split/class/image.
func (d *Dataset) readClasses(below, split string) error {
	list, err := d.entries(below)
	if err != nil {
		return err
	}
	for _, entry := range list {
		name := path.Join(below, entry.Name())
		if entry.IsDir() {
			if err := d.readClass(name, split, entry.Name()); err != nil {
				return err
			}
			continue
		}
		reason := checkPicture(d.file(name))
		if reason == "" {
			reason = "in no class folder"
		}
		d.skip(name, "%s", reason)
	}
	return nil
}

func (d *Dataset) readClass(below, split, class string) error {
	before := len(d.Samples)
	err := d.walk(below, func(name string) { d.add(name, split, class) })
	if err == nil && len(d.Samples) == before {
		d.skip(below, "a class folder without a usable picture")
	}
	return err
}

func (d *Dataset) add(name, split, class string) {
	d.Samples = append(d.Samples, Sample{Name: name, Path: d.file(name), Split: split, Class: class})
}

// holdsFolder reports whether a folder of the root has a folder in it that counts.
func (d *Dataset) holdsFolder(name string) bool {
	list, err := d.entriesQuietly(name)
	if err != nil {
		return false
	}
	for _, entry := range list {
		if entry.IsDir() && passOver(entry) == "" {
			return true
		}
	}
	return false
}

// isAbout reports whether a file at the root describes the data set rather than being part of it.
func (d *Dataset) isAbout(name string) bool {
	stem := strings.ToLower(strings.TrimSuffix(name, path.Ext(name)))
	return name == MetadataFile || stem == "readme" || stem == "license" || stem == "licence" || strings.HasPrefix(stem, "license")
}

// maskFolders lists the folders of the root in which metadata.csv places masks. A table that cannot
// be read is reported by applyMetadata.
func (d *Dataset) maskFolders() map[string]bool {
	out := map[string]bool{}
	if !d.isRegular(MetadataFile) {
		return out
	}
	t, err := openTable(d.file(MetadataFile))
	if err != nil || t.column("mask") == "" {
		return out
	}
	file := t.column("file", "file_name", "filename", "image", "path")
	for _, row := range t.rows {
		if name, ok := localName(row["mask"]); ok && row["mask"] != "" {
			folder, _, below := strings.Cut(name, "/")
			image, _ := localName(row[file])
			if holder, _, _ := strings.Cut(image, "/"); below && holder != folder {
				out[folder] = true
			}
		}
	}
	return out
}
