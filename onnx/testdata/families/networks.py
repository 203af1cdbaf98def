"""Attention Branch Networks over the families of image classifiers they are published with, in PyTorch.

An ABN is a classifier cut before its last stage. The attention branch is a copy of that stage at stride 1,
followed by a head that gives class logits and a map; the map multiplies the features; the perception
branch is the last stage and the classifier. The structure follows the published networks' description
(Fukui et al., CVPR 2019): everything here is written anew.
"""
import copy

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import densenet, mobilenetv2, mobilenetv3, resnet


class Head(nn.Module):
    """Features of the attention branch [N,A,h,w] to class logits [N,K] and a map [N,1,h,w].

    kind "published": BN, 1×1 conv to K, BN, ReLU; 3×3 conv to the map with BN; 1×1 conv K→K before the pooling.
    kind "plain":     1×1 conv to K with bias, ReLU; 1×1 conv to the map; no BatchNorm.
    kind "short":     BN, 1×1 conv to K, BN, ReLU; 1×1 conv to the map with BN; the pooling follows directly.
    """

    def __init__(self, channels, classes, grid, kind, pool):
        super().__init__()
        norm = kind != "plain"
        self.bn = nn.BatchNorm2d(channels) if norm else nn.Identity()
        self.conv = nn.Conv2d(channels, classes, 1, bias=not norm)
        self.bn2 = nn.BatchNorm2d(classes) if norm else nn.Identity()
        self.logits = nn.Conv2d(classes, classes, 1, bias=False) if kind == "published" else nn.Identity()
        size = 3 if kind == "published" else 1
        self.map = nn.Conv2d(classes, 1, size, padding=size // 2, bias=not norm)
        self.bn3 = nn.BatchNorm2d(1) if norm else nn.Identity()
        self.pool = Pool(pool, grid)

    def forward(self, x):
        x = F.relu(self.bn2(self.conv(self.bn(x))))
        return self.pool(self.logits(x)), torch.sigmoid(self.bn3(self.map(x)))


class Pool(nn.Module):
    """Averages over the grid and flattens, in the ways people write it."""

    def __init__(self, kind, grid):
        super().__init__()
        self.kind = kind
        self.window = nn.AvgPool2d(grid, stride=1) if kind == "window" else nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        if self.kind == "mean":
            return x.mean((2, 3))
        x = self.window(x)
        return x.view(x.size(0), -1) if self.kind == "window" else torch.flatten(x, 1)


class ABN(nn.Module):
    def __init__(self, extractor, attention, perception, sizes, classes, grids, form):
        """sizes are the channels the two branches end in, grids their heights."""
        super().__init__()
        self.extractor, self.attention, self.perception = extractor, attention, perception
        self.head = Head(sizes[0], classes, grids[0], form["head"], form["pool"])
        self.pool = Pool(form["pool"], grids[1])
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(sizes[1], classes)) if form.get("dropout") else nn.Linear(sizes[1], classes)
        self.form = form

    def forward(self, image):
        g = self.extractor(image)
        logits_att, m = self.head(self.attention(g))
        kind = self.form["map"]
        if kind == "flat first":  # the map as (N,h,w), and back to multiply
            m = m[:, 0]
            weight = m.unsqueeze(1)
        else:
            weight = m
        gain = self.form["gain"]
        if gain == "g*M+g":
            attended = g * weight
            attended = attended + g
        elif gain == "(1+M)*g":
            attended = (1 + weight) * g
        else:
            attended = g * weight
        logits_per = self.classifier(self.pool(self.perception(attended)))
        if kind == "squeezed":
            m = m.squeeze(1)
        if self.form["answers"] == "probabilities":
            logits_att, logits_per = F.softmax(logits_att, 1), F.softmax(logits_per, 1)
        elif self.form["answers"] == "both":
            return logits_att, logits_per, m, F.softmax(logits_per, 1)
        return logits_att, logits_per, m


def at_stride_1(stage):
    """A copy of a stage whose convolutions keep the grid."""
    stage = copy.deepcopy(stage)
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)
    return stage


# --- ResNet, Wide ResNet, ResNeXt, SE-ResNet: ImageNet form ---------------------------------------


class Gate(nn.Module):
    """Squeeze and excitation, by Linear or by 1×1 Conv2d."""

    def __init__(self, channels, kind):
        super().__init__()
        self.linear = kind == "linear"
        layer = nn.Linear if self.linear else lambda i, o: nn.Conv2d(i, o, 1)
        self.down, self.up = layer(channels, max(channels // 16, 2)), layer(max(channels // 16, 2), channels)

    def forward(self, x):
        s = F.adaptive_avg_pool2d(x, 1)
        if self.linear:
            s = s.view(x.size(0), x.size(1))
        s = torch.sigmoid(self.up(F.relu(self.down(s))))
        if self.linear:
            s = s.view(x.size(0), x.size(1), 1, 1)
        return x * s


class SEBottleneck(resnet.Bottleneck):
    kind = "linear"

    def __init__(self, inplanes, planes, *args, **kwargs):
        super().__init__(inplanes, planes, *args, **kwargs)
        self.bn3 = nn.Sequential(self.bn3, Gate(planes * 4, self.kind))


class SEConvBottleneck(SEBottleneck):
    kind = "conv"


def resnet_abn(block, layers, form, classes, size, divisor=1, **kwargs):
    class Network(resnet.ResNet):
        def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
            return super()._make_layer(block, planes // divisor, blocks, stride, dilate)

    n = Network(block, layers, **kwargs)
    channels = 512 // divisor * block.expansion
    extractor = nn.Sequential(n.conv1, n.bn1, n.relu, n.maxpool, n.layer1, n.layer2, n.layer3)
    return ABN(extractor, at_stride_1(n.layer4), n.layer4, (channels, channels), classes, (size // 16, size // 32), form)


# --- ResNet and Wide ResNet: CIFAR form -----------------------------------------------------------


class CIFARBlock(nn.Module):
    """He et al. 2015, section 4.2; shortcut "A" takes every second pixel and pads channels with zeros, "B" is a 1×1 conv."""

    def __init__(self, inputs, outputs, stride, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.pad = (outputs - inputs) // 2 if shortcut == "A" and outputs != inputs else 0
        self.down = None
        if shortcut == "B" and (stride != 1 or inputs != outputs):
            self.down = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.pad:
            step = self.conv1.stride[0]
            x = F.pad(x[:, :, ::step, ::step], (0, 0, 0, 0, self.pad, self.pad))
        elif self.down is not None:
            x = self.down(x)
        return F.relu(out + x)


class WideBlock(nn.Module):
    """Zagoruyko & Komodakis 2016: BN and ReLU come before the convolutions."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.drop = nn.Dropout(0.3)
        self.down = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if inputs != outputs else None

    def forward(self, x):
        a = F.relu(self.bn1(x))
        out = self.conv2(self.drop(F.relu(self.bn2(self.conv1(a)))))
        return out + (x if self.down is None else self.down(a))


def stage(block, inputs, outputs, count, stride, *args):
    return nn.Sequential(*[block(inputs if i == 0 else outputs, outputs, stride if i == 0 else 1, *args) for i in range(count)])


def cifar_resnet_abn(depth, form, classes, size, width=16, shortcut="B"):
    n = (depth - 2) // 6
    extractor = nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
                              stage(CIFARBlock, width, width, n, 1, shortcut), stage(CIFARBlock, width, 2 * width, n, 2, shortcut))
    last = stage(CIFARBlock, 2 * width, 4 * width, n, 2, shortcut)
    return ABN(extractor, at_stride_1(last), last, (4 * width, 4 * width), classes, (size // 2, size // 4), form)


def wide_resnet_abn(depth, factor, form, classes, size, width=16):
    n, w = (depth - 4) // 6, width * factor
    extractor = nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False), stage(WideBlock, width, w, n, 1), stage(WideBlock, w, 2 * w, n, 2))
    end = [nn.BatchNorm2d(4 * w), nn.ReLU(inplace=True)]
    last = nn.Sequential(stage(WideBlock, 2 * w, 4 * w, n, 2), *end)
    return ABN(extractor, at_stride_1(last), last, (4 * w, 4 * w), classes, (size // 2, size // 4), form)


# --- DenseNet, MobileNetV2 ------------------------------------------------------------------------


def densenet_abn(form, classes, size, **kwargs):
    f = densenet.DenseNet(**kwargs).features
    names = list(dict(f.named_children()))
    cut = names.index("transition3")
    last = nn.Sequential(*[getattr(f, name) for name in names[cut:]], nn.ReLU(inplace=True))
    attention = copy.deepcopy(last)
    attention[0].pool = nn.Identity()  # the transition's AveragePool is what halves the grid
    channels = f.norm5.num_features
    extractor = nn.Sequential(*[getattr(f, name) for name in names[:cut]])
    return ABN(extractor, attention, last, (channels, channels), classes, (size // 16, size // 32), form)


def mobilenet_abn(form, classes, size, **kwargs):
    f = mobilenetv2.MobileNetV2(**kwargs).features
    last = nn.Sequential(*f[14:])
    channels = f[18][0].out_channels
    return ABN(nn.Sequential(*f[:14]), at_stride_1(last), last, (channels, channels), classes, (size // 16, size // 32), form | {"dropout": True})


class Attend(nn.Module):
    """Channel and spatial attention as CBAM has them (Woo et al. 2018): averages and maxima."""

    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)
        self.spatial = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x):
        mlp = lambda v: self.up(F.relu(self.down(v)))
        x = x * torch.sigmoid(mlp(F.adaptive_avg_pool2d(x, 1)) + mlp(F.adaptive_max_pool2d(x, 1)))
        planes = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.spatial(planes))


class NewerBlock(nn.Module):
    """Parts of networks that came later: depthwise 5×5, layer and group normalisation, GELU, PReLU, SiLU, CBAM."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 5, stride, 2, groups=inputs)
        self.norm, self.up, self.down = nn.LayerNorm(inputs), nn.Linear(inputs, 2 * outputs), nn.Linear(2 * outputs, outputs)
        self.scale = nn.Parameter(torch.full((outputs,), 0.5))
        self.group, self.slope, self.attend = nn.GroupNorm(2, outputs), nn.PReLU(outputs), Attend(outputs)
        self.instance = nn.InstanceNorm2d(outputs, affine=True)
        self.short = nn.Conv2d(inputs, outputs, 1, stride) if stride != 1 or inputs != outputs else nn.Identity()

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = (self.scale * self.down(F.gelu(self.up(y)))).permute(0, 3, 1, 2)
        y = F.silu(self.group(y)) + F.elu(self.instance(y)) + F.softplus(y)
        return self.attend(self.slope(y + self.short(x)))


def newer_abn(form, classes, size):
    extractor = nn.Sequential(nn.Conv2d(3, 8, 4, 4), NewerBlock(8, 8, 1), NewerBlock(8, 16, 2))
    last = stage(NewerBlock, 16, 32, 2, 2)
    return ABN(extractor, at_stride_1(last), last, (32, 32), classes, (size // 8, size // 16), form)


def mobilenet_v3_abn(form, classes, size):
    f = mobilenetv3.mobilenet_v3_small(weights=None, width_mult=0.5).features
    last = nn.Sequential(*f[9:])
    channels = f[12][0].out_channels
    return ABN(nn.Sequential(*f[:9]), at_stride_1(last), last, (channels, channels), classes, (size // 16, size // 32), form | {"dropout": True})


def narrow(block, layers, **kwargs):
    """The ImageNet form at an eighth of its width, for 64×64 pixels."""
    return lambda form, classes, size: resnet_abn(block, layers, form, classes, size, divisor=8, **kwargs)


def wide(block, layers, **kwargs):
    return lambda form, classes, size: resnet_abn(block, layers, form, classes, size, **kwargs)


basic, bottleneck = resnet.BasicBlock, resnet.Bottleneck

# name: (the network of a form, classes and pixels; classes; height and width of the image)
FULL = {
    "resnet18": (wide(basic, [2, 2, 2, 2]), 1000, 224),
    "resnet34": (wide(basic, [3, 4, 6, 3]), 1000, 224),
    "resnet50": (wide(bottleneck, [3, 4, 6, 3]), 1000, 224),
    "resnet101": (wide(bottleneck, [3, 4, 23, 3]), 1000, 224),
    "resnet152": (wide(bottleneck, [3, 8, 36, 3]), 1000, 224),
    "wide_resnet50_2": (wide(bottleneck, [3, 4, 6, 3], width_per_group=128), 1000, 224),
    "resnext50_32x4d": (wide(bottleneck, [3, 4, 6, 3], groups=32, width_per_group=4), 1000, 224),
    "se_resnet50": (wide(SEBottleneck, [3, 4, 6, 3]), 1000, 224),
    "densenet121": (lambda form, classes, size: densenet_abn(form, classes, size), 1000, 224),
    "mobilenet_v2": (lambda form, classes, size: mobilenet_abn(form, classes, size), 1000, 224),
    "cifar_resnet20": (lambda *a: cifar_resnet_abn(20, *a), 10, 32),
    "cifar_resnet56": (lambda *a: cifar_resnet_abn(56, *a), 100, 32),
    "cifar_resnet110": (lambda *a: cifar_resnet_abn(110, *a), 100, 32),
    "cifar_wrn28_10": (lambda *a: wide_resnet_abn(28, 10, *a), 100, 32),
}
SMALL = {
    "resnet18": (narrow(basic, [2, 2, 2, 2]), 7, 64),
    "resnet50": (narrow(bottleneck, [2, 2, 2, 3]), 7, 64),
    "wide_resnet50_2": (narrow(bottleneck, [1, 1, 1, 2], width_per_group=128), 7, 64),
    "resnext50": (narrow(bottleneck, [1, 1, 1, 2], groups=8, width_per_group=16), 7, 64),
    "se_resnet50": (narrow(SEBottleneck, [1, 1, 1, 2]), 7, 64),
    "se_conv_resnet50": (narrow(SEConvBottleneck, [1, 1, 1, 2]), 7, 64),
    "densenet": (lambda *a: densenet_abn(*a, growth_rate=8, block_config=(2, 2, 2, 3), num_init_features=16), 7, 64),
    "mobilenet_v2": (lambda *a: mobilenet_abn(*a, width_mult=0.25), 7, 64),
    "cifar_resnet": (lambda *a: cifar_resnet_abn(20, *a, width=8), 7, 28),
    "cifar_resnet_a": (lambda *a: cifar_resnet_abn(14, *a, width=8, shortcut="A"), 7, 28),
    "mobilenet_v3": (mobilenet_v3_abn, 7, 64),
    "newer": (newer_abn, 7, 64),
    "cifar_wrn": (lambda *a: wide_resnet_abn(10, 2, *a, width=8), 7, 28),
}
