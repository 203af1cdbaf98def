package dataset_test

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/abn-studio/studio/dataset"
)

type parquetPicture struct {
	Bytes []byte  `parquet:"bytes,optional"`
	Path  *string `parquet:"path,optional"`
}

// parquetFile writes rows into a file, with the features that Hugging Face describes them by.
func parquetFile[T any](t *testing.T, file, features string, rows ...T) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := parquet.NewGenericWriter[T](out, parquet.KeyValueMetadata("huggingface", `{"info": {"features": `+features+`}}`))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func greyPNG(t *testing.T, shade uint8) parquetPicture {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, 4, 4))
	for i := range picture.Pix[:8] {
		picture.Pix[i] = shade
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		t.Fatal(err)
	}
	return parquetPicture{Bytes: out.Bytes()}
}

const labelFeatures = `{"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}`

type parquetRow struct {
	Image parquetPicture `parquet:"image,optional"`
	Label int64          `parquet:"label"`
}

// A column of masks beside the images is their masks, whichever stands first.
func TestParquetMasks(t *testing.T) {
	t.Parallel()
	type line struct {
		Annotation parquetPicture `parquet:"annotation,optional"`
		Image      parquetPicture `parquet:"image,optional"`
	}
	dir := t.TempDir()
	parquetFile(t, filepath.Join(dir, "data/train-00000-of-00001.parquet"), `{}`, line{greyPNG(t, 255), greyPNG(t, 40)}, line{parquetPicture{}, greyPNG(t, 50)})
	d := open(t, dataset.Auto, dir)
	defer d.Close()
	if d.Len() != 2 || !d.HasMask(d.Sample(0)) || d.HasMask(d.Sample(1)) {
		t.Fatalf("%+v, %v", d.Samples(), d.Notes)
	}
	err := d.ObjectMask(t.Context(), d.Sample(0), func(mask *image.Gray) error {
		if mask.Pix[0] != 255 || mask.Pix[15] != 0 {
			t.Errorf("the mask %v", mask.Pix)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	type two struct {
		Left  parquetPicture `parquet:"left,optional"`
		Right parquetPicture `parquet:"right,optional"`
	}
	dir = t.TempDir()
	parquetFile(t, filepath.Join(dir, "train.parquet"), `{}`, two{greyPNG(t, 1), greyPNG(t, 2)})
	if _, err := dataset.Open(dataset.Auto, dir); err == nil || !strings.Contains(err.Error(), "several columns hold pictures (left, right)") {
		t.Error(err)
	}
}

// Shards that are not there are missing by name, rows without a label are counted, and neither configurations nor lists of labels are mixed.
func TestParquetShards(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, shard := range []string{"data/train-00000-of-00005.parquet", "data/train-00003-of-00005.parquet", "data/test-00000-of-00001.parquet"} {
		parquetFile(t, filepath.Join(dir, shard), labelFeatures, parquetRow{greyPNG(t, 1), 1}, parquetRow{greyPNG(t, 2), -1})
	}
	d := open(t, dataset.Auto, dir)
	defer d.Close()
	if diff := cmp.Diff([]string{"data/train-00001-of-00005.parquet", "data/train-00002-of-00005.parquet", "data/train-00004-of-00005.parquet"}, keys(reasons(d.Missing))); diff != "" || d.Len() != 6 {
		t.Error(diff, d.Len())
	}
	if !slices.ContainsFunc(d.Notes, func(p dataset.Problem) bool { return strings.Contains(p.Reason, "unlabelled (3 such") }) {
		t.Errorf("no note counts the rows without a label: %v", d.Notes)
	}

	several := t.TempDir()
	for _, file := range []string{"full/train/0000.parquet", "mini/train/0000.parquet"} {
		parquetFile(t, filepath.Join(several, file), labelFeatures, parquetRow{greyPNG(t, 1), 1})
	}
	if _, err := dataset.Open(dataset.Auto, several); err == nil || !strings.Contains(err.Error(), "full/train/0000.parquet and mini/train/0000.parquet") {
		t.Errorf("two configurations: %v", err)
	}
	d = open(t, dataset.Auto, filepath.Join(several, "mini"))
	defer d.Close()
	if d.Len() != 1 {
		t.Errorf("one configuration: %d images", d.Len())
	}

	type labels struct {
		Image  parquetPicture `parquet:"image,optional"`
		Labels []int64        `parquet:"labels,list"`
	}
	lists := t.TempDir()
	parquetFile(t, filepath.Join(lists, "train.parquet"), `{}`, labels{greyPNG(t, 1), []int64{1, 2}})
	if _, err := dataset.Open(dataset.Auto, lists); err == nil || !strings.Contains(err.Error(), "several labels") {
		t.Errorf("lists of labels: %v", err)
	}
}
