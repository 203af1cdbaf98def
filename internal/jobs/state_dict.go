package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/disk"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/text"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/statedict"
)

// homeRequest is the part of a request that says which state_dict to make (doHome).
type homeRequest struct {
	Format    string         `json:"format"`
	Parent    string         `json:"parent,omitempty"` // the file as it was exported
	Kin       []string       `json:"kin,omitempty"`    // files that may be it
	Reference *onnx.SentFile `json:"reference,omitempty"`
	Copies    bool           `json:"copies,omitempty"`
}

// files returns pointers to the request's paths, to make them absolute.
func (h *homeRequest) files() (list []*string) {
	if h.Parent != "" {
		list = append(list, &h.Parent)
	}
	for i := range h.Kin {
		list = append(list, &h.Kin[i])
	}
	if h.Reference != nil {
		list = append(list, &h.Reference.Path)
	}
	return list
}

// StateDict implements annotator.Models. The work is done in a child process, within the limits of an inspection, since the reference
// is uploaded.
func (m *Models) StateDict(ctx context.Context, r annotator.StateDictOf) (io.ReadSeekCloser, error) {
	if _, err := disk.SweepTemporary(m.dir); err != nil {
		return nil, fmt.Errorf("making a state_dict: %w", err)
	}
	in := &incoming{models: m}
	defer in.remove()
	asked := request{Do: doHome, Manifest: r.Version.Manifest, Home: &homeRequest{Format: r.Format, Copies: r.Copies}}
	var err error
	if asked.File, err = m.blobs.Path(ctx, r.Version.ModelHash); err != nil {
		return nil, err
	}
	size := r.Version.Bytes
	if r.Reference != nil {
		file, bytes, err := in.keep(*r.Reference)
		if errors.Is(err, annotator.ErrTooLarge) {
			return nil, fmt.Errorf("%w: the reference has more than %d MiB: make the state_dict on the command line with 'studio model export --state-dict'", annotator.ErrTooLarge, m.maxBytes>>20)
		}
		if err != nil {
			return nil, err
		}
		asked.Home.Reference = &onnx.SentFile{Name: text.Clean(r.Reference.Name), Path: file.Name()}
		if r.Parent != "" {
			if asked.Home.Parent, err = m.blobs.Path(ctx, r.Parent); err != nil {
				return nil, err
			}
		}
		for _, hash := range r.Kin {
			path, err := m.blobs.Path(ctx, hash)
			if err != nil {
				return nil, err
			}
			asked.Home.Kin = append(asked.Home.Kin, path)
		}
		size += bytes + r.Version.Bytes
	}
	limits := inspectionLimits(size)
	release, err := m.room(ctx, limits)
	if err != nil {
		return nil, err
	}
	defer release()
	file, err := disk.Temporary(m.dir)
	if err != nil {
		return nil, fmt.Errorf("making a state_dict: %w", err)
	}
	out := &making{file: file, most: size + 16<<20}
	_, err = out.verdict(runConfined(ctx, asked, limits, out))
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = madeFile{file}.Close()
		return nil, err
	}
	return madeFile{file}, nil
}

// madeFile is a file that is removed when it is closed.
type madeFile struct{ *os.File }

// Close implements io.Closer.
func (f madeFile) Close() error { return errors.Join(os.Remove(f.Name()), f.File.Close()) }

// bringHome writes a verdict and, unless that is a refusal, the state_dict that is asked for.
func bringHome(ctx context.Context, asked request, out io.Writer) error {
	dict, err := stateDict(ctx, asked)
	if err == nil {
		if err := json.NewEncoder(out).Encode(verdict{}); err != nil {
			return err
		}
		return dict.Write(out, asked.Home.Format)
	}
	if mentions(err.Error(), noMemory...) {
		return err // runConfined finds the words on standard error and names the limit
	}
	v := verdict{Refused: text.Clean(err.Error())}
	var ofDisk *fs.PathError
	switch {
	case errors.As(err, &ofDisk):
		v = verdict{Fault: err.Error()}
	case errors.Is(err, statedict.ErrNeedsReference):
		v.Field, v.Refused = "reference", v.Refused+": give it, a .safetensors or .npz file"
	case asked.Home.Reference != nil:
		v.Field = "reference"
	}
	return json.NewEncoder(out).Encode(v)
}

// stateDict makes the state_dict that is asked for.
func stateDict(ctx context.Context, asked request) (statedict.Dict, error) {
	options := statedict.Options{Copies: asked.Home.Copies}
	model, err := onnx.ReadWhole(ctx, asked.File)
	if err != nil {
		return nil, err
	}
	if m, err := manifest.Stored(asked.Manifest); err == nil {
		if opened, err := network.Open(ctx, model, m); err == nil { // without the parts it is not known which tensors no training changes
			options.Frozen = opened.Frozen()
		}
	}
	if r := asked.Home.Reference; r != nil {
		if options.Reference, err = statedict.ReadAs(r.Name, r.Path); err != nil {
			return nil, err
		}
		if asked.Home.Parent != "" {
			if options.Parent, err = onnx.ReadWhole(ctx, asked.Home.Parent); err != nil {
				return nil, err
			}
		}
	}
	dict, _, err := statedict.Export(ctx, model, options)
	if err == nil || options.Reference == nil {
		return dict, err
	}
	if dict := byKin(ctx, model, options, asked.Home.Kin); dict != nil {
		return dict, nil
	}
	if errors.Is(err, statedict.ErrUnknown) && options.Parent == nil {
		err = fmt.Errorf("%w. The project has no file from before this version's training, since it was uploaded as it is: upload the one that was exported from PyTorch to the project too, or make the state_dict on the command line, with studio model export --state-dict --reference and --parent", err)
	}
	return dict, err
}

// byKin makes a state_dict without the version's own parent, which may have been trained before it was uploaded, or with one of the files that
// may be from before the training; nil if none will do. A file that is not is refused by its values, which are not the reference's, so that
// trying is no guess.
func byKin(ctx context.Context, model *onnx.Model, options statedict.Options, kin []string) statedict.Dict {
	if options.Parent != nil {
		options.Parent = nil
		if dict, _, err := statedict.Export(ctx, model, options); err == nil {
			return dict
		}
	}
	for _, path := range kin {
		var err error
		if options.Parent, err = onnx.ReadWhole(ctx, path); err != nil {
			continue
		}
		if dict, _, err := statedict.Export(ctx, model, options); err == nil {
			return dict
		}
	}
	return nil
}
