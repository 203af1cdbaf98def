package dataset_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/dataset"
)

// Labels that are numbers have the names that a file beside them gives.
func TestNumbersAndTheNamesOfClasses(t *testing.T) {
	t.Parallel()
	table := func(labels ...string) map[string]string {
		files := map[string]string{}
		csv := []string{"file,class"}
		for i, label := range labels {
			name := string(rune('a'+i)) + ".png"
			files["images/"+name] = ""
			csv = append(csv, "images/"+name+","+label)
		}
		files["labels.csv"] = strings.Join(csv, "\n") + "\n"
		return files
	}
	with := func(files map[string]string, name, content string) map[string]string {
		files[name] = content
		return files
	}
	two := []string{"|cat|images/a.png", "|dog|images/b.png"}
	for name, c := range map[string]struct {
		files map[string]string
		says  string // in a note
		want  []string
	}{
		"from 0":                   {with(table("0", "1"), "classes.txt", "cat\ndog\n"), `classes.txt: the labels are numbers, and the names of their classes are read from this file, counted from 0: 0 is "cat"`, two},
		"from 1":                   {with(table("1", "2"), "classes.txt", "cat\r\ndog\r\n"), `counted from 1: 1 is "cat"`, two},
		"from 0, not all":          {with(table("0", "1"), "class_names.txt", "cat\ndog\nfox"), "counted from 0", two},
		"as decimals":              {with(table("0.0", "1.0"), "classes.txt", "cat\ndog\n"), "counted from 0", two},
		"numbered":                 {with(table("7", "3"), "labels.txt", "3 dog\n7 cat\n9: fox\n"), `: 3 is "dog"`, two},
		"numbered behind":          {with(table("1", "0"), "classes.txt", "dog,0\ncat,1\n"), `: 0 is "dog"`, two},
		"names that end in digits": {with(table("0", "1"), "classes.txt", "Boeing 707\nBoeing 747\n"), "counted from 0", []string{"|Boeing 707|images/a.png", "|Boeing 747|images/b.png"}},
		"JSON":                     {with(table("1", "0"), "label_num_to_disease_map.json", `{"0": "dog", "1": "cat"}`), "label_num_to_disease_map.json", two},
		"JSON, name first":         {with(table("1", "0"), "class_to_idx.json", `{"dog": 0, "cat": 1}`), "class_to_idx.json", two},
		"JSON, a list":             {with(table("0", "1"), "classes.json", `["cat", "dog"]`), "classes.json", two},
		"a table of names":         {with(table("1", "2"), "classes.csv", "id,name\n1,cat\n2,dog\n"), "classes.csv", two},
		"names are numbers":        {with(table("0", "1"), "classes.txt", "0\n1\n"), "", []string{"|0|images/a.png", "|1|images/b.png"}},
		"a legend is no list":      {with(table("0", "1"), "labelmap.txt", "background:0,0,0::\ncat:64,128,64::\n"), "", []string{"|0|images/a.png", "|1|images/b.png"}},
		"names already":            {with(table("cat", "dog"), "classes.txt", "dog\ncat\n"), "", two},
		"folders":                  {map[string]string{"1/a.png": "", "2/b.png": "", "cat_to_name.json": `{"1": "rose", "2": "lily"}`}, "cat_to_name.json", []string{"|rose|1/a.png", "|lily|2/b.png"}},
		"folders in a folder":      {map[string]string{"images/0/a.png": "", "images/1/b.png": "", "classes.json": `["cat", "dog"]`}, "classes.json", []string{"|cat|0/a.png", "|dog|1/b.png"}},
		"JSON Lines":               {map[string]string{"a.png": "", "data.jsonl": `{"image": "a.png", "label": 0}`, "classes.txt": "cat\ndog\n"}, "counted from 0", []string{"|cat|a.png"}},
		"metadata": {map[string]string{"train/a.png": "", "train/metadata.csv": "file_name,label\na.png,0\n", "test/b.png": "", "test/metadata.csv": "file_name,label\nb.png,1\n", "classes.txt": "cat\ndog\n"}, "counted from 0",
			[]string{"train|cat|train/a.png", "test|dog|test/b.png"}},
		"a column of names": {map[string]string{"a.png": "", "b.png": "", "images.csv": "file,label,class_name\na.png,0,cat\nb.png,1,dog\n"}, `class from "class_name"`, []string{"|cat|a.png", "|dog|b.png"}},
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
	for name, c := range map[string]struct {
		files map[string]string
		says  []string
	}{
		"from 0 or from 1": {with(table("1", "2"), "classes.txt", "cat\ndog\nfox\nhen\n"), []string{"numbers 1 to 2", "classes.txt names 4", "cannot be told", "write the number before each name"}},
		"beyond":           {with(table("0", "5"), "classes.txt", "cat\ndog\n"), []string{"the label 5 is none of the 2 classes of classes.txt"}},
		"below":            {with(table("-1", "0"), "classes.txt", "cat\ndog\n"), []string{"the label -1 is none"}},
		"one name twice":   {with(table("0", "1"), "classes.txt", "cat\ncat\n"), []string{"labels 0 and 1", `"cat"`}},
		"an empty line":    {with(table("0", "1"), "classes.txt", "cat\n\ndog\n"), []string{"line 2 of classes.txt is empty"}},
		"number not there": {with(table("0", "4"), "classes.txt", "0 cat\n1 dog\n"), []string{"the label 4"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := dataset.Open(dataset.Auto, tree(t, c.files))
			if err == nil {
				t.Fatalf("read: %v, %v", names(d.Samples()), d.Notes)
			}
			for _, says := range c.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%v does not say %q", err, says)
				}
			}
		})
	}
}
