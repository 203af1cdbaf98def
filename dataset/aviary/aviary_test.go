package aviary_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/attention"
)

var small = aviary.Options{Seed: 7, Train: 4, Validation: 4, Test: 4, Pool: 4, HomePercent: 95}

func generate(t *testing.T, o aviary.Options) string {
	t.Helper()
	dir := t.TempDir()
	if err := aviary.Generate(context.Background(), dir, o, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

func decode(t *testing.T, file string) image.Image {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// digest hashes names and pixels (not files: a later PNG encoder may pack them otherwise) and metadata.csv.
func digest(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		io.WriteString(h, filepath.ToSlash(name))
		if filepath.Ext(file) != ".png" {
			text, err := os.ReadFile(file)
			h.Write(text)
			return err
		}
		switch picture := decode(t, file).(type) {
		case *image.RGBA:
			h.Write(picture.Pix)
		case *image.Gray:
			h.Write(picture.Pix)
		default:
			t.Fatalf("%s is a %T", file, picture)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// TestPicturesAreTheSameEverywhere pins every pixel of a small data set: the shipped model and the
// figures in docs/aviary.md belong to these pictures. If you change how they are drawn, remake both (make aviary) and then this
// digest.
func TestPicturesAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	const want = "b3bf45326fa84409d93e22d66580500052cbcc2174944879f2d36f2d9d052446"
	one := small
	one.Parallel = 1
	if got := digest(t, generate(t, one)); got != want {
		t.Errorf("drawn by one: %s, want %s", got, want)
	}
	many := small
	many.Parallel = 7
	if got := digest(t, generate(t, many)); got != want {
		t.Errorf("drawn by seven: %s, want %s", got, want)
	}
	other := small
	other.Seed++
	if got := digest(t, generate(t, other)); got == want {
		t.Error("another seed draws the same")
	}
}

func TestGeneratedFolderReadsBack(t *testing.T) {
	t.Parallel()
	d, err := dataset.Open("folder", generate(t, small))
	if err != nil {
		t.Fatal(err)
	}
	passedOver := []dataset.Problem{{Path: dataset.MetadataFile, Reason: "columns passed over: scene, home"}}
	if len(d.Skipped)+len(d.Missing) > 0 || !slices.Equal(d.Notes, passedOver) {
		t.Errorf("skipped %v, missing %v, notes %v", d.Skipped, d.Missing, d.Notes)
	}
	for _, split := range []string{dataset.Train, dataset.Validation, dataset.Test, dataset.Pool} {
		if got := len(d.Split(split)); got != 14*4 {
			t.Errorf("%s: %d pictures, want %d", split, got, 14*4)
		}
	}
	birds := aviary.Birds()
	if len(d.Classes) != len(birds) {
		t.Fatalf("%d classes, want %d", len(d.Classes), len(birds))
	}
	for i, bird := range birds {
		if d.Classes[i] != bird.Name {
			t.Errorf("class %d is %s, want %s: Birds must be sorted", i, d.Classes[i], bird.Name)
		}
	}
	for _, s := range d.All() {
		if s.Group != aviary.Home && s.Group != aviary.Away {
			t.Errorf("%s: group %q", s.Name, s.Group)
		}
		if size := decode(t, s.Path).Bounds().Size(); size.X != aviary.Side || size.Y != aviary.Side {
			t.Errorf("%s: %v", s.Name, size)
		}
	}
}

// TestMasksCoverTheBirds: two pictures that differ only in the bird differ only under their masks.
func TestMasksCoverTheBirds(t *testing.T) {
	t.Parallel()
	d, err := dataset.Open("folder", generate(t, small))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range d.All() {
		var mask *image.Gray
		if err := dataset.Mask(t.Context(), s.Mask, nil, func(m *image.Gray) error { mask = m; return nil }); err != nil {
			t.Fatal(err)
		}
		area, border := 0, 0
		for y := range aviary.Side {
			for x := range aviary.Side {
				if mask.GrayAt(x, y).Y > 127 {
					area++
					if x == 0 || y == 0 || x == aviary.Side-1 || y == aviary.Side-1 {
						border++
					}
				}
			}
		}
		if share := float64(area) / (aviary.Side * aviary.Side); share < 0.02 || share > 0.27 {
			t.Errorf("%s: the bird covers %.3f of the picture", s.Name, share)
		}
		if border > 40 {
			t.Errorf("%s: %d pixels of the bird lie on the border: it is cut off", s.Name, border)
		}
		edit := aviary.EditFromMask(mask, 14, 14)
		if err := edit.ValidateOn(14, 14); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if top := maximum(edit.Values); top != 1 {
			t.Errorf("%s: the edit's maximum is %v, want 1", s.Name, top)
		}
		if inside := edit.InsideFraction(attention.FromMask(mask, attention.Whole, 14, 14)); inside < 0.4 {
			t.Errorf("%s: only %.2f of the edit lies on the bird", s.Name, inside)
		}
	}
	empty := aviary.EditFromMask(image.NewGray(image.Rect(0, 0, 8, 8)), 2, 2)
	if err := empty.ValidateOn(2, 2); err != nil || maximum(empty.Values) != 0 {
		t.Errorf("of an empty mask: %v, %v", empty, err)
	}
}

func maximum(values []float32) float32 {
	top := values[0]
	for _, v := range values {
		top = max(top, v)
	}
	return top
}

func TestPlanIsBalanced(t *testing.T) {
	t.Parallel()
	type cell struct {
		split, bird string
		scene       aviary.Scene
	}
	counts, names := map[cell]int{}, map[string]bool{}
	for _, p := range aviary.Plan(aviary.DefaultOptions()) {
		counts[cell{p.Split, p.Bird.Name, p.Scene}]++
		if names[p.Name] {
			t.Errorf("%s twice", p.Name)
		}
		names[p.Name] = true
	}
	if want := 14 * (200 + 20 + 80 + 80); len(names) != want {
		t.Errorf("%d pictures, want %d", len(names), want)
	}
	for _, bird := range aviary.Birds() {
		for _, scene := range aviary.Scenes() {
			for split, want := range map[string]int{dataset.Validation: 5, dataset.Test: 20, dataset.Pool: 20} {
				if got := counts[cell{split, bird.Name, scene}]; got != want {
					t.Errorf("%s: %d of %s on %s, want %d", split, got, bird.Name, scene, want)
				}
			}
			got := counts[cell{dataset.Train, bird.Name, scene}]
			if scene == bird.Home && got != 190 || scene != bird.Home && got != 3 && got != 4 {
				t.Errorf("train: %d of %s on %s, at home on %s", got, bird.Name, scene, bird.Home)
			}
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*aviary.Options){
		"an uneven test split": func(o *aviary.Options) { o.Test = 6 }, "too few": func(o *aviary.Options) { o.Train = -1 },
		"none to train on": func(o *aviary.Options) { o.Train = 0 }, "more than all at home": func(o *aviary.Options) { o.HomePercent = 101 },
		"an uneven pool": func(o *aviary.Options) { o.Pool = 3 },
	} {
		o := aviary.DefaultOptions()
		change(&o)
		if err := aviary.Generate(context.Background(), t.TempDir(), o, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("enough")
	dir := t.TempDir()
	err := aviary.Generate(ctx, dir, small, func(done, _ int) {
		if done == 3 {
			cancel(reason)
		}
	})
	if !errors.Is(err, reason) {
		t.Errorf("cancelled: %v, want the cause", err)
	}
	if _, err := os.Stat(filepath.Join(dir, dataset.MetadataFile)); err == nil {
		t.Error("a cancelled run left metadata.csv, as if it were whole")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := aviary.Generate(context.Background(), filepath.Join(file, "x"), small, nil); err == nil {
		t.Error("wrote below a file")
	}
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		if err := aviary.Generate(context.Background(), b.TempDir(), small, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// Pictures that are drawn in parts are those of the whole.
func TestPartsAreTheWhole(t *testing.T) {
	t.Parallel()
	whole := generate(t, small)
	plan := aviary.Plan(small)
	part := t.TempDir()
	chosen := []aviary.Picture{plan[len(plan)-1], plan[0]}
	if err := aviary.Draw(t.Context(), part, small, chosen, nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range chosen {
		for _, name := range []string{p.Name, p.Mask()} {
			a, errA := os.ReadFile(filepath.Join(whole, name))
			b, errB := os.ReadFile(filepath.Join(part, name))
			if errA != nil || errB != nil || !bytes.Equal(a, b) {
				t.Errorf("%s differs, or is not there: %v, %v", name, errA, errB)
			}
		}
	}
	if set, err := dataset.Open("folder", part); err != nil || set.Len() != 2 {
		t.Errorf("the part is a data set of two: %v", err)
	}
}
