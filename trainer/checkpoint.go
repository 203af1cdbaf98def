package trainer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// ErrCheckpoint is a checkpoint file that is torn, altered or not one of ours.
var ErrCheckpoint = errors.New("not a usable checkpoint")

// checkpoint is a run's state between two epochs. The order of an epoch follows from the seed (see
// order), so that Epoch is all there is to know of it.
type checkpoint struct {
	Key        string // runKey
	Epoch      int    // epochs done
	Step       int    // steps done
	Seed       int64
	Curve      []Point
	Parameters []Parameter
}

// A checkpoint file is
//
//	"ABNCKPT1", length of the header (8 bytes), header (JSON), tensors (float32, in the header's
//	order, value then momentum), SHA-256 of all before
//
// with little-endian numbers.
const checkpointMagic = "ABNCKPT1"

type checkpointHeader struct {
	Key        string            `json:"key"`
	Epoch      int               `json:"epoch"`
	Step       int               `json:"step"`
	Seed       int64             `json:"seed"`
	Curve      []Point           `json:"curve"`
	Parameters []checkpointEntry `json:"parameters"`
}

type checkpointEntry struct {
	Name     string  `json:"name"`
	Dims     []int64 `json:"dims"`
	Values   int     `json:"values"`
	Momentum bool    `json:"momentum"` // momenta follow the values
}

// marshal encodes the checkpoint.
func (c checkpoint) marshal() ([]byte, error) {
	header := checkpointHeader{Key: c.Key, Epoch: c.Epoch, Step: c.Step, Seed: c.Seed, Curve: c.Curve}
	size := 0
	for _, p := range c.Parameters {
		header.Parameters = append(header.Parameters, checkpointEntry{p.Name, p.Dims, len(p.Value), p.Momentum != nil})
		if p.Momentum != nil && len(p.Momentum) != len(p.Value) {
			return nil, fmt.Errorf("parameter %s: %d momenta for %d values", p.Name, len(p.Momentum), len(p.Value))
		}
		size += 4 * (len(p.Value) + len(p.Momentum))
	}
	text, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(checkpointMagic)+8+len(text)+size+sha256.Size)
	out = append(out, checkpointMagic...)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(text)))
	out = append(out, text...)
	for _, p := range c.Parameters {
		for _, list := range [][]float32{p.Value, p.Momentum} {
			for _, v := range list {
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
			}
		}
	}
	sum := sha256.Sum256(out)
	return append(out, sum[:]...), nil
}

// unmarshalCheckpoint decodes what marshal wrote. Every error matches ErrCheckpoint.
func unmarshalCheckpoint(data []byte) (checkpoint, error) {
	bad := func(why string) (checkpoint, error) { return checkpoint{}, fmt.Errorf("%w: %s", ErrCheckpoint, why) }
	const start = len(checkpointMagic) + 8
	if len(data) < start+sha256.Size || string(data[:len(checkpointMagic)]) != checkpointMagic {
		return bad("it does not begin as one")
	}
	body := data[:len(data)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], data[len(body):]) {
		return bad("its checksum is wrong")
	}
	length := binary.LittleEndian.Uint64(data[len(checkpointMagic):])
	if length > uint64(len(body)-start) {
		return bad("its header is cut off")
	}
	var header checkpointHeader
	if err := json.Unmarshal(body[start:start+int(length)], &header); err != nil {
		return bad(err.Error())
	}
	rest := body[start+int(length):]
	take := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(rest[4*i:]))
		}
		rest = rest[4*n:]
		return out
	}
	c := checkpoint{Key: header.Key, Epoch: header.Epoch, Step: header.Step, Seed: header.Seed, Curve: header.Curve}
	for _, e := range header.Parameters {
		lists := 1
		if e.Momentum {
			lists = 2
		}
		if e.Values < 0 || e.Values > len(rest)/4/lists {
			return bad("parameter " + e.Name + " is cut off")
		}
		p := Parameter{Name: e.Name, Dims: e.Dims, Value: take(e.Values)}
		if e.Momentum {
			p.Momentum = take(e.Values)
		}
		c.Parameters = append(c.Parameters, p)
	}
	if len(rest) != 0 {
		return bad("it goes on after its last parameter")
	}
	return c, nil
}

// checkpoints keeps the last two checkpoints of one arm in a folder: epochs alternate between two
// files, so that one whole checkpoint exists at every moment.
type checkpoints struct {
	dir string
	arm Arm
}

func (c checkpoints) path(epoch int) string {
	return filepath.Join(c.dir, fmt.Sprintf("%s-%d.checkpoint", c.arm, epoch%2))
}

// save writes a checkpoint so that after a crash, of the machine even, it is either whole or absent.
func (c checkpoints) save(state checkpoint) error {
	data, err := state.marshal()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := writeAtomically(c.path(state.Epoch), data); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// load returns the latest whole checkpoint of the run with this key, and false if there is none.
// Broken files and those of another run are passed over: the run then starts from an earlier epoch.
func (c checkpoints) load(key string) (checkpoint, bool, error) {
	var best checkpoint
	found := false
	for slot := range 2 {
		data, err := os.ReadFile(c.path(slot))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return checkpoint{}, false, fmt.Errorf("checkpoint: %w", err)
		}
		state, err := unmarshalCheckpoint(data)
		if err != nil || state.Key != key {
			continue
		}
		if !found || state.Epoch > best.Epoch {
			best, found = state, true
		}
	}
	return best, found, nil
}

// writeAtomically replaces a file: temporary file, fsync, rename, fsync of the folder.
func writeAtomically(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, tempPrefix)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
