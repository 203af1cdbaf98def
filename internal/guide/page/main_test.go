package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/guide"
)

// TestExamples: what the guide says the network answers is what it answers, a good map makes it right, no other does, and the picture is
// the one that is shown.
func TestExamples(t *testing.T) {
	t.Parallel()
	committed, err := guide.Read()
	if err != nil {
		t.Fatal(err)
	}
	plan := slices.DeleteFunc(aviary.Plan(aviary.DefaultOptions()), func(p aviary.Picture) bool { return p.Name != committed.Picture })
	dir := t.TempDir()
	all, err := askAbout(t.Context(), dir, plan)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d pictures named %s: %v", len(all), committed.Picture, err)
	}
	if all[0].clear() == 0 {
		t.Error("a good map leaves the answer wrong, or another one makes it right")
	}
	for i, want := range committed.Maps {
		got := all[0].Maps[i]
		if got.Name != want.Name || got.Answer != want.Answer || math.Abs(float64(got.Confidence-want.Confidence)) > 0.02 {
			t.Errorf("%s: %s %.2f, the guide says %s: %s %.2f", got.Name, got.Answer, got.Confidence, want.Name, want.Answer, want.Confidence)
		}
		if d := got.Map.Distance(want.Map); d > 0.2 {
			t.Errorf("%s: the map is %.2f away from the guide's", got.Name, d)
		}
	}
	own, errOwn := committed.Named(guide.Own)
	object, errObject := committed.Named(guide.Object)
	if errOwn != nil || errObject != nil || own.Map.InsideFraction(object.Map) > 0.5 {
		t.Error("the guide says that most of the network's own map lies around the object")
	}
	drawn, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(committed.Picture)))
	if err != nil {
		t.Fatal(err)
	}
	shown, err := os.ReadFile(filepath.Join(fixture.Root(), "web", "static", guide.Picture))
	if err != nil || !bytes.Equal(drawn, shown) {
		t.Errorf("the picture shown is not %s: %v", committed.Picture, err)
	}
}
