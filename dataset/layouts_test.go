package dataset_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/text"
)

// Each layout in its official shape, with few files: which format Auto takes it for, and what is read.
func TestAutoTellsTheLayout(t *testing.T) {
	t.Parallel()
	cub2011 := map[string]string{
		"images/001.A/1.png": "", "images/001.A/2.png": "", "images/002.B/3.png": "",
		"images.txt":                 "1 001.A/1.png\n2 001.A/2.png\n3 002.B/3.png\n4 002.B/gone.png\n",
		"train_test_split.txt":       "1 1\n2 0\n3 1\n4 0\n",
		"classes.txt":                "1 001.A\n2 002.B\n",
		"image_class_labels.txt":     "1 1\n2 1\n3 2\n4 2\n",
		"bounding_boxes.txt":         "1 1.0 1.0 2.0 2.0\n2 0 0 1 1\n3 0 0 1 1\n",
		"parts/parts.txt":            "1 back\n2 left eye\n",
		"parts/part_locs.txt":        "1 1 2.0 3.0 1\n1 2 0.0 0.0 0\n",
		"parts/part_click_locs.txt":  "1 1 2.0 3.0 1 0.5\n1 1 2.5 3.0 1 0.5\n",
		"attributes/attributes.txt":  "x",
		"segmentations/001.A/1.png":  "",
		"segmentations/002.B/no.png": "",
	}
	coco := `{"images":[{"id":1,"file_name":"1.png"},{"id":"b","file_name":"2.png"}],` +
		`"categories":[{"id":7,"name":"cat"},{"id":8,"name":"dog"}],` +
		`"annotations":[{"image_id":1,"category_id":7,"bbox":[1,1,2,2],"segmentation":[[0,0,2,0,2,2,0,2]]},{"image_id":"b","category_id":8,"bbox":[0,0,2,2],"segmentation":{"counts":[4,4,8],"size":[4,4]}}]}`
	for name, c := range map[string]struct {
		files        map[string]string
		format, says string
		want         []string
		masks        int
	}{
		"CUB-200-2011": {cub2011, "cub", "CUB-200-2011: images.txt and train_test_split.txt",
			[]string{"train|001.A|images/001.A/1.png", "train|002.B|images/002.B/3.png", "test|001.A|images/001.A/2.png"}, 3},
		"one level down": {under("CUB_200_2011/CUB_200_2011", cub2011), "cub", "CUB-200-2011",
			[]string{"train|001.A|images/001.A/1.png", "train|002.B|images/002.B/3.png", "test|001.A|images/001.A/2.png"}, 3},
		"split words": {map[string]string{"train2012/cat/1.png": "", "dev/cat/2.png": "", "Test_Set/dog/3.png": "", "pool/dog/4.png": ""}, "folder", "image folder",
			[]string{"train|cat|train2012/cat/1.png", "validation|cat|dev/cat/2.png", "test|dog|Test_Set/dog/3.png", "pool|dog|pool/dog/4.png"}, 0},
		"split in split": {map[string]string{"training_set/training_set/cat/1.png": "", "training_set/training_set/dog/1.png": "", "test_set/test_set/cat/2.png": ""}, "folder", "image folder",
			[]string{"train|cat|training_set/training_set/cat/1.png", "train|dog|training_set/training_set/dog/1.png", "test|cat|test_set/test_set/cat/2.png"}, 0},
		"archive/": {map[string]string{"archive/train/cat/1.png": "", "archive/val/dog/2.png": ""}, "folder", "image folder",
			[]string{"train|cat|train/cat/1.png", "validation|dog|val/dog/2.png"}, 0},
		"class/split": {map[string]string{"cat/train/1.png": "", "cat/test/2.png": "", "dog/train/3.png": ""}, "folder", "image folder",
			[]string{"train|cat|cat/train/1.png", "train|dog|dog/train/3.png", "test|cat|cat/test/2.png"}, 0},
		"metadata in splits": {map[string]string{"train/1.png": "", "train/2.png": "", "test/1.png": "", "train/metadata.csv": "file_name,label\n1.png,cat\n2.png,dog\n", "test/metadata.jsonl": `{"file_name": "1.png", "label": "dog"}`}, "imagefolder", "test/metadata.jsonl",
			[]string{"train|cat|train/1.png", "train|dog|train/2.png", "test|dog|test/1.png"}, 0},
		"metadata at the root": {map[string]string{"images/1.png": "", "images/2.png": "", "metadata.csv": "file_name,label,split\nimages/1.png,cat,train\nimages/2.png,dog,test\n"}, "imagefolder", "metadata.csv",
			[]string{"train|cat|images/1.png", "test|dog|images/2.png"}, 0},
		"semicolons": {map[string]string{"a.png": "", "b.png": "", "list.csv": "sep=;\r\nFilename;Species;Subset\r\na.png;wren;Train\r\nb.png;\"robin; red\";Valid\r\n"}, "csv", "list.csv",
			[]string{"train|wren|a.png", "validation|robin; red|b.png"}, 0},
		"tabs": {map[string]string{"a.png": "", "images.tsv": "path\tclass_name\tsplit\na.png\t\ttrain\n"}, "csv", "images.tsv", []string{"train||a.png"}, 0},
		"a competition": {map[string]string{"train_images/7.png": "", "test_images/8.png": "", "train.csv": "image_id,label\n7,3\n", "sample_submission.csv": "image_id,label\n8,0\n"}, "csv", "train.csv",
			[]string{"|3|train_images/7.png"}, 0},
		"JSON Lines": {map[string]string{"a.png": "", "b.png": "", "data.jsonl": "{\"image\": \"a.png\", \"label\": \"x\", \"split\": \"train\"}\n\n{\"image\": {\"path\": \"b.png\"}, \"label\": 3}\n"}, "jsonl", "data.jsonl",
			[]string{"train|x|a.png", "|3|b.png"}, 0},
		"COCO": {map[string]string{"train2017/1.png": "", "train2017/2.png": "", "val2017/1.png": "", "val2017/2.png": "", "annotations/instances_train2017.json": coco, "annotations/instances_val2017.json": coco, "annotations/captions_val2017.json": `{"images":[{"id":1,"file_name":"1.png"}],"annotations":[]}`}, "coco", "instances_train2017.json",
			[]string{"train|cat|train2017/1.png", "train|dog|train2017/2.png", "validation|cat|val2017/1.png", "validation|dog|val2017/2.png"}, 4},
		"Roboflow": {map[string]string{"train/1.png": "", "train/2.png": "", "train/_annotations.coco.json": coco, "valid/1.png": "", "valid/2.png": "", "valid/_annotations.coco.json": coco}, "coco", "_annotations.coco.json",
			[]string{"train|cat|train/1.png", "train|dog|train/2.png", "validation|cat|valid/1.png", "validation|dog|valid/2.png"}, 4},
		"FiftyOne": {map[string]string{"data/0.png": "", "data/1.png": "", "labels.json": `{"classes": ["cat", "dog"], "labels": {"0": 1, "1": 0}}`}, "fiftyone", "labels.json",
			[]string{"|dog|data/0.png", "|cat|data/1.png"}, 0},
		"FiftyOne's samples": {map[string]string{"data/0.png": "", "data/1.png": "", "metadata.json": "{}", "samples.json": `{"samples": [{"filepath": "data/0.png", "tags": ["train"], "ground_truth": {"_cls": "Classification", "label": "cat"}}, ` +
			`{"filepath": "data/1.png", "tags": ["x"], "boxes": {"_cls": "Detections", "detections": [{"label": "dog", "bounding_box": [0, 0, 0.5, 0.5]}]}}]}`}, "fiftyone", "samples.json",
			[]string{"train|cat|data/0.png", "|dog|data/1.png"}, 1},
		"Label Studio": {map[string]string{"0.png": "", "images/1.png": "", "project.json": `[{"id": 1, "data": {"image": "/data/upload/3/0a1b2c3d-0.png"}, "annotations": [{"result": [{"type": "choices", "value": {"choices": ["cat"]}}]}]},` +
			`{"id": 2, "data": {"image": "http://host/data/local-files/?d=images/1.png"}, "annotations": [{"was_cancelled": true, "result": [{"value": {"choices": ["cow"]}}]}, {"result": [{"type": "rectanglelabels", "value": {"x": 0, "y": 0, "width": 50, "height": 50, "rectanglelabels": ["dog"]}}]}]}]`}, "labelstudio", "project.json",
			[]string{"|cat|0.png", "|dog|images/1.png"}, 1},
		"Label Studio, short": {map[string]string{"0.png": "", "x.json": `[{"image": "/data/upload/0.png", "id": 1, "choice": "cat", "annotator": 1}]`}, "labelstudio", "x.json", []string{"|cat|0.png"}, 0},
		"ImageNet of Kaggle": {map[string]string{
			"ILSVRC/Data/CLS-LOC/train/n01/n01_1.png": "", "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.png": "", "ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.png": "",
			"LOC_val_solution.csv": "ImageId,PredictionString\nILSVRC2012_val_00000001,n02 1 1 3 3 \n", "LOC_synset_mapping.txt": "n01 a\nn02 b\n",
			"ILSVRC/Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml": "<annotation><object><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></object></annotation>",
		}, "imagenet", "ILSVRC/Data/CLS-LOC",
			[]string{"train|n01|ILSVRC/Data/CLS-LOC/train/n01/n01_1.png", "validation|n02|ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.png", "test||ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.png"}, 1},
		"ImageNet with its devkit": {map[string]string{
			"train/n01/n01_1.png": "", "val/ILSVRC2012_val_00000001.png": "", "val/ILSVRC2012_val_00000002.png": "",
			"ILSVRC2012_devkit_t12/data/meta.mat": synsets("n01", "n02"), "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": "2\n1\n",
		}, "imagenet", "ground_truth",
			[]string{"train|n01|train/n01/n01_1.png", "validation|n02|val/ILSVRC2012_val_00000001.png", "validation|n01|val/ILSVRC2012_val_00000002.png"}, 0},
		"Tiny ImageNet": {map[string]string{
			"train/n01/images/n01_0.png": "", "train/n01/n01_boxes.txt": "n01_0.png\t0\t0\t3\t3\n", "val/images/val_0.png": "", "val/val_annotations.txt": "val_0.png\tn02\t0\t0\t3\t3\n", "test/images/test_0.png": "",
			"wnids.txt": "n01\nn02\n", "words.txt": "n01\ta\n",
		}, "imagenet", "Tiny ImageNet",
			[]string{"train|n01|train/n01/images/n01_0.png", "validation|n02|val/images/val_0.png", "test||test/images/test_0.png"}, 0},
		"CUB-200-2010": {map[string]string{"images/001.A/1.png": "", "images/001.A/2.png": "", "lists/train.txt": "001.A/1.png\n", "lists/test.txt": "001.A/2.png\n", "annotations-mat/001.A/1.mat": birdMAT(2, 2), "annotations-mat/001.A/2.mat": "broken"}, "cub", "CUB-200-2010",
			[]string{"train|001.A|images/001.A/1.png", "test|001.A|images/001.A/2.png"}, 1},
		"Food-101": {map[string]string{"images/pie/1.png": "", "images/pie/2.png": "", "images/soup/3.png": "", "meta/train.txt": "pie/1\nsoup/3\n", "meta/test.txt": "pie/2\n"}, "folder", "image folder",
			[]string{"train|pie|images/pie/1.png", "train|soup|images/soup/3.png", "test|pie|images/pie/2.png"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, dataset.Auto, tree(t, c.files))
			if d.Format != c.format || !strings.Contains(d.Why, c.says) {
				t.Errorf("read as %s (%s), want %s (%s)", d.Format, d.Why, c.format, c.says)
			}
			if diff := cmp.Diff(c.want, names(d.Samples())); diff != "" {
				t.Error(diff, d.Skipped, d.Notes)
			}
			masks := 0
			for _, s := range d.All() {
				if d.HasMask(s) {
					masks++
					if err := d.ObjectMask(t.Context(), s, func(*image.Gray) error { return nil }); err != nil {
						t.Error(err)
					}
				}
			}
			if masks != c.masks {
				t.Errorf("%d masks, want %d: %v", masks, c.masks, d.Notes)
			}
		})
	}
}

func under(folder string, files map[string]string) map[string]string {
	out := map[string]string{}
	for name, content := range files {
		out[folder+"/"+name] = content
	}
	return out
}

// A data set that is incomplete, broken or ambiguous is refused with that reason.
func TestAutoRefuses(t *testing.T) {
	t.Parallel()
	cub := map[string]string{"images/001.A/1.png": "", "images.txt": "1 001.A/1.png\n", "train_test_split.txt": "1 1\n"}
	with := func(name, content string) map[string]string {
		out := map[string]string{name: content}
		for k, v := range cub {
			if k != name {
				out[k] = v
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		files map[string]string
		says  string
	}{
		"two layouts":                 {with("labels.json", `{"classes": ["a"], "labels": {"1": 0}}`), "fiftyone (FiftyOne: labels.json)"},
		"a split of 2":                {with("train_test_split.txt", "1 2\n"), "line 1 of train_test_split.txt"},
		"an id twice":                 {with("images.txt", "1 001.A/1.png\n1 001.A/2.png\n"), "line 2 of images.txt"},
		"half a line":                 {with("bounding_boxes.txt", "1 2 3\n"), "line 1 of bounding_boxes.txt"},
		"no number":                   {with("bounding_boxes.txt", "1 2 3 x 5\n"), `"x" is no number`},
		"a class":                     {with("image_class_labels.txt", "1 x\n"), "image_class_labels.txt"},
		"splits by what name":         {map[string]string{"one/cat/1.png": "", "one/dog/1.png": "", "two/cat/1.png": "", "two/dog/1.png": ""}, "--splits one=train,two=test"},
		"data sets side by side":      {map[string]string{"a/train/cat/1.png": "", "b/train/cat/1.png": ""}, "import each by itself"},
		"YOLO":                        {map[string]string{"images/train/1.png": "", "labels/train/1.txt": "0 0 0 1 1", "data.yaml": "x"}, "YOLO"},
		"YOLO in its splits":          {map[string]string{"train/images/1.png": "", "train/labels/1.txt": "0 0 0 1 1", "data.yaml": "x"}, "YOLO"},
		"Pascal VOC":                  {map[string]string{"JPEGImages/1.png": "", "Annotations/1.xml": "<annotation/>"}, "Pascal VOC"},
		"labels in a form of its own": {map[string]string{"data/1.png": "", "labels.json": `{"records": [["1.png", "cat"]]}`}, "labels.json"},
		"several labels":              {map[string]string{"1.png": "", "x.json": `{"images":[{"id":1,"file_name":"1.png"}],"categories":[{"id":1,"name":"a"},{"id":2,"name":"b"}],"annotations":[{"image_id":1,"category_id":1},{"image_id":1,"category_id":2}]}`}, "1.png has a and b"},
		"no meta.mat":                 {map[string]string{"train/n01/1.png": "", "val/ILSVRC2012_val_00000001.png": "", "devkit/ILSVRC2012_validation_ground_truth.txt": "1\n"}, "meta.mat"},
		"no ground truth":             {map[string]string{"train/n01/1.png": "", "val/ILSVRC2012_val_00000001.png": ""}, "LOC_val_solution.csv"},
		"Windows-1252":                {map[string]string{"1.png": "", "images.csv": "file,class\n1.png,Gr\xfcn\n"}, "--encoding windows-1252"},
		"a class twice":               {map[string]string{"1.png": "", "images.csv": "file,class,class\n1.png,a,b\n"}, "two columns"},
		"two of one name":             {map[string]string{"train_images/1.png": "", "extra_images/1.png": "", "images.csv": "file,class\n1.png,a\n"}, "could be"},
		"JSON that breaks":            {map[string]string{"1.png": "", "a.jsonl": "{\"file\": \"1.png\", \"class\": \"a\"}\n", "images.jsonl": "{\"file\": \"1.png\", \"class\": \n"}, "line 1"},
		"HDF5":                        {map[string]string{"x.h5": "x"}, "HDF5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := dataset.Open(dataset.Auto, tree(t, c.files))
			if err == nil {
				t.Fatalf("read as %s: %v, notes %v", d.Why, names(d.Samples()), d.Notes)
			}
			if !strings.Contains(err.Error(), c.says) || !errors.Is(err, dataset.ErrLayout) && !errors.Is(err, dataset.ErrSeveral) && !strings.Contains(err.Error(), "line") {
				t.Errorf("%v, want %q in it", err, c.says)
			}
		})
	}
}

// Folders are not read as classes if there is a file of labels beside them, even if the format folder is named.
func TestFolderDoesNotReadOtherLayouts(t *testing.T) {
	t.Parallel()
	for format, files := range map[string]map[string]string{
		"coco":     {"train2017/1.png": "", "annotations/instances_train2017.json": `{"images":[{"id":1,"file_name":"1.png"}],"categories":[],"annotations":[]}`},
		"fiftyone": {"data/0.png": "", "labels.json": `{"labels": {"0": 0}, "classes": ["a"]}`},
		"cub":      {"images/001.A/1.png": "", "images.txt": "1 001.A/1.png\n", "train_test_split.txt": "1 1\n"},
		"imagenet": {"train/n01/1.png": "", "val/ILSVRC2012_val_00000001.png": ""},
	} {
		_, err := dataset.Open("folder", tree(t, files))
		if !errors.Is(err, dataset.ErrLayout) || !strings.Contains(err.Error(), "format "+format) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// CUB-200-2011's lists end up where they belong.
func TestCUB2011Marks(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"images/001.A/1.png": "", "images.txt": "\ufeff1 001.A/1.png\r\n", "train_test_split.txt": "1 1\r\n", "bounding_boxes.txt": "1 1.0 0.0 2.0 3.0\n",
		"parts/parts.txt": "1 left eye\n2 tail\n", "parts/part_locs.txt": "1 1 2.0 3.0 1\n1 2 0.0 0.0 0\n", "parts/part_click_locs.txt": "1 1 2.0 3.0 1 500\n1 1 1.0 3.0 1 500\n",
	})
	d := open(t, "cub", root)
	want := &dataset.Marks{
		Boxes: []dataset.Box{{X: 1, Y: 0, Width: 2, Height: 3}}, Points: []dataset.Point{{Kind: "left eye", X: 2, Y: 3}},
		Clicks: []dataset.Point{{Kind: "left eye", X: 2, Y: 3}, {Kind: "left eye", X: 1, Y: 3}},
	}
	if diff := cmp.Diff(want, d.Sample(0).Marks); diff != "" {
		t.Error(diff)
	}
	inside := 0
	err := d.ObjectMask(t.Context(), d.Sample(0), func(mask *image.Gray) error {
		for _, v := range mask.Pix {
			inside += int(v) / 255
		}
		return nil
	})
	if err != nil || inside != 6 {
		t.Errorf("%d pixels inside the box, %v; want 6", inside, err)
	}
}

// Pictures in folders that systems and file servers make are not part of the data set.
func TestLitterIsPassedOver(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"@eaDir", "#recycle", "@Recycle", "lost+found", "System Volume Information", "__pycache__", "$RECYCLE.BIN", "__MACOSX", ".ipynb_checkpoints", "@__thumb", "#snapshot"} {
		files := map[string]string{"metadata.csv": "file,mask\ntrain/red/1.png,masks/red/1.png\n", "masks/red/1.png": "", "masks/red/" + name + "/1.png": ""}
		for _, class := range []string{"red", "green"} {
			files["train/"+class+"/1.png"] = ""
			files["train/"+class+"/"+name+"/1.png/S.jpg"] = "\xff\xd8\xff"
		}
		files["train/"+name+"/red/1.png"], files[name+"/train/red/1.png"] = "", ""
		d := open(t, "folder", tree(t, files))
		if d.Len() != 2 || len(d.Classes) != 2 || len(d.Skipped) != 4 {
			t.Errorf("%s: %v of %v, skipped %v", name, names(d.Samples()), d.Classes, d.Skipped)
		}
	}
}

// Names in a Mac's archives are in NFD; those in lists and tables are in NFC.
func TestNamesInEitherForm(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"Käfer", "がぎぐ", "한글"} {
		composed, decomposed := text.NFC(word), text.NFD(word)
		for _, c := range []struct {
			format string
			files  map[string]string
			name   string
		}{
			{"folder", map[string]string{"train/" + decomposed + "/" + decomposed + ".png": "", "metadata.csv": "file,group,mask\ntrain/" + composed + "/" + composed + ".png," + decomposed + ",masks/" + composed + ".png\n", "masks/" + decomposed + ".png": ""}, "train/" + composed + "/" + composed + ".png"},
			{"csv", map[string]string{decomposed + "/" + decomposed + ".png": "", "images.csv": "file,class,group\n" + composed + "/" + composed + ".png," + decomposed + "," + composed + "\n"}, composed + "/" + composed + ".png"},
			{"cub", map[string]string{"images/" + decomposed + "/1.png": "", "lists/train.txt": composed + "/1.png\n"}, "images/" + composed + "/1.png"},
			{"cub", map[string]string{"images/" + decomposed + "/1.png": "", "images.txt": "1 " + composed + "/1.png\n", "train_test_split.txt": "1 1\n"}, "images/" + composed + "/1.png"},
		} {
			d := open(t, c.format, tree(t, c.files))
			if d.Len() != 1 || d.Sample(0).Name != c.name || d.Classes[0] != composed {
				t.Errorf("%s, %s: %q of %q, missing %v", c.format, word, names(d.Samples()), d.Classes, d.Missing)
				continue
			}
			if c.format == "folder" && (d.Sample(0).Group != composed || d.Sample(0).Mask == "") {
				t.Errorf("%s: %+v", word, d.Sample(0))
			}
			if _, err := os.Stat(d.Sample(0).Path); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestTextsFromWindows(t *testing.T) {
	t.Parallel()
	sixteen := func(s string) string {
		out := []byte("\xff\xfe")
		for _, r := range s {
			out = append(out, byte(r), byte(r>>8))
		}
		return string(out)
	}
	for name, c := range map[string]struct {
		content string
		options dataset.Options
	}{
		"UTF-16":       {sixteen("file,class\r\na.png,Grün\r\n"), dataset.Options{}},
		"Windows-1252": {"file;class\r\na.png;Gr\xfcn\r\n", dataset.Options{Encoding: "windows-1252"}},
	} {
		d, err := dataset.Read(tree(t, map[string]string{"a.png": "", "images.csv": c.content}), c.options)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if d.Classes[0] != "Grün" {
			t.Errorf("%s: %q", name, d.Classes)
		}
	}
}

func TestColumnsAndSplitsBySay(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"a.png": "", "b.png": "", "images.csv": "file,vogel,fold,split\na.png,wren,0,x\nb.png,robin,1,y\n"})
	d, err := dataset.Read(root, dataset.Options{Columns: map[string]string{"class": "Vogel", "split": "fold"}, Splits: map[string]string{"0": "train", "1": "test"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"train|wren|a.png", "test|robin|b.png"}, names(d.Samples())); diff != "" {
		t.Error(diff)
	}
	for says, o := range map[string]dataset.Options{
		`no column "bird"`: {Columns: map[string]string{"class": "bird"}},
		`split "x"`:        {Columns: map[string]string{"class": "vogel"}},
		"--columns colour": {Columns: map[string]string{"colour": "x"}},
		"--splits 0=later": {Splits: map[string]string{"0": "later"}},
		"klingon":          {Encoding: "klingon", Format: "csv"},
	} {
		if _, err := dataset.Read(root, o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q in it", err, says)
		}
	}
	d, err = dataset.Read(root, dataset.Options{Columns: map[string]string{"split": ""}, Format: "csv"})
	if err != nil {
		t.Fatal(err)
	}
	if notes := reasons(d.Notes)["images.csv"]; !strings.Contains(notes, "no column for the class") || !strings.Contains(notes, "vogel") {
		t.Errorf("notes: %v", d.Notes)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	outside := tree(t, map[string]string{"x/1.png": ""})
	root := tree(t, map[string]string{"store/a.png": "", "train/red/1.png": "", "train/deep/in/1.png": ""})
	for link, to := range map[string]string{
		"train/green": "../store", "train/blue": outside, "train/red/2.png": "../../store/a.png", "train/red/loop": "..", "train/red/gone.png": "nowhere", "train/deep/again": "../../store",
	} {
		if err := os.Symlink(to, filepath.Join(root, filepath.FromSlash(link))); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	d := open(t, "folder", root)
	if d.Len() != 2 || !strings.Contains(reasons(d.Skipped)["train/green"], "--follow-links") {
		t.Errorf("%v, skipped %v", names(d.Samples()), d.Skipped)
	}
	d, err := dataset.Read(root, dataset.Options{Format: "folder", FollowLinks: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"train|deep|train/deep/in/1.png", "train|green|train/green/a.png", "train|red|train/red/1.png", "train|red|train/red/2.png"}
	if diff := cmp.Diff(want, names(d.Samples())); diff != "" {
		t.Error(diff)
	}
	got := reasons(d.Skipped)
	for name, part := range map[string]string{"train/blue": "out of", "train/red/loop": "stands in", "train/red/gone.png": "to nothing", "train/deep/again": "same folder as train/green"} {
		if !strings.Contains(got[name], part) {
			t.Errorf("%s: %q, want %q in it", name, got[name], part)
		}
	}
}

func TestArchives(t *testing.T) {
	t.Parallel()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	files := []string{"set/train/cat/1.png", "set/val/dog/2.png", "../../out.png", "/abs.png", "set/train/cat/../../../../out2.png", "__MACOSX/set/._1.png", "set/train/cat/1.png"}
	dir := t.TempDir()
	var z bytes.Buffer
	zw := zip.NewWriter(&z)
	for _, name := range files {
		w, err := zw.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(picture.Bytes())
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "set.zip"), z.String())
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	tw := tar.NewWriter(gz)
	if err := tw.WriteHeader(&tar.Header{Name: "set/link", Typeflag: tar.TypeSymlink, Linkname: "/etc"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files, "set/link/passwd.png") {
		if err := tw.WriteHeader(&tar.Header{Name: name, Size: int64(picture.Len()), Mode: 0o600, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		_, _ = tw.Write(picture.Bytes())
	}
	if err := errors.Join(tw.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "set.tar.gz"), packed.String())
	for _, name := range []string{"set.zip", "set.tar.gz"} {
		d, err := dataset.Open(dataset.Auto, filepath.Join(dir, name))
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff([]string{"train|cat|train/cat/1.png", "validation|dog|val/dog/2.png"}, names(d.Samples())); diff != "" {
			t.Error(name, diff)
		}
		if got := reasons(d.Skipped); !strings.Contains(got["../../out.png"], "leads out") || !strings.Contains(got["set/train/cat/1.png"], "again") {
			t.Errorf("%s: skipped %v", name, d.Skipped)
		}
		unpacked := filepath.Dir(filepath.Dir(filepath.Dir(d.Sample(0).Path)))
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(unpacked); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %s is left: %v", name, unpacked, err)
		}
	}
	for name, content := range map[string]string{"x.zip": "PK\x03\x04broken", "x.tar": strings.Repeat("x", 2000), "x.tgz": "\x1f\x8bxx"} {
		write(t, filepath.Join(dir, name), content)
		if _, err := dataset.Open(dataset.Auto, filepath.Join(dir, name)); !errors.Is(err, dataset.ErrArchive) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWebDataset(t *testing.T) {
	t.Parallel()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	shard := func(name string, files ...string) {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		for i := 0; i < len(files); i += 2 {
			content := files[i+1]
			if content == "" {
				content = picture.String()
			}
			if err := w.WriteHeader(&tar.Header{Name: files[i], Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write([]byte(content))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), out.String())
	}
	shard("train-000000.tar", "0001.png", "", "0001.cls", "1\n", "0002.png", "", "0002.cls", "0")
	shard("test-000000.tar", "a/b/0001.x.png", "", "a/b/0001.cls", "0") // a key with folders, a field with a dot
	shard("val-000000.tar", "0001.png", "", "0001.json", `{"label": 1}`, "0001.txt", "a caption")
	d, err := dataset.Open(dataset.Auto, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if diff := cmp.Diff([]string{"train|1|train-000000/0001.png", "train|0|train-000000/0002.png", "validation|1|val-000000/0001.png", "test|0|test-000000/a/b/0001.x.png"}, names(d.Samples())); diff != "" || d.Format != "webdataset" {
		t.Error(d.Why, diff)
	}
	one, err := dataset.Open(dataset.Auto, filepath.Join(dir, "train-000000.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	if diff := cmp.Diff([]string{"train|1|0001.png", "train|0|0002.png"}, names(one.Samples())); diff != "" {
		t.Error(diff)
	}
	shard("train-000003.tar", "0009.png", "", "0009.cls", "1")
	some, err := dataset.Open(dataset.Auto, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer some.Close()
	if diff := cmp.Diff([]string{"train-000001.tar", "train-000002.tar"}, keys(reasons(some.Missing))); diff != "" {
		t.Error("shards that are not there:", diff)
	}
	dir = t.TempDir()
	shard("train/00000.tar", "1.png", "", "1.cls", "0")
	shard("train/00002.tar", "1.png", "", "1.cls", "1")
	shard("val/00000.tar", "1.png", "", "1.cls", "1")
	write(t, filepath.Join(dir, "classnames.txt"), "cat\ndog\n")
	inSplits := open(t, dataset.Auto, dir)
	if diff := cmp.Diff([]string{"train|cat|train/00000/1.png", "train|dog|train/00002/1.png", "validation|dog|val/00000/1.png"}, names(inSplits.Samples())); diff != "" {
		t.Errorf("shards in folders of splits: %s", diff)
	}
	if diff := cmp.Diff([]string{"train/00001.tar"}, keys(reasons(inSplits.Missing))); diff != "" {
		t.Error(diff)
	}
}

// Folders that are called neither like splits nor like classes are not guessed at, also where one of them lacks a class; and a table of
// an old Macintosh is called one.
func TestUnclearIsRefused(t *testing.T) {
	t.Parallel()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	for says, files := range map[string]map[string]string{
		"--splits": {"koulutus/cat/1.png": "", "koulutus/dog/2.png": "", "testi/cat/3.png": ""},
		"CR alone": {"images.csv": "file,class\r1.png,cat\r", "1.png": ""},
	} {
		dir := t.TempDir()
		for name, content := range files {
			if content == "" {
				content = picture.String()
			}
			write(t, filepath.Join(dir, name), content)
		}
		if _, err := dataset.Open(dataset.Auto, dir); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want it to say %s", err, says)
		}
	}
}

func TestParquet(t *testing.T) {
	t.Parallel()
	type picture struct {
		Bytes []byte  `parquet:"bytes,optional"`
		Path  *string `parquet:"path,optional"`
	}
	type line struct {
		Image picture `parquet:"image,optional"`
		Label int64   `parquet:"label"`
	}
	var content bytes.Buffer
	if err := png.Encode(&content, image.NewGray(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	name, bad := "a.png", "../../b.png"
	dir := t.TempDir()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[line](&out, parquet.KeyValueMetadata("huggingface", `{"info": {"features": {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}`))
	if _, err := w.Write([]line{{picture{content.Bytes(), &name}, 1}, {picture{content.Bytes(), &bad}, 0}, {picture{content.Bytes(), nil}, -1}, {picture{nil, nil}, 0}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "data/train-00000-of-00001.parquet"), out.String())
	d, err := dataset.Open(dataset.Auto, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	folder := "data/train-00000-of-00001/"
	if diff := cmp.Diff([]string{"train||" + folder + "00000003.png", "train|dog|" + folder + "a.png", "train|cat|" + folder + "b.png"}, names(d.Samples())); diff != "" || len(d.Skipped) != 1 {
		t.Error(diff, d.Skipped)
	}
	write(t, filepath.Join(dir, "data/train-00000-of-00001.parquet"), "PAR1broken PAR1")
	if _, err := dataset.Open(dataset.Auto, dir); !errors.Is(err, dataset.ErrLayout) {
		t.Error(err)
	}
}

// Masks of the kinds that data sets have: the value of the left half, which is the object.
func TestMasksOfEveryKind(t *testing.T) {
	t.Parallel()
	const side = 8
	half := func(draw func(left bool) color.Color, picture func(image.Rectangle) interface {
		image.Image
		Set(x, y int, c color.Color)
	}) image.Image {
		out := picture(image.Rect(0, 0, side, side))
		for y := range side {
			for x := range side {
				out.Set(x, y, draw(x < side/2))
			}
		}
		return out
	}
	type drawable = interface {
		image.Image
		Set(x, y int, c color.Color)
	}
	grey := func(r image.Rectangle) drawable { return image.NewGray(r) }
	deep := func(r image.Rectangle) drawable { return image.NewGray16(r) }
	full := func(r image.Rectangle) drawable { return image.NewNRGBA(r) }
	voc := color.Palette{color.RGBA{0, 0, 0, 255}, color.RGBA{128, 0, 0, 255}, color.RGBA{224, 224, 192, 255}}
	two := func(left, right color.Color) func(bool) color.Color {
		return func(l bool) color.Color {
			if l {
				return left
			}
			return right
		}
	}
	for name, c := range map[string]struct {
		mask image.Image
		rule string
		want float64 // of the left half; -1: an error
	}{
		"black and white":    {half(two(color.White, color.Black), grey), "", 1},
		"0 and 1":            {half(two(color.Gray{Y: 1}, color.Black), grey), "", 1},
		"0 and 2":            {half(two(color.Gray{Y: 2}, color.Black), grey), "", 1},
		"a shade":            {half(two(color.Gray{Y: 128}, color.Black), grey), "", 1},
		"a shade as such":    {half(two(color.Gray{Y: 128}, color.Black), grey), "shades", 128. / 255},
		"VOC":                {half(two(voc[1], voc[0]), func(r image.Rectangle) drawable { return image.NewPaletted(r, voc) }), "", 1},
		"VOC's unknown":      {half(two(voc[1], voc[2]), func(r image.Rectangle) drawable { return image.NewPaletted(r, voc) }), "", 1},
		"index 0 by say":     {half(two(voc[0], voc[1]), func(r image.Rectangle) drawable { return image.NewPaletted(r, voc) }), "0", 1},
		"red":                {half(two(color.NRGBA{200, 0, 0, 255}, color.Black), full), "", 1},
		"red by say":         {half(two(color.NRGBA{200, 0, 0, 255}, color.NRGBA{0, 0, 200, 255}), full), "#c80000", 1},
		"red on blue":        {half(two(color.NRGBA{200, 0, 0, 255}, color.NRGBA{0, 0, 200, 255}), full), "", -1},
		"white on nothing":   {half(two(color.White, color.NRGBA{}), full), "", 1},
		"black on nothing":   {half(two(color.Black, color.NRGBA{}), full), "", 1},
		"1 of 16 bits":       {half(two(color.Gray16{Y: 1}, color.Black), deep), "", 1},
		"1000 of 16 bits":    {half(two(color.Gray16{Y: 1000}, color.Black), deep), "", 1},
		"white of 16 bits":   {half(two(color.White, color.Black), deep), "", 1},
		"255 beside indices": {half(two(color.Gray{Y: 15}, color.White), grey), "", 1},
	} {
		file := filepath.Join(t.TempDir(), "m.png")
		var out bytes.Buffer
		if err := png.Encode(&out, c.mask); err != nil {
			t.Fatal(err)
		}
		write(t, file, out.String())
		rule, err := dataset.ParseMaskRule(c.rule)
		if err != nil {
			t.Fatal(err)
		}
		left, right := 0., 0.
		err = dataset.Mask(context.Background(), file, rule, func(mask *image.Gray) error {
			for y := range side {
				for x := range side {
					if v := float64(mask.GrayAt(x, y).Y) / 255 / (side * side / 2); x < side/2 {
						left += v
					} else {
						right += v
					}
				}
			}
			return nil
		})
		if c.want < 0 {
			if !errors.Is(err, dataset.ErrMask) {
				t.Errorf("%s: %v", name, err)
			}
		} else if err != nil || math.Abs(left-c.want) > 1e-6 || right > 1e-6 {
			t.Errorf("%s: left %v, right %v, %v; want left %v", name, left, right, err, c.want)
		}
	}
	for _, typed := range []string{"#12", "x", "5-3", "70000", "1,,2"} {
		if _, err := dataset.ParseMaskRule(typed); err == nil {
			t.Errorf("%q is a rule", typed)
		}
	}
}

// With Options.Parts the masks of those kinds are the object's; without it a note says that they are not.
func TestPartsMakeTheMask(t *testing.T) {
	t.Parallel()
	truths := "2. All Segmentation Groundtruths/a. Training Set/"
	root := tree(t, map[string]string{
		"A. Segmentation/A. Segmentation/1. Original Images/a. Training Set/IDRiD_01.png":           "",
		"A. Segmentation/A. Segmentation/" + truths + "1. Microaneurysms/IDRiD_01_MA.png":           "",
		"A. Segmentation/A. Segmentation/" + truths + "2. Haemorrhages/IDRiD_01_HE.png":             "",
		"A. Segmentation/A. Segmentation/1. Original Images/b. Testing Set/IDRiD_01.png":            "",
		"A. Segmentation/A. Segmentation/2. All Segmentation Groundtruths/b. Testing Set/about.txt": "x",
	})
	d := open(t, dataset.Auto, root)
	if d.HasMask(d.Sample(0)) || !strings.Contains(reasons(d.Notes)[""], "--parts") {
		t.Errorf("%+v, notes %v", d.Sample(0), d.Notes)
	}
	d, err := dataset.Read(root, dataset.Options{Parts: []string{"microaneurysms", "haemorrhages"}})
	if err != nil {
		t.Fatal(err)
	}
	if !d.HasMask(d.Sample(0)) || d.HasMask(d.Sample(1)) {
		t.Errorf("%+v", d.Samples())
	}
	if err := d.ObjectMask(t.Context(), d.Sample(0), func(*image.Gray) error { return nil }); err != nil {
		t.Error(err)
	}
	if _, err := dataset.Read(root, dataset.Options{Parts: []string{"spots"}}); err == nil || !strings.Contains(err.Error(), "microaneurysms") {
		t.Error(err)
	}
	// The part itself, given as the data set.
	if d := open(t, dataset.Auto, filepath.Join(root, "A. Segmentation", "A. Segmentation")); d.Format != "idrid" || d.Len() != 2 {
		t.Errorf("%s: %v", d.Format, names(d.Samples()))
	}
}

// element writes one element of a MATLAB file.
func element(kind uint32, body []byte) []byte {
	out := binary.LittleEndian.AppendUint32(nil, kind)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(body)))
	out = append(out, body...)
	return append(out, make([]byte, (8-len(body)%8)%8)...)
}

// array writes an array of a MATLAB file.
func array(class byte, name string, height, width int, content ...[]byte) []byte {
	dims := binary.LittleEndian.AppendUint32(nil, uint32(height))
	dims = binary.LittleEndian.AppendUint32(dims, uint32(width))
	body := bytes.Join([][]byte{element(6, []byte{class, 0, 0, 0, 0, 0, 0, 0}), element(5, dims), element(1, []byte(name)), bytes.Join(content, nil)}, nil)
	return element(14, body)
}

func number(v float64) []byte {
	return array(6, "", 1, 1, element(9, binary.LittleEndian.AppendUint64(nil, math.Float64bits(v))))
}

func structure(name string, count int, fields []string, values ...[]byte) []byte {
	names := make([]byte, 32*len(fields))
	for i, f := range fields {
		copy(names[32*i:], f)
	}
	return array(2, name, count, 1, element(5, []byte{32, 0, 0, 0}), element(1, names), bytes.Join(values, nil))
}

func matFile(arrays ...[]byte) string {
	return "MATLAB 5.0 MAT-file" + strings.Repeat(" ", 105) + "\x00\x01IM" + string(bytes.Join(arrays, nil))
}

// birdMAT is a file of CUB-200-2010's annotations-mat.
func birdMAT(height, width int) string {
	seg := make([]byte, height*width)
	seg[0] = 1
	return matFile(structure("bbox", 1, []string{"left", "top", "right", "bottom"}, number(1), number(1), number(2), number(2)), array(9, "seg", height, width, element(2, seg)))
}

// synsets is the devkit's meta.mat with one synset for each WNID.
func synsets(wnids ...string) string {
	var values [][]byte
	for i, wnid := range wnids {
		values = append(values, number(float64(i+1)), array(4, "", 1, len(wnid), element(16, []byte(wnid))))
	}
	return matFile(structure("synsets", len(wnids), []string{"ILSVRC2012_ID", "WNID"}, values...))
}
