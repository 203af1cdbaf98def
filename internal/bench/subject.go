package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/dataset/aviary"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/architecture"
)

// Subject is the network and the pictures that scans and live scores are timed on.
type Subject struct {
	Model  string             // an ONNX file; "": Arch at random weights
	Names  manifest.PartNames // of the model's values, where its graph does not tell them
	Arch   string             // a name of architecture.Named
	Images string             // a folder of pictures; "": Aviary's are drawn
	Format string             // the folder's layout
}

// open makes the subject ready, with at most limit pictures. A model or pictures that had to be made are in a folder that close
// removes.
func (s Subject) open(ctx context.Context, limit int) (b *openedSubject, err error) {
	b = &openedSubject{path: s.Model}
	if b.dir, err = os.MkdirTemp("", "studio-bench-"); err != nil {
		return nil, err
	}
	opened := b // errors return a nil b
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.close())
		}
	}()
	if s.Model == "" {
		if err := b.build(s.Arch); err != nil {
			return nil, err
		}
	} else if err := b.read(ctx, s.Names); err != nil {
		return nil, err
	}
	images, format := s.Images, s.Format
	if images == "" {
		images, format = filepath.Join(b.dir, "aviary"), "folder"
		each := max(4, (limit/len(aviary.Birds())-1)/8*4)
		if err := aviary.Generate(ctx, images, aviary.Options{Seed: 1, Train: 1, Validation: each, Test: each, HomePercent: 95}, nil); err != nil {
			return nil, err
		}
	}
	set, err := dataset.Open(format, images)
	if err != nil {
		return nil, err
	}
	for i := range min(limit, set.Len()) {
		b.pictures = append(b.pictures, set.Sample(i).Path)
	}
	return b, nil
}

// openedSubject is a subject that is ready to be timed.
type openedSubject struct {
	dir      string // of the model and pictures that open made
	path     string
	model    *onnx.Model
	manifest manifest.Manifest
	pictures []string
}

func (b *openedSubject) build(name string) error {
	a, err := architecture.Named(name)
	if err != nil {
		return err
	}
	if b.model, err = a.Build(14, 1); err != nil {
		return err
	}
	b.manifest = manifest.Of(3, a.ImageSize, a.ImageSize, manifest.ImageNet)
	b.path = filepath.Join(b.dir, "network.onnx")
	return b.model.WriteFile(b.path)
}

func (b *openedSubject) read(ctx context.Context, names manifest.PartNames) (err error) {
	if b.model, err = onnx.ReadFile(ctx, b.path); err != nil {
		return err
	}
	b.manifest, err = manifest.Load(b.path, b.model.MetadataValue)
	b.manifest = b.manifest.Named(names)
	return err
}

// network makes the subject ready to run.
func (b *openedSubject) network(ctx context.Context, o ort.Options) (*network.Network, *inference.Network, error) {
	opened, err := network.Open(ctx, b.model, b.manifest)
	if err != nil {
		return nil, nil, err
	}
	running, err := inference.NewNetwork(opened, inference.NetworkOptions{Session: o})
	return opened, running, err
}

func (b *openedSubject) close() error { return os.RemoveAll(b.dir) }
