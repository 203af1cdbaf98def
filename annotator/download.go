package annotator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Form is a form in which a version is downloaded. Its files can be uploaded again as they are, and hold no paths of the machine that
// the network was exported on.
type Form string

// The forms of a version's files.
const (
	FormONNX     Form = "onnx"     // one file, with its manifest inside
	FormGraph    Form = "graph"    // the same without its large tensors, which are in FormData
	FormData     Form = "data"     // the large tensors: abn.onnx.data beside abn.onnx, as PyTorch writes them
	FormManifest Form = "manifest" // the manifest: abn.json beside abn.onnx
)

// Download is a file to be downloaded. The caller closes it.
type Download struct {
	Name  string // such as birds-v2.onnx
	Media string // its type (RFC 6838)
	Tag   string // for an ETag: the same for the same bytes; "" if they are made anew for each download
	From  time.Time
	io.ReadSeekCloser
}

// Download opens a version in one of its forms.
func (s *Service) Download(ctx context.Context, actor User, id int64, form Form) (Download, error) {
	version, project, err := s.Version(ctx, actor, id)
	if err != nil {
		return Download{}, err
	}
	fail := func(err error) (Download, error) {
		return Download{}, fmt.Errorf("version %d as %s: %w", id, form, err)
	}
	name := fileName(project, version)
	d := Download{Name: name + ".onnx", Media: "application/octet-stream", Tag: version.ModelHash + "-" + string(form), From: version.CreatedAt}
	if form == FormManifest {
		var text bytes.Buffer
		if err := json.Indent(&text, version.Manifest, "", " "); err != nil {
			return fail(err)
		}
		text.WriteByte('\n')
		d.Name, d.Media, d.ReadSeekCloser = name+".json", "application/json", held{bytes.NewReader(text.Bytes()), io.NopCloser(nil)}
		return d, nil
	}
	if s.models == nil {
		return fail(fmt.Errorf("%w: this process reads no models", ErrUnavailable))
	}
	file, err := s.blobs.Open(ctx, version.ModelHash)
	if err != nil {
		return fail(err)
	}
	beside := ""
	if form != FormONNX {
		beside = d.Name + ".data"
	}
	model, data, err := s.models.HandOut(file, version.Manifest, beside)
	if err != nil {
		file.Close()
		return fail(err)
	}
	d.ReadSeekCloser = held{model, file}
	if form == FormData {
		d.Name, d.ReadSeekCloser = beside, held{data, file}
	}
	return d, nil
}

// fileName is what a version's files are called, up to their ending.
func fileName(p Project, v Version) string { return fmt.Sprintf("%s-v%d", p.Slug, v.Number) }

// held reads from one value and closes another, on which the first depends.
type held struct {
	io.ReadSeeker
	io.Closer
}
