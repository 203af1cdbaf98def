package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image/png"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/blob"
)

// ImportOptions are the choices of an import.
type ImportOptions struct {
	MaxPixels int64           // of one picture; 0: inference.DefaultMaxPixels
	Split     annotator.Split // for images whose data set names no split; "": train
}

// ImageImport is a data set as annotator.Service.ImportImages takes it: each file goes into the blob store under its hash. A
// file that is no readable picture is an image that is broken, with the reason.
func ImageImport(blobs *blob.Store, source string, d *dataset.Dataset, o ImportOptions) annotator.ImageImport {
	in := annotator.ImageImport{Source: source, Images: len(d.Samples), Classes: make([]annotator.Class, len(d.Classes))}
	for i, key := range d.Classes {
		in.Classes[i] = annotator.Class{Index: i, Key: key, Name: ClassName(key)}
	}
	in.Read = func(ctx context.Context, tell func(done int)) ([]annotator.NewImage, error) {
		images := make([]annotator.NewImage, len(d.Samples))
		group, reading := errgroup.WithContext(ctx)
		group.SetLimit(runtime.GOMAXPROCS(0))
		var done atomic.Int64
		for i, s := range d.Samples {
			if reading.Err() != nil {
				break
			}
			group.Go(func() (err error) {
				images[i], err = importImage(reading, blobs, s, o)
				tell(int(done.Add(1)))
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		return images, context.Cause(ctx)
	}
	return in
}

// importImage stores one file and its mask. Only a fault of ours is an error; the picture's own make it broken.
func importImage(ctx context.Context, blobs *blob.Store, s dataset.Sample, o ImportOptions) (annotator.NewImage, error) {
	image := annotator.NewImage{Name: s.Name, Split: annotator.Split(s.Split), Class: s.Class, Group: s.Group}
	if image.Split == "" {
		image.Split = annotator.SplitTrain
		if o.Split != "" {
			image.Split = o.Split
		}
	}
	data, err := os.ReadFile(s.Path)
	if err != nil {
		image.Broken = err.Error()
		image.Hash = hashOf(nil)
		return image, nil
	}
	info, err := inference.Inspect(data, o.MaxPixels)
	if err != nil {
		image.Broken = err.Error()
		image.Hash = hashOf(data)
		return image, nil
	}
	image.Width, image.Height = info.Width, info.Height
	if image.Hash, _, err = blobs.Put(ctx, bytes.NewReader(data)); err != nil {
		return image, fmt.Errorf("store %s: %w", s.Name, err)
	}
	if s.Mask == "" {
		return image, nil
	}
	mask, err := dataset.Mask(s.Mask)
	if err != nil {
		return image, nil // a mask that can't be read is a mask that isn't known
	}
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, mask); err != nil {
		return image, fmt.Errorf("encode the mask of %s: %w", s.Name, err)
	}
	if image.MaskHash, _, err = blobs.Put(ctx, &encoded); err != nil {
		return image, fmt.Errorf("store the mask of %s: %w", s.Name, err)
	}
	return image, nil
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
