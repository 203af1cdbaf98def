package trainer

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/onnx"
)

// forged is a small ABN that a test changes before it is written: image [N,3,side,side] → features [N,4,side,side], and both branches.
type forged struct {
	side        int64
	opset       int64
	attention   []*onnx.Node // between the features "g" and the attention branch's convolutions, ending in "a"
	perception  []*onnx.Node // between the attended features "attended" and the pool, ending in "p"
	constants   []*onnx.Tensor
	beforeImage []*onnx.Node // that nothing reads
	channels    int64        // of "p"; 0: 4
}

func on(op, inputs, output string, attributes ...*onnx.Attribute) *onnx.Node {
	var in []string
	for name := range strings.FieldsSeq(inputs) {
		in = append(in, strings.Trim(name, "-"))
	}
	return onnx.NewNode(op, "the "+op+" of "+output, in, []string{output}, attributes...)
}

func fill(name string, dims ...int64) *onnx.Tensor {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(i%7) - 3
	}
	return onnx.NewFloat32(name, dims, data)
}

func list(name string, values ...int64) *onnx.Tensor {
	return onnx.NewInt64(name, []int64{int64(len(values))}, values)
}

func (f forged) model() *onnx.Model {
	if f.side == 0 {
		f.side = 8
	}
	if f.opset == 0 {
		f.opset = 17
	}
	if f.channels == 0 {
		f.channels = 4
	}
	if f.attention == nil {
		f.attention = []*onnx.Node{on("Relu", "g", "a")}
	}
	if f.perception == nil {
		f.perception = []*onnx.Node{on("Relu", "attended", "p")}
	}
	g := &onnx.Graph{
		Name:   "forged",
		Inputs: []*onnx.ValueInfo{onnx.NewValue("image", onnx.Float, onnx.BatchOf(3, f.side, f.side))},
		Nodes: slices.Concat(f.beforeImage, []*onnx.Node{on("Conv", "image stem", "g")}, f.attention, []*onnx.Node{
			on("Conv", "a to_map", "before"), on("Sigmoid", "before", "attention"),
			on("Conv", "a to_classes", "response"), on("GlobalAveragePool", "response", "mean"), on("Flatten", "mean", "logits_att"),
			on("Mul", "g attention", "product"), on("Add", "product g", "attended"),
		}, f.perception, []*onnx.Node{
			on("GlobalAveragePool", "p", "pooled"), on("Flatten", "pooled", "flat"), on("Gemm", "flat last", "logits_per", onnx.IntAttr("transB", 1)),
		}),
		Initializers: append([]*onnx.Tensor{fill("stem", 4, 3, 1, 1), fill("to_map", 1, 4, 1, 1), fill("to_classes", 5, 4, 1, 1), fill("last", 5, f.channels)}, f.constants...),
		Outputs: []*onnx.ValueInfo{onnx.NewValue("logits_att", onnx.Float, onnx.BatchOf(5)), onnx.NewValue("logits_per", onnx.Float, onnx.BatchOf(5)),
			onnx.NewValue("attention", onnx.Float, nil)},
	}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: f.opset}}, Graph: g}
}

// hostile are files that ask for more than any machine has, or for what there is not, with what is said of them: somewhere in
// the refusal or among the reasons why they are not trained.
func hostile() map[string]struct {
	model *onnx.Model
	says  string
} {
	type file = struct {
		model *onnx.Model
		says  string
	}
	in := func(f forged, says string) file { return file{f.model(), says} }
	chain := func(n int, first, op, second string, constant *onnx.Tensor) (nodes []*onnx.Node) {
		for i := range n {
			nodes = append(nodes, on(op, first+" "+second, fmt.Sprintf("%s%d", constant.Name, i)))
			first = fmt.Sprintf("%s%d", constant.Name, i)
		}
		return nodes
	}
	kernel := func(name string, n int64, attributes ...*onnx.Attribute) *onnx.Node {
		return on(name, "attended big", "p", append(attributes, onnx.IntsAttr("kernel_shape", n, n))...)
	}
	pool := func(op string, n, pads int64) []*onnx.Node {
		return []*onnx.Node{on(op, "attended", "p", onnx.IntsAttr("kernel_shape", n, n), onnx.IntsAttr("pads", pads, pads, pads, pads))}
	}
	grown := on("Resize", "attended - grow", "grown", onnx.StrAttr("mode", "nearest"))
	grow := onnx.NewFloat32("grow", []int64{4}, []float32{1, 1, 1000, 1000})
	manyConvs := func() (nodes []*onnx.Node) {
		at := "attended"
		for i := range 300 {
			nodes = append(nodes, on("Conv", at+" big", fmt.Sprintf("c%d", i), onnx.IntsAttr("pads", 16, 16, 15, 15)))
			at = fmt.Sprintf("c%d", i)
		}
		return append(nodes, on("Identity", at, "p"))
	}
	names := forged{}.model()
	names.Graph.Nodes[3].Name = strings.Repeat("n", 1<<20)
	cycle := forged{attention: []*onnx.Node{on("Add", "g later", "a"), on("Relu", "a", "later")}}
	many := forged{beforeImage: []*onnx.Node{onnx.NewNode("Split", "many", []string{"stem"}, nil)}}
	for i := range 100_000 {
		many.beforeImage[0].Outputs = append(many.beforeImage[0].Outputs, fmt.Sprint("piece", i))
	}
	deep := &onnx.Graph{Nodes: []*onnx.Node{on("Identity", "g", "inner")}, Outputs: []*onnx.ValueInfo{onnx.NewValue("inner", onnx.Float, nil)}}
	for range 1000 {
		deep = &onnx.Graph{Nodes: []*onnx.Node{on("If", "condition", "inner", &onnx.Attribute{Name: "then_branch", Type: onnx.AttributeGraph, Graph: deep})}}
	}
	constantOfShape := func(value *onnx.Tensor, dims ...int64) forged {
		n := on("ConstantOfShape", "dims", "made")
		if value != nil {
			n.SetAttr(onnx.TensorAttr("value", value))
		}
		return forged{beforeImage: []*onnx.Node{n}, constants: []*onnx.Tensor{list("dims", dims...)}}
	}
	return map[string]file{
		"sides of 2^24":                in(forged{side: 1 << 24}, `input "image": too much`),
		"sides of 2^31":                in(forged{side: 1 << 31}, `input "image": too much`),
		"sides of 2^62":                in(forged{side: 1 << 62}, `input "image": too much`),
		"strides of 2^33":              in(forged{perception: []*onnx.Node{on("Conv", "attended big", "p", onnx.IntsAttr("strides", 1<<33, 1<<33))}, constants: []*onnx.Tensor{fill("big", 4, 4, 1, 1)}}, "8589934592"),
		"strides of 2^28":              in(forged{perception: []*onnx.Node{on("Conv", "attended big", "p", onnx.IntsAttr("strides", 1<<28, 1<<28))}, constants: []*onnx.Tensor{fill("big", 4, 4, 1, 1)}}, ""),
		"strides of 2^63-1":            in(forged{perception: []*onnx.Node{on("Conv", "attended big", "p", onnx.IntsAttr("strides", math.MaxInt64, 1))}, constants: []*onnx.Tensor{fill("big", 4, 4, 1, 1)}}, "too much"),
		"pads of 2^40":                 in(forged{perception: []*onnx.Node{on("Conv", "attended big", "p", onnx.IntsAttr("pads", 1<<40, 0, 0, 0))}, constants: []*onnx.Tensor{fill("big", 4, 4, 1, 1)}}, "1099511627776"),
		"pads of 2^28":                 in(forged{perception: []*onnx.Node{on("Conv", "attended big", "p", onnx.IntsAttr("pads", 1<<28, 1<<28, 0, 0))}, constants: []*onnx.Tensor{fill("big", 4, 4, 1, 1)}}, "too much"),
		"pads of 2^24 to one side":     in(forged{perception: []*onnx.Node{on("Conv", "attended big", "p", onnx.IntsAttr("pads", 0, 1<<23, 0, 0))}, constants: []*onnx.Tensor{fill("big", 4, 1, 1, 1)}}, ""),
		"depthwise over 2^23 columns":  in(forged{perception: []*onnx.Node{on("Conv", "attended big", "p", onnx.IntAttr("group", 4), onnx.IntsAttr("pads", 0, 1<<23, 0, 0))}, constants: []*onnx.Tensor{fill("big", 4, 1, 1, 1)}}, ""),
		"groups of 2^62":               in(forged{perception: []*onnx.Node{on("Conv", "attended big", "p", onnx.IntAttr("group", 1<<62))}, constants: []*onnx.Tensor{fill("big", 4, 4, 1, 1)}}, "group 4611686018427387904"),
		"dilations of 2^62":            in(forged{perception: []*onnx.Node{on("Conv", "attended big", "p", onnx.IntsAttr("dilations", 1<<62, 1<<62))}, constants: []*onnx.Tensor{fill("big", 4, 4, 3, 3)}}, "too much"),
		"a kernel of 64×64":            in(forged{perception: []*onnx.Node{kernel("Conv", 64, onnx.IntsAttr("pads", 32, 32, 31, 31))}, constants: []*onnx.Tensor{fill("big", 4, 4, 64, 64)}}, "4096 elements: at most 1024"),
		"300 kernels of 32×32":         in(forged{perception: manyConvs(), constants: []*onnx.Tensor{fill("big", 4, 4, 32, 32)}}, "nodes to differentiate"),
		"a pool of 2^29":               in(forged{perception: pool("AveragePool", 1<<29, 1<<28)}, "window"),
		"a pool of 2^40":               in(forged{perception: pool("MaxPool", 1<<40, 1<<40)}, "too much"),
		"a pool of 2^24 in pads":       in(forged{perception: pool("AveragePool", 1<<13, 1<<12)}, ""),
		"ConvTranspose of 2^33":        in(forged{perception: []*onnx.Node{on("ConvTranspose", "attended big", "p", onnx.IntsAttr("output_shape", 1<<33, 1<<33))}, constants: []*onnx.Tensor{fill("big", 4, 4, 1, 1)}}, "too much"),
		"ConvTranspose strides 2^29":   in(forged{perception: []*onnx.Node{on("ConvTranspose", "attended big", "p", onnx.IntsAttr("strides", 1<<29, 1<<29))}, constants: []*onnx.Tensor{fill("big", 4, 4, 1, 1)}}, "too much"),
		"Pad by 2^40":                  in(forged{perception: []*onnx.Node{on("Pad", "attended pads", "p")}, constants: []*onnx.Tensor{list("pads", 0, 0, 1<<40, 0, 0, 0, 0, 0)}}, "too much"),
		"Pad by 2^63-1 and 2^63-1":     in(forged{perception: []*onnx.Node{on("Pad", "attended pads", "p")}, constants: []*onnx.Tensor{list("pads", 0, 0, math.MaxInt64, 0, 0, 0, math.MaxInt64, 0)}}, "too much"),
		"Pad with a number":            in(forged{perception: []*onnx.Node{on("Pad", "attended pads seven", "p")}, constants: []*onnx.Tensor{list("pads", 0, 0, 0, 0, 0, 0, 5000, 5000), onnx.NewFloat32("seven", nil, []float32{7})}}, ""),
		"Slice by 2^63-1":              in(forged{perception: []*onnx.Node{on("Slice", "attended zero end axis step", "p")}, constants: []*onnx.Tensor{list("zero", 0), list("end", math.MaxInt64), list("axis", 2), list("step", math.MaxInt64)}}, ""),
		"Slice back by 2^63":           in(forged{perception: []*onnx.Node{on("Slice", "attended zero end axis step", "p")}, constants: []*onnx.Tensor{list("zero", -1), list("end", math.MinInt64), list("axis", 2), list("step", math.MinInt64)}}, ""),
		"turned, cut and padded":       in(forged{perception: []*onnx.Node{grown, on("Transpose", "grown", "turned", onnx.IntsAttr("perm", 0, 1, 3, 2)), on("Pad", "turned pads", "padded"), on("Slice", "padded zero end axis", "p")}, constants: []*onnx.Tensor{grow, list("pads", 0, 0, 1, 1, 0, 0, 1, 1), list("zero", 1), list("end", 8000), list("axis", 3)}}, ""),
		"Resize to 2^40":               in(forged{perception: []*onnx.Node{on("Resize", "attended - - sizes", "p")}, constants: []*onnx.Tensor{list("sizes", 1, 4, 1<<40, 1<<40)}}, "too much"),
		"Tile 2^40 times":              in(forged{perception: []*onnx.Node{on("Tile", "attended times", "p")}, constants: []*onnx.Tensor{list("times", 1, 1, 1<<40, 1<<40)}}, "too much"),
		"Expand to 2^40":               in(forged{beforeImage: []*onnx.Node{on("Expand", "one sizes", "made")}, constants: []*onnx.Tensor{fill("one", 1), list("sizes", 1<<40)}}, "too much"),
		"Expand to -1":                 in(forged{beforeImage: []*onnx.Node{on("Expand", "one sizes", "made")}, constants: []*onnx.Tensor{fill("one", 1), list("sizes", -1)}}, "an axis of size -1"),
		"Expand to a million axes":     in(forged{beforeImage: []*onnx.Node{on("Expand", "one sizes", "made")}, constants: []*onnx.Tensor{fill("one", 1), list("sizes", slices.Repeat([]int64{1}, 1000)...)}}, "1000 axes"),
		"Reshape to sizes that wrap":   in(forged{beforeImage: []*onnx.Node{on("Reshape", "one sizes", "made")}, constants: []*onnx.Tensor{fill("one", 1), list("sizes", 1<<32, 1<<32)}}, ""),
		"Reshape to -2":                in(forged{beforeImage: []*onnx.Node{on("Reshape", "one sizes", "made")}, constants: []*onnx.Tensor{fill("one", 1), list("sizes", -2)}}, "an axis of size -2"),
		"Range to 2^62":                in(forged{beforeImage: []*onnx.Node{on("Range", "from to by", "made")}, constants: []*onnx.Tensor{onnx.NewInt64("from", nil, []int64{math.MinInt64}), onnx.NewInt64("to", nil, []int64{math.MaxInt64}), onnx.NewInt64("by", nil, []int64{1})}}, ""),
		"OneHot of 2^62":               in(forged{beforeImage: []*onnx.Node{on("OneHot", "which depth values", "made")}, constants: []*onnx.Tensor{list("which", 1), list("depth", 1<<62), fill("values", 2)}}, "too much"),
		"Gather of a gather of":        in(forged{beforeImage: []*onnx.Node{on("Gather", "table which", "t0"), on("Gather", "table t0", "t1"), on("Gather", "t1 t1", "t2")}, constants: []*onnx.Tensor{list("table", slices.Repeat([]int64{0}, 1024)...), list("which", slices.Repeat([]int64{0}, 1024)...)}}, ""),
		"ConstantOfShape of nothing":   in(constantOfShape(onnx.NewInt64("", []int64{0}, nil), 2, 2), "want one element"),
		"ConstantOfShape of negatives": in(constantOfShape(nil, -5, 2), "an axis of size -5"),
		"ConstantOfShape of 2^62":      in(constantOfShape(nil, 1<<31, 1<<31, 4), "too much"),
		"Unsqueeze to 1000 axes":       in(forged{beforeImage: []*onnx.Node{on("Unsqueeze", "one axes", "made")}, constants: []*onnx.Tensor{fill("one", 1), list("axes", slices.Repeat([]int64{0}, 1000)...)}}, "axes"),
		"60,000 Adds of constants":     in(forged{beforeImage: chain(60_000, "ones", "Add", "ones", list("ones", slices.Repeat([]int64{1}, 1024)...)), constants: []*onnx.Tensor{list("ones", slices.Repeat([]int64{1}, 1024)...)}}, "elements of constants"),
		"100,000 Adds":                 in(forged{beforeImage: chain(100_000, "ones", "Add", "ones", list("ones", 1)), constants: []*onnx.Tensor{list("ones", 1)}}, "more than"),
		"4,000 Adds to train":          in(forged{perception: append(chain(4_000, "attended", "Add", "shift", fill("shift", 1)), on("Relu", "shift3999", "p")), constants: []*onnx.Tensor{fill("shift", 4, 1, 1)}}, ""),
		"Concat doubled 60 times": in(forged{beforeImage: func() (nodes []*onnx.Node) {
			for i := range 60 {
				nodes = append(nodes, on("Concat", fmt.Sprintf("d%d d%d", i, i), fmt.Sprintf("d%d", i+1), onnx.IntAttr("axis", 0)))
			}
			return nodes
		}(), constants: []*onnx.Tensor{list("d0", 1)}}, "too much"),
		"100,000 pieces":      in(many, ""),
		"names of a megabyte": {names, "a name of 1048576 bytes"},
		"a cycle":             in(cycle, "which nothing before it makes"),
		"graphs 1000 deep":    in(forged{beforeImage: []*onnx.Node{on("If", "condition", "made", &onnx.Attribute{Name: "then_branch", Type: onnx.AttributeGraph, Graph: deep})}}, "deep"),
		"batch statistics of 2^27 channels": in(forged{perception: []*onnx.Node{
			on("Reshape", "attended wide", "w"), on("ConstantOfShape", "many", "ones"), on("BatchNormalization", "w ones ones ones ones", "n"), on("Reshape", "n back", "p")},
			constants: []*onnx.Tensor{list("wide", 0, 1<<27, 1, 1), list("many", 1<<27), list("back", 0, 4, 8, 8)}}, ""),
	}
}

// inspect does with a file what is done with one that somebody uploads, but for opening it on the runtime.
func inspect(t testing.TB, data []byte) (TrainingReport, error) {
	m, err := onnx.Read(t.Context(), data)
	if err != nil {
		return nil, err
	}
	opened, err := network.Open(t.Context(), m, manifest.Manifest{Crop: [2]int{8, 8}})
	if err != nil {
		return nil, err
	}
	onnx.Describe(t.Context(), m)
	opened.ABN().Describe(t.Context())
	return InspectTraining(t.Context(), opened)
}

// What a file asks for is held against a bound before anything is allocated, and said with the node's name. The test takes no more
// than what a small network takes; it runs alone, as all that is allocated meanwhile counts.
func TestInspectionIsBounded(t *testing.T) {
	for name, file := range hostile() {
		t.Run(name, func(t *testing.T) {
			data, err := file.model.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			report, err := inspect(t, data)
			runtime.ReadMemStats(&after)
			if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 2048 {
				t.Errorf("it allocated %d MiB", allocated)
			}
			said := fmt.Sprint(err)
			for _, o := range report.Obstacles() {
				said += "\n" + o.String()
			}
			if !strings.Contains(said, file.says) {
				t.Errorf("it said %.2000s\nwant %q", said, file.says)
			}
			if len(said) > 1<<16 {
				t.Errorf("it said %d bytes", len(said))
			}
		})
	}
}

func FuzzInspectTraining(f *testing.F) {
	for name, file := range hostile() {
		if data, err := file.model.Marshal(); err == nil && len(data) < 1<<14 { // what is longer is not mutated well
			f.Add(data)
		} else if err != nil {
			f.Fatalf("%s: %v", name, err)
		}
	}
	small, err := forged{}.model().Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(small)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 { // it is to be found out what little a file can ask much with
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		report, err := inspect(t, data)
		runtime.ReadMemStats(&after)
		if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 1024 {
			t.Errorf("a file of %d bytes allocated %d MiB: %.500v %.1000v", len(data), allocated, err, report)
		}
	})
}
