package jobs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"iter"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/picture"
)

// ImportOptions are the choices of an import.
type ImportOptions struct {
	Source string          // the name of the source; "": annotator.DefaultSource
	Split  annotator.Split // for images whose data set names no split; "": train
	Update bool            // change the project's images where they differ from the data set
	Prune  bool            // remove images that the source no longer has
	Part   int             // images written in one transaction; 0: annotator.ImportParts
}

// parts divides a data set into what is written in one transaction each.
func (o ImportOptions) parts(total int) iter.Seq2[int, int] {
	if o.Part == 0 {
		return annotator.ImportParts(total)
	}
	return func(yield func(int, int) bool) {
		for from := 0; from < total && yield(from, min(from+o.Part, total)); from += o.Part {
		}
	}
}

// ImageImport is a data set as annotator.Service.ImportImages takes it: each file goes into the blob store under its hash. A
// file that is no readable picture is an image that is broken, with the reason. blobs may be nil for a preview.
func ImageImport(blobs *blob.Store, from string, d *dataset.Dataset, o ImportOptions) annotator.ImageImport {
	in := annotator.ImageImport{
		From: from, Source: o.Source, Images: d.Len(), Classes: make([]annotator.Class, len(d.Classes)), Update: o.Update, Prune: o.Prune,
	}
	for i, key := range d.Classes {
		in.Classes[i] = annotator.Class{Index: i, Key: key, Name: ClassName(key)}
	}
	in.Read = func(ctx context.Context, keep bool, tell func(done int), next func([]annotator.NewImage) error) error {
		r := reader{d: d, o: o}
		if keep {
			r.blobs = blobs
		}
		var done atomic.Int64
		for first, end := range o.parts(d.Len()) {
			images := make([]annotator.NewImage, end-first)
			group, running := errgroup.WithContext(ctx)
			group.SetLimit(max(reading, runtime.GOMAXPROCS(0)))
			for i := range images {
				if running.Err() != nil {
					break
				}
				group.Go(func() (err error) {
					images[i], err = r.read(running, d.Sample(first+i))
					tell(int(done.Add(1)))
					return err
				})
			}
			if err := group.Wait(); err != nil {
				return err
			}
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if err := next(images); err != nil {
				return err
			}
		}
		return nil
	}
	in.Holds = func(ctx context.Context, name string) (string, error) {
		s, found := d.Named(name)
		if !found {
			return "", nil
		}
		file, err := os.Open(s.Path)
		if err != nil {
			return "", nil // it holds nothing that can be read, which the import says of its name
		}
		defer file.Close()
		sum := sha256.New()
		if _, err := io.Copy(sum, file); err != nil {
			return "", nil
		}
		return hex.EncodeToString(sum.Sum(nil)), ctx.Err()
	}
	in.Sizes = func(yield func(name string, size int64) bool) {
		for _, sample := range d.All() {
			info, err := os.Stat(sample.Path)
			if err != nil {
				continue // it is a broken image, which is not kept
			}
			if !yield(sample.Name, info.Size()) {
				return
			}
		}
	}
	in.Passed = func(yield func(name, reason string) bool) {
		for _, p := range d.Skipped {
			if picture.HasSuffix(p.Path) && !yield(p.Path, p.Reason) {
				return
			}
		}
	}
	in.Decode = func(ctx context.Context, name string) error {
		s, found := d.Named(name)
		if !found {
			return fmt.Errorf("the data set has no image %s", name)
		}
		return decode(ctx, s.Path)
	}
	return in
}

// reading is how many files are read at a time. Each waits for the disk to have its copy and its name: on two cores two at a time keep
// 600 small files a second, and 16 keep 3,600, as the file system writes what waits together. What decoding takes has its own budget.
const reading = 16

// decode reads a picture to its end and returns what is wrong with it.
func decode(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return picture.Process().Decode(ctx, file, nil, func(context.Context, image.Image, picture.Header) error { return nil })
}

// reader turns a data set's samples into images to import.
type reader struct {
	d     *dataset.Dataset
	o     ImportOptions
	blobs *blob.Store // where files are kept; nil: they are only looked at
}

// put keeps the bytes of a file, or hashes them.
func (r reader) put(ctx context.Context, content io.Reader) (hash string, size int64, err error) {
	if r.blobs == nil {
		sum := sha256.New()
		size, err = io.Copy(sum, content)
		return hex.EncodeToString(sum.Sum(nil)), size, err
	}
	return r.blobs.Put(ctx, content)
}

// maskEncoder packs masks. Its buffers are used again: one takes 800 kB, and making it more time than all else of a small mask.
var maskEncoder = png.Encoder{BufferPool: &pngBuffers{}}

type pngBuffers struct{ pool sync.Pool }

func (p *pngBuffers) Get() *png.EncoderBuffer {
	b, _ := p.pool.Get().(*png.EncoderBuffer)
	return b
}

func (p *pngBuffers) Put(b *png.EncoderBuffer) { p.pool.Put(b) }

// read keeps one file and its mask. A picture that cannot be read is no error: it becomes a broken image.
func (r reader) read(ctx context.Context, s dataset.Sample) (annotator.NewImage, error) {
	added := annotator.NewImage{Name: s.Name, Split: annotator.Split(s.Split), Class: s.Class, Group: s.Group}
	if added.Split == "" {
		added.Split = cmp.Or(r.o.Split, annotator.SplitTrain)
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
	if added.Hash, added.Bytes, err = r.put(ctx, file); err != nil {
		return added, fmt.Errorf("store %s: %w", s.Name, err)
	}
	added.Clicks = clicksOf(s.Marks, header)
	if !r.d.HasMask(s) {
		return added, nil
	}
	var encoded bytes.Buffer
	err = r.d.ObjectMask(ctx, s, func(mask *image.Gray) error { return maskEncoder.Encode(&encoded, mask) })
	switch {
	case ctx.Err() != nil:
		return added, context.Cause(ctx)
	case errors.Is(err, dataset.ErrNoObject):
		return added, nil
	case err != nil:
		added.MaskBroken = true // the image is imported without a mask; the data set counts it (MasksSeen)
		return added, nil
	}
	if added.MaskHash, added.MaskBytes, err = r.put(ctx, &encoded); err != nil {
		return added, fmt.Errorf("store the mask of %s: %w", s.Name, err)
	}
	return added, nil
}

// clicksOf returns the places of clicks, or without clicks those of the parts that annotators agreed on, as shares (x, y) of the
// picture's width and height.
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

// broken marks an image as unreadable and says why. Its hash is that of the bytes that can be read of file; nil: of none.
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
