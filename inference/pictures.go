package inference

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/bounded"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/flight"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/picture"
)

// renderWithin bounds the time of a rendering, waiting for memory included: no browser waits longer for an answer.
const renderWithin = 90 * time.Second

// jpegQuality of the renderings is high, since artefacts would be mistaken for what the network sees.
const jpegQuality = 90

// DefaultPictureBytes bounds the renderings kept on disk: some 20,000 views of 1024 pixels with their thumbnails.
const DefaultPictureBytes = 4 << 30

// Pictures renders images for people, from the original file and never from the network's few
// pixels, and keeps the renderings in a folder. It implements annotator.Pictures and is safe for
// concurrent use; several processes may share the folder.
type Pictures struct {
	blobs   annotator.Blobs
	dir     string
	log     *slog.Logger
	cache   *bounded.Folder // bounds dir
	flights flight.Group[string, []byte]

	mu     sync.Mutex
	warned time.Time // when it was last logged that dir cannot be written to
}

var _ annotator.Pictures = (*Pictures)(nil)

// NewPictures renders images of blobs and keeps the renderings in dir ("": they are not kept), up to limit bytes (0: DefaultPictureBytes).
// Anything in dir may be deleted at any time. If dir cannot be written to, that is logged and pictures are rendered each time.
func NewPictures(blobs annotator.Blobs, dir string, limit int64, log *slog.Logger) *Pictures {
	return &Pictures{blobs: blobs, dir: dir, log: log, cache: boundPictures(dir, cmp.Or(limit, DefaultPictureBytes))}
}

// boundPictures bounds a folder of renderings.
func boundPictures(dir string, limit int64) *bounded.Folder {
	return bounded.New(dir, bounded.Options{Limit: limit, TouchAfter: time.Hour,
		Files: func(name string) bool { return filepath.Ext(name) == ".jpg" }})
}

// View returns the rectangle of the oriented original that the version's network sees.
func (p *Pictures) View(version annotator.Version, img annotator.Image) (annotator.ViewRegion, error) {
	pre, err := p.preprocessor(version)
	if err != nil {
		return annotator.ViewRegion{}, err
	}
	if img.Width < 1 || img.Height < 1 {
		return annotator.ViewRegion{}, &annotator.PictureError{Image: img.Name, Err: fmt.Errorf("it is %d×%d pixels", img.Width, img.Height)}
	}
	if pre == nil {
		return annotator.ViewRegion{Width: float64(img.Width), Height: float64(img.Height), Picture: [2]int{img.Width, img.Height}}, nil
	}
	orientation := 1
	if pre.manifest.EXIF { // only then the file has to be read
		err := onPicture(context.Background(), p.blobs, img, func(file io.ReadSeeker) error {
			header, err := picture.Process().Header(file)
			orientation = header.Orientation
			return err
		})
		if err != nil {
			return annotator.ViewRegion{}, fmt.Errorf("view: %w", err)
		}
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
		if info, err := f.Stat(); err == nil {
			p.cache.Touch(path, info.ModTime())
		}
		return f, "image/jpeg", nil
	}
	data, err := p.flights.Finish(ctx, path+"|"+img.Hash, func(ctx context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, renderWithin)
		defer cancel()
		data, err := p.render(ctx, pre, img, kind)
		if err != nil {
			return nil, err
		}
		if err := p.keep(path, data); err != nil {
			p.warn(err) // the rendering is still shown
		}
		return data, nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("rendering the %s: %w", kind, err)
	}
	return io.NopCloser(bytes.NewReader(data)), "image/jpeg", nil
}

// original returns the file itself.
func (p *Pictures) original(ctx context.Context, img annotator.Image) (io.ReadCloser, string, error) {
	f, err := p.blobs.Open(ctx, img.Hash)
	if err != nil {
		return nil, "", pictureError(ctx, img, err)
	}
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, "", pictureError(ctx, img, errors.Join(fmt.Errorf("reading it: %w", err), f.Close()))
	}
	media := "application/octet-stream"
	if format := picture.Format(head[:n]); format != "" {
		media = "image/" + format
	}
	return f, media, nil
}

// onPicture calls use with an image's open file. If the file is at fault, the error is a *annotator.PictureError.
func onPicture(ctx context.Context, blobs annotator.Blobs, img annotator.Image, use func(io.ReadSeeker) error) error {
	file, err := blobs.Open(ctx, img.Hash)
	if err == nil {
		err = use(file)
		file.Close()
	}
	return pictureError(ctx, img, err)
}

// pictureError tells faults of a picture from other errors, such as the end of a context or a store that cannot be reached.
func pictureError(ctx context.Context, img annotator.Image, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, annotator.ErrUnavailable) || errors.Is(err, annotator.ErrFull) {
		return err
	}
	return &annotator.PictureError{Image: img.Name, Err: err}
}

// sides are the longer sides of the renderings, in pixels.
var sides = map[annotator.PictureKind]int{annotator.PictureWhole: 1600, annotator.PictureView: 1024, annotator.PictureThumb: 320}

// render makes the JPEG of a rendering. Without a preprocessor, before a project has a model, all of the picture is shown.
func (p *Pictures) render(ctx context.Context, pre *Preprocessor, img annotator.Image, kind annotator.PictureKind) ([]byte, error) {
	side, ok := sides[kind]
	if !ok {
		return nil, &annotator.ValidationError{Field: "kind", Message: fmt.Sprintf("%q is no rendering: use original, whole, view or thumb", kind)}
	}
	upright := pre != nil && pre.manifest.EXIF
	own := func(h picture.Header) int64 {
		bytes := 3 * h.Pixels() // resampled along one axis: never more
		if upright && h.Orientation > 1 {
			bytes += 3 * h.Pixels()
		}
		return bytes + 7*int64(side)*int64(side)
	}
	var out bytes.Buffer
	// Nothing is enlarged; the browser can do that.
	err := onPicture(ctx, p.blobs, img, func(file io.ReadSeeker) error {
		return decode(ctx, file, own, func(r *raster, h picture.Header) error {
			region := annotator.ViewRegion{Width: float64(h.Width), Height: float64(h.Height)}
			if upright {
				r = r.orient(h.Orientation)
				region.Width, region.Height = float64(r.width), float64(r.height)
			}
			width, height := region.Width, region.Height
			if pre != nil && kind != annotator.PictureWhole {
				region = pre.View(h.Width, h.Height, h.Orientation)
				width, height = region.Width, region.Height
				if pre.manifest.FitOf() == manifest.FitBoth { // squeezed, as the network sees it
					height = width * float64(pre.manifest.Crop[0]) / float64(pre.manifest.Crop[1])
				}
			}
			shrink := min(1, float64(side)/max(width, height))
			if err := jpeg.Encode(&out, crop(r, region, width*shrink, height*shrink).image(), &jpeg.Options{Quality: jpegQuality}); err != nil {
				return fmt.Errorf("encoding: %w", err)
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// crop renders a region, which may reach beyond the picture (black there), in w × h pixels.
func crop(r *raster, region annotator.ViewRegion, w, h float64) *raster {
	width, height := max(1, int(math.Round(w))), max(1, int(math.Round(h)))
	// The part of the output that is inside the picture.
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
	k := kernels[manifest.Bilinear]
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
func (r *raster) image() *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, r.width, r.height))
	for i := range r.width * r.height {
		copy(out.Pix[4*i:], r.pix[3*i:3*i+3])
		out.Pix[4*i+3] = 255
	}
	return out
}

// preprocessor is that of a version, nil for the zero Version: a project without a model.
func (p *Pictures) preprocessor(version annotator.Version) (*Preprocessor, error) {
	if len(version.Manifest) == 0 {
		return nil, nil
	}
	m, err := version.ReadManifest()
	if err != nil {
		return nil, err
	}
	return NewPreprocessor(m.Unscaled()) // a picture shows pixels, not normalised values
}

// renderingVersion must be changed when the same picture would be rendered differently.
const renderingVersion = 1

// path is the path of a rendering, "" if it is not kept. It depends only on what decides the geometry.
func (p *Pictures) path(pre *Preprocessor, img annotator.Image, kind annotator.PictureKind) string {
	geometry := "no model"
	if pre != nil {
		m := pre.manifest
		geometry = fmt.Sprint(m.EXIF)
		if kind != annotator.PictureWhole {
			geometry = m.Geometry()
		}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s %s", renderingVersion, img.Hash, kind, geometry))
	name := hex.EncodeToString(sum[:])
	if p.dir == "" {
		return name // a key for flights; no file has that name
	}
	return filepath.Join(p.dir, name[:2], name+".jpg")
}

// incoming is the folder of renderings that are being written.
func (p *Pictures) incoming() string { return filepath.Join(p.dir, "incoming") }

// Sweep removes files of processes that were killed while they wrote a rendering.
func (p *Pictures) Sweep() error {
	if p.dir == "" {
		return nil
	}
	_, err := disk.SweepTemporary(p.incoming())
	return err
}

// warn logs that a rendering was not kept, at most once a minute.
func (p *Pictures) warn(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.warned) > time.Minute {
		p.warned = now
		p.log.Warn("pictures are rendered anew each time they are shown", "err", err)
	}
}

// keep writes a rendering where Render will find it, whole or not at all.
func (p *Pictures) keep(path string, data []byte) error {
	if p.dir == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("keeping a rendering: %w", err)
	}
	f, err := disk.Temporary(p.incoming())
	if err != nil {
		return fmt.Errorf("keeping a rendering: %w", err)
	}
	defer os.Remove(f.Name()) // fails if the rendering was kept: the file was renamed
	defer f.Close()
	if _, err = f.Write(data); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keeping a rendering: %w", err)
	}
	if err := p.cache.Added(path, int64(len(data))); err != nil {
		return fmt.Errorf("keeping a rendering: %w", err)
	}
	return nil
}
