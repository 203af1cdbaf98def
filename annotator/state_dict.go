package annotator

import (
	"context"
	"fmt"
)

// StateDictRequest asks for a version's weights under PyTorch's names, for load_state_dict of the module that the network was
// exported from.
type StateDictRequest struct {
	Format string // one of StateDictFormats, which is also the file's ending
	// Reference is the state_dict that the module had when it was exported, a file whose name ends in .safetensors or .npz; nil:
	// none. Without it a state_dict can be made only of a network whose export kept its BatchNorms and its names.
	Reference *SentFile
	// Copies says that modules with equal weights in the reference are separate modules, if the model's file does not tell.
	Copies bool
}

// StateDictFormats are the formats of a state_dict, the usual one first.
var StateDictFormats = []string{"safetensors", "npz"}

// StateDictOf is a StateDictRequest with the model files that it is about, named by their hashes.
type StateDictOf struct {
	StateDictRequest
	Version  Version
	Imported string // the file that the version descends from, as it was exported
}

// StateDict makes a version's state_dict: from its file alone (annotator), or with an uploaded reference (admin, as for any upload).
// If it cannot be made so that it is exactly the version's network, the error is a *ValidationError; its field is "reference" if a
// reference is needed, or a different one.
func (s *Service) StateDict(ctx context.Context, actor User, id int64, r StateDictRequest) (Download, error) {
	if r.Reference != nil {
		if err := may(actor, RoleAdmin); err != nil {
			return Download{}, err
		}
	}
	version, project, err := s.Version(ctx, actor, id)
	if err != nil {
		return Download{}, err
	}
	first := version
	for first.ParentID != nil {
		if first, err = s.store.Version(ctx, *first.ParentID); err != nil {
			return Download{}, err
		}
	}
	if s.models == nil {
		return Download{}, fmt.Errorf("the state_dict of version %d: %w: this process reads no models", id, ErrUnavailable)
	}
	file, err := s.models.StateDict(ctx, StateDictOf{StateDictRequest: r, Version: version, Imported: first.ModelHash})
	if err != nil {
		return Download{}, err
	}
	return Download{Name: fileName(project, version) + "." + r.Format, Media: "application/octet-stream", From: s.now(), ReadSeekCloser: file}, nil
}
