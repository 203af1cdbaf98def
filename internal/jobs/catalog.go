package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/onnx"
)

// Catalog opens what versions and images name by content hash. The network used last stays open: a worker scans
// with one version at a time. It is safe for concurrent use.
type Catalog struct {
	blobs     *blob.Store
	maxPixels int64
	threads   int
	runLimit  time.Duration // 0: ort's default

	mu      sync.Mutex
	hash    string
	network *inference.Network
}

// NewCatalog reads from blobs. maxPixels bounds pictures, threads the runtime (0: all cores).
func NewCatalog(blobs *blob.Store, maxPixels int64, threads int) *Catalog {
	return &Catalog{blobs: blobs, maxPixels: maxPixels, threads: threads}
}

// Network opens a version's network, or returns the one that is open.
func (c *Catalog) Network(ctx context.Context, v annotator.Version) (*inference.Network, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hash == v.ModelHash {
		return c.network, nil
	}
	path, err := c.blobs.Path(ctx, v.ModelHash)
	if err != nil {
		return nil, fmt.Errorf("model of version %d: %w", v.Number, err)
	}
	model, err := onnx.ReadWhole(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("model of version %d: %w", v.Number, err)
	}
	manifest, err := manifestOf(v)
	if err != nil {
		return nil, err
	}
	network, err := inference.OpenNetwork(ctx, model, manifest, inference.NetworkOptions{MaxPixels: c.maxPixels, Session: ort.Options{IntraOpThreads: c.threads, RunLimit: c.runLimit}})
	if err != nil {
		return nil, fmt.Errorf("model of version %d: %w", v.Number, err)
	}
	if c.network != nil {
		err = c.network.Close()
	}
	c.hash, c.network = v.ModelHash, network
	return network, err
}

// Close frees the network that is open.
func (c *Catalog) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.network == nil {
		return nil
	}
	err := c.network.Close()
	c.hash, c.network = "", nil
	return err
}

// Picture reads an image's file.
func (c *Catalog) Picture(ctx context.Context, hash string) (data []byte, err error) {
	file, err := c.blobs.Open(ctx, hash)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return io.ReadAll(file)
}

// Pixels returns a function that writes the network's input [channels, H, W] for the image of a hash.
func (c *Catalog) Pixels(m onnx.Manifest) (func(ctx context.Context, hash string, dst []float32) error, error) {
	preprocessor, err := inference.NewPreprocessor(m, c.maxPixels)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, hash string, dst []float32) error {
		data, err := c.Picture(ctx, hash)
		if err != nil {
			return err
		}
		return preprocessor.Pixels(data, dst)
	}, nil
}

// Mask returns an image's known mask averaged to a version's grid, over the part of the picture the model sees.
func (c *Catalog) Mask(ctx context.Context, v annotator.Version, image annotator.Image) (attention.Map, error) {
	manifest, err := manifestOf(v)
	if err != nil {
		return attention.Map{}, err
	}
	manifest.Mean, manifest.Std = nil, nil // a mask is cut as the picture is, and not scaled
	preprocessor, err := inference.NewPreprocessor(manifest, c.maxPixels)
	if err != nil {
		return attention.Map{}, err
	}
	data, err := c.Picture(ctx, image.MaskHash)
	if err != nil {
		return attention.Map{}, err
	}
	mask, err := decodeMask(data)
	if err != nil {
		return attention.Map{}, err
	}
	// Masks are stored as pictures lie in their files, so the view is that of the unrotated picture.
	width, height := float64(mask.Rect.Dx()), float64(mask.Rect.Dy())
	view := preprocessor.View(mask.Rect.Dx(), mask.Rect.Dy(), 1)
	region := [4]float64{view.X / width, view.Y / height, view.Width / width, view.Height / height}
	return attention.FromMask(mask, region, v.GridHeight, v.GridWidth), nil
}

func manifestOf(v annotator.Version) (onnx.Manifest, error) {
	var m onnx.Manifest
	if err := json.Unmarshal(v.Manifest, &m); err != nil {
		return m, fmt.Errorf("manifest of version %d: %w", v.Number, err)
	}
	return m, nil
}
