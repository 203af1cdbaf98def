package dataset_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/dataset"
)

func says(d *dataset.Dataset, what string) bool {
	return slices.ContainsFunc(d.Notes, func(p dataset.Problem) bool { return strings.Contains(p.Path+": "+p.Reason, what) })
}

// A table goes before the folders that its files lie in, and where they say something else this is counted, with the first by name.
func TestTablesAgainstFolders(t *testing.T) {
	t.Parallel()
	const ofClass, ofSplit = "in the folder of another class", "in the folder of another split"
	pictures := func(more map[string]string) map[string]string {
		files := map[string]string{"train/cat/1.png": "", "train/dog/2.png": "", "test/dog/3.png": ""}
		maps.Copy(files, more)
		return files
	}
	for name, c := range map[string]struct {
		files map[string]string
		says  []string
		not   []string
		want  []string
	}{
		"another class": {pictures(map[string]string{"labels.csv": "file,class,split\ntrain/cat/1.png,dog,train\ntrain/dog/2.png,dog,train\ntest/dog/3.png,dog,test\n"}),
			[]string{"labels.csv: 1 file lies " + ofClass, "train/cat/1.png (dog)"}, []string{ofSplit}, []string{"train|dog|train/cat/1.png", "train|dog|train/dog/2.png", "test|dog|test/dog/3.png"}},
		"another split": {pictures(map[string]string{"labels.csv": "file,class,split\ntrain/cat/1.png,cat,test\ntrain/dog/2.png,dog,train\ntest/dog/3.png,dog,test\n"}),
			[]string{"labels.csv: 1 file lies " + ofSplit, "train/cat/1.png (test)"}, []string{ofClass}, []string{"train|dog|train/dog/2.png", "test|dog|test/dog/3.png", "test|cat|train/cat/1.png"}},
		"every class another": {map[string]string{"cat/1.png": "", "dog/2.png": "", "images.csv": "file,class\ncat/1.png,dog\ndog/2.png,cat\n"},
			[]string{"images.csv: 2 files lie " + ofClass, "cat/1.png (dog), dog/2.png (cat)"}, nil, []string{"|dog|cat/1.png", "|cat|dog/2.png"}},
		"more than three": {map[string]string{"cat/1.png": "", "cat/2.png": "", "cat/3.png": "", "cat/4.png": "", "dog/5.png": "", "images.csv": "file,class\ncat/1.png,dog\ncat/2.png,dog\ncat/3.png,dog\ncat/4.png,dog\ndog/5.png,dog\n"},
			[]string{"4 files lie", "cat/3.png (dog), …"}, nil, []string{"|dog|cat/1.png", "|dog|cat/2.png", "|dog|cat/3.png", "|dog|cat/4.png", "|dog|dog/5.png"}},
		"metadata, another class": {pictures(map[string]string{"metadata.csv": "file_name,label\ntrain/cat/1.png,dog\ntrain/dog/2.png,dog\ntest/dog/3.png,dog\n"}),
			[]string{"metadata.csv: 1 file lies " + ofClass}, nil, []string{"train|dog|train/cat/1.png", "train|dog|train/dog/2.png", "test|dog|test/dog/3.png"}},
		"metadata, another split": {pictures(map[string]string{"metadata.csv": "file_name,label,split\ntrain/cat/1.png,cat,test\ntrain/dog/2.png,dog,train\ntest/dog/3.png,dog,test\n"}),
			[]string{"metadata.csv: 1 file lies " + ofSplit}, nil, []string{"train|dog|train/dog/2.png", "test|dog|test/dog/3.png", "test|cat|train/cat/1.png"}},
		"by the names of numbers": {map[string]string{"cat/1.png": "", "dog/2.png": "", "images.csv": "file,class\ncat/1.png,2\ndog/2.png,2\n", "classes.txt": "cat\ndog\n"},
			[]string{"images.csv: 1 file lies " + ofClass, "cat/1.png (dog)"}, nil, []string{"|dog|cat/1.png", "|dog|dog/2.png"}},
		"the same, spelt otherwise": {map[string]string{"Black cat/1.png": "", "dog/2.png": "", "images.csv": "file,class\nBlack cat/1.png,black_cat\ndog/2.png,dog\n"},
			nil, []string{ofClass}, []string{"|black_cat|Black cat/1.png", "|dog|dog/2.png"}},
		"folders of something else": {map[string]string{"site a/1.png": "", "site b/2.png": "", "images.csv": "file,class\nsite a/1.png,cat\nsite b/2.png,dog\n"},
			nil, []string{ofClass, ofSplit}, []string{"|cat|site a/1.png", "|dog|site b/2.png"}},
		"no split in the table": {pictures(map[string]string{"labels.csv": "file,class\ntrain/cat/1.png,cat\ntrain/dog/2.png,dog\ntest/dog/3.png,dog\n"}),
			[]string{"those of the folders are taken (2 train, 1 test)"}, []string{ofClass, ofSplit}, []string{"train|cat|train/cat/1.png", "train|dog|train/dog/2.png", "test|dog|test/dog/3.png"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, dataset.Auto, tree(t, c.files))
			if diff := cmp.Diff(c.want, names(d.Samples())); diff != "" {
				t.Error(diff, d.Skipped, d.Missing, d.Notes)
			}
			for _, what := range c.says {
				if !says(d, what) {
					t.Errorf("no note says %q: %v", what, d.Notes)
				}
			}
			for _, what := range c.not {
				if says(d, what) {
					t.Errorf("a note says %q: %v", what, d.Notes)
				}
			}
		})
	}
	d, err := dataset.Read(tree(t, pictures(map[string]string{"labels.csv": "file,class,split\ntrain/cat/1.png,cat,x\ntrain/dog/2.png,dog,x\ntest/dog/3.png,dog,x\n"})), dataset.Options{Columns: map[string]string{"split": ""}})
	if err != nil || len(d.Split("")) != 3 {
		t.Errorf("without a split, as asked: %v", err)
	}
	_, err = dataset.Open(dataset.Auto, tree(t, pictures(map[string]string{"metadata.csv": "file_name,split\ntrain/cat/1.png,test\ntrain/cat/1.png,train\n"})))
	if err == nil || !strings.Contains(err.Error(), "line 3 of metadata.csv: train/cat/1.png has the split test and the split train") {
		t.Errorf("two splits for one file: %v", err)
	}
}

// Masks lie in a folder of their own, under their pictures' paths.
func TestFoldersOfMasks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		says  string
		want  []string // picture < mask
	}{
		"of classes": {map[string]string{"images/cat/1.jpg.png": "", "images/cat/2.png": "", "images/dog/1.png": "", "masks/cat/1.jpg.png": "", "masks/cat/2.png": "", "masks/dog/1.png": ""},
			"masks: the masks of 3 images, by their names", []string{"images/cat/1.jpg.png < masks/cat/1.jpg.png", "images/cat/2.png < masks/cat/2.png", "images/dog/1.png < masks/dog/1.png"}},
		"not all": {map[string]string{"images/cat/1.png": "", "images/dog/2.png": "", "masks/cat/1_mask.png": "", "masks/cat/9.png": ""},
			"masks: the masks of 1 image, by their names; 1 image has none there; of its pictures, 1 is no image's", []string{"images/cat/1.png < masks/cat/1_mask.png", "images/dog/2.png < "}},
		"beside classes":  {map[string]string{"cat/1.png": "", "dog/2.png": "", "Masks/cat/1.png": "", "Masks/dog/2.png": ""}, "Masks: the masks of 2", []string{"cat/1.png < Masks/cat/1.png", "dog/2.png < Masks/dog/2.png"}},
		"without classes": {map[string]string{"images/1.png": "", "masks/1.png": ""}, "masks: the masks of 1", []string{"images/1.png < masks/1.png"}},
		"with splits": {map[string]string{"train/cat/1.png": "", "test/cat/2.png": "", "masks/train/cat/1.png": "", "masks/test/cat/2.png": ""},
			"masks: the masks of 2", []string{"train/cat/1.png < masks/train/cat/1.png", "test/cat/2.png < masks/test/cat/2.png"}},
		"splits of classes in images": {map[string]string{"images/train/cat/1.png": "", "images/test/cat/2.png": "", "masks/train/cat/1.png": "", "masks/test/cat/2.png": ""},
			"masks: the masks of 2", []string{"images/train/cat/1.png < masks/train/cat/1.png", "images/test/cat/2.png < masks/test/cat/2.png"}},
		"in each split": {map[string]string{"train/images/cat/1.png": "", "train/images/dog/1.png": "", "train/masks/cat/1.png": "", "test/images/cat/2.png": "", "test/masks/cat/2.png": ""},
			"train/masks: the masks of 1 image, by their names; 1 image has none there", []string{"train/images/cat/1.png < train/masks/cat/1.png", "train/images/dog/1.png < ", "test/images/cat/2.png < test/masks/cat/2.png"}},
		"beside a table": {map[string]string{"images/1.png": "", "images/2.png": "", "segmentations/1.png": "", "images.csv": "file,class\nimages/1.png,cat\nimages/2.png,dog\n"},
			"segmentations: the masks of 1", []string{"images/1.png < segmentations/1.png", "images/2.png < "}},
		"named by a table": {map[string]string{"images/1.png": "", "images/2.png": "", "masks/x.png": "", "masks/2.png": "", "images.csv": "file,class,mask\nimages/1.png,cat,masks/x.png\nimages/2.png,dog,\n"},
			"", []string{"images/1.png < masks/x.png", "images/2.png < "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := tree(t, c.files)
			d := open(t, dataset.Auto, root)
			var got []string
			for _, s := range d.Samples() {
				if strings.Contains(strings.ToLower(s.Class), "image") || strings.Contains(strings.ToLower(s.Class), "mask") {
					t.Errorf("%s has the class %s", s.Name, s.Class)
				}
				got = append(got, s.Name+" < "+strings.TrimPrefix(strings.TrimPrefix(s.Mask, root), "/"))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff, d.Skipped, d.Missing, d.Notes)
			}
			if !says(d, c.says) && c.says != "" {
				t.Errorf("no note says %q: %v", c.says, d.Notes)
			}
			if c.says != "" && slices.ContainsFunc(d.Skipped, func(p dataset.Problem) bool { return strings.Contains(p.Reason, "describes the pictures") }) {
				t.Errorf("said to be skipped: %v", d.Skipped)
			}
		})
	}
}
