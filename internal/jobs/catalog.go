package jobs

import (
	"context"
	"fmt"
	"image"
	"sync"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/picture"
)

// Catalog opens the networks and pictures that versions and images name by content hash. The network used last stays open, since a
// worker scans with one version at a time. It is safe for concurrent use.
type Catalog struct {
	blobs    *blob.Store
	networks *network.Store
	threads  int
	runLimit time.Duration // 0: ort's default

	mu      sync.Mutex
	hash    string
	network *inference.Network
}

// NewCatalog reads from blobs, and has networks opened by networks (nil: a store of its own). threads bounds the runtime (0: all cores).
func NewCatalog(blobs *blob.Store, networks *network.Store, threads int) *Catalog {
	if networks == nil {
		networks = network.NewStore(blobs.Path, 0)
	}
	return &Catalog{blobs: blobs, networks: networks, threads: threads}
}

// Network opens a version's network, or returns the one that is open.
func (c *Catalog) Network(ctx context.Context, v annotator.Version) (*inference.Network, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hash == v.ModelHash {
		return c.network, nil
	}
	opened, err := c.Opened(ctx, v)
	if err != nil {
		return nil, err
	}
	network, err := inference.NewNetwork(opened, inference.NetworkOptions{Session: ort.Options{IntraOpThreads: c.threads, RunLimit: c.runLimit}})
	if err != nil {
		return nil, fmt.Errorf("model of version %d: %w", v.Number, err)
	}
	if c.network != nil {
		err = c.network.Close()
	}
	c.hash, c.network = v.ModelHash, network
	return network, err
}

// Opened returns a version's network, taken apart but without sessions to run it.
func (c *Catalog) Opened(ctx context.Context, v annotator.Version) (*network.Network, error) {
	opened, err := c.networks.Open(ctx, v.ModelHash, v.Manifest)
	if err != nil {
		return nil, fmt.Errorf("model of version %d: %w", v.Number, err)
	}
	return opened, nil
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

// Pixels returns a function that writes the network's input [channels, H, W] for the image of a hash.
func (c *Catalog) Pixels(m manifest.Manifest) (func(ctx context.Context, hash string, dst []float32) error, error) {
	preprocessor, err := inference.NewPreprocessor(m)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, hash string, dst []float32) error {
		file, err := c.blobs.Open(ctx, hash)
		if err != nil {
			return err
		}
		defer file.Close()
		return preprocessor.Pixels(ctx, file, dst)
	}, nil
}

// Mask returns an image's mask averaged over the cells of a version's grid, for the part of the picture that the model sees.
func (c *Catalog) Mask(ctx context.Context, v annotator.Version, of annotator.Image) (attention.Map, error) {
	return c.StartMap(ctx, v, of, nil, attention.Start{Method: attention.StartArea})
}

// StartMap implements annotator.StartMaker: the map of an image's mask, or of clicks on it, on a version's grid, over the part of
// the picture the model sees.
func (c *Catalog) StartMap(ctx context.Context, v annotator.Version, of annotator.Image, clicks [][2]float64, start attention.Start) (m attention.Map, err error) {
	manifest, err := v.ReadManifest()
	if err != nil {
		return attention.Map{}, err
	}
	preprocessor, err := inference.NewPreprocessor(manifest.Unscaled()) // a mask is cropped as the picture is
	if err != nil {
		return attention.Map{}, err
	}
	header := picture.Header{Width: of.Width, Height: of.Height, Orientation: 1}
	if manifest.EXIF { // only then the picture has to be read
		if header, err = c.header(ctx, of); err != nil {
			return attention.Map{}, err
		}
	}
	if start.Method == attention.StartClicks {
		clicks, region := preprocessor.ViewOfClicks(clicks, header)
		return attention.DensityOfClicks(clicks, region, v.GridHeight, v.GridWidth, start.Radius), nil
	}
	file, err := c.blobs.Open(ctx, of.MaskHash)
	if err != nil {
		return attention.Map{}, err
	}
	defer file.Close()
	err = picture.Process().Decode(ctx, file, nil, func(_ context.Context, decoded image.Image, _ picture.Header) error {
		grey, ok := decoded.(*image.Gray)
		if !ok {
			return fmt.Errorf("a stored mask is grey, this one is %T", decoded)
		}
		mask, seen := preprocessor.ViewOfMask(grey, header)
		if start.Method == attention.StartMaximum {
			m = attention.MaximumOfMask(mask, seen, v.GridHeight, v.GridWidth, start.Radius)
		} else {
			m = attention.FromMask(mask, seen, v.GridHeight, v.GridWidth)
		}
		return nil
	})
	return m, err
}

// header is that of an image's file.
func (c *Catalog) header(ctx context.Context, of annotator.Image) (picture.Header, error) {
	file, err := c.blobs.Open(ctx, of.Hash)
	if err != nil {
		return picture.Header{}, err
	}
	defer file.Close()
	return picture.Process().Header(file)
}
