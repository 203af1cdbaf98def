package aviary

import (
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/random"
)

// TestSpritesDecode: spriteNamed has no way to report a broken build, so each sprite is loaded here.
func TestSpritesDecode(t *testing.T) {
	t.Parallel()
	var all []string
	for _, bird := range Birds() {
		all = append(all, "birds/"+bird.Name)
	}
	for _, scene := range Scenes() {
		for _, name := range props[scene] {
			all = append(all, "props/"+name)
		}
	}
	for _, name := range commonProps {
		all = append(all, "props/"+name)
	}
	for _, name := range all {
		s, err := loadSprite(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if first := s.levels[0]; max(first.width, first.height) < 180 {
			t.Errorf("%s is %d×%d: nothing in it?", name, first.width, first.height)
		}
	}
	for _, folder := range []string{"birds", "props"} {
		files, err := spriteFiles.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := folder + "/" + strings.TrimSuffix(file.Name(), ".webp")
			if !strings.Contains(strings.Join(all, " ")+" ", name+" ") {
				t.Errorf("%s is embedded and never drawn", name)
			}
		}
	}
	if _, err := loadSprite("birds/none"); err == nil {
		t.Error("a sprite that is not there was loaded")
	}
}

// TestMaskIsTheBird draws a picture with and without its bird: they differ where the mask says, and nowhere else.
func TestMaskIsTheBird(t *testing.T) {
	t.Parallel()
	for _, bird := range Birds() {
		var with, without canvas
		var mask [Side * Side]uint8
		with.paint(random.New(3, bird.Name), bird.Home)
		without = with
		with.stamp(spriteNamed("birds/"+bird.Name), pose{x8: 60 << 8, y8: 50 << 8, size: 50, degrees: 20, tint: newTint(5, 80, 90)}, &mask)
		changed, masked := 0, 0
		for i := range mask {
			same := [3]uint8(with.pix[3*i:]) == [3]uint8(without.pix[3*i:])
			if !same && mask[i] == 0 {
				t.Fatalf("%s: pixel %d,%d is drawn and not in the mask", bird.Name, i%Side, i/Side)
			}
			if !same {
				changed++
			}
			if mask[i] > 127 {
				masked++
			}
		}
		if masked < 400 || changed < masked*9/10 {
			t.Errorf("%s: %d pixels in the mask, %d drawn", bird.Name, masked, changed)
		}
	}
}

func TestTint(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tint tint
		in   [3]int
		want [3]int
	}{
		"nothing":       {newTint(0, 100, 100), [3]int{200, 100, 50}, [3]int{200, 100, 50}},
		"half as light": {newTint(0, 100, 50), [3]int{200, 100, 50}, [3]int{100, 50, 25}},
		"grey":          {newTint(0, 0, 100), [3]int{255, 0, 0}, [3]int{54, 54, 54}},
		"grey turned":   {newTint(120, 100, 100), [3]int{90, 90, 90}, [3]int{90, 90, 90}},
	} {
		for i := range 3 {
			got := (test.tint[i][0]*test.in[0] + test.tint[i][1]*test.in[1] + test.tint[i][2]*test.in[2]) / 4096
			if d := got - test.want[i]; d < -1 || d > 1 {
				t.Errorf("%s: channel %d is %d, want %d", name, i, got, test.want[i])
			}
		}
	}
}
