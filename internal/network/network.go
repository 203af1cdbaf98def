package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/statedict"
)

// ErrSplit says that a network's parts were found but cannot be made into graphs of their own.
var ErrSplit = errors.New("it cannot be taken apart")

// Network is an opened Attention Branch Network. It never changes, and what its methods return must not be changed either. It is
// safe for concurrent use.
type Network struct {
	model         *onnx.Model
	abn           *onnx.ABN
	manifest      manifest.Manifest
	extractorHash func() string

	mu   sync.Mutex
	kept map[any]any // see Kept
}

// Open takes a model apart, by the names its manifest gives (none: the zero Manifest). Errors are onnx.FindParts's, ErrSplit, the
// context's, or a *manifest.Error where the manifest names a head that is not served: whatever runs or trains a network opens it here. That the manifest fits is not checked: see Fits. The model must not be changed afterwards.
func Open(ctx context.Context, model *onnx.Model, m manifest.Manifest) (*Network, error) {
	if err := m.CheckHead(); err != nil {
		return nil, err
	}
	parts, err := onnx.FindParts(ctx, model, m.PartNames())
	if err != nil {
		return nil, err
	}
	abn, err := onnx.Split(ctx, model, parts)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSplit, err)
	}
	return &Network{model: model, abn: abn, manifest: m, extractorHash: sync.OnceValue(abn.ExtractorHash), kept: map[any]any{}}, nil
}

// Read is Open for the bytes of a file that must hold all its data (onnx.Read). They must not be changed afterwards.
func Read(ctx context.Context, file []byte, m manifest.Manifest) (*Network, error) {
	model, err := onnx.Read(ctx, file)
	if err != nil {
		return nil, err
	}
	return Open(ctx, model, m)
}

// Model is the network as its file has it.
func (n *Network) Model() *onnx.Model { return n.model }

// ABN is the network taken apart: where it was split, and the graphs of its parts.
func (n *Network) ABN() *onnx.ABN { return n.abn }

// Manifest is how pixels become the network's input and what its classes are called, as far as that is known.
func (n *Network) Manifest() manifest.Manifest { return n.manifest }

// Fits checks that the manifest is this network's; the error is a *manifest.Error.
func (n *Network) Fits() error { return n.manifest.Fits(n.abn.Sizes()) }

// ExtractorHash is what the network's features are kept under (onnx.ABN.ExtractorHash). It is found when it is first asked for:
// all of the extractor's values are read for it.
func (n *Network) ExtractorHash() string { return n.extractorHash() }

// Warnings are sentences on what its owner should know, as far as the file shows it: how its parts are read, and what may have gone wrong
// when it was exported, and weights that will not go home. inference.Trial adds what running it shows, and is what every road tells.
func (n *Network) Warnings() []string {
	list := append(n.abn.Notes(), n.model.Warnings()...)
	if lost := n.WayHome().Warning(); lost != "" {
		list = append(list, lost)
	}
	return list
}

// Notes are the Warnings and what its owner should know before the file is given away.
func (n *Network) Notes() []string {
	list := n.Warnings()
	for _, note := range n.model.Notes() {
		if !slices.Contains(list, note) {
			list = append(list, note)
		}
	}
	return list
}

// ExtractorTrained is the metadata of a file whose extractor was trained, here or on the way here; its value does not matter.
const ExtractorTrained = "abn.extractor_trained"

// Frozen names the initializers that no training has changed since the file came from its exporter: the extractor's, unless that was
// trained too.
func (n *Network) Frozen() []string {
	if _, trained := n.model.MetadataValue(ExtractorTrained); trained {
		return nil
	}
	return n.abn.ExtractorInitializers
}

// WayHome is how the network's weights can go home to PyTorch once its branches are trained.
func (n *Network) WayHome() statedict.Way {
	way, _ := Kept(n, wayKey{}, func() (statedict.Way, error) {
		return statedict.WayHome(n.model, n.Frozen()), nil
	})
	return way
}

type wayKey struct{}

// Kept returns the result of find for a network. find is called once for each key, and later calls get the same result; an error
// is not kept. Other packages use it to keep what they have found out about the network, such as what can be trained. A key's
// type belongs to the package that uses it.
func Kept[T any](n *Network, key any, find func() (T, error)) (T, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if known, ok := n.kept[key]; ok {
		return known.(T), nil
	}
	found, err := find()
	if err == nil {
		n.kept[key] = found
	}
	return found, err
}
