package dataset

import (
	"hash/maphash"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/abn-studio/studio/internal/text"
)

// splitWords are the words for splits. In a name they may be alone or beside fillers.
var splitWords = map[string]string{
	"train": Train, "training": Train, "trainval": Train, "trainset": Train, "traindata": Train,
	"val": Validation, "valid": Validation, "validation": Validation, "validate": Validation, "dev": Validation, "development": Validation,
	"eval": Validation, "evaluation": Validation, "valset": Validation, "validset": Validation, "devset": Validation,
	"test": Test, "testing": Test, "testset": Test, "testdata": Test,
	"pool": Pool, "poolset": Pool,
	// German, French, Spanish, Portuguese, Italian, Chinese, Japanese
	"trainingsdaten": Train, "validierung": Validation, "validierungsdaten": Validation, "testdaten": Test,
	"entrainement": Train, "entraînement": Train, "apprentissage": Train,
	"entrenamiento": Train, "validación": Validation, "validacion": Validation, "prueba": Test, "pruebas": Test,
	"treino": Train, "treinamento": Train, "validação": Validation, "validacao": Validation, "teste": Test,
	"addestramento": Train, "convalida": Validation,
	"训练": Train, "训练集": Train, "验证": Validation, "验证集": Validation, "测试": Test, "测试集": Test,
	"訓練": Train, "学習": Train, "検証": Validation, "テスト": Test,
}

// fillers are words without meaning that may be beside a split's word in the name of a folder or table.
var fillers = []string{
	"set", "sets", "image", "images", "imgs", "img", "data", "dataset", "split", "folder", "folders", "pictures", "photos", "files",
	"seg", "list", "labels", "label", "annotations", "metadata", "classes", "ground", "truth", "groundtruth", "gt", "a", "b", "c",
	"instances", "annotation", "coco", "ilsvrc",
}

// SplitName reads the word for a split in the name of a folder or table. It ignores case, years, numbers and words such as "set" or
// "images": "val" and "dev" are Validation, "training_set", "Train2012", "trainLabels" and "trainval" Train, "test_images" Test. ok is false for any
// other word.
func SplitName(word string) (split string, ok bool) {
	for _, part := range words(word) {
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

// humps matches where a word begins inside another: trainLabels.
var humps = regexp.MustCompile(`(\p{Ll})(\p{Lu})`)

// words are the words of a name, in lower case, without years and numbers.
func words(name string) []string {
	return strings.FieldsFunc(strings.ToLower(text.NFC(humps.ReplaceAllString(name, "$1 $2"))), func(r rune) bool { return strings.ContainsRune("_-. 0123456789()", r) })
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
	"dataset", "archive", "download", "original images", "picture", "jpg", "jpeg", "png",
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

// pictured are those of companions that hold pictures which say something of others.
var pictured = []string{"segmentationobject", "saliency", "depth"}

// holdsLabels reports whether a folder's name says that labels are in it.
func holdsLabels(name string) bool {
	return slices.Contains([]string{"labels", "label", "annotations", "annotation", "ann", "anno", "imagesets"}, strings.ToLower(name))
}

// unlabelledFolder is where FiftyOne puts pictures without a label.
const unlabelledFolder = "_unlabeled"

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
	// ColumnCluster says which pictures belong together: of one patient, one object, one video.
	ColumnCluster = "cluster"
)

// usualColumns are the names under which each column is found, the most telling first; with "_" for spaces and hyphens.
var usualColumns = []usualColumn{
	{ColumnFile, []string{
		"file", "file_name", "image_path", "img_path", "file_path", "path", "image_file", "image_filename", "img_filename",
		"fname", "img_file", "image_name", "img_name", "image", "img", "picture", "photo", "filepaths", "image_paths", "filenames", "paths", "images", "files", "image_url", "img_url", "image_uri", "url", "uri",
		"image_index", "image_id", "img_id", "isic_id", "id_code", "name", "id",
	}},
	{ColumnClass, []string{
		"class_name", "label_name", "class", "label", "category", "category_name", "species", "breed", "diagnosis", "target",
		"labels", "classes", "tag", "ground_truth", "y", "class_label", "class_id", "label_id", "category_id", "target_class", "wnid", "choice", "finding_labels", "dx", "disease", "grade", "level",
		"scientific_name", "common_name",
	}},
	{ColumnSplit, []string{"split", "subset", "set", "partition", "phase", "data_split", "dataset_split", "data_set", "dataset", "split_name", "usage", "fold"}},
	{ColumnGroup, []string{"group", "subgroup", "group_name", "background", "place", "domain"}},
	{ColumnMask, []string{"mask", "mask_path", "mask_file", "mask_filename", "mask_name", "segmentation", "segmentation_path", "segmentation_file", "seg", "seg_path"}},
	{ColumnCluster, []string{"cluster", "patient", "patient_id", "subject_id", "video_id"}},
}

// columnNames lists the columns for a message.
func columnNames() string {
	names := make([]string, len(usualColumns))
	for i, u := range usualColumns {
		names[i] = u.column
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
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
