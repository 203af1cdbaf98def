package inference

import (
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/ort"
)

// CheckOpens opens every part of a network on the runtime and runs none. path is the file that the network was opened from; "": it
// has none.
//
// Since nothing is run, weights are left out (onnx.Model.MarshalHollow), and a file of 250 MB takes a third of the time. All five
// parts are opened without optimisation, which shows operators that the runtime does not know. Extractor and branches, which
// together have every node and constant once, are also opened with the runtime's optimisations, except for the layout of weights
// in memory. If a part does not open in this way, it is opened as for a run, and the result of that counts.
func CheckOpens(opened *network.Network, path string, o NetworkOptions) error {
	n, stands := newParts(opened.ABN(), o), standIn(path)
	for _, p := range n.parts() {
		if err := p.check(stands, ort.OptimizeNothing); err != nil {
			return err
		}
	}
	rewritten := []*part{n.extractor, n.branches}
	errs := make([]error, len(rewritten))
	var together sync.WaitGroup
	for i, p := range rewritten {
		together.Go(func() { errs[i] = p.check(stands, ort.OptimizeExtended) })
	}
	together.Wait()
	return errors.Join(errs...)
}

// weights is a file whose first bytes are used as the weights of a graph that is not run; nil: there is none.
type weights struct {
	folder, name string
	size         int64
}

// standIn uses the model's own file, which is large enough for any weight. It must be a regular file, since the runtime maps it
// into memory.
func standIn(path string) *weights {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return &weights{filepath.Dir(path), filepath.Base(path), info.Size()}
}

// check opens the part and closes it.
func (p *part) check(stands *weights, level ort.Optimization) error {
	if stands != nil && p.opensWithout(stands, level) {
		return nil
	}
	whole := &part{name: p.name, inputs: p.inputs, outputs: p.outputs, options: p.options, model: p.model}
	_, err := whole.open()
	return errors.Join(err, whole.close())
}

// opensWithout reports whether the part opens without its weights, at this level of optimisation.
func (p *part) opensWithout(stands *weights, level ort.Optimization) bool {
	data, err := p.model.MarshalHollow(stands.name, stands.size)
	if err != nil {
		return false
	}
	o := p.options
	o.Name, o.Optimization = "the "+p.name, level
	o.Config = map[string]string{
		"session.disable_prepacking":                           "1", // would copy weights for a run
		"session.model_external_initializers_file_folder_path": stands.folder,
	}
	session, err := ort.Open(data, p.inputs, p.outputs, o)
	return err == nil && session.Close() == nil
}
