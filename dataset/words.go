package dataset

import (
	"hash/maphash"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// splitWords are the words for splits. In a name they may be alone or beside fillers.
var splitWords = map[string]string{
	"train": Train, "training": Train, "trainval": Train, "trainset": Train, "traindata": Train,
	"val": Validation, "valid": Validation, "validation": Validation, "validate": Validation, "dev": Validation, "development": Validation,
	"eval": Validation, "evaluation": Validation, "valset": Validation, "validset": Validation, "devset": Validation,
	"test": Test, "testing": Test, "testset": Test, "testdata": Test,
	"pool": Pool, "poolset": Pool,
}

// fillers are words without meaning that may be beside a split's word in the name of a folder or table.
var fillers = []string{
	"set", "sets", "image", "images", "imgs", "img", "data", "dataset", "split", "folder", "folders", "pictures", "photos", "files",
	"seg", "list", "labels", "label", "annotations", "metadata", "classes", "ground", "truth", "groundtruth", "gt", "a", "b", "c",
	"instances", "annotation", "coco", "ilsvrc",
}

// SplitName reads the word for a split in the name of a folder or table. It ignores case, years, numbers and words such as "set" or
// "images": "val" and "dev" are Validation, "training_set", "Train2012" and "trainval" Train, "test_images" Test. ok is false for any
// other word.
func SplitName(word string) (split string, ok bool) {
	parts := strings.FieldsFunc(strings.ToLower(word), func(r rune) bool { return strings.ContainsRune("_-. 0123456789()", r) })
	for _, part := range parts {
		s := splitWords[part]
		switch {
		case s == "" && !slices.Contains(fillers, part):
			return "", false
		case s != "" && split != "" && s != split && (split != Train || s != Validation): // "train_val" is trained on
			return "", false
		case s != "" && split == "":
			split = s
		}
	}
	return split, split != ""
}

// splitWord reads a word for a split by Options.Splits, or else by SplitName.
func (d *Dataset) splitWord(word string) (string, bool) {
	for said, split := range d.options.Splits {
		if strings.EqualFold(strings.TrimSpace(said), strings.TrimSpace(word)) {
			return SplitName(split)
		}
	}
	return SplitName(word)
}

// containers are names of folders that hold a data set's parts, and are never classes.
var containers = []string{
	"images", "image", "imgs", "img", "data", "pictures", "photos", "jpegimages", "jpegs", "files", "input", "inputs", "raw",
	"dataset", "archive", "download", "original images", "picture",
}

// maskWords are words that say that a folder or a file holds masks; false: a folder of this name may be something else too.
var maskWords = map[string]bool{
	"mask": true, "masks": true, "segmentation": true, "segmentations": true, "segmentationclass": true, "groundtruth": true, "groundtruths": true,
	"pseudomask": true, "pseudomasks": true,
	"seg": false, "segs": false, "gt": false, "gts": false, "trimap": false, "trimaps": false, "silhouette": false, "silhouettes": false, "matte": false,
	"mattes": false, "annotation": false, "annotations": false, "label": false, "labels": false,
}

// maskFillers are words without meaning beside a mask's word in the name of a folder.
var maskFillers = []string{"images", "image", "imgs", "img", "pngs", "png", "files", "object", "objects", "binary", "semantic", "data"}

var groundTruthWords = regexp.MustCompile(`(?i)ground[ _-]truth`)

// maskName reads the name of a folder as one of masks. whose is the rest of it, "" where it says no more than that; sure is false where
// the name alone does not tell.
func maskName(name string) (whose string, sure, ok bool) {
	var rest []string
	for _, word := range nameWords(groundTruthWords.ReplaceAllString(name, "groundtruth")) {
		if certain, is := maskWords[word]; is {
			ok, sure = true, sure || certain
		} else {
			rest = append(rest, word)
		}
	}
	return strings.Join(rest, "_"), sure, ok
}

// nameWords are the words of a folder's name in lower case, without maskFillers.
func nameWords(name string) []string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return slices.DeleteFunc(words, func(word string) bool { return slices.Contains(maskFillers, word) })
}

// maskEnd matches a file's name, without its suffix, that ends as those of masks do: 1_mask, 1-seg, "1 (mask)", 1_mask_2.
var maskEnd = regexp.MustCompile(`(?i)^(.+?)[ _.(-]+(?:(?:masks?|seg|segmentations?|gt|groundtruth|ground[ _-]truth|annotations?|labels?|labelids|trimaps?|mattes?|silhouettes?)[ _.)-]*)+(?:[ _.(-]?[0-9]{1,3}\)?)?$`)

// numberEnd matches one that ends in a small number: 1_2.
var numberEnd = regexp.MustCompile(`^(.+?)[ _.(-]+[0-9]{1,2}\)?$`)

// companions are names of folders beside the pictures that hold information about them.
var companions = []string{
	"annotations", "annotation", "labels", "segmentationobject", "bounding_boxes", "bboxes", "boxes", "imagesets",
	"annotations-mat", "metadata", "meta", "lists", "splits", "parts", "attributes", "saliency", "depth",
}

func isContainer(name string) bool { return slices.Contains(containers, strings.ToLower(name)) }
func isCompanion(name string) bool {
	return slices.Contains(companions, strings.ToLower(name)) || isMaskFolder(name)
}

// isMaskFolder reports whether a name says, and says no more than, that a folder holds masks.
func isMaskFolder(name string) bool {
	whose, sure, ok := maskName(name)
	return ok && sure && whose == ""
}

// Columns of a table, as Options.Columns names them.
const (
	ColumnFile  = "file"
	ColumnClass = "class"
	ColumnSplit = "split"
	ColumnGroup = "group"
	ColumnMask  = "mask"
)

// usualColumns are the names under which each column is found, the most telling first; with "_" for spaces and hyphens.
var usualColumns = []usualColumn{
	{ColumnFile, []string{
		"file", "file_name", "filename", "image_path", "img_path", "filepath", "file_path", "path", "image_file", "image_filename", "img_filename",
		"imagename", "image_name", "img_name", "image", "img", "picture", "photo", "image_index", "image_id", "imageid", "img_id", "id",
	}},
	{ColumnClass, []string{
		"class_name", "classname", "label_name", "labelname", "class", "label", "category", "category_name", "species", "breed", "diagnosis", "target",
		"labels", "classes", "tag", "ground_truth", "y", "class_label", "class_id", "label_id", "category_id", "target_class", "wnid", "choice", "finding_labels",
	}},
	{ColumnSplit, []string{"split", "subset", "set", "partition", "phase", "data_split", "dataset_split", "split_name", "usage", "fold", "is_train", "is_training", "is_training_image"}},
	{ColumnGroup, []string{"group", "subgroup", "group_name", "background", "place", "domain"}},
	{ColumnMask, []string{"mask", "mask_path", "mask_file", "mask_filename", "mask_name", "segmentation", "segmentation_path", "segmentation_file", "seg", "seg_path"}},
}

type usualColumn struct {
	column string
	names  []string
}

// columnKey returns a column's name in the form in which names are compared.
func columnKey(name string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(name)))
}

// nameSet is a set of names, kept as hashes of 64 bits so that a million take a few megabytes.
type nameSet map[uint64]struct{}

var nameSeed = maphash.MakeSeed()

func (n nameSet) has(name string) bool {
	_, ok := n[maphash.String(nameSeed, name)]
	return ok
}

func (n nameSet) add(name string) { n[maphash.String(nameSeed, name)] = struct{}{} }
