package dataset_test

import (
	"errors"
	"image"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/google/go-cmp/cmp"
)

func TestCUB(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"images/001.A/1.png": "", "images/001.A/2.png": "", "images/002.B/3.png": "", "images/002.B/4.png": "",
		"lists/train.txt":         "001.A/1.png\r\n002.B/3.png\r\n\r\n002.B/gone.png\r\n",
		"lists/test.txt":          "001.A/2.png\n",
		"pseudomasks/001.A/1.png": "",
	})
	writeGrey(t, filepath.Join(root, "pseudomasks/001.A/2.png"), 4, 4, func(int, int) uint8 { return 0 })
	d := open(t, "cub", root)
	want := []string{"train|001.A|images/001.A/1.png", "train|002.B|images/002.B/3.png", "test|001.A|images/001.A/2.png"}
	if diff := cmp.Diff(want, names(d.Samples())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"images/002.B/4.png"}, keys(reasons(d.Skipped))); diff != "" {
		t.Error("skipped:", diff)
	}
	if diff := cmp.Diff([]string{"images/002.B/gone.png"}, keys(reasons(d.Missing))); diff != "" {
		t.Error("missing:", diff)
	}
	if d.Sample(0).Mask == "" || d.Sample(1).Mask != "" || d.Sample(2).Mask != "" {
		t.Errorf("masks: %q %q %q, want one, none (no file) and none (empty)", d.Sample(0).Mask, d.Sample(1).Mask, d.Sample(2).Mask)
	}
	if diff := cmp.Diff([]string{"pseudomasks/001.A/2.png"}, keys(reasons(d.Notes))); diff != "" {
		t.Error("notes:", diff)
	}
}

func TestIDRiDKeepsItsPartsApart(t *testing.T) {
	t.Parallel()
	d := open(t, "idrid", tree(t, map[string]string{
		"A. Segmentation/1. Original Images/a. Training Set/IDRiD_01.png":                                    "",
		"A. Segmentation/2. All Segmentation Groundtruths/a. Training Set/1. Microaneurysms/IDRiD_01_MA.png": "",
		"A. Segmentation/2. All Segmentation Groundtruths/b. Testing Set/1. Microaneurysms/IDRiD_01_MA.png":  "",
		"B. Disease Grading/1. Original Images/a. Training Set/IDRiD_001.png":                                "",
		"B. Disease Grading/1. Original Images/b. Testing Set/IDRiD_001.png":                                 "",
		"B. Disease Grading/1. Original Images/b. Testing Set/IDRiD_009.png":                                 "",
		"B. Disease Grading/2. Groundtruths/a. IDRiD_Disease Grading_Training Labels.csv":                    "Image name,Retinopathy grade,Risk of macular edema ,,,\r\nIDRiD_001,3,2,,,\r\nIDRiD_002,1,0,,,\r\n,,,,,\r\n",
		"B. Disease Grading/2. Groundtruths/b. IDRiD_Disease Grading_Testing Labels.csv":                     "Image name,Retinopathy grade,Risk of macular edema \r\nIDRiD_001,0,0\r\n",
	}))
	b := "B. Disease Grading/1. Original Images/"
	a := "A. Segmentation/1. Original Images/a. Training Set/IDRiD_01.png"
	want := []string{"train||" + a, "train|3|" + b + "a. Training Set/IDRiD_001.png", "test|0|" + b + "b. Testing Set/IDRiD_001.png", "test||" + b + "b. Testing Set/IDRiD_009.png"}
	if diff := cmp.Diff(want, names(d.Samples())); diff != "" {
		t.Error(diff)
	}
	for _, s := range d.All() {
		if s.Name != a {
			if len(s.Parts) > 0 {
				t.Errorf("%s has masks of another part: %v", s.Name, s.Parts)
			}
			continue
		}
		if len(s.Parts) != 1 || s.Parts[0].Kind != "microaneurysms" || !strings.Contains(s.Parts[0].Path, "a. Training Set") {
			t.Errorf("%s: parts %v, want the microaneurysms of its own set", s.Name, s.Parts)
		}
	}
	if diff := cmp.Diff([]string{b + "a. Training Set/IDRiD_002.jpg"}, keys(reasons(d.Missing))); diff != "" {
		t.Error("missing:", diff)
	}
}

// TestRealData reads the public data sets as they are distributed.
func TestRealData(t *testing.T) {
	t.Parallel()
	dir := fixture.Data(t)
	for _, test := range []struct {
		format, folder                             string
		classes, skipped, missing, notes           int
		train, validation, test, masks, unlabelled int
	}{
		{format: "folder", folder: "imagenette-small", classes: 10, train: 1000, validation: 300},
		{format: "folder", folder: "clothing-small", classes: 10, train: 3068, validation: 341},
		{format: "cub", folder: "cub200-2010-60", classes: 60, train: 900, test: 923, notes: 9, masks: 1814},
		// 398 graded, and 51 with masks of which 42 are graded ones again.
		{format: "idrid", folder: "idrid-small", classes: 5, train: 398 + 51 - 42, skipped: 42, missing: 15, notes: 1, masks: 51, unlabelled: 9},
	} {
		t.Run(test.folder, func(t *testing.T) {
			t.Parallel()
			d := open(t, test.format, filepath.Join(dir, test.folder))
			masks, unlabelled := 0, 0
			for _, s := range d.All() {
				if s.Mask != "" || len(s.Parts) > 0 {
					masks++
				}
				if s.Class == "" {
					unlabelled++
				}
			}
			got := []int{len(d.Classes), len(d.Split(dataset.Train)), len(d.Split(dataset.Validation)), len(d.Split(dataset.Test)), len(d.Skipped), len(d.Missing), len(d.Notes), masks, unlabelled}
			want := []int{test.classes, test.train, test.validation, test.test, test.skipped, test.missing, test.notes, test.masks, test.unlabelled}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error("classes, train, validation, test, skipped, missing, notes, masks, unlabelled:", diff)
			}
		})
	}
}

// TestRealMasks reads masks of each kind that the public sets hold.
func TestRealMasks(t *testing.T) {
	t.Parallel()
	d := open(t, "idrid", filepath.Join(fixture.Data(t), "idrid-small"))
	read := 0
	for _, s := range d.All() {
		for _, part := range s.Parts {
			var m attention.Map
			err := dataset.Mask(t.Context(), part.Path, nil, func(mask *image.Gray) error {
				if size := mask.Rect.Size(); size.X != 1072 || size.Y != 712 {
					t.Errorf("%s: %v, want 1072×712", part.Path, size)
				}
				m = attention.FromMask(mask, attention.Whole, 14, 14)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Validate(); err != nil {
				t.Errorf("%s: %v", part.Path, err)
			}
			if part.Kind == "optic disc" && m.InsideFraction(m) == 0 {
				t.Errorf("%s: no optic disc in it", part.Path)
			}
			read++
		}
		if read > 25 {
			break
		}
	}
	if read == 0 {
		t.Fatal("no mask read")
	}
}

// With LabelLargest, an image with several labels has that of its largest annotation, and only that label's annotations are its mask.
func TestCOCOLargestLabel(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"1.png": "", "2.png": "", "x.json": `{"images":[{"id":1,"file_name":"1.png"},{"id":2,"file_name":"2.png"}],` +
		`"categories":[{"id":1,"name":"cat"},{"id":2,"name":"dog"}],"annotations":[` +
		`{"image_id":1,"category_id":2,"bbox":[0,0,1,1]},{"image_id":1,"category_id":1,"bbox":[0,0,2,1]},{"image_id":1,"category_id":2,"area":3.5,"bbox":[0,2,2,2]},` +
		`{"image_id":2,"category_id":1,"bbox":[0,0,1,1]},{"image_id":9,"category_id":1}]}`})
	d, err := dataset.Read(dir, dataset.Options{Label: dataset.LabelLargest})
	if err != nil {
		t.Fatal(err)
	}
	if d.Sample(0).Class != "dog" || d.Sample(1).Class != "cat" || d.Len() != 2 {
		t.Errorf("%+v", d.Samples())
	}
	if boxes := d.Sample(0).Marks.Boxes; len(boxes) != 2 || boxes[1].Height != 2 {
		t.Errorf("the mask is %+v", boxes)
	}
	var said []string
	for _, n := range d.Notes {
		said = append(said, n.Reason)
	}
	if all := strings.Join(said, "; "); !strings.Contains(all, "that of the largest annotation is taken") || strings.Contains(all, "such") {
		t.Errorf("notes: %s", all)
	}
	if _, err := dataset.Read(dir, dataset.Options{}); err == nil || !strings.Contains(err.Error(), "--label largest") {
		t.Errorf("without the rule: %v", err)
	}
	if _, err := dataset.Read(dir, dataset.Options{Label: "smallest"}); !errors.Is(err, dataset.ErrLayout) {
		t.Errorf("another rule: %v", err)
	}
}
