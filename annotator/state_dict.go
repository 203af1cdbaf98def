package annotator

import (
	"context"
	"fmt"
)

// StateDictRequest asks for a version's weights by the names that PyTorch has for them, for load_state_dict of the module that the
// network was exported from.
type StateDictRequest struct {
	Format string // what the file ends in: "safetensors" or "npz"
	// Reference is the state_dict of that module as it was then, a .safetensors or .npz file by its name; nil for none. Without one only a network that kept
	// its BatchNorms and its names can be brought home.
	Reference *SentFile
	// Copies says that modules with equal weights in the reference are modules of their own, where the file does not tell.
	Copies bool
}

// StateDictFormats are the formats of a state_dict, the usual one first.
var StateDictFormats = []string{"safetensors", "npz"}

// StateDictOf is a StateDictRequest with the files that it is about, by their hashes.
type StateDictOf struct {
	StateDictRequest
	Version  Version
	Imported string // the file that the version descends from, as it was exported
}

// StateDict makes a version's state_dict: of the file alone (annotator), or with a reference that is sent (admin, as whatever is sent). One that
// would not be the version's network is never made: the error is a *ValidationError, of field "reference" where one is needed or another one is.
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
