package inference

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/onnx"
)

// ErrTrial says that a network runs but its answers cannot be used; the message says which and what to do.
var ErrTrial = errors.New("its answers are of no use")

// A network is tried with Tried inputs, a black one and noise, each alone, and with the first TriedTogether of them in one batch.
const (
	Tried         = 4
	TriedTogether = 2
)

// Trial is what running a network on test pictures shows.
type Trial struct {
	Map     [2]float32 `json:"map"`     // the least and the largest value of a map
	MapSums [2]float64 `json:"map_sum"` // the least and the largest sum of a map's cells
	// Warnings are sentences for the network's owner, on all that is known against it though it runs: network.Network.Warnings, and
	// answers that are the same for every picture. Whoever opens a network for somebody tells them.
	Warnings []string `json:"warnings,omitempty"`
}

// TryOpened is Network.Try for a network that is only tried, with or without a manifest. It opens sessions and closes them.
func TryOpened(ctx context.Context, opened *network.Network, o NetworkOptions) (t Trial, err error) {
	n := newParts(opened.ABN(), o)
	n.sizes = sizesOf(&opened.ABN().Parts)
	defer func() { err = errors.Join(err, n.Close()) }()
	return n.Try(ctx, opened)
}

// Try runs a network on test inputs and checks its answers: they must be finite, logits, and the same for a picture alone and in
// a batch. Answers whose sum is the same for every input are taken for probabilities, however the graph computes them. opened is the
// network that n runs. Errors are the runtime's, or ErrTrial.
func (n *Network) Try(ctx context.Context, opened *network.Network) (Trial, error) {
	var t Trial
	pixels := make([]float32, Tried*n.sizes.Image())
	rng := rand.New(rand.NewPCG(1, 2))
	for at := n.sizes.Image(); at < len(pixels); at++ { // the first is black
		pixels[at] = float32(rng.NormFloat64()) // preprocessed pixels lie about there
	}
	alone := n.newOutputs(Tried)
	for i := range Tried {
		out, err := n.Forward(ctx, 1, pixels[i*n.sizes.Image():][:n.sizes.Image()])
		if err != nil {
			return t, fmt.Errorf("it does not run: %w", err)
		}
		copy(alone.Maps[i*n.sizes.Map():], out.Maps)
		copy(alone.LogitsAtt[i*n.sizes.Classes:], out.LogitsAtt)
		copy(alone.LogitsPer[i*n.sizes.Classes:], out.LogitsPer)
	}
	if err := n.tryValues(alone); err != nil {
		return t, err
	}
	together, err := n.Forward(ctx, TriedTogether, pixels[:TriedTogether*n.sizes.Image()])
	if err != nil {
		return t, fmt.Errorf("it does not run: in a batch of %d: %w", TriedTogether, err)
	}
	if err := sameAmongOthers(ctx, alone, together, opened.ABN()); err != nil {
		return t, err
	}
	t.Map = [2]float32{slices.Min(alone.Maps), slices.Max(alone.Maps)}
	t.MapSums = [2]float64{math.Inf(1), math.Inf(-1)}
	for cells := range slices.Chunk(alone.Maps, n.sizes.Map()) {
		sum := 0.0
		for _, v := range cells {
			sum += float64(v)
		}
		t.MapSums = [2]float64{min(t.MapSums[0], sum), max(t.MapSums[1], sum)}
	}
	t.Warnings = append(opened.Warnings(), n.constants(alone)...)
	return t, nil
}

// branchAnswers are the answers of both branches by their names in sentences.
func branchAnswers(out Outputs) []struct {
	name   string
	logits []float32
} {
	return []struct {
		name   string
		logits []float32
	}{{"attention branch's", out.LogitsAtt}, {"perception branch's", out.LogitsPer}}
}

// tryValues refuses values that are not finite, and scores that are probabilities.
func (n *Network) tryValues(out Outputs) error {
	finite := func(v float32) bool { return math.Abs(float64(v)) <= math.MaxFloat32 }
	for _, v := range out.Maps {
		if !finite(v) { // beyond 0 to 1 it is shown from 0 to 1, which its owner was told
			return fmt.Errorf("%w: its attention map holds %v for a test picture: weights must be numbers", ErrTrial, v)
		}
	}
	for _, branch := range branchAnswers(out) {
		var sums []float64
		for row := range slices.Chunk(branch.logits, n.sizes.Classes) {
			var sum float64
			shares := true
			for _, v := range row {
				if !finite(v) {
					return fmt.Errorf("%w: the %s answers hold %v for a test picture: weights must be numbers", ErrTrial, branch.name, v)
				}
				sum += float64(v)
				shares = shares && v >= 0
			}
			if shares && sum > 0 {
				sums = append(sums, sum)
			}
		}
		if len(sums) == Tried && slices.Max(sums)-slices.Min(sums) <= 1e-5*slices.Max(sums) && n.sizes.Classes > 1 && !sameRows(branch.logits, n.sizes.Classes) { // constants warns of those
			return fmt.Errorf("%w: the %s answers add up to %.4g whatever the picture, so they are shares and no logits: export what goes into the softmax, of an ensemble the mean of the logits", ErrTrial, branch.name, sums[0])
		}
	}
	return nil
}

// apartAmongOthers bounds the difference between an answer in a batch and the picture's answer alone, relative to the largest
// value: only the order of sums may differ.
const apartAmongOthers = 1e-3

// sameAmongOthers refuses a network whose answer to a picture depends on the others of the batch.
func sameAmongOthers(ctx context.Context, alone, together Outputs, abn *onnx.ABN) error {
	for _, value := range []struct {
		name string
		a, b []float32
	}{{"attention map differs", alone.Maps, together.Maps}, {"attention branch's scores differ", alone.LogitsAtt, together.LogitsAtt}, {"perception branch's scores differ", alone.LogitsPer, together.LogitsPer}} {
		var apart, largest float64
		for i := range value.b {
			apart = max(apart, math.Abs(float64(value.a[i])-float64(value.b[i])))
			largest = max(largest, math.Abs(float64(value.a[i])))
		}
		if apart <= apartAmongOthers*largest {
			continue
		}
		scale := ""
		if largest > 0 {
			scale = fmt.Sprintf(" (values reach %.2g)", largest)
		}
		cause := "some node that works across the batch"
		if nodes := abn.AcrossBatch(ctx); len(nodes) > 0 {
			cause = fmt.Sprintf("%s, across the batch", onnx.Enumerate(nodes, ", "))
		}
		return fmt.Errorf("%w: they depend on which pictures are run together: the %s by %.2g%s where a picture is one of %d and not alone. That is %s. Export it after model.eval(), "+
			"with BatchNorms that keep running statistics, and softmax and means over an image's own axes", ErrTrial, value.name, apart, scale, TriedTogether, cause)
	}
	return nil
}

// constants warns of answers that are the same for every picture.
func (n *Network) constants(out Outputs) (warnings []string) {
	var constant []string
	for _, branch := range branchAnswers(out) {
		if sameRows(branch.logits, n.sizes.Classes) {
			constant = append(constant, "the "+branch.name+" scores")
		}
	}
	if sameRows(out.Maps, n.sizes.Map()) {
		constant = append(constant, "the attention map")
	}
	if len(constant) > 0 {
		warnings = append(warnings, strings.Join(constant, " and ")+" are the same for every test picture: weights of zeros, or ones that were never loaded, do that")
	}
	return warnings
}

// sameRows reports whether every row is the first one again.
func sameRows(values []float32, row int) bool {
	for at := range slices.Chunk(values, row) {
		if !slices.Equal(at, values[:row]) {
			return false
		}
	}
	return true
}
