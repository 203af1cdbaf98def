package inference

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/onnx"
)

// Longer sides of the renderings, in pixels.
const (
	wholeSide = 1600
	viewSide  = 1024
	thumbSide = 320
)

// jpegQuality of the renderings: artefacts would be mistaken for what the network sees.
const jpegQuality = 90

// Pictures renders images for people, from the original file and never from the network's few
// pixels, and keeps the renderings in a folder. It implements annotator.Pictures and is safe for
// concurrent use; several processes may share the folder.
type Pictures struct {
	blobs     annotator.Blobs
	dir       string
	maxPixels int64
	cache     *pictureCache       // bounds dir
	decoding  *semaphore.Weighted // a decoded picture can take hundreds of megabytes
	flights   singleflight.Group
}

var _ annotator.Pictures = (*Pictures)(nil)

// NewPictures renders images of blobs and keeps what it rendered in dir ("": nowhere), up to DefaultPictureBytes. Pictures
// over maxPixels (0: DefaultMaxPixels) are refused. Whatever is in dir may be deleted at any time.
func NewPictures(blobs annotator.Blobs, dir string, maxPixels int64) *Pictures {
	return &Pictures{blobs: blobs, dir: dir, maxPixels: maxPixels, cache: &pictureCache{dir: dir, limit: DefaultPictureBytes}, decoding: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0)))}
}

// View returns the rectangle of the oriented original that the version's network sees.
func (p *Pictures) View(version annotator.Version, img annotator.Image) (annotator.ViewRegion, error) {
	pre, err := p.preprocessor(version)
	if err != nil {
		return annotator.ViewRegion{}, err
	}
	orientation := 1
	if pre.manifest.EXIF { // only then is it worth a look into the file
		data, err := readBlob(context.Background(), p.blobs, img.Hash)
		if err != nil {
			return annotator.ViewRegion{}, fmt.Errorf("view of image %s: %w", img.Name, err)
		}
		info, err := Inspect(data, p.maxPixels)
		if err != nil {
			return annotator.ViewRegion{}, fmt.Errorf("view of image %s: %w", img.Name, err)
		}
		orientation = info.Orientation
	}
	if img.Width < 1 || img.Height < 1 {
		return annotator.ViewRegion{}, fmt.Errorf("view of image %s: it is %d×%d pixels", img.Name, img.Width, img.Height)
	}
	return pre.View(img.Width, img.Height, orientation), nil
}

// Render returns a rendering and its media type. The caller closes it.
func (p *Pictures) Render(ctx context.Context, version annotator.Version, img annotator.Image, kind annotator.PictureKind) (io.ReadCloser, string, error) {
	if kind == annotator.PictureOriginal {
		return p.original(ctx, img)
	}
	pre, err := p.preprocessor(version)
	if err != nil {
		return nil, "", err
	}
	path := p.path(pre, img, kind)
	if f, err := os.Open(path); err == nil {
		p.cache.touch(f)
		return f, "image/jpeg", nil
	}
	// Whoever asks first renders for all, so their leaving must not fail the others.
	detached := context.WithoutCancel(ctx)
	result := p.flights.DoChan(path+"|"+img.Hash, func() (any, error) {
		data, err := p.render(detached, pre, img, kind)
		if err != nil {
			return nil, err
		}
		return data, p.keep(path, data)
	})
	data, err := await[[]byte](ctx, result)
	if err != nil {
		return nil, "", fmt.Errorf("rendering the %s of image %s: %w", kind, img.Name, err)
	}
	return io.NopCloser(bytes.NewReader(data)), "image/jpeg", nil
}

// original hands out the file as it is.
func (p *Pictures) original(ctx context.Context, img annotator.Image) (io.ReadCloser, string, error) {
	f, err := p.blobs.Open(ctx, img.Hash)
	if err != nil {
		return nil, "", fmt.Errorf("opening the original of image %s: %w", img.Name, err)
	}
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, "", errors.Join(fmt.Errorf("reading the original of image %s: %w", img.Name, err), f.Close())
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, "", errors.Join(fmt.Errorf("reading the original of image %s: %w", img.Name, err), f.Close())
	}
	media := "application/octet-stream"
	for _, f := range formats {
		if f.magic(head[:n]) {
			media = "image/" + f.name
		}
	}
	return f, media, nil
}

// render makes the JPEG of a rendering.
func (p *Pictures) render(ctx context.Context, pre *Preprocessor, img annotator.Image, kind annotator.PictureKind) ([]byte, error) {
	if err := p.decoding.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer p.decoding.Release(1)
	data, err := readBlob(ctx, p.blobs, img.Hash)
	if err != nil {
		return nil, err
	}
	r, info, err := decode(data, p.maxPixels)
	if err != nil {
		return nil, err
	}
	region := pre.View(r.width, r.height, info.Orientation)
	if pre.manifest.EXIF {
		r = r.orient(info.Orientation)
	}
	var side int
	switch kind {
	case annotator.PictureWhole:
		region, side = annotator.ViewRegion{Width: float64(r.width), Height: float64(r.height)}, wholeSide
	case annotator.PictureView:
		side = viewSide
	case annotator.PictureThumb:
		side = thumbSide
	default:
		return nil, &annotator.ValidationError{Field: "kind", Message: fmt.Sprintf("%q is no rendering: use original, whole, view or thumb", kind)}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, crop(r, region, side).image(), &jpeg.Options{Quality: jpegQuality}); err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	return out.Bytes(), nil
}

// crop renders a region, which may reach beyond the picture (black there), so that its longer side has
// at most side pixels. Nothing is enlarged: that is left to whoever shows it.
func crop(r *raster, region annotator.ViewRegion, side int) *raster {
	shrink := min(1, float64(side)/max(region.Width, region.Height))
	width := max(1, int(math.Round(region.Width*shrink)))
	height := max(1, int(math.Round(region.Height*shrink)))
	// What of the output lies inside the picture.
	inside := func(size int, offset, span float64, pixels int) (from, to int) {
		scale := span / float64(size)
		from = max(0, int(math.Ceil(-offset/scale-0.5)))
		to = min(size, int(math.Ceil((float64(pixels)-offset)/scale-0.5)))
		return from, max(from, to)
	}
	x0, x1 := inside(width, region.X, region.Width, r.width)
	y0, y1 := inside(height, region.Y, region.Height, r.height)
	out := newRaster(width, height)
	if x0 == x1 || y0 == y1 {
		return out
	}
	k := kernels["bilinear"]
	horizontal := newTaps(k, r.width, region.X, region.Width, width, x0, x1)
	vertical := newTaps(k, r.height, region.Y, region.Height, height, y0, y1)
	top, bottom := vertical.span()
	part := resampleRows(resampleColumns(r, horizontal, top, bottom), vertical, top)
	for y := range part.height {
		copy(out.pix[3*((y0+y)*width+x0):][:3*part.width], part.pix[3*y*part.width:])
	}
	return out
}

// image is the raster as the standard library's encoders take it.
func (r *raster) image() image.Image {
	out := image.NewRGBA(image.Rect(0, 0, r.width, r.height))
	for i := range r.width * r.height {
		copy(out.Pix[4*i:], r.pix[3*i:3*i+3])
		out.Pix[4*i+3] = 255
	}
	return out
}

func (p *Pictures) preprocessor(version annotator.Version) (*Preprocessor, error) {
	var m onnx.Manifest
	if err := json.Unmarshal(version.Manifest, &m); err != nil {
		return nil, fmt.Errorf("reading the manifest of version %d: %w", version.Number, err)
	}
	m.Mean, m.Std = nil, nil // a picture shows pixels, not what the network makes of them
	return NewPreprocessor(m, p.maxPixels)
}

// renderingVersion changes when the same picture would be rendered otherwise.
const renderingVersion = 1

// path is where a rendering is kept, "" for nowhere. Only what decides the geometry is part of it.
func (p *Pictures) path(pre *Preprocessor, img annotator.Image, kind annotator.PictureKind) string {
	m := pre.manifest
	geometry := fmt.Sprint(m.EXIF)
	if kind != annotator.PictureWhole {
		resize := 0
		if m.Resize != nil {
			resize = *m.Resize
		}
		geometry = fmt.Sprint(m.EXIF, resize, m.Crop)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s %s", renderingVersion, img.Hash, kind, geometry))
	name := hex.EncodeToString(sum[:])
	if p.dir == "" {
		return name // a key for singleflight; no file has that name
	}
	return filepath.Join(p.dir, name[:2], name+".jpg")
}

// keep writes a rendering where Render will find it, whole or not at all.
func (p *Pictures) keep(path string, data []byte) error {
	if p.dir == "" {
		return nil
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("keeping a rendering: %w", err)
	}
	f, err := os.CreateTemp(dir, ".rendering-*")
	if err != nil {
		return fmt.Errorf("keeping a rendering: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		if remove := os.Remove(f.Name()); remove != nil && !errors.Is(remove, fs.ErrNotExist) {
			err = errors.Join(err, remove)
		}
		return fmt.Errorf("keeping a rendering: %w", err)
	}
	if err := p.cache.add(int64(len(data))); err != nil {
		return fmt.Errorf("keeping a rendering: %w", err)
	}
	return nil
}
