package dataset_test

import (
	"image"
	"image/jpeg"
	"image/png"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/dataset"
)

// chars is a text of a MATLAB file.
func chars(name, content string) []byte {
	return array(4, name, 1, len(content), element(16, []byte(content)))
}

// row is a row of small numbers.
func row(name string, numbers ...byte) []byte {
	return array(9, name, 1, len(numbers), element(2, numbers))
}

func cells(name string, texts ...string) []byte {
	var all [][]byte
	for _, s := range texts {
		all = append(all, chars("", s))
	}
	return array(1, name, 1, len(texts), all...)
}

// cars is a file of Stanford Cars' devkit: of each image the name, its class and the box (2, 2) to (3, 4).
func cars(fname string, of map[string]float64, order ...string) string {
	fields := []string{"bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", fname}
	if of != nil {
		fields = append(fields, "class")
	}
	var values [][]byte
	for _, name := range order {
		values = append(values, number(2), number(2), number(3), number(4), chars("", name))
		if of != nil {
			values = append(values, number(of[name]))
		}
	}
	return matFile(structure("annotations", len(order), fields, values...))
}

// Public data sets with lists of their own, each in its official shape with few files.
func TestPublishedLists(t *testing.T) {
	t.Parallel()
	pets := map[string]string{
		"images/Abyssinian_1.png": "", "images/yorkshire_terrier_2.png": "", "images/yorkshire_terrier_3.png": "", "images/Abyssinian_4.mat": "x",
		"annotations/list.txt":     "#Image CLASS-ID SPECIES BREED ID\n#ID: 1:37 Class ids\nAbyssinian_1 1 1 1\nyorkshire_terrier_2 37 2 25\nyorkshire_terrier_3 37 2 25\n",
		"annotations/trainval.txt": "Abyssinian_1 1 1 1\nyorkshire_terrier_2 37 2 25\n", "annotations/test.txt": "yorkshire_terrier_3 37 2 25\nyorkshire_terrier_99 37 2 25\n",
		"annotations/trimaps/Abyssinian_1.png": trimap(), "annotations/trimaps/._Abyssinian_1.png": "x", "annotations/README": "x",
		"annotations/xmls/Abyssinian_1.xml": "<annotation><object><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></object></annotation>",
	}
	dtd := map[string]string{
		"images/banded/banded_0002.png": "", "images/dotted/dotted_0001.png": "", "images/dotted/dotted_0003.png": "", "imdb/imdb.mat": "x",
		"labels/train1.txt": "banded/banded_0002.png\n", "labels/val1.txt": "dotted/dotted_0001.png\n", "labels/test1.txt": "dotted/dotted_0003.png\n",
		"labels/train2.txt": "dotted/dotted_0001.png\n", "labels/val2.txt": "banded/banded_0002.png\n", "labels/test2.txt": "dotted/dotted_0003.png\n",
		"labels/labels_joint_anno.txt": "banded/banded_0002.png banded lined\n",
	}
	aircraft := map[string]string{
		"data/images/0034309.png": "", "data/images/0056978.png": "", "data/images/1025794.png": "", "data/images_box.txt": "0034309 1 2 4 3\n0056978 2 2 4 4\n1025794 2 2 3 4\n",
		"data/images_variant_train.txt": "0034309 707-320\n", "data/images_variant_val.txt": "0056978 F/A-18\n", "data/images_variant_trainval.txt": "0034309 707-320\n0056978 F/A-18\n",
		"data/images_variant_test.txt": "1025794 707-320\n", "data/images_family_train.txt": "0034309 Boeing 707\n", "data/images_train.txt": "0034309\n", "data/variants.txt": "707-320\nF/A-18\n",
		"README.md": "x", "evaluation.m": "x",
	}
	flowers := map[string]string{
		"jpg/image_00001.jpg": jpegText(t), "jpg/image_00002.jpg": jpegText(t), "jpg/image_00003.jpg": jpegText(t), "imagelabels.mat": matFile(row("labels", 77, 2, 77)),
		"setid.mat": matFile(row("trnid", 3), row("valid", 1), row("tstid", 2)),
	}
	named := under("flowers-102", flowers)
	named["flowers-102/cat_to_name.json"] = `{"2": "hard-leaved pocket orchid", "77": "passion flower"}`
	stanford := map[string]string{
		"cars_train/00001.png": "", "cars_train/00002.png": "", "cars_test/00001.png": "",
		"devkit/cars_meta.mat":        matFile(cells("class_names", "AM General Hummer SUV 2000", "Ram C/V Cargo Van Minivan 2012")),
		"devkit/cars_train_annos.mat": cars("fname", map[string]float64{"00001.png": 2, "00002.png": 1}, "00001.png", "00002.png"),
		"devkit/cars_test_annos.mat":  cars("fname", nil, "00001.png"),
	}
	labelled := map[string]string{"cars_test_annos_withlabels.mat": cars("fname", map[string]float64{"00001.png": 1}, "00001.png")}
	maps.Copy(labelled, stanford)
	for name, c := range map[string]struct {
		files      map[string]string
		says       string
		want       []string
		masks      int
		noted      string
		goneOthers []string
	}{
		"Pets":                                 {pets, "Oxford-IIIT Pets", []string{"train|Abyssinian|images/Abyssinian_1.png", "train|yorkshire_terrier|images/yorkshire_terrier_2.png", "test|yorkshire_terrier|images/yorkshire_terrier_3.png"}, 1, "1 is the pet", []string{"images/yorkshire_terrier_99"}},
		"DTD":                                  {under("dtd/dtd", dtd), "DTD", []string{"train|banded|images/banded/banded_0002.png", "validation|dotted|images/dotted/dotted_0001.png", "test|dotted|images/dotted/dotted_0003.png"}, 0, "ten partitions", nil},
		"FGVC-Aircraft":                        {under("fgvc-aircraft-2013b", aircraft), "FGVC-Aircraft", []string{"train|707-320|images/0034309.png", "validation|F/A-18|images/0056978.png", "test|707-320|images/1025794.png"}, 3, "variants", nil},
		"Flowers-102":                          {flowers, "Flowers-102", []string{"train|77|jpg/image_00003.jpg", "validation|77|jpg/image_00001.jpg", "test|2|jpg/image_00002.jpg"}, 0, "", nil},
		"Flowers-102 with names":               {named, "Flowers-102", []string{"train|passion flower|jpg/image_00003.jpg", "validation|passion flower|jpg/image_00001.jpg", "test|hard-leaved pocket orchid|jpg/image_00002.jpg"}, 0, "cat_to_name", nil},
		"Stanford Cars":                        {stanford, "Stanford Cars", []string{"train|Ram C/V Cargo Van Minivan 2012|cars_train/00001.png", "train|AM General Hummer SUV 2000|cars_train/00002.png", "test||cars_test/00001.png"}, 3, "without a class", nil},
		"Stanford Cars with the test's labels": {labelled, "Stanford Cars", []string{"train|Ram C/V Cargo Van Minivan 2012|cars_train/00001.png", "train|AM General Hummer SUV 2000|cars_train/00002.png", "test|AM General Hummer SUV 2000|cars_test/00001.png"}, 3, "", nil},
		"Stanford Cars in one file": {map[string]string{"car_ims/000001.png": "", "car_ims/000002.png": "", "cars_annos.mat": matFile(
			structure("annotations", 2, []string{"relative_im_path", "class", "test"}, chars("", "car_ims/000001.png"), number(1), number(0), chars("", "car_ims/000002.png"), number(2), number(1)),
			cells("class_names", "Audi", "BMW"))}, "cars_annos.mat", []string{"train|Audi|car_ims/000001.png", "test|BMW|car_ims/000002.png"}, 0, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, dataset.Auto, tree(t, c.files))
			if d.Format != "lists" || !strings.Contains(d.Why, c.says) {
				t.Errorf("read as %s (%s)", d.Format, d.Why)
			}
			if diff := cmp.Diff(c.want, names(d.Samples())); diff != "" {
				t.Error(diff, d.Skipped, d.Missing, d.Notes)
			}
			masks := 0
			for _, s := range d.Samples() {
				if !d.HasMask(s) {
					continue
				}
				masks++
				if err := d.ObjectMask(t.Context(), s, func(m *image.Gray) error {
					if m.Pix[0] != 0 || m.GrayAt(2, 2).Y != 255 {
						t.Errorf("the mask of %s is %v", s.Name, m.Pix)
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
			if masks != c.masks {
				t.Errorf("%d masks, want %d", masks, c.masks)
			}
			said := ""
			for _, n := range d.Notes {
				said += n.Path + " " + n.Reason + "\n"
			}
			if !strings.Contains(said, c.noted) {
				t.Errorf("noted is %s", said)
			}
			var missing []string
			for _, p := range d.Missing {
				missing = append(missing, p.Path)
			}
			if diff := cmp.Diff(c.goneOthers, missing); diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, c := range map[string]struct {
		files map[string]string
		says  string
	}{
		"two splits of one":  {map[string]string{"images/a/1.png": "", "labels/train1.txt": "a/1.png\n", "labels/test1.txt": "a/1.png\n"}, "was named in line 1 of labels/train1.txt already"},
		"a number too large": {map[string]string{"jpg/image_00001.jpg": jpegText(t), "imagelabels.mat": matFile(row("labels", 1)), "setid.mat": matFile(row("trnid", 2), row("valid"), row("tstid"))}, "has labels of 1"},
		"a class too large":  {map[string]string{"cars_train/1.png": "", "cars_meta.mat": matFile(cells("class_names", "A")), "cars_train_annos.mat": cars("fname", map[string]float64{"1.png": 2}, "1.png")}, "there are names of 1"},
		"no variant":         {map[string]string{"images/1.png": "", "images_variant_train.txt": "1\n"}, "want an image and its variant"},
		"a broken file":      {map[string]string{"jpg/image_00001.jpg": jpegText(t), "imagelabels.mat": "MATLAB 7.3 MAT-file" + strings.Repeat(" ", 200)}, "reading imagelabels.mat"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := dataset.Open(dataset.Auto, tree(t, c.files)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

// JSON that says of each file what it shows, or of each class its files.
func TestJSONOfFilesAndClasses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
		says  string // of the refusal
	}{
		"names":            {map[string]string{"images/1.png": "", "images/2.png": "", "labels.json": `{"1.png": "cat", "2.png": "dog", "3.png": "dog"}`}, []string{"|cat|images/1.png", "|dog|images/2.png"}, ""},
		"beside folders":   {map[string]string{"a/1.png": "", "b/1.png": "", "labels.json": `{"a/1.png": "cat", "b/1.png": "dog"}`}, []string{"|cat|a/1.png", "|dog|b/1.png"}, ""},
		"numbers":          {map[string]string{"1.png": "", "2.png": "", "labels.json": `{"1.png": 0, "2.png": 1}`, "classes.txt": "cat\ndog\n"}, []string{"|cat|1.png", "|dog|2.png"}, ""},
		"files of classes": {map[string]string{"img/1.png": "", "img/2.png": "", "img/3.png": "", "classes.json": `{"cat": ["img/1.png", "img/3.png"], "dog": ["img/2.png"]}`}, []string{"|cat|img/1.png", "|dog|img/2.png", "|cat|img/3.png"}, ""},
		"objects":          {map[string]string{"1.png": "", "2.png": "", "labels.json": `{"1.png": {"label": "cat", "split": "train"}, "2.png": {"label": "dog", "split": "test"}}`}, []string{"train|cat|1.png", "test|dog|2.png"}, ""},
		"files of splits":  {map[string]string{"images/1.png": "", "images/2.png": "", "train.json": `{"images/1.png": "cat"}`, "test.json": `{"images/2.png": "dog"}`}, []string{"train|cat|images/1.png", "test|dog|images/2.png"}, ""},
		"in a folder":      {map[string]string{"images/1.png": "", "annotations/labels.json": `{"1.png": "cat"}`}, []string{"|cat|images/1.png"}, ""},
		"of one":           {map[string]string{"1.png": "", "labels.json": `{"1.png": ["cat"]}`}, []string{"|cat|1.png"}, ""},
		"several labels":   {map[string]string{"1.png": "", "labels.json": `{"1.png": ["cat", "dog"]}`}, nil, "1.png has 2 labels"},
		"twice":            {map[string]string{"1.png": "", "labels.json": `{"cat": ["1.png"], "dog": ["1.png"]}`}, nil, "an image has one class"},
		"a truth":          {map[string]string{"1.png": "", "labels.json": `{"1.png": true}`}, nil, "which is no class"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := dataset.Open(dataset.Auto, tree(t, c.files))
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v, want %q", err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, names(d.Samples())); diff != "" || d.Format != "json" {
				t.Error(diff, d.Format, d.Notes)
			}
		})
	}
}

// trimap is a mask of Oxford-IIIT Pets for a picture of 4×4: a pet in the middle of its border.
func trimap() string {
	picture := image.NewGray(image.Rect(0, 0, 4, 4))
	for i := range picture.Pix {
		picture.Pix[i] = 2
	}
	picture.Pix[5], picture.Pix[6], picture.Pix[9], picture.Pix[10] = 3, 3, 3, 1
	var out strings.Builder
	if err := png.Encode(&out, picture); err != nil {
		panic(err)
	}
	return out.String()
}

func jpegText(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	if err := jpeg.Encode(&out, image.NewGray(image.Rect(0, 0, 4, 4)), nil); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
