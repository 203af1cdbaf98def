package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/onnx"
)

// Receive implements annotator.Models. Each file is written to disk as it comes. A model that keeps data in other files is made into
// one file, in a child process, as is all that reads an uploaded file.
func (m *Models) Receive(ctx context.Context, next func() (annotator.SentFile, error)) (annotator.ModelFile, error) {
	// Files left behind by a killed upload may be what fills the disk.
	if _, err := disk.SweepTemporary(m.dir); err != nil {
		return annotator.ModelFile{}, fmt.Errorf("receiving a model: %w", err)
	}
	in := &incoming{models: m}
	defer in.remove()
	for {
		file, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = in.take(file)
		}
		if err != nil {
			return annotator.ModelFile{}, err
		}
	}
	if in.model == nil {
		return annotator.ModelFile{}, wrongModel("no ONNX file was sent: choose one")
	}
	if len(in.data) > 0 {
		if err := in.join(ctx); err != nil {
			return annotator.ModelFile{}, err
		}
	}
	info, err := in.model.Stat()
	if err != nil {
		return annotator.ModelFile{}, fmt.Errorf("receiving a model: %w", err)
	}
	beside, unusable := in.beside()
	found, err := m.inspect(ctx, in.model.Name(), info.Size(), beside, in.names)
	if err != nil {
		return annotator.ModelFile{}, err
	}
	if unusable != nil {
		found.Report.ManifestProblem = fieldProblem(unusable)
	}
	found.Report.Data = in.report
	if _, err := in.model.Seek(0, io.SeekStart); err != nil {
		return annotator.ModelFile{}, fmt.Errorf("receiving a model: %w", err)
	}
	found.Hash, found.Bytes, err = m.blobs.Put(ctx, in.model)
	return found, err
}

// incoming are the files of a model that is being received.
type incoming struct {
	models    *Models
	model     *os.File
	name      string // the model's, and how many bytes its own file has
	own       int64
	data      []onnx.SentFile
	manifests []manifest.Source
	names     manifest.PartNames
	held      []*os.File // all of them, removed at the end
	bytes     int64
	report    []annotator.ModelData
}

// maxName bounds the name of a value, as onnx does.
const maxName = 1 << 10

// maxSent bounds the files of one upload. PyTorch writes one beside the model, older versions one for each tensor.
const maxSent = 4096

// saveAsOne is what to do in Python about a model in several files.
const saveAsOne = `save the model as one: onnx.save(onnx.load("model.onnx"), "one.onnx")`

func (in *incoming) take(f annotator.SentFile) error {
	switch f.Kind {
	case annotator.SentName:
		name, err := io.ReadAll(io.LimitReader(f, maxName+1))
		if err != nil {
			return brokeOff(int64(len(name)), err)
		}
		if len(name) > maxName || text.Clean(string(name)) != string(name) {
			return &annotator.ValidationError{Field: f.Name, Message: fmt.Sprintf("no name of a value: at most %d bytes of text", maxName)}
		}
		if !in.names.Set(f.Name, string(name)) {
			return wrongModel("%q is no value of a network that can be named", f.Name)
		}
		return nil
	case annotator.SentManifest:
		text, err := io.ReadAll(io.LimitReader(f, manifest.MaxBytes+1))
		if err != nil {
			return brokeOff(int64(len(text)), err)
		}
		if len(text) > manifest.MaxBytes {
			return &annotator.ValidationError{Field: "manifest", Message: fmt.Sprintf("has more than %d MiB", manifest.MaxBytes>>20)}
		}
		in.manifests = append(in.manifests, manifest.Source{Name: f.Name, Text: text})
		return nil
	case annotator.SentModel:
		if in.model != nil {
			return wrongModel("two ONNX files came as one model: send one, with its data files as parts named %q", annotator.SentData)
		}
		file, size, err := in.keep(f)
		if err != nil {
			return err
		}
		if size == 0 {
			return wrongModel("the file is empty")
		}
		in.model, in.name, in.own = file, f.Name, size
		return nil
	case annotator.SentData:
		file, _, err := in.keep(f)
		if err != nil {
			return err
		}
		in.data = append(in.data, onnx.SentFile{Name: f.Name, Path: file.Name()})
		return nil
	default:
		return wrongModel("%q is no kind of file that a model is sent as", f.Kind)
	}
}

// keep writes a file to disk, within the bound for all of them together.
func (in *incoming) keep(f annotator.SentFile) (*os.File, int64, error) {
	if len(in.held) == maxSent {
		return nil, 0, wrongModel("more than %d files came as one model: "+saveAsOne, maxSent)
	}
	file, err := in.place()
	if err != nil {
		return nil, 0, err
	}
	size, err := io.Copy(file, io.LimitReader(f, in.models.maxBytes-in.bytes+1))
	if err != nil {
		return nil, 0, brokeOff(size, err)
	}
	if in.bytes += size; in.bytes > in.models.maxBytes {
		return nil, 0, in.models.tooLarge()
	}
	return file, size, nil
}

// place makes an empty temporary file, which remove removes.
func (in *incoming) place() (*os.File, error) {
	file, err := disk.Temporary(in.models.dir)
	if err != nil {
		return nil, fmt.Errorf("receiving a model: %w", err)
	}
	in.held = append(in.held, file)
	return file, nil
}

func (in *incoming) remove() {
	for _, file := range in.held {
		_ = os.Remove(file.Name())
		file.Close()
	}
}

// brokeOff returns the error of a file whose transfer stopped after size bytes.
func brokeOff(size int64, err error) error {
	var pathError *fs.PathError // the disk's fault, not the sender's
	if errors.As(err, &pathError) {
		return fmt.Errorf("receiving a model: %w", disk.Full(err))
	}
	var known *annotator.ValidationError
	if errors.As(err, &known) || errors.Is(err, annotator.ErrTooLarge) {
		return err
	}
	return &annotator.ValidationError{Field: "model", Message: fmt.Sprintf("it broke off after %d bytes (%v): send it again", size, err)}
}

// join makes one file of the model and its data.
func (in *incoming) join(ctx context.Context) error {
	whole, err := in.place()
	if err != nil {
		return err
	}
	limits := inspectionLimits(in.bytes)
	release, err := in.models.room(ctx, limits)
	if err != nil {
		return err
	}
	defer release()
	out := &making{file: whole, most: in.models.maxBytes}
	err = runConfined(ctx, request{Do: doJoin, File: in.model.Name(), Sent: in.data}, limits, out)
	if out.over {
		return in.models.tooLarge()
	}
	v, err := out.verdict(err)
	if err != nil {
		return err
	}
	in.model, in.report = whole, append([]annotator.ModelData{{Name: path.Base(in.name), Bytes: in.own}}, v.Data...)
	return nil
}

// beside returns the manifest that was sent, as JSON, nil for none. It may have faults, which the inspection names. The error is of
// files of which no manifest can be made at all.
func (in *incoming) beside() ([]byte, error) {
	if len(in.manifests) == 0 {
		return nil, nil
	}
	return manifest.Compose(in.manifests)
}

// making receives the output of a child that makes a file: a line with its verdict, then the file.
type making struct {
	head bytes.Buffer
	file *os.File
	most int64
	said bool // the line is complete
	over bool // the file is larger than it may be
	err  error
}

// verdict returns the verdict of the child, which ended with err. It is an error if the child made no file.
func (j *making) verdict(err error) (v verdict, _ error) {
	switch {
	case j.err != nil:
		return v, fmt.Errorf("keeping a file that is made: %w", disk.Full(j.err))
	case err != nil:
		return v, err
	}
	if err := json.Unmarshal(j.head.Bytes(), &v); err != nil {
		return v, fmt.Errorf("making a file: the process gave no answer: %w", err)
	}
	if v.Refused != "" || v.Fault != "" {
		return v, v.problem()
	}
	return v, nil
}

// Write implements io.Writer.
func (j *making) Write(p []byte) (int, error) {
	n := len(p)
	if !j.said {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		if j.head.Len()+len(line) > maxReport {
			return 0, io.ErrShortWrite
		}
		j.head.Write(line)
		j.said, p = ended, rest
	}
	if j.most -= int64(len(p)); j.most < 0 {
		j.over = true
		return 0, io.ErrShortWrite
	}
	if _, err := j.file.Write(p); err != nil {
		j.err = err
		return 0, err
	}
	return n, nil
}
