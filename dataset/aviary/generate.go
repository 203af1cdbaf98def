package aviary

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/abn-studio/studio/dataset"
	"golang.org/x/sync/errgroup"

	"github.com/abn-studio/studio/internal/text"
)

// Generate writes the data set as an image folder that dataset.Open reads as "folder":
// split/bird/NNNN.png, masks/split/bird/NNNN.png and metadata.csv with group, mask and scene. The
// folder is made; files of an earlier run with the same names are replaced. progress, which may be nil, is called with the number of
// pictures written so far and in all, from one goroutine at a time.
func Generate(ctx context.Context, dir string, o Options, progress func(done, total int)) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("generating aviary: %w", err)
	}
	return Draw(ctx, dir, o, Plan(o), progress)
}

// Draw is Generate for some of the pictures of Plan(o).
func Draw(ctx context.Context, dir string, o Options, plan []Picture, progress func(done, total int)) error {
	for _, p := range plan {
		for _, name := range []string{p.Name, p.Mask()} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, filepath.FromSlash(name))), 0o755); err != nil {
				return fmt.Errorf("generating aviary: %w", err)
			}
		}
	}
	workers := o.Parallel
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var mutex sync.Mutex
	done := 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, p := range plan {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			shown, mask := picture(p, o.Seed)
			if err := writePNG(filepath.Join(dir, filepath.FromSlash(p.Name)), shown); err != nil {
				return err
			}
			if err := writePNG(filepath.Join(dir, filepath.FromSlash(p.Mask())), mask); err != nil {
				return err
			}
			mutex.Lock()
			defer mutex.Unlock()
			done++
			if progress != nil {
				progress(done, len(plan))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("generating aviary: %w", err)
	}
	if err := ctx.Err(); err != nil && done < len(plan) {
		return fmt.Errorf("generating aviary: %w", context.Cause(ctx))
	}
	if err := writeMetadata(filepath.Join(dir, dataset.MetadataFile), plan); err != nil {
		return fmt.Errorf("generating aviary: %w", err)
	}
	return nil
}

func writePNG(file string, picture image.Image) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}()
	buffered := bufio.NewWriter(f)
	encoder := png.Encoder{CompressionLevel: png.BestSpeed, BufferPool: &encoderBuffers}
	if err := encoder.Encode(buffered, picture); err != nil {
		return err
	}
	return buffered.Flush()
}

// encoderBuffers saves an allocation of half a megabyte per picture.
var encoderBuffers bufferPool

type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) Get() *png.EncoderBuffer {
	buffer, _ := p.pool.Get().(*png.EncoderBuffer)
	return buffer
}

func (p *bufferPool) Put(buffer *png.EncoderBuffer) { p.pool.Put(buffer) }

func writeMetadata(file string, plan []Picture) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}()
	table := text.NewCSV(f)
	if err := table.Write([]string{"file", "group", "mask", "scene", "home"}); err != nil {
		return err
	}
	for _, p := range plan {
		if err := table.Write([]string{p.Name, p.Group(), p.Mask(), string(p.Scene), string(p.Bird.Home)}); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}
