// Command page makes the examples of the painters' guide: it draws Aviary's pool, asks the demo's network about its pictures with good
// and bad maps, and keeps the clearest. make guide runs it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/guide"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
)

func main() {
	if err := write(context.Background(), fixture.Root()); err != nil {
		fmt.Fprintln(os.Stderr, "the guide's examples:", err)
		os.Exit(1)
	}
}

func write(ctx context.Context, root string) (err error) {
	scratch, err := os.MkdirTemp("", "guide-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	best, picture, err := clearest(ctx, scratch)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(best, "", " ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(root, "web", "static", guide.Picture), picture, 0o644),
		os.WriteFile(filepath.Join(root, "internal", "guide", "examples.json"), compact(text), 0o644),
	)
}

// compact puts a map's values on one line.
func compact(text []byte) []byte {
	var out bytes.Buffer
	inside := false
	for line := range bytes.Lines(text) {
		trimmed := bytes.TrimSpace(line)
		switch {
		case bytes.HasSuffix(trimmed, []byte(`"values": [`)):
			inside = true
			out.Write(bytes.TrimRight(line, "\n"))
		case inside:
			inside = !bytes.HasPrefix(trimmed, []byte("]"))
			out.Write(trimmed)
			if !inside {
				out.WriteByte('\n')
			}
		default:
			out.Write(line)
		}
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// clearest is the picture, and its PNG, that the network gets wrong with its own map and with every bad one, and right with every good
// one, of which the least sure is as sure as on any such picture.
func clearest(ctx context.Context, scratch string) (best guide.Examples, picture []byte, err error) {
	plan := slices.DeleteFunc(aviary.Plan(aviary.DefaultOptions()), func(p aviary.Picture) bool { return p.Split != dataset.Pool || p.Group() != aviary.Away })
	all, err := askAbout(ctx, scratch, plan)
	if err != nil {
		return best, nil, err
	}
	sure := float32(0)
	for _, examples := range all {
		if least := examples.clear(); least > sure {
			best, sure = guide.Examples(examples), least
		}
	}
	if sure == 0 {
		return best, nil, errors.New("no picture of the pool is right with every good map and wrong with every bad one")
	}
	picture, err = os.ReadFile(filepath.Join(scratch, filepath.FromSlash(best.Picture)))
	return best, picture, err
}

// askAbout draws pictures of Aviary into a folder and asks the network about each.
func askAbout(ctx context.Context, scratch string, plan []aviary.Picture) (all []examples, err error) {
	asked, err := openDemo(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, asked.network.Close()) }()
	if err := aviary.Draw(ctx, scratch, aviary.DefaultOptions(), plan, func(int, int) {}); err != nil {
		return nil, err
	}
	for _, p := range plan {
		examples, err := asked.examples(ctx, scratch, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		all = append(all, examples)
	}
	return all, nil
}

type examples guide.Examples

// clear is the least probability of the true class among the good maps, or 0 where a good map leaves the answer wrong or another one
// makes it right.
func (e examples) clear() float32 {
	least := float32(1)
	for _, x := range e.Maps {
		good := slices.Contains(guide.Good, x.Name)
		if good != (x.Answer == e.Class) {
			return 0
		}
		if good {
			least = min(least, x.Right)
		}
	}
	return least
}

// demo is the demo's network, to be asked.
type demo struct {
	network *inference.Network
	classes []string
}

func openDemo(ctx context.Context) (*demo, error) {
	if err := ort.Init(""); err != nil {
		return nil, err
	}
	file, manifest, err := aviary.Model()
	if err != nil {
		return nil, err
	}
	opened, err := network.Read(ctx, file, manifest)
	if err != nil {
		return nil, err
	}
	n, err := inference.NewNetwork(opened, inference.NetworkOptions{})
	if err != nil {
		return nil, err
	}
	return &demo{network: n, classes: manifest.Classes}, nil
}

func (d *demo) examples(ctx context.Context, dir string, p aviary.Picture) (none examples, err error) {
	file, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(p.Name)))
	if err != nil {
		return none, err
	}
	mask, err := readMask(filepath.Join(dir, filepath.FromSlash(p.Mask())))
	if err != nil {
		return none, err
	}
	pixels := make([]float32, d.network.Preprocessor.Size())
	if err := d.network.Preprocessor.Pixels(ctx, bytes.NewReader(file), pixels); err != nil {
		return none, err
	}
	features, err := d.network.Features(ctx, 1, pixels)
	if err != nil {
		return none, err
	}
	values, _, err := d.network.Attention(ctx, 1, features)
	if err != nil {
		return none, err
	}
	sizes := d.network.Sizes()
	own := attention.Map{Height: sizes.GridHeight, Width: sizes.GridWidth, Values: values}
	drawn := mapsOf(own, aviary.EditFromMask(mask, own.Height, own.Width))
	out := examples{Picture: p.Name, Class: p.Bird.Name, Scene: string(p.Scene)}
	for _, name := range slices.Concat([]string{guide.Own}, guide.Good, guide.Bad) {
		x, err := d.ask(ctx, features, drawn[name], p.Bird.Name)
		if err != nil {
			return none, err
		}
		x.Name = name
		out.Maps = append(out.Maps, x)
	}
	return out, nil
}

func (d *demo) ask(ctx context.Context, features []float32, m attention.Map, class string) (guide.Example, error) {
	answer, err := d.network.Perception(ctx, 1, features, m.Values)
	if err != nil {
		return guide.Example{}, err
	}
	d.network.Probabilities(answer)
	top := 0
	for i := range answer {
		if answer[i] > answer[top] {
			top = i
		}
	}
	rounded := m.Clone()
	for i, v := range rounded.Values {
		rounded.Values[i] = hundredth(v)
	}
	return guide.Example{Map: rounded, Answer: d.classes[top], Confidence: hundredth(answer[top]), Right: hundredth(answer[slices.Index(d.classes, class)])}, nil
}

// hundredth rounds to what a person reads, and to what is the same on every machine.
func hundredth(v float32) float32 { return float32(math.Round(100*float64(v)) / 100) }

// mapsOf makes the maps of the guide from the network's own and the object's.
func mapsOf(own, object attention.Map) map[string]attention.Map {
	each := func(value func(row, column int) float32) attention.Map {
		m := attention.New(object.Height, object.Width)
		for i := range m.Values {
			m.Values[i] = value(i/m.Width, i%m.Width)
		}
		return m
	}
	when := func(yes bool) float32 {
		if yes {
			return 1
		}
		return 0
	}
	inside := func(row, column int) bool {
		return row >= 0 && column >= 0 && row < object.Height && column < object.Width && object.At(row, column) >= 0.25
	}
	fullest := slices.Index(object.Values, slices.Max(object.Values))
	return map[string]attention.Map{
		guide.Own:     own,
		guide.Object:  object,
		guide.Strokes: each(func(row, column int) float32 { return when(inside(row, column)) }),
		guide.All:     each(func(int, int) float32 { return 1 }),
		guide.Spot:    each(func(row, column int) float32 { return when(row*object.Width+column == fullest) }),
		guide.Outline: each(func(row, column int) float32 {
			within := inside(row-1, column) && inside(row+1, column) && inside(row, column-1) && inside(row, column+1)
			return when(inside(row, column) && !within)
		}),
		guide.Scene:  each(func(row, column int) float32 { return 1 - object.At(row, column) }),
		guide.Dimmed: each(func(row, column int) float32 { return own.At(row, column) / 2 }),
	}
}

func readMask(path string) (*image.Gray, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	decoded, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	mask, grey := decoded.(*image.Gray)
	if !grey {
		return nil, fmt.Errorf("%s is not grey", path)
	}
	return mask, nil
}
