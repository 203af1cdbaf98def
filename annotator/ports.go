package annotator

import (
	"context"
	"io"

	"github.com/abn-studio/studio/internal/attention"
)

// Scorer computes a version's scores of an image with a person's map in place of its own. Only the perception branch runs; the
// image's features come from a cache (inference.LiveScorer).
type Scorer interface {
	Score(ctx context.Context, version Version, image Image, m attention.Map) (probabilities []float32, err error)
}

// PictureKind says which rendering of an image is wanted.
type PictureKind string

// The renderings. All are JPEG except the original, which is the file as it was imported.
const (
	PictureOriginal PictureKind = "original"
	PictureWhole    PictureKind = "whole" // whole picture, oriented as the model sees it, at most 1600 px on the longer side
	PictureView     PictureKind = "view"  // the model's view (ViewRegion), at most 1024 px on the longer side
	PictureThumb    PictureKind = "thumb" // the model's view, 320 px on the longer side
)

// PictureKinds are all of them.
var PictureKinds = []PictureKind{PictureOriginal, PictureWhole, PictureView, PictureThumb}

// Pictures renders images for people (inference.Pictures).
type Pictures interface {
	// Render returns the bytes of a rendering and its media type. The caller closes the reader.
	Render(ctx context.Context, version Version, image Image, kind PictureKind) (io.ReadCloser, string, error)
	// View returns the part of the picture the version's preprocessing keeps.
	View(version Version, image Image) (ViewRegion, error)
}

// Blobs reads content-addressed files by the SHA-256 of their bytes (internal/blob).
type Blobs interface {
	Open(ctx context.Context, hash string) (io.ReadSeekCloser, error)
}

// Links gives addresses of files, so that big ones need not pass through the studio (internal/blob).
type Links interface {
	// Link returns an address at which whoever has it can save the file under a name, for a short while; "" where none are given.
	Link(ctx context.Context, hash, name string) (string, error)
}

// BlobStore is Blobs to which files are added, and from which they can be removed.
type BlobStore interface {
	Blobs
	// Remove removes a file, if there is one.
	Remove(ctx context.Context, hash string) error
	// Put keeps the bytes of r under their hash.
	Put(ctx context.Context, r io.Reader) (hash string, size int64, err error)
	Exists(ctx context.Context, hash string) (bool, error)
}
