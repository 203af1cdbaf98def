package trainer

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/sample"
)

// toyEngine is an attention branch network small enough to be differentiated by hand, so that what is
// around an engine can be tested to the bit without the runtime:
//
//	M = σ(Σ_c a_c·g_c + b)    ŷ_att = A·mean_hw(g)    ŷ_per = P·mean_hw((1+M)·g)
type toyEngine struct {
	dims, classes  int
	cells          int
	gamma, anchor  float64
	a, b, att, per engine.Parameter
	onStep         func(step int)
	steps          int
	poison         int // the step that answers NaN; 0: none
	closed         bool
	labels         []int64 // of every row seen, in order
}

func newToyEngine(dims [3]int, classes int, gamma float64) *toyEngine {
	c := dims[0]
	e := &toyEngine{dims: c, classes: classes, cells: dims[1] * dims[2], gamma: gamma}
	rng := rand.New(rand.NewPCG(7, 7))
	parameter := func(name string, shape ...int64) engine.Parameter {
		n := int64(1)
		for _, d := range shape {
			n *= d
		}
		p := engine.Parameter{Name: name, Dims: shape, Value: make([]float32, n), Momentum: make([]float32, n)}
		for i := range p.Value {
			p.Value[i] = float32(rng.NormFloat64() * 0.1)
		}
		return p
	}
	e.a, e.b = parameter("attention.weight", int64(c)), parameter("attention.bias", 1)
	e.att, e.per = parameter("att.weight", int64(classes), int64(c)), parameter("per.weight", int64(classes), int64(c))
	return e
}

func (e *toyEngine) Parameters() []engine.Parameter {
	return []engine.Parameter{e.a, e.b, e.att, e.per}
}

func (e *toyEngine) Load(list []engine.Parameter) error {
	for _, p := range list {
		found := false
		for _, own := range e.Parameters() {
			if own.Name == p.Name {
				found = true
				copy(own.Value, p.Value)
				copy(own.Momentum, p.Momentum)
				copy(own.Second, p.Second)
			}
		}
		if !found {
			return fmt.Errorf("no parameter %s", p.Name)
		}
	}
	return nil
}

func (e *toyEngine) Close() error { e.closed = true; return nil }

// row computes the map and pooled features of one image.
func (e *toyEngine) row(g []float32) (m, pooled, attended []float64) {
	m = make([]float64, e.cells)
	pooled, attended = make([]float64, e.dims), make([]float64, e.dims)
	for i := range m {
		z := float64(e.b.Value[0])
		for c := range e.dims {
			z += float64(e.a.Value[c]) * float64(g[c*e.cells+i])
		}
		m[i] = 1 / (1 + math.Exp(-z))
	}
	for c := range e.dims {
		for i := range m {
			v := float64(g[c*e.cells+i]) / float64(e.cells)
			pooled[c] += v
			attended[c] += (1 + m[i]) * v
		}
	}
	return m, pooled, attended
}

func (e *toyEngine) logits(w engine.Parameter, x []float64) []float64 {
	out := make([]float64, e.classes)
	for k := range out {
		for c, v := range x {
			out[k] += float64(w.Value[k*e.dims+c]) * v
		}
	}
	return out
}

func (e *toyEngine) Forward(ctx context.Context, n int, in []float32) (engine.Outputs, error) {
	var out engine.Outputs
	if err := context.Cause(ctx); err != nil {
		return out, err
	}
	size := e.dims * e.cells
	for i := range n {
		m, pooled, attended := e.row(in[i*size : (i+1)*size])
		for _, v := range e.logits(e.att, pooled) {
			out.LogitsAtt = append(out.LogitsAtt, float32(v))
		}
		for _, v := range e.logits(e.per, attended) {
			out.LogitsPer = append(out.LogitsPer, float32(v))
		}
		for _, v := range m {
			out.Maps = append(out.Maps, float32(v))
		}
	}
	return out, nil
}

// crossEntropy returns the loss and its gradient with respect to the logits, and whether they hit.
func crossEntropy(logits []float64, label int64) (loss float64, gradient []float64, hit int) {
	top, sum := math.Inf(-1), 0.0
	for _, v := range logits {
		top = math.Max(top, v)
	}
	for _, v := range logits {
		sum += math.Exp(v - top)
	}
	gradient = make([]float64, len(logits))
	for k, v := range logits {
		gradient[k] = math.Exp(v-top) / sum
	}
	loss = -math.Log(gradient[label])
	if logits[label] == top {
		hit = 1
	}
	gradient[label]--
	return loss, gradient, hit
}

func (e *toyEngine) Step(ctx context.Context, b engine.Batch, u engine.Update) (engine.StepResult, error) {
	if e.onStep != nil {
		e.onStep(e.steps)
	}
	if err := context.Cause(ctx); err != nil {
		return engine.StepResult{}, err
	}
	e.steps++
	var r engine.StepResult
	size := e.dims * e.cells
	grads := map[string][]float64{}
	for _, p := range e.Parameters() {
		grads[p.Name] = make([]float64, len(p.Value))
	}
	rows, anchored := 0.0, 0.0
	for _, h := range b.HasEdit[:b.Size] {
		rows += float64(h)
	}
	for _, h := range b.Anchored {
		anchored += float64(h)
	}
	n := float64(b.Size)
	for i := range b.Size {
		g := b.Inputs[i*size : (i+1)*size]
		m, pooled, attended := e.row(g)
		e.labels = append(e.labels, b.Labels[i])
		la, ga, ha := crossEntropy(e.logits(e.att, pooled), b.Labels[i])
		lp, gp, hp := crossEntropy(e.logits(e.per, attended), b.Labels[i])
		r.LossAtt += la / n
		r.LossPer += lp / n
		r.HitsAtt += ha
		r.HitsPer += hp
		dm := make([]float64, e.cells)
		for k := range e.classes {
			for c := range e.dims {
				grads["att.weight"][k*e.dims+c] += ga[k] * pooled[c] / n
				grads["per.weight"][k*e.dims+c] += gp[k] * attended[c] / n
				for j := range dm {
					dm[j] += gp[k] / n * float64(e.per.Value[k*e.dims+c]) * float64(g[c*e.cells+j]) / float64(e.cells)
				}
			}
		}
		isAnchored := e.anchor != 0 && b.Anchored != nil && b.Anchored[i] != 0
		if b.HasEdit[i] != 0 || isAnchored {
			norm := 1e-12
			for j := range m {
				d := m[j] - float64(b.Edited[i*e.cells+j])
				norm += d * d
			}
			norm = math.Sqrt(norm)
			scale := e.gamma / rows
			if isAnchored {
				scale = e.anchor / anchored
				r.LossAnchor += scale * norm
			} else {
				r.MapDistance += norm / rows
			}
			for j := range m {
				dm[j] += scale * (m[j] - float64(b.Edited[i*e.cells+j])) / norm
			}
		}
		for j, d := range dm {
			dz := d * m[j] * (1 - m[j])
			grads["attention.bias"][0] += dz
			for c := range e.dims {
				grads["attention.weight"][c] += dz * float64(g[c*e.cells+j])
			}
		}
	}
	r.LossMap = e.gamma * r.MapDistance
	gradients := make([][]float32, 0, len(grads))
	for _, p := range e.Parameters() {
		list := make([]float32, len(p.Value))
		for i, g := range grads[p.Name] {
			list[i] = float32(g)
		}
		gradients = append(gradients, list)
	}
	var err error
	if r.GradNorm, err = engine.Apply(e.Parameters(), gradients, u); err != nil {
		return engine.StepResult{}, err
	}
	if e.poison == e.steps {
		r.LossPer = math.NaN()
	}
	return r, nil
}

// toyProblem is images whose class is told by a bright patch in one corner channel, and by a
// distractor elsewhere in the training images only. Edited maps lie on the patch.
type toyProblem struct {
	dims    [3]int
	classes int
	train   []sample.Sample
	heldout []sample.Sample
	pixels  map[string][]float32
}

func newToyProblem(t testing.TB, train, edits, heldout int) *toyProblem {
	t.Helper()
	p := &toyProblem{dims: [3]int{4, 3, 3}, classes: 3, pixels: map[string][]float32{}}
	rng := rand.New(rand.NewPCG(3, 1))
	add := func(id int, biased bool) sample.Sample {
		label := rng.IntN(p.classes)
		distractor := rng.IntN(p.classes)
		if biased && rng.IntN(10) > 0 {
			distractor = label
		}
		g := make([]float32, 36)
		for i := range g {
			g[i] = float32(rng.Float64() * 0.3)
		}
		g[label*9]++                // the object: top left
		g[distractor*9+8] += 2      // the scene: bottom right
		g[27], g[27+8] = 2, 0       // the last channel tells where the object is
		mask := attention.New(3, 3) // on the object
		mask.Values[0] = 1
		hash := fmt.Sprintf("%064x", id)
		p.pixels[hash] = g
		return sample.Sample{ID: int64(id), Name: fmt.Sprint("image ", id), Hash: hash, Label: label, Group: fmt.Sprint("scene ", distractor), Mask: mask}
	}
	for i := range train {
		s := add(i, true)
		if i < edits {
			s.Edited = s.Mask.Clone()
		}
		p.train = append(p.train, s)
	}
	for i := range heldout {
		p.heldout = append(p.heldout, add(100_000+i, false))
	}
	return p
}

// Extract makes toyProblem its own extractor: g(x) = x.
func (p *toyProblem) Extract(_ context.Context, n int, pixels []float32) ([]float32, error) {
	return pixels[:n*36], nil
}

func (p *toyProblem) read(_ context.Context, s sample.Sample, dst []float32) error {
	copy(dst, p.pixels[s.Hash])
	return nil
}

// completed are settings with the defaults of what they leave empty, but for the amounts of which 0 is one.
func completed(s recipe.Settings) recipe.Settings {
	for _, f := range recipe.Fields {
		if v := s.Get(f.Name); recipe.Refusal(f.Name, v) != nil || f.Name == "momentum" && v == 0.0 {
			if err := s.Set(f.Name, f.Default); err != nil {
				panic(err)
			}
		}
	}
	return s
}

// spec is a round over the problem; engines it opens are passed to opened.
func (p *toyProblem) spec(t testing.TB, opened func(s recipe.Settings, e *toyEngine)) RoundSpec {
	return RoundSpec{
		Settings: completed(recipe.Settings{Gamma: 0.5, Epochs: 3, BatchSize: 16, LearningRate: 0.5, WeightDecay: 1e-4, Seed: 5}),
		Train:    p.train, Heldout: p.heldout, Pixels: p.read, WorkDir: t.TempDir() + "/round",
		network: &parent{
			modelHash: "parent", extractorHash: "extractor", input: p.dims, features: p.dims, grid: [2]int{p.dims[1], p.dims[2]}, classes: p.classes, extractor: p,
			newEngine: func(_ context.Context, s recipe.Settings) (engine.Engine, error) {
				e := newToyEngine(p.dims, p.classes, s.Gamma)
				if s.Optimizer == recipe.OptimizerAdamW {
					for _, q := range []*engine.Parameter{&e.a, &e.b, &e.att, &e.per} {
						q.Second = make([]float32, len(q.Value))
					}
				}
				e.anchor = s.Anchor
				if opened != nil {
					opened(s, e)
				}
				return e, nil
			},
			export: func(list []engine.Parameter, meta []onnx.Metadata) ([]byte, error) {
				return checkpoint{Parameters: list, Key: fmt.Sprint(meta)}.marshal()
			},
			close: func() {},
		},
	}
}
