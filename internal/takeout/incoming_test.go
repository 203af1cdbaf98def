package takeout

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/postgres/pgtest"
)

// What was dropped as a folder is read as it is from a folder of this machine, and nothing of it stays.
func TestMapsThatAreSent(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	in, err := Receive(1 << 20)
	must(t, err)
	for i, name := range []string{"drawn/train/0.npy", "drawn/train/1.npy"} {
		must(t, in.Add(name, strings.NewReader(string(npyOf(t, pgtest.Map(float32(i)/2))))))
	}
	ask, err := in.Import("birds")
	must(t, err)
	ask.Choices.Author = "Zoë"
	report, err := Read(t.Context(), serviceOf(w), w.Admin, ask)
	must(t, err)
	if report.Added != 2 || report.Above != "drawn/" || ask.Name != "2 files" {
		t.Errorf("%s: %+v", ask.Name, report)
	}
	must(t, in.Close())
	if _, err := os.Stat(ask.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the files are still there: %v", err)
	}
}

func TestMapsThatAreSentAreRefused(t *testing.T) {
	t.Parallel()
	w := pgtest.NewWorld(t)
	good := string(npyOf(t, pgtest.Map(0.5)))
	for name, c := range map[string]struct {
		files [][2]string
		says  string
	}{
		"nothing":              {nil, "no file came"},
		"out of the folder":    {[][2]string{{"../a.npy", good}}, `"../a.npy" is no name`},
		"out, as Windows does": {[][2]string{{`..\a.npy`, good}}, "is no name"},
		"from the root":        {[][2]string{{"/etc/a.npy", good}}, "is no name"},
		"no file of maps":      {[][2]string{{"a/notes.txt", "hello"}}, "a/notes.txt is no file of maps: want one that ends in one of .npz, .zip, .jsonl, .ndjson, .npy, .png"},
		"an empty one":         {[][2]string{{"a.npy", ""}}, "a.npy is empty"},
		"twice":                {[][2]string{{"a.npy", good}, {"a.npy", good}}, "a.npy came twice"},
		"a file as a folder":   {[][2]string{{"a.npy", good}, {"a.npy/b.npy", good}}, "lies in what came as a file"},
		"a long name":          {[][2]string{{strings.Repeat("a", 400) + ".npy", good}}, "is too long a name"},
		"two archives":         {[][2]string{{"a.npz", good}, {"b.npz", good}}, "a.npz came with 1 other files: send it alone"},
		"a broken array":       {[][2]string{{"maps/train/0.npy", good}, {"maps/train/1.npy", "no array"}}, "reading map maps/train/1.npy: "},
		"a broken archive":     {[][2]string{{"a.zip", "PK"}}, "reading maps a.zip: "},
		"another grid":         {[][2]string{{"train/0.npy", string(npyOf(t, attention.New(3, 3)))}, {"train/1.npy", good}}, "train/0.npy: attention map is on the wrong grid"},
	} {
		in, err := Receive(1 << 20)
		must(t, err)
		for _, file := range c.files {
			if err == nil {
				err = in.Add(file[0], strings.NewReader(file[1]))
			}
		}
		if err == nil {
			var ask Import
			if ask, err = in.Import("birds"); err == nil {
				ask.Choices.Author = "Zoë"
				_, err = Read(t.Context(), serviceOf(w), w.Admin, ask)
			}
		}
		var invalid *annotator.ValidationError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), in.folder.Path) {
			t.Errorf("%s: %v, want one that says %q", name, err, c.says)
		}
		must(t, in.Close())
	}
	in, err := Receive(100)
	must(t, err)
	defer in.Close()
	if err := in.Add("a.npz", strings.NewReader(strings.Repeat("x", 101))); !errors.Is(err, annotator.ErrTooLarge) {
		t.Errorf("more than is taken: %v", err)
	}
}
