package architecture

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

// ErrUnbuildable says that an Architecture has values with which no network can be built.
var ErrUnbuildable = errors.New("architecture")

// Architecture is one of the ABNs that can be trained from scratch: a ResNet (He et al., arXiv 1512.03385) or a
// MobileNetV2 (Sandler et al., arXiv 1801.04381) whose first three stages are the extractor, whose fourth is the
// perception branch, and a copy of whose fourth at stride 1 is the attention branch (Fukui et al., arXiv 1812.10025).
type Architecture struct {
	Name      string
	ImageSize int // H = W it is meant for, in pixels
	// Width is the channels of a ResNet's first stage, which each later one doubles, or of a MobileNetV2's first
	// convolution, to which all others are in proportion.
	Width      int
	Inverted   bool   // a MobileNetV2, whose stages are fixed: Blocks to StemPool are not used
	Blocks     [4]int // residual blocks a stage
	Bottleneck bool   // 1×1, 3×3, 1×1 blocks with four times the channels at their end, else two 3×3
	StemKernel int    // side of the first convolution, at stride 2
	StemPool   bool   // a 3×3 max pooling at stride 2 behind it
	Gain       onnx.Gain
}

// known are the networks known by name. micro is the demo's: at 112×112 its map is 14×14, as the
// others' is at 224×224.
var known = []Architecture{
	{Name: "micro", ImageSize: 112, Width: 8, Blocks: [4]int{1, 1, 1, 1}, StemKernel: 5, Gain: onnx.GainM},
	{Name: "tiny", ImageSize: 112, Width: 16, Blocks: [4]int{1, 1, 1, 1}, StemKernel: 5, Gain: onnx.GainM},
	{Name: "small", ImageSize: 112, Width: 32, Blocks: [4]int{1, 1, 1, 1}, StemKernel: 5, Gain: onnx.GainM},
	{Name: "resnet18", ImageSize: 224, Width: 64, Blocks: [4]int{2, 2, 2, 2}, StemKernel: 7, StemPool: true, Gain: onnx.GainOnePlusM},
	{Name: "resnet34", ImageSize: 224, Width: 64, Blocks: [4]int{3, 4, 6, 3}, StemKernel: 7, StemPool: true, Gain: onnx.GainOnePlusM},
	{Name: "resnet50", ImageSize: 224, Width: 64, Blocks: [4]int{3, 4, 6, 3}, Bottleneck: true, StemKernel: 7, StemPool: true, Gain: onnx.GainOnePlusM},
	{Name: "resnet101", ImageSize: 224, Width: 64, Blocks: [4]int{3, 4, 23, 3}, Bottleneck: true, StemKernel: 7, StemPool: true, Gain: onnx.GainOnePlusM},
	{Name: "mobilenetv2", ImageSize: 224, Width: 32, Inverted: true, Gain: onnx.GainOnePlusM},
}

// Names lists the networks known by name.
func Names() []string {
	names := make([]string, len(known))
	for i, a := range known {
		names[i] = a.Name
	}
	return names
}

// Named finds an architecture; an unknown name is ErrUnbuildable and lists the known ones.
func Named(name string) (Architecture, error) {
	i := slices.IndexFunc(known, func(a Architecture) bool { return a.Name == name })
	if i < 0 {
		return Architecture{}, fmt.Errorf("%w: %q is not known; known are %s", ErrUnbuildable, name, strings.Join(Names(), ", "))
	}
	return known[i], nil
}

// Grid is the side of the attention map for an image of this side: it is halved in the stem (twice with
// pooling) and in the second and third stage, a MobileNetV2's once more in its first; odd sizes rounded up.
func (a Architecture) Grid(imageSize int) int {
	halvings := 3
	if a.StemPool || a.Inverted {
		halvings = 4
	}
	for range halvings {
		imageSize = (imageSize + 1) / 2
	}
	return imageSize
}

func (a Architecture) validate(classes int) error {
	switch {
	case classes < 2:
		return fmt.Errorf("%w: %d classes, want at least 2", ErrUnbuildable, classes)
	case a.Inverted && a.Width < 4: // an eighth of it would be half a channel
		return fmt.Errorf("%w: width %d, want at least 4", ErrUnbuildable, a.Width)
	case !a.Inverted && (a.Width < 1 || slices.Min(a.Blocks[:]) < 1 || a.StemKernel < 1 || a.StemKernel%2 == 0):
		return fmt.Errorf("%w: width %d, blocks %v, stem %d (odd)", ErrUnbuildable, a.Width, a.Blocks, a.StemKernel)
	case a.Grid(a.ImageSize) < 2:
		return fmt.Errorf("%w: images of %d pixels leave a map of %d cells a side, want at least 2", ErrUnbuildable, a.ImageSize, a.Grid(a.ImageSize))
	case a.Gain != onnx.GainM && a.Gain != onnx.GainOnePlusM:
		return fmt.Errorf("%w: gain %q, want %q or %q", ErrUnbuildable, a.Gain, onnx.GainOnePlusM, onnx.GainM)
	}
	return nil
}

// Build makes the network at its initial parameters, as the ONNX file PyTorch would export: opset 17, float32,
// BatchNorms kept, a dynamic batch, parameters under PyTorch's names.
//
//	image [N,3,H,W] → logits_att [N,K], logits_per [N,K], attention [N,1,h,w]
//
// Convolutions start at values drawn as in He et al. (arXiv 1502.01852), normal with variance 2/(k²·outputs). A value depends on
// the seed and the parameter's name only.
func (a Architecture) Build(classes int, seed int64) (*onnx.Model, error) {
	if err := a.validate(classes); err != nil {
		return nil, err
	}
	b := &builder{seed: seed}
	a.layers(b, classes)
	grid := int64(a.Grid(a.ImageSize))
	side := int64(a.ImageSize)
	return &onnx.Model{
		IRVersion:    8,
		Opsets:       []onnx.Opset{{Version: 17}},
		ProducerName: "abn-studio",
		Metadata:     []onnx.Metadata{{Key: "abn.architecture", Value: a.Name}},
		Graph: &onnx.Graph{
			Name:         a.Name,
			Nodes:        b.nodes,
			Initializers: b.initializers,
			Inputs:       []*onnx.ValueInfo{onnx.NewValue("image", onnx.Float, onnx.BatchOf(3, side, side))},
			Outputs: []*onnx.ValueInfo{
				onnx.NewValue("logits_att", onnx.Float, onnx.BatchOf(int64(classes))),
				onnx.NewValue("logits_per", onnx.Float, onnx.BatchOf(int64(classes))),
				onnx.NewValue("attention", onnx.Float, onnx.BatchOf(1, grid, grid)),
			},
		},
	}, nil
}

// Parameters counts the values of the network for a number of classes, running statistics included, as `studio model inspect`
// does.
func (a Architecture) Parameters(classes int) (int64, error) {
	if err := a.validate(classes); err != nil {
		return 0, err
	}
	b := &builder{dry: true}
	a.layers(b, classes)
	return b.count, nil
}

func (a Architecture) layers(b *builder, classes int) {
	x, channels := a.stem(b)
	x, channels = a.stage(b, "layer1", x, channels, 0, 1)
	x, channels = a.stage(b, "layer2", x, channels, 1, 2)
	features, channels := a.stage(b, "layer3", x, channels, 2, 2)
	a.attentionBranch(b, features, channels, classes)

	attended := b.node("Mul", "mechanism", "/attended", features, "attention")
	if a.Gain == onnx.GainOnePlusM {
		attended = b.node("Add", "residual", "/residual", attended, features)
	}
	x, channels = a.stage(b, "layer4", attended, channels, 3, 2)
	a.head(b, x, channels, classes)
}

// head turns the last stage's features into the logits of the perception branch.
func (a Architecture) head(b *builder, x string, channels, classes int) {
	if a.Inverted {
		x, channels = b.widen("layer4.last", x, channels, a.scaled(mobileLast)), a.scaled(mobileLast)
	}
	x = b.node("GlobalAveragePool", "avgpool", "/avgpool", x)
	x = b.node("Flatten", "flatten", "/flatten", x)
	b.linear("fc", x, "logits_per", channels, classes)
}

func (a Architecture) stem(b *builder) (string, int) {
	if a.Inverted {
		x := b.conv("conv1", "image", 3, a.Width, 3, 2)
		return b.relu6("bn1", b.batchNorm("bn1", x, a.Width)), a.Width
	}
	x := b.conv("conv1", "image", 3, a.Width, a.StemKernel, 2)
	x = b.relu("bn1", b.batchNorm("bn1", x, a.Width))
	if a.StemPool {
		x = b.node("MaxPool", "maxpool", "/maxpool", x)
		b.last().Attributes = []*onnx.Attribute{
			onnx.IntsAttr("kernel_shape", 3, 3), onnx.IntsAttr("pads", 1, 1, 1, 1), onnx.IntsAttr("strides", 2, 2)}
	}
	return x, a.Width
}

// stage appends the residual blocks of stage number index (0 to 3); the first takes the stride.
func (a Architecture) stage(b *builder, name, x string, in, index, stride int) (string, int) {
	if a.Inverted {
		return a.mobileStage(b, name, x, in, index, stride)
	}
	planes := a.Width << index
	for i := range a.Blocks[index] {
		block := fmt.Sprintf("%s.%d", name, i)
		if a.Bottleneck {
			x, in = b.bottleneck(block, x, in, planes, stride)
		} else {
			x, in = b.basicBlock(block, x, in, planes, stride)
		}
		stride = 1
	}
	return x, in
}

// attentionBranch is that of the published ABN: the last stage at stride 1, then K maps, from which pooling makes the logits and
// a 3×3 convolution the attention map.
func (a Architecture) attentionBranch(b *builder, features string, channels, classes int) {
	x, channels := a.stage(b, "att_layer4", features, channels, 3, 1)
	x = b.batchNorm("bn_att", x, channels)
	x = b.batchNorm("bn_att2", b.conv("att_conv", x, channels, classes, 1, 1), classes)
	x = b.relu("bn_att2", x)
	pooled := b.node("GlobalAveragePool", "att_gap", "/att_gap", b.conv("att_conv2", x, classes, classes, 1, 1))
	b.node("Flatten", "att_flatten", "logits_att", pooled)
	x = b.batchNorm("bn_att3", b.conv("att_conv3", x, classes, 1, 3, 1), 1)
	b.node("Sigmoid", "sigmoid", "attention", x)
}
