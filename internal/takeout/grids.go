package takeout

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/npy"
)

// EntryName is how the map of an image is called in an archive or a folder, without the format's ending: the image's name, below its
// source where that is not the default one.
func EntryName(i annotator.ExportedImage) string {
	if i.Source == annotator.DefaultSource {
		return i.Image
	}
	return i.Source + "/" + i.Image
}

// grids writes a file a map.
type grids[T any] struct {
	format Format
	of     func(T) (annotator.ExportedImage, attention.Map)
	zip    *zip.Writer
	buffer *bufio.Writer
	dir    string // where there is no zip
	names  map[string]bool
	told   bool // the file that says how pixels become values is written
	png    png.Encoder
}

// oneBuffer lends one buffer again and again: to make one takes longer than to encode a map.
type oneBuffer struct{ buffer *png.EncoderBuffer }

// Get implements png.EncoderBufferPool.
func (o *oneBuffer) Get() *png.EncoderBuffer { return o.buffer }

// Put implements png.EncoderBufferPool.
func (o *oneBuffer) Put(b *png.EncoderBuffer) { o.buffer = b }

func newGrids[T any](format Format, w io.Writer, dir string, of func(T) (annotator.ExportedImage, attention.Map)) *grids[T] {
	g := &grids[T]{format: format, of: of, dir: dir, names: map[string]bool{}, png: png.Encoder{BufferPool: &oneBuffer{}}}
	if dir == "" {
		g.buffer = bufio.NewWriterSize(w, 1<<16)
		g.zip = zip.NewWriter(g.buffer)
	}
	return g
}

// entry writes one file.
func (g *grids[T]) entry(name string, write func(io.Writer) error) error {
	if !filepath.IsLocal(filepath.FromSlash(name)) || path.Clean(name) != name {
		return fmt.Errorf("the image %q: its name is no path that a file can have; jsonl and parquet have its map", name)
	}
	if g.names[name] {
		return fmt.Errorf("two maps would be called %s: filter by split or name, or use jsonl or parquet", name)
	}
	g.names[name] = true
	if g.zip != nil {
		to, err := g.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return err
		}
		return write(to)
	}
	file := filepath.Join(g.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriter(f)
	return errors.Join(write(buffer), buffer.Flush(), f.Close())
}

func (g *grids[T]) write(record T) error {
	image, m := g.of(record)
	name := EntryName(image)
	if err := g.grid(name, m); err != nil || m.Marks == "" {
		return err
	}
	return g.grid(name+dataset.MarksEnding, dataset.MarksAsMap(m))
}

// grid writes a map as a file.
func (g *grids[T]) grid(name string, m attention.Map) error {
	switch g.format.Key {
	case "png8", "png16":
		levels := map[string]int{"png8": math.MaxUint8, "png16": math.MaxUint16}[g.format.Key]
		if err := g.tell(levels); err != nil {
			return err
		}
		return g.entry(name+".png", func(w io.Writer) error { return g.png.Encode(w, grey(m, levels)) })
	}
	return g.entry(name+".npy", func(w io.Writer) error {
		return npy.Write(w, npy.Array{Kind: 'f', Size: 4, Shape: []int{m.Height, m.Width}, Data: m.Bytes()})
	})
}

// aboutPixels is the file beside PNGs that says what their pixels mean.
const aboutPixels = "about.json"

// tell writes, once, how pixels become values.
func (g *grids[T]) tell(levels int) error {
	if g.told {
		return nil
	}
	g.told = true
	return g.entry(aboutPixels, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(map[string]any{"value": fmt.Sprintf("pixel / %d", levels), "pixel": fmt.Sprintf("round(value * %d)", levels), "bits": map[int]int{255: 8, 65535: 16}[levels]})
	})
}

// grey makes a picture of a map, a pixel a cell. Values outside [0,1], which a network may have, become 0 or the largest level.
func grey(m attention.Map, levels int) image.Image {
	bounds := image.Rect(0, 0, m.Width, m.Height)
	level := func(v float32) int { return int(math.Round(min(max(float64(v), 0), 1) * float64(levels))) }
	if levels == math.MaxUint8 {
		picture := image.NewGray(bounds)
		for i, v := range m.Values {
			picture.Pix[i] = uint8(level(v))
		}
		return picture
	}
	picture := image.NewGray16(bounds)
	for i, v := range m.Values {
		n := level(v)
		picture.Pix[2*i], picture.Pix[2*i+1] = uint8(n>>8), uint8(n)
	}
	return picture
}

func (g *grids[T]) finish() error {
	if g.zip == nil {
		return nil
	}
	return errors.Join(g.zip.Close(), g.buffer.Flush())
}

func (g *grids[T]) close() error { return nil }
