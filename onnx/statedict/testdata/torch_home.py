"""Small ABNs as PyTorch exports them, and what PyTorch makes of a state_dict that comes home.

    python3 torch_home.py make FOLDER             every network in FOLDER; of these, the files here are kept
    python3 torch_home.py answers NAME STATE.safetensors OUT.npz
                                                  loads STATE into network NAME (strict=True) and saves input and out_* of it

Made with torch 2.15. For each network NAME: NAME.safetensors, its state_dict; NAME-dynamo.onnx and NAME-trace.onnx, with BatchNorms
folded, as torch.onnx.export and its older exporter write it; NAME-kept.onnx, with BatchNorms kept and every tensor by its own name; NAME-plain.onnx,
as torch.onnx.export writes it with optimize=False.
"""
import copy
import gzip
import sys
import warnings
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from torch import nn

warnings.filterwarnings("ignore")


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, bias):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=bias)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=bias)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=bias), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.downsample(x))


class Standardised(nn.Conv2d):
    """Standardises its weight in forward, as timm's StdConv2d does."""

    def forward(self, x):
        w = F.batch_norm(self.weight.reshape(1, self.out_channels, -1), None, None, training=True, momentum=0.0, eps=1e-6).reshape_as(self.weight)
        return F.conv2d(x, w, self.bias, self.stride, self.padding)


class Response(nn.Module):
    """ConvNeXt V2's global response normalisation."""

    def __init__(self, channels):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(channels) / 4), nn.Parameter(torch.randn(channels) / 4)

    def forward(self, x):
        g = x.norm(p=2, dim=(2, 3), keepdim=True)
        return x + self.bias.view(1, -1, 1, 1) + self.weight.view(1, -1, 1, 1) * (x * (g / (g.mean(dim=1, keepdim=True) + 1e-6)))


class ABN(nn.Module):
    def __init__(self, bias=False, epsilon=1e-5, classes=3):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 7, 2, 3, bias=bias)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = Block(4, 6, 2, bias)
        self.layer2 = Block(6, 8, 2, bias)
        self.att_layer4 = Block(8, 8, 1, bias)
        self.bn_att = nn.BatchNorm2d(8)
        self.att_conv = nn.Conv2d(8, classes, 1, bias=bias)
        self.bn_att2 = nn.BatchNorm2d(classes)
        self.att_conv2 = nn.Conv2d(classes, classes, 1, bias=bias)
        self.att_conv3 = nn.Conv2d(classes, 1, 3, 1, 1, bias=bias)
        self.bn_att3 = nn.BatchNorm2d(1)
        self.layer4 = Block(8, 8, 1, bias)
        self.fc = nn.Linear(8, classes)
        self.act = nn.ReLU()
        self.scale = None
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = epsilon

    def forward(self, x):
        g = self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x)))))
        a = self.act(self.bn_att2(self.att_conv(self.bn_att(self.att_layer4(g)))))
        m = torch.sigmoid(self.bn_att3(self.att_conv3(a)))
        att = self.att_conv2(a).mean((2, 3))
        return att if self.scale is None else att * self.scale, self.fc(self.layer4(g * m + g).mean((2, 3))), m


def network(name):
    """plain; bias: convolutions with one of their own; copy: the attention branch starts as the last stage, as people make it of a
    trained classifier; epsilon: another ε, and a channel that γ = 0 switches off; shared: both branches are one stage, by two names;
    slopes: a PReLU with a slope for each channel; normed: weights that are computed of two tensors each; bare: BatchNorms without
    learned parameters behind convolutions with a bias, and a learned scale, one number; response: a
    GRN in either branch; standardised: convolutions of the branches that standardise their weight; fresh: as it is built, with every BatchNorm like the others."""
    torch.manual_seed(3)
    model = ABN(bias=name in ("bias", "bare"), epsilon=1e-3 if name == "epsilon" else 1e-5)
    for branch in model.att_layer4, model.layer4:
        if name == "response":
            branch.downsample.append(Response(8))
        if name == "standardised":
            branch.conv2 = Standardised(8, 8, 3, 1, 1, bias=False)
    if name != "fresh":
        model.train()
        for _ in range(3):
            model(torch.randn(16, 3, 32, 32) * 1.5 + 0.3)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0.2, 0.2)
    with torch.no_grad():
        if name == "copy":
            model.att_layer4 = copy.deepcopy(model.layer4)
        if name == "shared":
            model.layer4 = model.att_layer4
        if name == "epsilon":
            model.layer4.bn1.weight[2] = 0
        if name == "slopes":
            model.act = nn.PReLU(3)
            model.act.weight.copy_(torch.tensor([0.1, 0.25, 0.4]))
        if name == "bare":
            model.scale = nn.Parameter(torch.tensor(1.3))
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.affine, module.weight, module.bias = False, None, None
        if name == "normed":
            for layer in model.att_conv3, model.fc:
                nn.utils.parametrizations.weight_norm(layer)
    return model.eval()


NAMES = "img", "att", "per", "map"


def export(model, path, how):
    x = torch.zeros(2, 3, 32, 32)
    names = {"input_names": NAMES[:1], "output_names": NAMES[1:]}
    if how in ("dynamo", "plain"):
        torch.onnx.export(model, (x,), path, dynamic_shapes={"x": {0: torch.export.Dim.DYNAMIC}}, external_data=False, optimize=how == "dynamo", **names)
    else:
        mode = torch.onnx.TrainingMode
        torch.onnx.export(model, (x,), path, dynamo=False, dynamic_axes={"img": {0: "batch"}}, do_constant_folding=how == "trace",
                          training=mode.EVAL if how == "trace" else mode.PRESERVE, **names)


def make(folder):
    import onnx
    from safetensors.torch import save_file

    for name in "plain", "bias", "copy", "epsilon", "shared", "slopes", "normed", "bare", "response", "standardised", "fresh":
        save_file({k: v.clone() for k, v in network(name).state_dict().items()}, folder / f"{name}.safetensors")
        for how in "dynamo", "plain", "trace", "kept":
            path = folder / f"{name}-{how}.onnx"
            export(network(name), path, how)
            proto = onnx.load(path)
            for node in proto.graph.node:  # where somebody's sources lie
                for entry in [e for e in node.metadata_props if e.key == "pkg.torch.onnx.stack_trace"]:
                    node.metadata_props.remove(entry)
            del proto.graph.value_info[:]
            path.unlink()
            Path(f"{path}.gz").write_bytes(gzip.compress(proto.SerializeToString(), 9, mtime=0))


def answers(name, state, out):
    from safetensors.torch import load_file

    model = network(name)
    model.load_state_dict(load_file(state), strict=True)
    torch.manual_seed(5)
    x = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        found = model.eval()(x)
    numpy.savez(out, input=x.numpy(), **{f"out_{k}": v.numpy() for k, v in zip(NAMES[1:], found)})


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    else:
        answers(*sys.argv[2:])
