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

// What predict says of a picture's classes.
const (
	scoresTop5          = "top5"
	scoresProbabilities = "probabilities"
	scoresLogits        = "logits"
)

// answerFile takes the answers of predict, a picture at a time, and holds none of them in memory.
type answerFile interface {
	// refused takes a picture that could not be used, and why; answered the answer for one.
	refused(line prediction) error
	answered(line prediction, r inference.ScanResult) error
	// finish writes what is left, and close gives back what was used, whether or not all was written.
	finish() error
	close() error
}

// newAnswerFile writes the kind of file that a name ends in.
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

// answerLines are JSON lines.
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

// answerArrays are the arrays of an .npz. How many pictures can be used, which stands at each array's beginning, is known at the
// end only: until then the rows lie in temporary files, and of each picture only its name is held.
type answerArrays struct {
	out            io.Writer
	classes        []string
	columns        []*column
	names          []string
	unused, reason []string
}

// column is an array of which a picture is a row.
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
