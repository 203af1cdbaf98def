package onnx

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
)

// attentionHead appends the nodes that compute logits and map from the last value of the copied stage.
func (a *attachment) attentionHead(x string) {
	channels := a.end.Channels
	k := a.settings.Classes
	x = a.norm("bn_att", x, channels)
	x = a.convolution("att_conv", x, 1, a.he("attention.att_conv.weight", channels, channels*k), k, channels)
	x = a.norm("bn_att2", x, k)
	x = a.add("Relu", "/attention/att_relu", a.editor.Name("/attention/att_relu/out"), x)
	y := a.convolution("att_conv2", x, 1, eachItsOwn(k), k, k)
	y = a.add("GlobalAveragePool", "/attention/att_gap", a.editor.Name("/attention/att_gap/out"), y)
	a.add("Flatten", "/attention/att_flatten", LogitsAttOutput, y)
	x = a.convolution("att_conv3", x, 3, a.he("attention.att_conv3.weight", 9*k, 9*k), 1, k)
	x = a.norm("bn_att3", x, 1)
	a.add("Sigmoid", "/attention/sigmoid", AttentionOutput, x)
}

// norm appends a BatchNormalization at its initial values.
func (a *attachment) norm(name, x string, channels int) string {
	inputs := []string{x}
	for _, p := range []struct {
		name  string
		value float32
	}{{"weight", 1}, {"bias", 0}, {"running_mean", 0}, {"running_var", 1}} {
		inputs = append(inputs, a.tensor("attention."+name+"."+p.name, slices.Repeat([]float32{p.value}, channels), channels))
	}
	y := a.add("BatchNormalization", "/attention/"+name, a.editor.Name("/attention/"+name+"/out"), inputs...)
	// ONNX's momentum is the share of the old statistic.
	a.nodes[len(a.nodes)-1].Attributes = []*Attribute{FloatAttr("epsilon", 1e-5), FloatAttr("momentum", 0.9)}
	return y
}

// convolution appends a k×k convolution without bias that keeps the size.
func (a *attachment) convolution(name, x string, k int, weight []float32, out, in int) string {
	y := a.add("Conv", "/attention/"+name, a.editor.Name("/attention/"+name+"/out"), x, a.tensor("attention."+name+".weight", weight, out, in, k, k))
	side, pad := int64(k), int64(k/2)
	a.nodes[len(a.nodes)-1].Attributes = []*Attribute{
		IntsAttr("dilations", 1, 1), IntAttr("group", 1), IntsAttr("kernel_shape", side, side), IntsAttr("pads", pad, pad, pad, pad), IntsAttr("strides", 1, 1),
	}
	return y
}

// tensor adds an initializer and returns its name.
func (a *attachment) tensor(name string, data []float32, dims ...int) string {
	sizes := make([]int64, len(dims))
	for i, d := range dims {
		sizes[i] = int64(d)
	}
	return a.editor.Keep(NewFloat32(a.editor.Name(name), sizes, data))
}

// eachItsOwn is the k×k matrix with which each of the K channels is its own class's from the start. No logit is above another's whatever the picture, as it
// may be at random: channels are not negative here, behind a Relu, and of two classes one then stays out of reach for a thousand steps.
func eachItsOwn(k int) []float32 {
	values := make([]float32, k*k)
	for i := range k {
		values[i*k+i] = 1
	}
	return values
}

// he draws n values with variance 2/inputs.
func (a *attachment) he(name string, inputs, n int) []float32 {
	h := fnv.New64a()
	h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(uint64(a.settings.Seed), h.Sum64()))
	deviation := math.Sqrt(2 / float64(inputs))
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(rng.NormFloat64() * deviation)
	}
	return data
}

// newHead gives the classifier's last layer new values, for K classes.
func (a *attachment) newHead() error {
	n, k := a.head, int64(a.settings.Classes)
	dims, ok := a.inferred.Shape(n.Input(1)).Sizes()
	if !ok {
		return fmt.Errorf("%w: the weights of %v have shape %v", ErrAttach, n, a.inferred.Shape(n.Input(1)))
	}
	classes := len(dims) - 1 // MatMul and Gemm: [inputs, K]
	if n.IsOp("Conv") || n.AttrInt("transB", 0) != 0 {
		classes = 0
	}
	if dims[classes] != int64(a.classes) {
		return fmt.Errorf("%w: the weights of %v are %v, want %d classes", ErrAttach, n, dims, a.classes)
	}
	dims[classes] = k
	inputs := 1
	for i, d := range dims {
		if i != classes {
			inputs *= int(d)
		}
	}
	weight := a.editor.Name("perception.head.weight")
	n.Inputs[1] = a.editor.Keep(NewFloat32(weight, dims, a.he(weight, inputs, inputs*int(k))))
	if n.Input(2) != "" {
		n.Inputs[2] = a.tensor("perception.head.bias", make([]float32, k), int(k))
	}
	if a.bias != nil {
		for i, in := range a.bias.Inputs {
			if !a.varying[in] {
				a.bias.Inputs[i] = a.tensor("perception.head.bias", make([]float32, k), int(k))
			}
		}
	}
	return a.resize()
}

// resize puts the new number of classes into the sizes of Reshape nodes behind the head.
func (a *attachment) resize() error {
	behind := a.behind(a.head.Output(0))
	for _, n := range a.model.Graph.Nodes {
		if !behind[n] || !n.IsOp("Reshape") || a.varying[n.Input(1)] {
			continue
		}
		target := a.inferred.Constant(n.Input(1))
		if target == nil {
			continue
		}
		sizes, err := target.Int64s()
		if err != nil {
			return fmt.Errorf("%w: %v: %w", ErrAttach, n, err)
		}
		at := slices.Index(sizes, int64(a.classes))
		if at < 0 {
			continue
		}
		sizes[at] = int64(a.settings.Classes)
		n.Inputs[1] = a.editor.Keep(NewInt64(a.editor.Name(n.Output(0)+"/shape"), []int64{int64(len(sizes))}, sizes))
	}
	return nil
}
