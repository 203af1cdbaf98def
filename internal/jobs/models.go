package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer"
)

// DefaultMaxModelBytes bounds a model file that is taken from a browser or the API: ResNet-152 with both branches has 320 MB.
const DefaultMaxModelBytes = 1 << 30

// Models implements annotator.Models: it takes model files in and has a process of its own look at each (inspection.go),
// since they come from outside. Those of the server's own are run in this process (Try).
type Models struct {
	blobs    *blob.Store
	dir      string // of files on their way in
	maxBytes int64
	memory   *semaphore.Weighted // what all inspections together may take
	budget   int64
}

var _ annotator.Models = (*Models)(nil)

// NewModels keeps files in blobs, by way of dir, a folder for nothing else. Files over maxBytes (0:
// DefaultMaxModelBytes) are refused.
func NewModels(blobs *blob.Store, dir string, maxBytes int64) *Models {
	m := &Models{blobs: blobs, dir: dir, maxBytes: cmp.Or(maxBytes, DefaultMaxModelBytes)}
	m.budget = inspectionLimits(m.maxBytes).memory
	m.memory = semaphore.NewWeighted(m.budget)
	return m
}

// Receive implements annotator.Models.
func (m *Models) Receive(ctx context.Context, r io.Reader, manifest func() ([]byte, error)) (annotator.ModelFile, error) {
	// What a killed upload left behind may be what fills the disk.
	if _, err := disk.SweepTemporary(m.dir); err != nil {
		return annotator.ModelFile{}, fmt.Errorf("receiving a model: %w", err)
	}
	file, err := disk.Temporary(m.dir)
	if err != nil {
		return annotator.ModelFile{}, fmt.Errorf("receiving a model: %w", err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	size, err := io.Copy(file, io.LimitReader(r, m.maxBytes+1))
	switch {
	case err != nil:
		var pathError *fs.PathError // the disk's fault, not the sender's
		if errors.As(err, &pathError) {
			return annotator.ModelFile{}, fmt.Errorf("receiving a model: %w", disk.Full(err))
		}
		return annotator.ModelFile{}, &annotator.ValidationError{Field: "model", Message: fmt.Sprintf("it broke off after %d bytes (%v): send it again", size, err)}
	case size > m.maxBytes:
		return annotator.ModelFile{}, m.tooLarge()
	case size == 0:
		return annotator.ModelFile{}, wrongModel("the file is empty")
	}
	beside, err := manifest()
	if err != nil {
		return annotator.ModelFile{}, err
	}
	found, err := m.inspect(ctx, file.Name(), size, beside)
	if err != nil {
		return annotator.ModelFile{}, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return annotator.ModelFile{}, fmt.Errorf("receiving a model: %w", err)
	}
	found.Hash, found.Bytes, err = m.blobs.Put(ctx, file)
	return found, err
}

// tooLarge says what to do about a file beyond the limit.
func (m *Models) tooLarge() error {
	return fmt.Errorf("%w: the model has more than %d MiB: add it on the server with 'studio model add', or start the server with a larger --max-model-mb",
		annotator.ErrTooLarge, m.maxBytes>>20)
}

// Judge implements annotator.Models.
func (m *Models) Judge(ctx context.Context, hash string, manifest []byte) (annotator.ModelFile, error) {
	path, err := m.blobs.Path(ctx, hash)
	if errors.Is(err, annotator.ErrMissing) {
		return annotator.ModelFile{}, fmt.Errorf("the model's file: %w: it was not added within a day; send it again", annotator.ErrNotFound)
	}
	if err != nil {
		return annotator.ModelFile{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return annotator.ModelFile{}, fmt.Errorf("reading a model: %w", err)
	}
	found, err := m.inspect(ctx, path, info.Size(), manifest)
	found.Hash = hash
	return found, err
}

// inspect has a process look at a file. As many do so at once as have room beside each other in the memory that the largest
// file may take, but two at most.
func (m *Models) inspect(ctx context.Context, path string, size int64, manifest []byte) (annotator.ModelFile, error) {
	limits := inspectionLimits(size)
	share := min(max(limits.memory, m.budget/2), m.budget)
	if err := m.memory.Acquire(ctx, share); err != nil {
		return annotator.ModelFile{}, err
	}
	defer m.memory.Release(share)
	return runInspection(ctx, path, manifest, limits)
}

// cannotOpen begins what ONNX Runtime says of a model.
const cannotOpen = "ONNX Runtime cannot open it"

func wrongModel(format string, args ...any) error {
	return &annotator.ValidationError{Field: "model", Message: fmt.Sprintf(format, args...)}
}

// inspectFile tells what a model file is, opens it on the runtime and does not run it. Of the folder it lies in nothing else is read.
func inspectFile(ctx context.Context, path string, manifest []byte) (annotator.ModelFile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return annotator.ModelFile{}, fmt.Errorf("reading a model: %w", err)
	}
	model, err := onnx.Read(ctx, data)
	switch {
	case ctx.Err() != nil:
		return annotator.ModelFile{}, context.Cause(ctx)
	case errors.Is(err, onnx.ErrExternal):
		return annotator.ModelFile{}, wrongModel("%v. Save it as one file: onnx.save(onnx.load(\"model.onnx\"), \"one.onnx\")", err)
	case err != nil:
		return annotator.ModelFile{}, wrongModel("this is no ONNX file (%v). Send what torch.onnx.export wrote", err)
	}
	found, err := inspectModel(ctx, model, path, manifest)
	if ctx.Err() != nil {
		return found, context.Cause(ctx)
	}
	return found, err
}

// inspectModel tells what a model is, with a manifest that came beside it or else its own.
func inspectModel(ctx context.Context, model *onnx.Model, path string, beside []byte) (annotator.ModelFile, error) {
	var found annotator.ModelFile
	if beside == nil {
		if text, ok := model.MetadataValue(manifest.Key); ok {
			beside = []byte(text)
		}
	}
	problem := &annotator.FieldProblem{Message: "the file brings none: say how pixels become its input and what its classes are called"}
	var m manifest.Manifest
	if beside != nil {
		var err error
		problem = nil
		if m, err = manifest.Parse(beside); err != nil {
			problem = fieldProblem(err)
			if manifest.Keepable(beside) { // what the parts are called helps even so
				partly, _ := manifest.Stored(beside)
				m.Names = partly.Names
			}
		}
	}
	opened, err := network.Open(ctx, model, m)
	switch {
	case errors.Is(err, onnx.ErrLogits), errors.Is(err, network.ErrSplit):
		return found, wrongModel("%v", err)
	case err != nil:
		return found, wrongModel("%v. For a plain classifier: studio model attach --model FILE --at auto --out abn.onnx makes it an Attention Branch Network", err)
	}
	if problem == nil {
		if err := opened.Fits(); err != nil {
			problem = fieldProblem(err)
		}
	}
	var opens error
	var beyond sync.WaitGroup // what the runtime says, while the engines are asked
	beyond.Go(func() {
		opens = inference.CheckOpens(opened, path, inference.NetworkOptions{Session: ort.Options{IntraOpThreads: 1}})
	})
	found.Report, err = reportOf(ctx, opened)
	beyond.Wait()
	switch {
	case err != nil:
		return found, err
	case opens != nil:
		return found, wrongModel("%s: %v", cannotOpen, opens)
	}
	found.Report.ManifestProblem = problem
	if manifest.Keepable(beside) {
		found.Manifest = beside
	}
	if problem == nil {
		if found.Manifest, err = json.Marshal(m); err != nil {
			return found, err
		}
		found.Classes = classesOf(m)
	}
	return found, nil
}

func fieldProblem(err error) *annotator.FieldProblem {
	var wrong *manifest.Error
	if errors.As(err, &wrong) {
		return &annotator.FieldProblem{Field: wrong.Field, Message: wrong.Reason}
	}
	return &annotator.FieldProblem{Message: err.Error()}
}

func classesOf(m manifest.Manifest) []annotator.Class {
	var classes []annotator.Class
	for i, key := range m.Classes {
		classes = append(classes, annotator.Class{Index: i, Key: key, Name: ClassName(key)})
	}
	return classes
}

// reportOf spells an inspection as the domain does.
func reportOf(ctx context.Context, n *network.Network) (annotator.ModelReport, error) {
	training, err := trainabilityOf(ctx, n)
	r, abn := onnx.Describe(ctx, n.Model()), n.ABN()
	parts := abn.Describe(ctx)
	out := annotator.ModelReport{
		Opset: r.Opset, IRVersion: r.IRVersion, Producer: r.Producer, Nodes: r.Nodes, Parameters: r.Parameters,
		ImageHeight: abn.ImageHeight, ImageWidth: abn.ImageWidth, ImageChannels: abn.ImageChannels,
		GridHeight: abn.Height, GridWidth: abn.Width, Classes: abn.Classes, Gain: string(parts.Gain),
		BatchWasFixed: parts.BatchWasFixed, UntoldShapes: parts.Untold, Training: training,
	}
	for _, v := range []struct {
		role string
		onnx.ValueReport
	}{{"image", parts.Image}, {"features", parts.Features}, {"map", parts.Map}, {"logits_att", parts.LogitsAtt}, {"logits_per", parts.LogitsPer}} {
		out.Values = append(out.Values, annotator.ModelValue{Role: v.role, Name: v.Name, Shape: v.Shape})
	}
	for _, p := range parts.Parts {
		out.Parts = append(out.Parts, annotator.ModelPart{Name: p.Name, Nodes: p.Nodes, Parameters: p.Parameters, BatchNorms: p.BatchNorms, Ops: p.Ops})
	}
	return out, err
}

// trainabilityOf asks the engines what they can train.
func trainabilityOf(ctx context.Context, n *network.Network) ([]annotator.Trainability, error) {
	var list []annotator.Trainability
	report, err := trainer.InspectTraining(ctx, n)
	for _, t := range report {
		entry := annotator.Trainability{Engine: t.Engine, Strategy: t.Strategy, BatchNorm: t.BatchNorm}
		for _, r := range t.Reasons {
			entry.Obstacles = append(entry.Obstacles, annotator.Obstacle{Node: r.Node, Op: r.Op, Why: r.Why})
		}
		list = append(list, entry)
	}
	return list, err
}
