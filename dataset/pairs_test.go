package dataset_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/dataset"
)

// paired lists a data set's images as "class|name < mask + mask".
func paired(d *dataset.Dataset, root string) []string {
	var got []string
	for _, s := range d.Samples() {
		var masks []string
		if s.Mask != "" {
			masks = append(masks, strings.TrimPrefix(s.Mask, root+"/"))
		}
		for _, part := range s.Parts {
			masks = append(masks, strings.TrimPrefix(part.Path, root+"/"))
		}
		got = append(got, s.Class+"|"+s.Name+" < "+strings.Join(masks, " + "))
	}
	return got
}

// Masks are found wherever data sets keep them, and none becomes an image or its folder a class.
func TestMasksByNames(t *testing.T) {
	t.Parallel()
	pictures := []string{"cat/1.jpg", "dog/2.jpg"}
	for _, c := range []struct {
		pictures []string // "": pictures
		masks    string   // from folder and stem of the picture
		splits   bool
	}{
		{masks: "%[1]s/%[2]s_mask.png"}, {masks: "%[1]s/%[2]s-mask.png"}, {masks: "%[1]s/%[2]s (mask).png"}, {masks: "%[1]s/%[2]s.mask.png"}, {masks: "%[1]s/%[2]s_gt.bmp"},
		{masks: "%[1]s/%[2]s_seg.png"}, {masks: "%[1]s/%[2]s_Segmentation.png"}, {masks: "%[1]s/%[2]s_annotation.png"}, {masks: "%[1]s/%[2]s_ground_truth.png"},
		{masks: "%[1]s/masks/%[2]s.png"}, {masks: "%[1]s/mask/%[2]s_mask.png"}, {masks: "%[1]s/GT/%[2]s.png"}, {masks: "%[1]s/annotations/%[2]s.png"},
		{masks: "%[1]s_masks/%[2]s.png"}, {masks: "%[1]s Mask/%[2]s.png"}, {masks: "%[1]s-seg/%[2]s.png"}, {masks: "masks/%[1]s/%[2]s.png"}, {masks: "object_masks/%[1]s/%[2]s_seg.png"},
		{masks: "masks/%[2]s.png"}, {masks: "masks/%[2]s_labels.png"},
		{pictures: []string{"images/cat/1.jpg", "images/dog/2.jpg"}, masks: "labels/%[1]s/%[2]s.png"},
		{pictures: []string{"images/cat/1.jpg", "images/dog/2.jpg"}, masks: "annotations/%[1]s/%[2]s.png"},
		{pictures: []string{"images/cat/1.jpg", "images/dog/2.jpg"}, masks: "gt/%[1]s/%[2]s_gt.png"},
		{pictures: []string{"images/cat/1.jpg", "images/dog/2.jpg"}, masks: "Image Masks/%[1]s/%[2]s.png"},
		{pictures: []string{"cat/images/1.jpg", "dog/images/2.jpg"}, masks: "%[1]s/masks/%[2]s.png"},
		{pictures: []string{"train/cat/1.jpg", "test/dog/2.jpg"}, masks: "%[1]s/%[2]s_mask.png", splits: true},
		{pictures: []string{"train/cat/1.jpg", "test/dog/2.jpg"}, masks: "masks/%[1]s/%[2]s.png", splits: true},
		{pictures: []string{"train/cat/1.jpg", "test/dog/2.jpg"}, masks: "%[1]s/masks/%[2]s.png", splits: true},
		{pictures: []string{"train/cat/1.jpg", "test/dog/2.jpg"}, masks: "%[1]s_masks/%[2]s.png", splits: true},
	} {
		t.Run(c.masks+fmt.Sprint(c.pictures), func(t *testing.T) {
			t.Parallel()
			from := c.pictures
			if from == nil {
				from = pictures
			}
			files := map[string]string{}
			var want []string
			for _, name := range from {
				folder, file, _ := strings.Cut(strings.TrimPrefix(name, "images/"), "/")
				if c.splits {
					_, file, _ = strings.Cut(file, "/")
					folder = name[:strings.LastIndex(name, "/")]
				}
				mask := fmt.Sprintf(c.masks, folder, strings.TrimSuffix(strings.TrimPrefix(file, "images/"), ".jpg"))
				files[name], files[mask] = "", ""
				class := "cat"
				if strings.Contains(name, "dog") {
					class = "dog"
				}
				want = append(want, class+"|"+name+" < "+mask)
			}
			root := tree(t, files)
			d := open(t, dataset.Auto, root)
			if diff := cmp.Diff(want, paired(d, root)); diff != "" {
				t.Error(diff, d.Skipped, d.Notes)
			}
			if len(d.Skipped) > 0 {
				t.Error(d.Skipped)
			}
		})
	}
}

// What is no mask stays what it is, and masks that belong to no image are said.
func TestMasksThatAreNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
		says  string
	}{
		"several":        {map[string]string{"a/1.jpg": "", "a/1_mask.png": "", "a/1_mask_1.png": "", "b/2.jpg": ""}, []string{"a|a/1.jpg < a/1_mask.png + a/1_mask_1.png", "b|b/2.jpg < "}, "a/1_mask.png: the mask of a/1.jpg"},
		"a folder each":  {map[string]string{"images/a/1.jpg": "", "images/b/2.jpg": "", "masks/a/1/0.png": "", "masks/a/1/1.png": ""}, []string{"a|images/a/1.jpg < masks/a/1/0.png + masks/a/1/1.png", "b|images/b/2.jpg < "}, "are joined (1 image)"},
		"numbered":       {map[string]string{"images/a/1.jpg": "", "images/b/2.jpg": "", "masks/a/1_0.png": "", "masks/a/1_1.png": ""}, []string{"a|images/a/1.jpg < masks/a/1_0.png + masks/a/1_1.png", "b|images/b/2.jpg < "}, ""},
		"another's":      {map[string]string{"images/a/1.jpg": "", "images/a/1_1.jpg": "", "masks/a/1_1.png": ""}, []string{"a|images/a/1.jpg < ", "a|images/a/1_1.jpg < masks/a/1_1.png"}, ""},
		"classes":        {map[string]string{"mask/1.jpg": "", "no_mask/2.jpg": ""}, []string{"mask|mask/1.jpg < ", "no_mask|no_mask/2.jpg < "}, ""},
		"with, without":  {map[string]string{"with_mask/1.jpg": "", "without_mask/2.jpg": ""}, []string{"with_mask|with_mask/1.jpg < ", "without_mask|without_mask/2.jpg < "}, ""},
		"a class gt":     {map[string]string{"gt/1.jpg": "", "suv/1.jpg": ""}, []string{"gt|gt/1.jpg < ", "suv|suv/1.jpg < "}, ""},
		"alone":          {map[string]string{"a/1_mask.png": "", "b/2.jpg": ""}, []string{"a|a/1_mask.png < ", "b|b/2.jpg < "}, ""},
		"no owner":       {map[string]string{"a/1.jpg": "", "a/1_mask.png": "", "b/2_mask.png": "", "b/3.jpg": ""}, []string{"a|a/1.jpg < a/1_mask.png", "b|b/3.jpg < "}, "b/2_mask.png: named like a mask"},
		"of MATLAB":      {map[string]string{"images/a/1.jpg": "", "masks/a/1.mat": "x"}, []string{"a|images/a/1.jpg < "}, "masks/a/1.mat is not read as a mask"},
		"arrays":         {map[string]string{"images/a/1.jpg": "", "masks/a/1.npy": "x", "masks/a/2.npy": "x"}, []string{"a|images/a/1.jpg < masks/a/1.npy"}, "1 is no image's"},
		"a class parts":  {map[string]string{"parts/1.jpg": "", "annotations/2.jpg": "", "whole/3.jpg": ""}, []string{"annotations|annotations/2.jpg < ", "parts|parts/1.jpg < ", "whole|whole/3.jpg < "}, ""},
		"parts of them":  {map[string]string{"parts/parts.txt": "x", "a/1.jpg": "", "b/3.jpg": ""}, []string{"a|a/1.jpg < ", "b|b/3.jpg < "}, "describes the pictures"},
		"other names":    {map[string]string{"images/a/1.jpg": "", "masks/a/x.png": ""}, []string{"a|images/a/1.jpg < "}, "is looked for as masks/a/1.png"},
		"not in folders": {map[string]string{"a/1.jpg": "", "b/1.jpg": "", "masks/1.png": ""}, []string{"a|a/1.jpg < ", "b|b/1.jpg < "}, "several images are called 1"},
		"by metadata":    {map[string]string{"train/1.jpg": "", "train/1x.png": "", "train/metadata.csv": "file_name,label,mask\n1.jpg,a,1x.png\n"}, []string{"a|train/1.jpg < train/1x.png"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := tree(t, c.files)
			d := open(t, dataset.Auto, root)
			if diff := cmp.Diff(c.want, paired(d, root)); diff != "" {
				t.Error(diff, d.Skipped, d.Notes)
			}
			if c.says != "" && !says(d, c.says) && !slices.ContainsFunc(d.Skipped, func(p dataset.Problem) bool { return strings.Contains(p.Path+": "+p.Reason, c.says) }) {
				t.Errorf("nothing says %q: %v %v", c.says, d.Notes, d.Skipped)
			}
		})
	}
	d := open(t, dataset.Auto, tree(t, map[string]string{"a/1.jpg": "", "a/1_label.jpg": photograph(t), "b/2.jpg": ""}))
	if d.Len() != 3 || !says(d, "a photograph") {
		t.Errorf("a photograph that is named like a mask: %d images, %v", d.Len(), d.Notes)
	}
}

// photograph is a JPEG of many colours.
func photograph(t *testing.T) string {
	t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for y := range 64 {
		for x := range 64 {
			picture.Set(x, y, color.RGBA{uint8(4 * x), uint8(4 * y), uint8(2 * (x ^ y)), 255})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, nil); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
