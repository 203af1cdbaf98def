package main

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/npy"
)

// Which scores predict writes for a picture.
const (
	scoresTop5          = "top5"
	scoresProbabilities = "probabilities"
	scoresLogits        = "logits"
)

// answerFile writes the answers of predict, one picture at a time, and keeps none in memory.
type answerFile interface {
	// refused writes a picture that could not be used, with the reason; answered writes an answer.
	refused(line prediction) error
	answered(line prediction, r inference.ScanResult) error
	// finish completes the file. close removes temporary files, whether or not the file is complete.
	finish() error
	close() error
}

// newAnswerFile makes an answerFile of the kind that path's ending names.
func newAnswerFile(path, scores string, classes []string, sizes inference.Sizes, out io.Writer) (answerFile, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jsonl", ".ndjson":
		buffer := bufio.NewWriterSize(out, 1<<20)
		return &answerLines{json.NewEncoder(buffer), buffer, scores}, nil
	case ".npz":
		return newAnswerArrays(scores, classes, sizes, out)
	}
	return nil, fmt.Errorf("--out %s: a name that ends in .jsonl is written as JSON, a line a picture, one that ends in .npz as numpy's arrays", path)
}

// answerLines writes JSON Lines.
type answerLines struct {
	lines  *json.Encoder
	buffer *bufio.Writer
	scores string
}

func (a *answerLines) refused(line prediction) error { return a.lines.Encode(line) }

func (a *answerLines) answered(line prediction, r inference.ScanResult) error {
	switch a.scores {
	case scoresProbabilities:
		line.Probabilities = r.Probabilities
	case scoresLogits:
		line.LogitsPer, line.LogitsAtt = r.LogitsPer, r.LogitsAtt
	}
	return a.lines.Encode(line)
}

func (a *answerLines) finish() error { return a.buffer.Flush() }
func (a *answerLines) close() error  { return nil }

// answerArrays writes the arrays of an .npz. An array begins with its number of rows, which is known only at the end. Until then the
// rows are in temporary files, and only the pictures' names are in memory.
type answerArrays struct {
	out            io.Writer
	classes        []string
	columns        []*column
	names          []string
	unused, reason []string
}

// column is an array with a row for each picture.
type column struct {
	name  string
	shape []int // of a row
	of    func(r inference.ScanResult) []float32
	file  *os.File
	rows  *bufio.Writer
}

func newAnswerArrays(scores string, classes []string, sizes inference.Sizes, out io.Writer) (_ *answerArrays, err error) {
	k := []int{sizes.Classes}
	a := &answerArrays{out: out, classes: classes}
	if scores == scoresLogits {
		a.columns = append(a.columns, &column{name: "logits_per", shape: k, of: func(r inference.ScanResult) []float32 { return r.LogitsPer }},
			&column{name: "logits_att", shape: k, of: func(r inference.ScanResult) []float32 { return r.LogitsAtt }})
	} else {
		a.columns = append(a.columns, &column{name: "probabilities", shape: k, of: func(r inference.ScanResult) []float32 { return r.Probabilities }})
	}
	a.columns = append(a.columns, &column{name: "maps", shape: []int{1, sizes.GridHeight, sizes.GridWidth}, of: func(r inference.ScanResult) []float32 { return r.Map.Values }})
	for _, c := range a.columns {
		if c.file, err = os.CreateTemp("", "studio-predict-*"); err != nil {
			return nil, errors.Join(err, a.close())
		}
		c.rows = bufio.NewWriterSize(c.file, 1<<18)
	}
	return a, nil
}

func (a *answerArrays) refused(line prediction) error {
	a.unused, a.reason = append(a.unused, line.Name), append(a.reason, line.Error)
	return nil
}

func (a *answerArrays) answered(line prediction, r inference.ScanResult) error {
	a.names = append(a.names, line.Name)
	var bytes [4]byte
	for _, c := range a.columns {
		for _, v := range c.of(r) {
			binary.LittleEndian.PutUint32(bytes[:], math.Float32bits(v))
			if _, err := c.rows.Write(bytes[:]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *answerArrays) finish() error {
	archive := zip.NewWriter(a.out)
	entry := func(name string) (io.Writer, error) {
		return archive.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
	}
	for _, c := range a.columns {
		w, err := entry(c.name)
		if err == nil {
			err = npy.WriteHeader(w, 'f', 4, append([]int{len(a.names)}, c.shape...))
		}
		if err == nil {
			err = c.rows.Flush()
		}
		if err == nil {
			_, err = c.file.Seek(0, io.SeekStart)
		}
		if err == nil {
			_, err = io.Copy(w, c.file)
		}
		if err != nil {
			return err
		}
	}
	for _, list := range []struct {
		name   string
		values []string
	}{{"names", a.names}, {"classes", a.classes}, {"refused", a.unused}, {"reasons", a.reason}} {
		w, err := entry(list.name)
		if err == nil {
			err = npy.WriteStrings(w, list.values)
		}
		if err != nil {
			return err
		}
	}
	return archive.Close()
}

func (a *answerArrays) close() (err error) {
	for _, c := range a.columns {
		if c.file != nil {
			err = errors.Join(err, c.file.Close(), os.Remove(c.file.Name()))
		}
	}
	return err
}
