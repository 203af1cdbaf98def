package dataset_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/text"
)

// Tables whose labels are not in one column of names.
func TestTablesOfLabels(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		says  string // in a note
		want  []string
	}{
		"one-hot": {map[string]string{"a.png": "", "b.png": "", "train.csv": "image_id,healthy,Rust\na,1,0\nb,0,1\n"}, "healthy, Rust",
			[]string{"|healthy|a.png", "|Rust|b.png"}},
		"one-hot, a competition": {map[string]string{"images/a.png": "", "images/b.png": "", "train.csv": "image_id,healthy,rust\na,1.0,0.0\n", "test.csv": "image_id\nb\n", "sample_submission.csv": "image_id,healthy,rust\nb,0.25,0.25\n"}, "healthy, rust",
			[]string{"train|healthy|images/a.png", "test||images/b.png"}},
		"one-hot beside folders": {map[string]string{"train/1.png": "", "test/2.png": "", "metadata.csv": "file_name,cat,dog\ntrain/1.png,0,1\ntest/2.png,1,0\n"}, "cat, dog",
			[]string{"train|dog|train/1.png", "test|cat|test/2.png"}},
		"a number and its name":    {map[string]string{"a.png": "", "b.png": "", "images.csv": "file,class,label\na.png,cat,0\nb.png,dog,1\n"}, "", []string{"|cat|a.png", "|dog|b.png"}},
		"Latin names":              {map[string]string{"a.png": "", "b.png": "", "images.csv": "file,label\na.png,\"tench, Tinca tinca\"\nb.png,tench\n"}, "", []string{"|tench, Tinca tinca|a.png", "|tench|b.png"}},
		"Label Studio's CSV":       {map[string]string{"images/1.png": "", "2.png": "", "export.csv": "annotation_id,annotator,choice,created_at,id,image,lead_time,updated_at\n1,1,cat,x,1,/data/local-files/?d=images/1.png,2.5,x\n2,1,dog,x,2,/data/upload/1/0a1b2c3d-2.png,1,x\n"}, "Label Studio", []string{"|dog|2.png", "|cat|images/1.png"}},
		"a row with a cell less":   {map[string]string{"a.png": "", "b.png": "", "images.csv": "file,class,split\na.png,cat,train\nb.png,dog\n"}, "fewer cells", []string{"train|cat|a.png", "|dog|b.png"}},
		"a mask in place of it":    {map[string]string{"a.png": "", "segs/a.png": "", "segs/b.png": "", "images.csv": "file,class,mask\na.png,cat,segs/a.png\nb.png,cat,segs/b.png\n"}, "", []string{"|cat|a.png"}},
		"one label in a list":      {map[string]string{"a.png": "", "data.jsonl": `{"image": "a.png", "labels": ["cat"]}`}, "", []string{"|cat|a.png"}},
		"a class with a semicolon": {map[string]string{"a.png": "", "images.csv": "file,class\na.png,robin; red\n"}, "read as one", []string{"|robin; red|a.png"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, dataset.Auto, tree(t, c.files))
			if diff := cmp.Diff(c.want, names(d.Samples())); diff != "" {
				t.Error(diff, d.Skipped, d.Missing, d.Notes)
			}
			if c.says != "" && !slices.ContainsFunc(d.Notes, func(p dataset.Problem) bool { return strings.Contains(p.Path+": "+p.Reason, c.says) }) {
				t.Errorf("no note says %q: %v", c.says, d.Notes)
			}
		})
	}
}

// A table that the studio wrote, in which no name is a formula to a spreadsheet, is read with the names as they are.
func TestTableWithoutFormulas(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	rows := text.NewCSV(&table)
	files := map[string]string{}
	for _, row := range [][]string{{"file", "class", "group"}, {"-a.png", "=cat", "@home"}, {"'=b.png", "+dog", "-1"}, {"'c.png", "'tis", ""}} {
		if err := rows.Write(row); err != nil {
			t.Fatal(err)
		}
		if row[0] != "file" {
			files[row[0]] = ""
		}
	}
	rows.Flush()
	if !strings.Contains(table.String(), "'-a.png,'=cat,'@home\n''=b.png,'+dog,-1") {
		t.Errorf("written: %s", table.String())
	}
	files["images.csv"] = table.String()
	d := open(t, dataset.Auto, tree(t, files))
	if diff := cmp.Diff([]string{"|+dog|'=b.png", "|'tis|'c.png", "|=cat|-a.png"}, names(d.Samples())); diff != "" {
		t.Error(diff, d.Skipped, d.Missing, d.Notes)
	}
}

// Tables whose labels cannot be one label an image are refused by their reason, with the remedy; none is read without its labels.
func TestTablesOfLabelsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		says  []string
	}{
		"one-hot, several":   {map[string]string{"a.png": "", "b.png": "", "train.csv": "file,cat,dog\na.png,1,0\nb.png,1,1\n"}, []string{"cat, dog", "line 3", "several labels", "--columns class="}},
		"one-hot, none":      {map[string]string{"a.png": "", "b.png": "", "train.csv": "file,cat,dog\na.png,1,0\nb.png,0,0\n"}, []string{"cat, dog", "line 3", "no 1"}},
		"semicolons":         {map[string]string{"a.png": "", "b.png": "", "images.csv": "file,class\na.png,cat;dog\nb.png,cat\n"}, []string{"a.png", "several labels", `"cat;dog"`, "--label whole"}},
		"bars":               {map[string]string{"images/a.png": "", "d.csv": "Image Index,Finding Labels,Age\na.png,Edema|Mass,3\n"}, []string{"several labels", "Edema|Mass"}},
		"a table of its own": {map[string]string{"images/a.png": "", "d.csv": "Bild,Befund\na.png,x\n"}, []string{"bild, befund", "--columns file=…;class=…"}},
		"bars, said":         {map[string]string{"a.png": "", "images.csv": "file,labels\na.png,Edema|Mass\n"}, []string{"several labels"}},
		"commas":             {map[string]string{"a.png": "", "b.png": "", "c.png": "", "images.csv": "file,class\na.png,\"cat, dog\"\nb.png,cat\nc.png,dog\n"}, []string{"several labels"}},
		"spaces":             {map[string]string{"a.png": "", "b.png": "", "c.png": "", "images.csv": "file,labels\na.png,scab rust\nb.png,scab\nc.png,rust\n"}, []string{"several labels"}},
		"two columns":        {map[string]string{"a.png": "", "b.png": "", "images.csv": "file,label_1,label_2\na.png,cat,dog\nb.png,cat,\n"}, []string{"label_1, label_2", "one label an image", "--columns class=label_1"}},
		"two names":          {map[string]string{"a.png": "", "b.png": "", "images.csv": "file,class,label\na.png,cat,black\nb.png,cat,white\n"}, []string{"line 3", `"class"`, `"label"`, "--columns class=class"}},
		"a list":             {map[string]string{"a.png": "", "data.jsonl": `{"image": "a.png", "labels": ["cat", "dog"]}`}, []string{"several labels"}},
		"in a shard":         {map[string]string{"train/a.png": "", "train/a.cls": "cat;dog"}, []string{"several labels"}},
		"Label Studio":       {map[string]string{"a.png": "", "x.csv": "annotation_id,annotator,label,id,image,lead_time\n1,1,\"[{\"\"x\"\": 1}]\",1,/data/upload/1/a.png,2\n"}, []string{"line 2", "export the project as JSON"}},
		"a cell too many":    {map[string]string{"a.png": "", "b.png": "", "images.csv": "file,class\na.png,cat\nb.png,dog,train\n"}, []string{"line 3", "3 cells", "header has 2"}},
		"an unknown column":  {map[string]string{"a.png": "", "b.png": "", "train.csv": "file,plant kind\na.png,fern\nb.png,moss\n"}, []string{"train.csv", "plant kind", "--columns class=", "folder"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := dataset.Open(dataset.Auto, tree(t, c.files))
			if err == nil {
				t.Fatalf("read as %s: %v, %v", d.Format, names(d.Samples()), d.Notes)
			}
			if !errors.Is(err, dataset.ErrLayout) && name != "a cell too many" {
				t.Errorf("%v is no ErrLayout", err)
			}
			for _, says := range c.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%v does not say %q", err, says)
				}
			}
		})
	}
	d, err := dataset.Read(tree(t, map[string]string{"a.png": "", "b.png": "", "images.csv": "file,class\na.png,cat;dog\nb.png,cat\n"}), dataset.Options{Label: dataset.LabelWhole})
	if err != nil || d.Len() != 2 || d.Sample(0).Class != "cat;dog" {
		t.Errorf("with --label whole: %v", err)
	}
}
