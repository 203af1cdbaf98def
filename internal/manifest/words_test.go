package manifest

import (
	"os"
	"strings"
	"testing"
)

// TestWordsAreDocumented holds the table of docs/inference.md to the words that fields may be, and to what stands for none.
func TestWordsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/inference.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(page)) {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` | "); ok && strings.HasPrefix(line, "| `") {
			rows[name] = rest
		}
	}
	for field, words := range map[string][]string{"interpolation": Interpolations, "channels": Channels} {
		row := rows[field]
		for _, w := range words {
			if !strings.Contains(row, "`"+w+"`") {
				t.Errorf("docs/inference.md does not say that %s may be %s: %q", field, w, row)
			}
		}
		if !strings.HasSuffix(row, "| `"+words[0]+"` |\n") {
			t.Errorf("docs/inference.md does not say that %s is %s where nothing is said: %q", field, words[0], row)
		}
	}
	if mean := Numbers(ImageNet.Mean[:], ", "); !strings.Contains(string(page), "["+mean+"]") {
		t.Errorf("the example of docs/inference.md has not the mean %s", mean)
	}
}

// What is left out has the meaning of what is said in its place, and the usual manifest is one that its checks accept.
func TestOfIsUsable(t *testing.T) {
	t.Parallel()
	for channels, order := range map[int]string{1: Grey, 3: RGB} {
		for _, in := range []Range{ImageNet, Symmetric, Unit} {
			m := Of(channels, 224, 160, in)
			m.Classes = []string{"auk"}
			if err := m.Validate(); err != nil || m.Channels != order || m.ChannelCount() != channels || m.Crop != (Crop{224, 160}) {
				t.Errorf("%+v: %v", m, err)
			}
		}
	}
	var none Manifest
	if none.InterpolationOf() != Bilinear || none.ChannelsOf() != RGB || none.ChannelCount() != 3 {
		t.Errorf("nothing said is %s, %s", none.InterpolationOf(), none.ChannelsOf())
	}
}
