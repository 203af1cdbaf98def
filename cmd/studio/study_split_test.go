package main

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/study"
)

// A divided set has every picture once, the same ones on every call, and other ones with another seed.
func TestStudyMakeSplit(t *testing.T) {
	t.Parallel()
	images, masks := writePatches(t)
	dir := t.TempDir()
	var clusters strings.Builder // of three pictures each, of one class
	clusters.WriteString("file,group,cluster\n")
	for split, n := range map[string]int{"train": 8, "test": 4} {
		for c := range 3 {
			for i := range n {
				fmt.Fprintf(&clusters, "%s/class%d/%s%d-%d.png,g%d,%s%d-%d\n", split, c, split, c, i, c, split, c, i/3)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(images, "metadata.csv"), []byte(clusters.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	made := map[string]study.Divided{}
	for name, more := range map[string][]string{"one": nil, "again": nil, "two": {"--seed", "2"}} {
		arguments := append([]string{"study", "make", "split", "--images", images, "--masks", masks, "--out", filepath.Join(dir, name), "--json"}, more...)
		made[name] = decodeJSON[study.Divided](t, evaluated(t, arguments...))
	}
	for split, of := range made["one"].Splits { // 12 clusters of three and three of two, of 36 pictures: about the shares
		if share := map[string]int{"train": 18, "validation": 4, "pool": 5, "test": 9}[split]; of.Images < share-5 || of.Images > share+5 {
			t.Errorf("%s has %d pictures, want about %d", split, of.Images, share)
		}
	}
	if made["one"].Digest != made["again"].Digest || made["one"].Digest == made["two"].Digest {
		t.Errorf("digests %s, %s, and with another seed %s", made["one"].Digest, made["again"].Digest, made["two"].Digest)
	}
	set, err := dataset.Open("folder", images)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	total := made["one"].Twice
	for split, of := range made["one"].Splits {
		total += of.Images
		if of.Images == 0 || of.Masked == 0 {
			t.Errorf("%s has %+v", split, of)
		}
	}
	if total != set.Len() || len(made["one"].Splits) != 4 || len(made["one"].Classes) != 3 {
		t.Errorf("%d of %d pictures, %+v", total, set.Len(), made["one"])
	}
	divided, err := dataset.Open("folder", filepath.Join(dir, "one", "images"))
	if err != nil {
		t.Fatal(err)
	}
	defer divided.Close()
	in := map[string]string{}
	for _, s := range divided.All() {
		if was, known := in[s.Cluster]; s.Cluster == "" || s.Group == "" || known && was != s.Split {
			t.Errorf("%s of the cluster %q and the group %q is in %s, others of it are in %q", s.Name, s.Cluster, s.Group, s.Split, was)
		}
		in[s.Cluster] = s.Split
	}
	if len(in) != 15 {
		t.Errorf("%d clusters, want 15", len(in))
	}
	for what, flags := range map[string][]string{
		"holds other files":               {"--out", dir},
		"nothing is left for the test":    {"--train", "0.8", "--pool", "0.3"},
		"no picture is of that class":     {"--out", filepath.Join(dir, "three"), "--join", "red=nobody"},
		"y and z are both made of":        {"--out", filepath.Join(dir, "three"), "--join", "z=" + set.Classes[0] + ";y=" + set.Classes[0]},
		"holds another set":               {"--seed", "3"},
		"labelled pictures of 1 class":    {"--out", filepath.Join(dir, "three"), "--join", "all=" + strings.Join(set.Classes, ",")},
		"--pool is 0, want a share":       {"--pool", "0"},
		"lies in the folder of --images,": {"--out", filepath.Join(images, "below")},
	} {
		arguments := append([]string{"study", "make", "split", "--images", images, "--masks", masks, "--out", filepath.Join(dir, "one")}, flags...)
		if code, _, log := runStudio(t, arguments...); code != exitFailure || !strings.Contains(log, strings.TrimSuffix(what, ",")) {
			t.Errorf("%v: exit %d, %s, want %q", flags, code, log, what)
		}
	}
}

// A class is what the data set calls it, whatever folders may be called.
func TestStudyMakeSplitNamesNoFolderOutside(t *testing.T) {
	t.Parallel()
	images, masks := writePatches(t)
	dir := t.TempDir()
	out := filepath.Join(dir, "deep", "set")
	evaluated(t, "study", "make", "split", "--images", images, "--masks", masks, "--out", out, "--join", "../../../evil=class0;a/b=class1,class2", "--json")
	divided, err := dataset.Open("folder", filepath.Join(out, "images"))
	if err != nil {
		t.Fatal(err)
	}
	defer divided.Close()
	if !slices.Equal(divided.Classes, []string{"../../../evil", "a/b"}) || divided.Len() != 36 {
		t.Errorf("%d pictures of %q", divided.Len(), divided.Classes)
	}
	found, err := os.ReadDir(dir)
	if err != nil || len(found) != 1 || found[0].Name() != "deep" {
		t.Errorf("%v, %v", found, err)
	}
}

// writeIDRiD draws photographs of eyes: those of the grades 1 to 4 have a bright spot, of most of which a mask is known.
func writeIDRiD(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var grades, matches strings.Builder
	grades.WriteString("Image name,Retinopathy grade,Risk of macular edema ,,\n")
	matches.WriteString("seg_file,grade_image\n")
	for i := range 40 {
		id := fmt.Sprintf("IDRiD_%03d", i+1)
		eye, mask := image.NewGray(image.Rect(0, 0, 40, 32)), image.NewGray(image.Rect(0, 0, 40, 32))
		for p := range eye.Pix {
			eye.Pix[p] = uint8(40 + i + p%7)
		}
		if i%2 == 1 {
			for y := range 8 {
				for x := range 8 {
					at := eye.PixOffset(8+x+i%12, 4+y+i%9)
					eye.Pix[at], mask.Pix[at] = 240, 255
				}
			}
		}
		writePNG(t, filepath.Join(dir, "B. Disease Grading", "1. Original Images", "a. Training Set", id+".png"), eye)
		fmt.Fprintf(&grades, "%s,%d,0,,\n", id, i%2*(1+i%4))
		if i%2 == 1 && i%4 == 1 {
			other := fmt.Sprintf("IDRiD_%02d", 60-i)
			writePNG(t, filepath.Join(dir, "A. Segmentation", "1. Original Images", "a. Training Set", other+".png"), eye)
			writePNG(t, filepath.Join(dir, "A. Segmentation", "2. All Segmentation Groundtruths", "a. Training Set", "3. Hard Exudates", other+"_EX.png"), mask)
			fmt.Fprintf(&matches, "%s.png,%s\n", other, id)
		}
	}
	truths := filepath.Join(dir, "B. Disease Grading", "2. Groundtruths")
	if err := os.MkdirAll(truths, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{filepath.Join(truths, "a. IDRiD_Disease Grading_Training Labels.csv"): grades.String(), filepath.Join(dir, "seg_to_grade_match.csv"): matches.String()} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The study of IDRiD asks for disease, edits the photographs whose lesions are known, and judges on photographs that were not edited.
func TestStudyIDRiD(t *testing.T) {
	t.Parallel()
	dir, eyes := t.TempDir(), writeIDRiD(t)
	classifier := filepath.Join(dir, "classifier.onnx")
	writeClassifier(t, classifier)
	manifest := `{"resize": 32, "crop": [32, 32], "interpolation": "bilinear", "channels": "RGB", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "classes": ["a", "b", "c", "d"]}`
	if err := os.WriteFile(filepath.Join(dir, "classifier.json"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	arguments := []string{"study", "idrid", classifier, "--images", eyes, "--out", out, "--seeds", "2", "--gains", "1+M", "--training", "2", "--epochs", "1"}
	code, table, log := runStudio(t, arguments...)
	if code != exitOK {
		t.Fatal(log)
	}
	if !strings.Contains(table, "2 seeds, none failed") || !strings.Contains(table, "| Candidate") || !strings.Contains(log, "pool              7         7") {
		t.Errorf("%s\n%s", log, table)
	}
	rounds, err := study.ReadRounds(out)
	if err != nil || len(rounds) != 2 || rounds[0].Used != 7 || rounds[0].Classes != 2 {
		t.Fatalf("%+v, %v", rounds, err)
	}
	set, err := dataset.Open("folder", filepath.Join(out, "sets", "1", "images"))
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if !slices.Equal(set.Classes, []string{"disease", "none"}) {
		t.Errorf("classes %v", set.Classes)
	}
	if code, same, _ := runStudio(t, arguments...); code != exitOK || same != table {
		t.Errorf("again: exit %d, the table\n%s", code, same)
	}
	if code, _, log := runStudio(t, append(arguments, "--lesions", "drusen")...); code != exitFailure || !strings.Contains(log, `no masks of "drusen": there are hard exudates`) {
		t.Errorf("lesions that are not there: exit %d, %s", code, log)
	}
}
