package annotator

import (
	"context"
	"fmt"
	"slices"
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
	Version Version
	// Parent is the file that the version descends from by rounds, "" where it was uploaded itself.
	Parent string
	// Kin are the project's other uploaded files with the same extractor: one may be what the version was, or the file it descends
	// from, before a training elsewhere.
	Kin []string
}

// maxKin bounds how many files are tried as the one from before the training.
const maxKin = 8

// withParents adds the files of versions, all of its project, that may be the one from before its training.
func (of StateDictOf) withParents(versions []Version) StateDictOf {
	byID := make(map[int64]Version, len(versions))
	for _, v := range versions {
		byID[v.ID] = v
	}
	first := of.Version
	for first.ParentID != nil {
		first = byID[*first.ParentID]
	}
	if first.ID != of.Version.ID {
		of.Parent = first.ModelHash
	}
	known := []string{"", of.Version.ModelHash, of.Parent}
	for _, v := range versions {
		if v.ParentID == nil && v.ExtractorHash == first.ExtractorHash && !slices.Contains(known, v.ModelHash) && len(of.Kin) < maxKin {
			of.Kin, known = append(of.Kin, v.ModelHash), append(known, v.ModelHash)
		}
	}
	return of
}

// StateDict makes a version's state_dict: from its file alone (annotator), or with an uploaded reference (admin, as for any upload).
// If it cannot be made so that it is exactly the version's network, the error is a *ValidationError; its field is "reference" if a
// reference is needed, or a different one.
func (s *Service) StateDict(ctx context.Context, actor User, id int64, r StateDictRequest) (Download, error) {
	if r.Reference != nil {
		if _, err := s.in(ctx, actor, RoleLead, ThingVersion.Of(id)); err != nil {
			return Download{}, err
		}
	}
	version, project, err := s.Version(ctx, actor, id)
	if err != nil {
		return Download{}, err
	}
	versions, err := s.store.Versions(ctx, project.ID)
	if err != nil {
		return Download{}, err
	}
	if s.models == nil {
		return Download{}, fmt.Errorf("the state_dict of version %d: %w: this process reads no models", id, ErrUnavailable)
	}
	file, err := s.models.StateDict(ctx, StateDictOf{StateDictRequest: r, Version: version}.withParents(versions))
	if err != nil {
		return Download{}, err
	}
	return Download{Name: fileName(project, version) + "." + r.Format, Media: "application/octet-stream", From: s.now(), ReadSeekCloser: file}, nil
}
