package jobs

import (
	"context"
	"time"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
)

// countChunk is how many images' sizes are written in one transaction.
const countChunk = 5000

// Count lists the blob store, keeps what it holds together, and gives the images their sizes that have none: those that are older than this
// counting, and those of archives. It looks at no other file.
func (w *Worker) Count(ctx context.Context) error {
	at := time.Now()
	newest, err := w.config.Store.NewestImage(ctx) // the files of those that come later may not be in the list
	if err != nil {
		return err
	}
	all, err := w.config.Blobs.List(ctx)
	if err != nil {
		return err
	}
	found := annotator.BlobSpace{CountedAt: at, Files: len(all)}
	for _, file := range all {
		found.Bytes += file.Size
	}
	w.metrics.bytes.Set(float64(found.Bytes))
	w.metrics.files.Set(float64(found.Files))
	if err := w.countImages(ctx, newest, all); err != nil {
		return err
	}
	projects, err := w.config.Store.ProjectSpaces(ctx, 0)
	if err != nil {
		return err
	}
	for _, p := range projects {
		found.Referred += p.Stored()
	}
	return w.config.Store.SetBlobSpace(ctx, found)
}

// countImages gives the images up to the newest their sizes that have none; all are the files of the blob store.
func (w *Worker) countImages(ctx context.Context, newest int64, all []blob.Stored) error {
	var sizes map[string]int64
	for after := int64(0); ; {
		images, err := w.config.Store.UncountedImages(ctx, after, newest, countChunk)
		if err != nil || len(images) == 0 {
			return err
		}
		if sizes == nil {
			sizes = make(map[string]int64, len(all))
			for _, file := range all {
				sizes[file.Hash] = file.Size
			}
		}
		ids, bytes, masks := make([]int64, len(images)), make([]int64, len(images)), make([]int64, len(images))
		for n, image := range images {
			ids[n], bytes[n], masks[n] = image.ID, sizes[image.Hash], sizes[image.MaskHash] // 0 of a file that is lost: it takes nothing
		}
		if err := w.config.Store.CountImages(ctx, ids, bytes, masks); err != nil {
			return err
		}
		after = ids[len(ids)-1]
	}
}
