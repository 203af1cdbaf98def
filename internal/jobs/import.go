package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/picture"
)

// ImportOptions are the choices of an import.
type ImportOptions struct {
	Split annotator.Split // for images whose data set names no split; "": train
	// MaskFault is told of every mask that cannot be read, by several goroutines at once; its image comes in without a mask.
	// nil: nobody is told.
	MaskFault func(image string, err error)
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
				images[i], err = importImage(reading, blobs, d, s, o)
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
func importImage(ctx context.Context, blobs *blob.Store, d *dataset.Dataset, s dataset.Sample, o ImportOptions) (annotator.NewImage, error) {
	added := annotator.NewImage{Name: s.Name, Split: annotator.Split(s.Split), Class: s.Class, Group: s.Group}
	if added.Split == "" {
		added.Split = annotator.SplitTrain
		if o.Split != "" {
			added.Split = o.Split
		}
	}
	file, err := os.Open(s.Path)
	if err != nil {
		return broken(added, nil, err), nil
	}
	defer file.Close()
	header, err := picture.Process().Header(file)
	if err != nil {
		return broken(added, file, err), nil
	}
	added.Width, added.Height = header.Width, header.Height
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return broken(added, nil, err), nil
	}
	if added.Hash, _, err = blobs.Put(ctx, file); err != nil {
		return added, fmt.Errorf("store %s: %w", s.Name, err)
	}
	added.Clicks = clicksOf(s.Marks, header)
	if !d.HasMask(s) {
		return added, nil
	}
	var encoded bytes.Buffer
	err = d.ObjectMask(ctx, s, func(mask *image.Gray) error { return png.Encode(&encoded, mask) })
	switch {
	case ctx.Err() != nil:
		return added, context.Cause(ctx)
	case err != nil:
		if o.MaskFault != nil {
			o.MaskFault(s.Name, err)
		}
		return added, nil // a mask that can't be read is a mask that isn't known
	}
	if added.MaskHash, _, err = blobs.Put(ctx, &encoded); err != nil {
		return added, fmt.Errorf("store the mask of %s: %w", s.Name, err)
	}
	return added, nil
}

// clicksOf are the places of clicks, else of parts that were agreed on, as shares of the picture's size.
func clicksOf(m *dataset.Marks, size picture.Header) [][2]float64 {
	if m == nil {
		return nil
	}
	points := m.Clicks
	if len(points) == 0 {
		points = m.Points
	}
	places := make([][2]float64, len(points))
	for i, p := range points {
		places[i] = [2]float64{float64(p.X) / float64(size.Width), float64(p.Y) / float64(size.Height)}
	}
	return places
}

// broken is an image that is kept as unreadable, under the hash of what can be read of its file (nil: nothing).
func broken(image annotator.NewImage, file io.ReadSeeker, why error) annotator.NewImage {
	image.Broken = why.Error()
	sum := sha256.New()
	if file != nil {
		if _, err := file.Seek(0, io.SeekStart); err == nil {
			_, _ = io.Copy(sum, file)
		}
	}
	image.Hash = hex.EncodeToString(sum.Sum(nil))
	return image
}
