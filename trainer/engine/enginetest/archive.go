package enginetest

import (
	"fmt"
	"testing"

	"github.com/sbinet/npyio/npz"

	"github.com/abn-studio/studio/trainer/engine"
)

// Archive is what the runs of a reference network, made with PyTorch, train on.
type Archive struct {
	N, Size                          int // images in all, and in a batch
	Image, Features, Edited, HasEdit []float32
	Label                            []int64
}

// ReadArchive reads it from an archive.
func ReadArchive(t testing.TB, data *npz.Reader) Archive {
	t.Helper()
	a := Archive{
		Image: Floats(t, data, "image"), Features: Floats(t, data, "features"),
		Edited: Floats(t, data, "edited"), HasEdit: Floats(t, data, "has_edit"),
	}
	if err := data.Read("label.npy", &a.Label); err != nil {
		t.Fatal(err)
	}
	a.N = len(a.Label)
	a.Size = a.N / 3
	return a
}

// Batch is rows (k·b mod n) … +b.
func (a Archive) Batch(k int) engine.Batch {
	start := k * a.Size % a.N
	rows := func(all []float32) []float32 {
		width := len(all) / a.N
		return all[start*width : (start+a.Size)*width]
	}
	return engine.Batch{Size: a.Size, Inputs: rows(a.Features), Labels: a.Label[start : start+a.Size], Edited: rows(a.Edited), HasEdit: rows(a.HasEdit)}
}

// OpenArchive opens an archive until the test ends.
func OpenArchive(t testing.TB, path string) *npz.Reader {
	t.Helper()
	r, err := npz.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// Floats reads an array of float32, or of anything that converts to it.
func Floats(t testing.TB, data *npz.Reader, key string) []float32 {
	t.Helper()
	key += ".npy"
	var values []float32
	if err := data.Read(key, &values); err == nil {
		return values
	}
	var wide []float64
	if err := data.Read(key, &wide); err == nil {
		for _, v := range wide {
			values = append(values, float32(v))
		}
		return values
	}
	var whole []int64
	if err := data.Read(key, &whole); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", key, err))
	}
	for _, v := range whole {
		values = append(values, float32(v))
	}
	return values
}
