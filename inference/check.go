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
// Nothing is run, so that it does not matter what the weights are: they are left out (onnx.Model.MarshalHollow), and a file of
// 250 MB is looked at in a third of the time. All five parts are opened as they stand, which shows what the runtime does not
// know. Rewritten as before a run, but for how weights lie in memory, are extractor and branches, in which every node and every
// constant stands once. What does not open so is opened as a run would open it, and what is said then is the answer.
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

// weights is a file whose first bytes stand for the weights of a graph that is not run; nil: there is none.
type weights struct {
	folder, name string
	size         int64
}

// standIn takes a model's own file, which has a byte for each of a weight's. The runtime maps it, so that it has to be a regular one.
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

// opensWithout reports whether the part opens without its weights, rewritten so far.
func (p *part) opensWithout(stands *weights, level ort.Optimization) bool {
	data, err := p.model.MarshalHollow(stands.name, stands.size)
	if err != nil {
		return false
	}
	o := p.options
	o.Name, o.Optimization = "the "+p.name, level
	o.Config = map[string]string{
		"session.disable_prepacking":                           "1", // copies of weights for a run
		"session.model_external_initializers_file_folder_path": stands.folder,
	}
	session, err := ort.Open(data, p.inputs, p.outputs, o)
	return err == nil && session.Close() == nil
}
