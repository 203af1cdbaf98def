package statedict

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/onnx"
)

var quoted = regexp.MustCompile(`'([^']*)'`)

// scopeOf is the module that a node came from, as its exporter says, such as layer4.0.conv1; "" if it does not say, or for the
// network itself. torch.export lists the modules around an operation in the node's metadata; for folded nodes these are the
// BatchNorm's. The older exporter puts them into the node's name.
func scopeOf(n *onnx.Node) string {
	if scopes, ok := n.MetadataValue("pkg.torch.onnx.name_scopes"); ok {
		if list := quoted.FindAllStringSubmatch(scopes, -1); len(list) >= 2 { // the last is the operation's own name
			return list[len(list)-2][1]
		}
		return ""
	}
	parts := strings.Split(n.Name, "/")
	if len(parts) < 3 || parts[0] != "" {
		return ""
	}
	path, last := "", ""
	for _, part := range parts[1 : len(parts)-1] { // /layer4/layer4.0/conv1/Conv
		if own, below := strings.CutPrefix(part, last+"."); below && last != "" {
			path, last = path+"."+own, part
			continue
		}
		if last = part; path != "" {
			path += "."
		}
		path += part
	}
	return path
}

// folded says whether the file shows that a BatchNorm was folded into a node, and whether it shows that none was. torch.export
// lists the rules that made a node. The older exporter gives folded weights new names, so that a weight with a module's name was
// not folded.
func folded(n *onnx.Node) (yes, no bool) {
	if rules, ok := n.MetadataValue("pkg.onnxscript.rewriter.rule_name"); ok && strings.Contains(rules, "FuseBatchNorm") {
		return true, false
	}
	if _, ok := n.MetadataValue("pkg.torch.onnx.name_scopes"); ok {
		return false, true
	}
	if n.IsOp("Conv", "ConvTranspose") && strings.HasPrefix(n.Input(1), "onnx::Conv") {
		return true, false
	}
	return false, strings.HasPrefix(n.Name, "/") && strings.HasSuffix(n.Input(1), dotWeight)
}

// lastArguments are the momentum and ε of a BatchNorm in torch.export's own graph; some variants have a switch behind them.
var lastArguments = regexp.MustCompile(`batch_norm[\w.]*\]\(args = \([^()]*, [0-9.e+-]+, ([0-9.e+-]+)(?:, (?:True|False))?\), kwargs`)

// foldedEpsilon is the ε of the BatchNorm that was folded into a node, as torch.export notes it; -1 if the file does not say.
func foldedEpsilon(n *onnx.Node) float64 {
	if yes, _ := folded(n); !yes {
		return -1
	}
	text, _ := n.MetadataValue("pkg.torch.onnx.fx_node")
	found := lastArguments.FindAllStringSubmatch(text, -1)
	if len(found) != 1 {
		return -1
	}
	e, err := strconv.ParseFloat(found[0][1], 64)
	if err != nil || !(e >= 0) {
		return -1
	}
	return e
}

var placeholder = regexp.MustCompile(`%[pb]_(\w+)`)

// parametersOf lists the parameters and buffers that the file says its nodes read, by PyTorch's names with _ for each dot:
// torch.export notes them with its own graph, and the older exporter in the names of Identity nodes for tensors that it has once
// for several.
func parametersOf(g *onnx.Graph) map[string]bool {
	found := map[string]bool{}
	for _, t := range g.Initializers {
		found[underscored(t.Name)] = true
	}
	for _, n := range g.Nodes {
		if text, ok := n.MetadataValue("pkg.torch.onnx.fx_node"); ok {
			for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
				found[match[1]] = true
			}
		}
		if n.IsOp("Identity") {
			found[underscored(n.Output(0))] = true
		}
	}
	return found
}

func underscored(name string) string { return strings.ReplaceAll(name, ".", "_") }
