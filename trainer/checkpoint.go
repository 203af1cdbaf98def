package trainer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/sample"
)

// ErrCheckpoint says that a checkpoint file is incomplete, altered or no checkpoint.
var ErrCheckpoint = errors.New("not a usable checkpoint")

// checkpoint is everything that the next steps of a run depend on: the trained parameters with their optimiser state, the place
// in the order of rows, and what early stopping and the checks for divergence remember.
type checkpoint struct {
	Key        string // runKey
	Seed       int64
	Order      string // digest of the order of epoch Epoch, see order.digest
	Epoch      int    // epochs done
	Step       int    // steps done, of this epoch's too
	Curve      []Point
	Pending    pointSum  // the steps since the curve's last point
	Recent     []float64 // L_per of the last steps, at most collapsedSteps
	RecentAtt  []float64 // L_att of them
	Best       bestEpoch
	Seconds    float64 // that the steps so far took
	Parameters []engine.Parameter
}

// bestEpoch is the epoch with the best validation so far; its parameters are in a file of their own.
type bestEpoch struct {
	Epoch      int        `json:"epoch"` // epochs done, 0: none yet
	Validation Validation `json:"validation"`
}

// A checkpoint file is
//
//	"ABNCKPT2", length of the header (8 bytes), header (JSON), tensors (float32, in the header's
//	order, value, then first, then second moment), SHA-256 of all before
//
// with little-endian numbers. Files of the first version, which had no second moments and no place within an epoch, are ignored:
// the run starts from the beginning.
const checkpointMagic = "ABNCKPT2"

type checkpointHeader struct {
	Key        string            `json:"key"`
	Seed       int64             `json:"seed"`
	Order      string            `json:"order"`
	Epoch      int               `json:"epoch"`
	Step       int               `json:"step"`
	Curve      []Point           `json:"curve"`
	Pending    pointSum          `json:"pending"`
	Recent     []float64         `json:"recent"`
	RecentAtt  []float64         `json:"recent_att"`
	Best       bestEpoch         `json:"best"`
	Seconds    float64           `json:"seconds"`
	Parameters []checkpointEntry `json:"parameters"`
}

type checkpointEntry struct {
	Name     string  `json:"name"`
	Dims     []int64 `json:"dims"`
	Values   int     `json:"values"`
	Momentum bool    `json:"momentum"` // first moments follow the values
	Second   bool    `json:"second"`   // and then second ones
}

// lists are the tensors of an entry's parameter, in the file's order.
func (e checkpointEntry) lists(p *engine.Parameter) []*[]float32 {
	out := []*[]float32{&p.Value}
	if e.Momentum {
		out = append(out, &p.Momentum)
	}
	if e.Second {
		out = append(out, &p.Second)
	}
	return out
}

// write encodes the checkpoint, as a stream: a network's parameters are not copied.
func (c checkpoint) write(w io.Writer) error {
	header := checkpointHeader{
		Key: c.Key, Seed: c.Seed, Order: c.Order, Epoch: c.Epoch, Step: c.Step,
		Curve: c.Curve, Pending: c.Pending, Recent: c.Recent, RecentAtt: c.RecentAtt, Best: c.Best, Seconds: c.Seconds,
	}
	for _, p := range c.Parameters {
		for _, list := range [][]float32{p.Momentum, p.Second} {
			if list != nil && len(list) != len(p.Value) {
				return fmt.Errorf("parameter %s: %d moments for %d values", p.Name, len(list), len(p.Value))
			}
		}
		header.Parameters = append(header.Parameters, checkpointEntry{p.Name, p.Dims, len(p.Value), p.Momentum != nil, p.Second != nil})
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<18)
	start := binary.LittleEndian.AppendUint64([]byte(checkpointMagic), uint64(len(text)))
	for _, part := range [][]byte{start, text} {
		if _, err := out.Write(part); err != nil {
			return err
		}
	}
	for i, p := range c.Parameters {
		for _, list := range header.Parameters[i].lists(&p) {
			for _, v := range *list {
				if out.Available() < 4 {
					if err := out.Flush(); err != nil {
						return err
					}
				}
				if _, err := out.Write(binary.LittleEndian.AppendUint32(out.AvailableBuffer(), math.Float32bits(v))); err != nil {
					return err
				}
			}
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// marshal is what write writes.
func (c checkpoint) marshal() ([]byte, error) {
	var out bytes.Buffer
	err := c.write(&out)
	return out.Bytes(), err
}

// unmarshalCheckpoint decodes what marshal wrote. Every error matches ErrCheckpoint.
func unmarshalCheckpoint(data []byte) (checkpoint, error) {
	return readCheckpoint(bytes.NewReader(data), int64(len(data)))
}

// readCheckpoint decodes size bytes that write wrote. Every error matches ErrCheckpoint.
func readCheckpoint(r io.Reader, size int64) (checkpoint, error) {
	bad := func(why string) (checkpoint, error) { return checkpoint{}, fmt.Errorf("%w: %s", ErrCheckpoint, why) }
	const start = len(checkpointMagic) + 8
	left := size - int64(start) - sha256.Size
	sum := sha256.New()
	in := io.TeeReader(bufio.NewReaderSize(r, 1<<18), sum)
	begin := make([]byte, start)
	if left < 0 {
		return bad("it is too short")
	}
	if _, err := io.ReadFull(in, begin); err != nil || string(begin[:len(checkpointMagic)]) != checkpointMagic {
		return bad("it does not begin as one")
	}
	length := binary.LittleEndian.Uint64(begin[len(checkpointMagic):])
	if length > uint64(left) {
		return bad("its header is cut off")
	}
	left -= int64(length)
	text := make([]byte, length)
	if _, err := io.ReadFull(in, text); err != nil {
		return bad(err.Error())
	}
	var header checkpointHeader
	if err := json.Unmarshal(text, &header); err != nil {
		return bad(err.Error())
	}
	c := checkpoint{
		Key: header.Key, Seed: header.Seed, Order: header.Order, Epoch: header.Epoch, Step: header.Step,
		Curve: header.Curve, Pending: header.Pending, Recent: header.Recent, RecentAtt: header.RecentAtt, Best: header.Best, Seconds: header.Seconds,
	}
	buffer := make([]byte, 1<<16)
	for _, e := range header.Parameters {
		p := engine.Parameter{Name: e.Name, Dims: e.Dims}
		for _, list := range e.lists(&p) {
			if e.Values < 0 || int64(e.Values) > left/4 {
				return bad("parameter " + e.Name + " is cut off")
			}
			left -= 4 * int64(e.Values)
			*list = make([]float32, e.Values)
			if err := readFloats(in, *list, buffer); err != nil {
				return bad(err.Error())
			}
		}
		c.Parameters = append(c.Parameters, p)
	}
	if left != 0 {
		return bad("it goes on after its last parameter")
	}
	want, got := sum.Sum(nil), make([]byte, sha256.Size)
	if _, err := io.ReadFull(in, got); err != nil || !bytes.Equal(got, want) {
		return bad("its checksum is wrong")
	}
	return c, nil
}

// readFloats fills dst with little-endian numbers, a buffer at a time.
func readFloats(r io.Reader, dst []float32, buffer []byte) error {
	for len(dst) > 0 {
		n := min(len(dst), len(buffer)/4)
		if _, err := io.ReadFull(r, buffer[:4*n]); err != nil {
			return err
		}
		for i := range n {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(buffer[4*i:]))
		}
		dst = dst[n:]
	}
	return nil
}

// runKey identifies a run: two runs with the same key make the same network. A checkpoint has the key of its run, and only that
// run goes on from it. validation is what early stopping looks at, nil without it.
func runKey(modelHash string, s recipe.Settings, samples, validation []sample.Sample) string {
	h := sha256.New()
	settings, err := json.Marshal(s)
	if err != nil { // NaN, which Validate has refused
		panic(err)
	}
	fmt.Fprintf(h, "run 1\n%s\n%s\n", modelHash, settings)
	sample.Write(h, samples)
	if validation != nil {
		fmt.Fprintln(h, "validation")
		sample.Write(h, validation)
	}
	return hex.EncodeToString(h.Sum(nil))
}
