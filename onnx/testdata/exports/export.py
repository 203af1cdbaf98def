"""Small Attention Branch Networks in the forms that people's repositories hold, exported by PyTorch with their right answers.

python3 export.py FOLDER [NAME …]        made with PyTorch 2.15, onnxscript 0.7, onnx 1.23, onnxruntime 1.32

Each becomes NAME.onnx, NAME.json (its manifest) and NAME.npz: the array input, and what ONNX Runtime gives for each output as
out_OUTPUT. All are ours, with seeded random weights; running statistics are those of a few batches of noise.
"""
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
K, C = 3, 8


def conv(i, o, k=3, stride=1):
    return nn.Sequential(nn.Conv2d(i, o, k, stride, k // 2, bias=False), nn.BatchNorm2d(o), nn.ReLU())


class ABN(nn.Module):
    """3×16×16 → features 8×4×4 → 3 classes; what differs is a method."""

    outputs = ("att", "per", "map")

    def __init__(self):
        super().__init__()
        self.extractor = nn.Sequential(conv(3, C, 3, 2), conv(C, C, 3, 2))
        self.branch = conv(C, C)
        self.bn_att = nn.BatchNorm2d(C)
        self.att_conv = nn.Conv2d(C, K, 1, bias=False)
        self.att_logits = nn.Conv2d(K, K, 1, bias=False)
        self.att_map = nn.Conv2d(K, 1, 3, padding=1)
        self.perception = conv(C, 12, 3, 2)
        self.fc = nn.Linear(12, K)
        self.build()

    def build(self):
        pass

    def features(self, x):
        return self.extractor(x)

    def make_map(self, a):
        return torch.sigmoid(self.att_map(a))

    def gain(self, g, m):
        return g * m + g

    def pool_att(self, a):
        return F.adaptive_avg_pool2d(a, 1).flatten(1)

    def perceive(self, g):
        return self.fc(self.perception(g).mean((2, 3)))

    def attend(self, g):
        return F.relu(self.att_conv(self.bn_att(self.branch(g))))

    def answer(self, att, per, m):
        return att, per, m

    def forward(self, x):
        g = self.features(x)
        a = self.attend(g)
        att = self.pool_att(self.att_logits(a))
        m = self.make_map(a)
        return self.answer(att, self.perceive(self.gain(g, m)), m)


NETWORKS = {}


def network(name, base=ABN, **options):
    """Registers a network of one changed method, or a class."""

    def register(what):
        if isinstance(what, type):
            NETWORKS[name] = (what, options)
        else:
            NETWORKS[name] = (type(name, (base,), {what.__name__: what}), options)
        return what

    return register


# The map.
@network("map-attribute")
def answer(self, att, per, m):
    self.kept = m
    return per, att


@network("map-upsampled")
def answer(self, att, per, m):
    return per, att, F.interpolate(m, size=(16, 16), mode="bilinear", align_corners=False)


@network("map-minmax")
def make_map(self, a):
    m = torch.sigmoid(self.att_map(a))
    low, high = m.amin((2, 3), keepdim=True), m.amax((2, 3), keepdim=True)
    return (m - low) / (high - low + 1e-6)


@network("map-minmax-flat")
def make_map(self, a):
    m = self.att_map(a).flatten(1)
    low, high = m.min(1, keepdim=True)[0], m.max(1, keepdim=True)[0]
    return ((m - low) / (high - low + 1e-6)).view(-1, 1, 4, 4)


@network("map-minmax-behind")
def gain(self, g, m):  # the output is the Sigmoid, what multiplies is normalised
    m = (m - m.amin((2, 3), keepdim=True)) / (m.amax((2, 3), keepdim=True) - m.amin((2, 3), keepdim=True) + 1e-6)
    return g * m


@network("map-softmax")
def make_map(self, a):
    m = self.att_map(a)
    return torch.softmax(m.flatten(2), -1).view_as(m)


@network("map-tanh")
def make_map(self, a):
    return torch.tanh(self.att_map(a))


@network("map-clamp")
def make_map(self, a):
    return self.att_map(a).clamp(0, 1)


@network("map-log")
class _(ABN):
    outputs = ("per", "att")

    def make_map(self, a):
        return torch.log(1 + F.relu(a)).sum(1, keepdim=True)

    def answer(self, att, per, m):
        return per, att


@network("map-channel-mean")
class _(ABN):
    def make_map(self, a):
        return a.mean(1, keepdim=True)


@network("map-relu")
def make_map(self, a):
    return F.relu(self.att_map(a))


@network("map-squeezed")
def answer(self, att, per, m):
    return att, per, m.squeeze(1)


@network("map-hardsigmoid-attribute")
class _(ABN):
    def make_map(self, a):
        return F.hardsigmoid(self.att_map(a))

    def answer(self, att, per, m):
        return per, att


@network("map-spelled-out")
def make_map(self, a):
    return 1 / (1 + torch.exp(-self.att_map(a)))


@network("map-over-max")
def make_map(self, a):
    m = torch.sigmoid(self.att_map(a))
    return m / m.amax((2, 3), keepdim=True)


@network("map-low-nearest")
def gain(self, g, m):
    m = F.interpolate(F.avg_pool2d(m, 2), scale_factor=2, mode="nearest")
    return g * m + g


class LowMap(ABN):
    mode = "bilinear"

    def make_map(self, a):
        return torch.sigmoid(self.att_map(F.max_pool2d(a, 2)))

    def gain(self, g, m):
        return g * (1 + F.interpolate(m, size=g.shape[-2:], mode=self.mode))


@network("map-low-bilinear")
class _(LowMap):
    pass


@network("map-low-bicubic")
class _(LowMap):
    mode = "bicubic"


@network("map-low-attribute")
class _(LowMap):
    mode = "nearest"

    def answer(self, att, per, m):
        return per, att


@network("map-flat")
def answer(self, att, per, m):
    return att, per, m.flatten(1)


@network("map-norm")
def make_map(self, a):  # of zeros, where the Relu in front left none
    return F.normalize(a.norm(dim=1, keepdim=True).flatten(1), p=float("inf")).view(-1, 1, 4, 4)


@network("map-softplus")
def make_map(self, a):
    return F.softplus(self.att_map(a), beta=2)


@network("map-normalized")
def make_map(self, a):
    return F.normalize(self.att_map(a).flatten(1)).view(-1, 1, 4, 4)


@network("map-several")  # refused: people paint one
class _(ABN):
    def build(self):
        self.att_map = nn.Conv2d(K, 4, 3, padding=1)

    def gain(self, g, m):
        return (g.view(-1, 4, C // 4, 4, 4) * m.unsqueeze(2)).flatten(1, 2) + g


@network("map-several-one-used")
class _(ABN):
    def build(self):
        self.att_map = nn.Conv2d(K, 4, 3, padding=1)

    def gain(self, g, m):
        return g * m[:, 1:2] + g


@network("map-of-tokens")  # refused: it is no grid
class _(ABN):
    def build(self):
        self.att_map = nn.Linear(K, 1)

    def make_map(self, a):
        return torch.sigmoid(self.att_map(a.flatten(2).transpose(1, 2)))

    def gain(self, g, m):
        t = g.flatten(2).transpose(1, 2)
        return (t * m + t).transpose(1, 2).reshape(g.shape)


# What the map does.
@network("gain-half")
def gain(self, g, m):
    return g * (0.5 + m)


@network("gain-half-attribute")
class _(ABN):
    def gain(self, g, m):
        return g * (0.5 + m)

    def answer(self, att, per, m):
        return per, att


@network("gain-exp")
def gain(self, g, m):
    return g * torch.exp(m)


@network("gain-einsum")
def gain(self, g, m):
    return torch.einsum("bchw,bhw->bchw", g, m[:, 0]) + g


@network("gain-einsum-four")
def gain(self, g, m):
    return torch.einsum("nchw,nohw->nchw", g, m)


@network("gain-where")
def gain(self, g, m):
    return torch.where(m > 0.5, g, torch.zeros_like(g)) + m * g


@network("gain-where-only")
def gain(self, g, m):
    return torch.where(m > 0.5, g * 2, g) * (1 + m)


class Gated(ABN):
    def build(self):
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(C, C, 1), nn.Sigmoid())


@network("gain-gate-behind")
class _(Gated):
    def gain(self, g, m):
        return g * m * self.gate(g) + g


@network("gain-gate-beside")
class _(Gated):
    def gain(self, g, m):
        return g * (m * self.gate(g))


@network("gain-gate-first")
class _(Gated):
    def gain(self, g, m):
        g = g * self.gate(g)
        return g * m + g


@network("gain-tokens")
def gain(self, g, m):
    t = g.flatten(2).transpose(1, 2)
    t = t * m.flatten(2).transpose(1, 2) + t
    return t.transpose(1, 2).reshape(g.shape)


@network("gain-tokens-attribute")
class _(ABN):
    def gain(self, g, m):
        t = g.flatten(2).transpose(1, 2)
        return (t * (1 + m.flatten(2).transpose(1, 2))).transpose(1, 2).unflatten(2, (4, 4))

    def answer(self, att, per, m):
        return per, att


@network("gain-repeat")
def gain(self, g, m):
    return g * m.repeat(1, C, 1, 1) + g


@network("gain-expand-as")
def gain(self, g, m):
    return g * m.expand_as(g) + g


@network("gain-cat")
def gain(self, g, m):
    return g * torch.cat([m] * C, 1) + g


@network("gain-squared")
def gain(self, g, m):
    return g * (1 + m) ** 2


@network("gain-addcmul")
def gain(self, g, m):
    return torch.addcmul(g, g, m)


@network("gain-alpha")
class _(ABN):
    def build(self):
        self.alpha = nn.Parameter(torch.tensor([0.7]))

    def gain(self, g, m):
        return g * m * self.alpha + g


@network("gain-inverted")
def gain(self, g, m):
    return g * (1 - m)


@network("gain-tail")
def gain(self, g, m):
    return g - g * (1 - m)


@network("gain-added")  # refused: nothing is multiplied
def gain(self, g, m):
    return g + m


@network("gain-twice")
def gain(self, g, m):
    return (g * m + g) * (1 + m)


@network("gain-threshold")
def gain(self, g, m):
    return g * (1 + m * (m > 0.4).float())


class OnTokens(ABN):
    def build(self):
        self.first, self.second = (nn.TransformerEncoderLayer(C, 2, 16, batch_first=True) for _ in range(2))
        self.out = nn.Linear(C, K)

    def forward(self, x):
        t = self.first(self.extractor(x).flatten(2).transpose(1, 2))
        a = self.attend(t.transpose(1, 2).reshape(-1, C, 4, 4))
        m = self.make_map(a)
        return self.pool_att(self.att_logits(a)), self.out(self.second(t * (1 + m.flatten(2).transpose(1, 2))).mean(1)), m


@network("gain-on-the-extractors-tokens")  # refused: the perception branch does not start from the grid
class _(OnTokens):
    pass


@network("gain-conv-first")
class _(ABN):
    def build(self):
        self.before = conv(C, C)

    def gain(self, g, m):
        g = self.before(g)
        return g * m + g


# Extractors.
class LayerNorm2d(nn.LayerNorm):
    def forward(self, x):
        return F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class WithBlock(ABN):
    def build(self):
        self.block = self.make()

    def features(self, x):
        return self.block(self.extractor(x))


class ECA(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x):
        y = F.adaptive_avg_pool2d(x, 1)
        y = self.conv(y.view(x.size(0), 1, -1)).sigmoid().view(x.size(0), -1, 1, 1)
        return x * y.expand_as(x)


class Windows(nn.Module):
    def __init__(self, shift=0):
        super().__init__()
        self.shift, self.qkv, self.out, self.norm = shift, nn.Linear(C, 3 * C), nn.Linear(C, C), nn.LayerNorm(C)

    def forward(self, x):
        b, c, h, w = x.shape
        t = torch.roll(self.norm(x.permute(0, 2, 3, 1)), (-self.shift, -self.shift), (1, 2))
        t = t.view(b, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)
        q, k, v = self.qkv(t).reshape(-1, 4, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
        t = (torch.softmax(q @ k.transpose(-2, -1), -1) @ v).transpose(1, 2).reshape(-1, 4, c)
        t = self.out(t).view(b, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return x + torch.roll(t, (self.shift, self.shift), (1, 2)).permute(0, 3, 1, 2)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.norm = nn.Linear(C, 3 * C), nn.LayerNorm(C)

    def forward(self, x):
        b, c, h, w = x.shape
        t = self.norm(x.flatten(2).transpose(1, 2))
        q, k, v = self.qkv(t).reshape(b, h * w, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
        t = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, h * w, c)
        return x + t.transpose(1, 2).reshape(b, c, h, w)


class Shuffle(nn.Module):
    def forward(self, x):
        b, c, h, w = x.shape
        return x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)


class Cbam(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.map = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(C, C, 1), nn.Sigmoid()), nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x):
        x = x * self.gate(x)
        return x * torch.sigmoid(self.map(torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)))


class PixelShuffle(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(C, 4 * C, 1)

    def forward(self, x):
        return F.max_pool2d(F.pixel_shuffle(self.conv(x), 2), 2)


class ConvNeXt(nn.Module):
    def __init__(self):
        super().__init__()
        self.depth, self.norm, self.up, self.down = nn.Conv2d(C, C, 7, padding=3, groups=C), nn.LayerNorm(C), nn.Linear(C, 2 * C), nn.Linear(2 * C, C)
        self.gamma = nn.Parameter(torch.full((C,), 0.5))

    def forward(self, x):
        y = self.depth(x).permute(0, 2, 3, 1)
        return x + (self.gamma * self.down(F.gelu(self.up(self.norm(y))))).permute(0, 3, 1, 2)


BLOCKS = {"eca": ECA, "swin": Windows, "swin-shifted": lambda: Windows(1), "attention": Attention, "shuffle": Shuffle, "cbam": Cbam, "pixel-shuffle": PixelShuffle, "convnext": ConvNeXt}
for name, make in BLOCKS.items():
    block = type(name, (WithBlock,), {"make": lambda self, make=make: make()})
    network("extractor-" + name)(block)
    if name in ("eca", "cbam", "convnext", "shuffle"):
        class InBranches(ABN):
            def build(self, make=make):
                self.first, self.second = make(), make()

            def attend(self, g):
                return super().attend(self.first(g))

            def perceive(self, g):
                return super().perceive(self.second(g))

        network("branches-" + name)(InBranches)
NETWORKS["extractor-attention-opset23"] = (NETWORKS["extractor-attention"][0], {"opset": 23})


@network("cbam-map-attribute")
class _(WithBlock):
    def make(self):
        return Cbam()

    def answer(self, att, per, m):
        return per, att


@network("branches-cbam-map-attribute")
class _(ABN):
    def build(self):
        self.second = Cbam()

    def perceive(self, g):
        return super().perceive(self.second(g))

    def answer(self, att, per, m):
        return per, att


@network("perception-layernorm-pool")
class _(ABN):
    def build(self):
        self.norm = LayerNorm2d(12)

    def perceive(self, g):
        return self.fc(F.adaptive_avg_pool2d(self.norm(self.perception(g)), 1).flatten(1))


# Operators in branches.
@network("branch-groupnorm", opset=21)
class _(ABN):
    def build(self):
        self.branch, self.perception = [nn.Sequential(nn.Conv2d(C, o, 3, s, 1), nn.GroupNorm(4, o), nn.ReLU()) for o, s in ((C, 1), (12, 2))]


@network("branch-groupnorm-opset20")
class _(NETWORKS["branch-groupnorm"][0]):
    pass


@network("branch-encoder")
class _(ABN):
    def build(self):
        self.encoder, self.out = nn.TransformerEncoderLayer(C, 2, 16, batch_first=True, norm_first=True), nn.Linear(C, K)
        self.position, self.token = nn.Parameter(torch.randn(1, 16, C)), nn.Parameter(torch.randn(1, 1, C))

    def perceive(self, g):
        t = g.flatten(2).transpose(1, 2) + self.position
        return self.out(self.encoder(torch.cat([self.token.expand(g.size(0), -1, -1), t], 1))[:, 0])


@network("branch-rmsnorm", opset=23)
class _(ABN):
    def build(self):
        self.norm = nn.RMSNorm(12)

    def perceive(self, g):
        return self.fc(self.norm(self.perception(g).mean((2, 3))))


@network("branch-signed-root")
class _(ABN):
    def build(self):
        self.out = nn.Linear(144, K)

    def perceive(self, g):  # bilinear pooling
        x = self.perception(g).flatten(2)
        y = torch.bmm(x, x.transpose(1, 2)).flatten(1) / x.size(2)
        return self.out(F.normalize(torch.sign(y) * torch.sqrt(y.abs() + 1e-5)))


@network("branch-double")  # it cannot be trained
class _(ABN):
    def pool_att(self, a):
        return a.double().mean((2, 3)).float()


@network("branch-reflect")
class _(ABN):
    def build(self):
        self.branch = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(C, C, 3), nn.ReLU())
        self.perception = nn.Sequential(nn.Conv2d(C, 12, 3, 2, 1, padding_mode="replicate"), nn.ReLU())


@network("branch-upsample")
class _(ABN):
    def attend(self, g):
        a = F.interpolate(super().attend(F.max_pool2d(g, 2)), scale_factor=2, mode="nearest")
        return F.interpolate(F.avg_pool2d(a, 2), size=(4, 4), mode="bilinear", align_corners=True) + a


@network("branch-gathered")  # which torch.export writes as GatherND
class _(ABN):
    def attend(self, g):
        return super().attend(F.interpolate(F.max_pool2d(g, 2), size=(4, 4), mode="nearest-exact"))

    def perceive(self, g):
        return super().perceive(F.adaptive_avg_pool2d(g, (3, 5)))


@network("traced-opset9-upsample", trace=True, opset=9)
class _(ABN):
    def attend(self, g):
        return super().attend(F.interpolate(F.max_pool2d(g, 2), scale_factor=2, mode="nearest"))

    def perceive(self, g):
        return super().perceive(F.interpolate(F.pixel_unshuffle(g, 2), scale_factor=2, mode="nearest")[:, :C])


@network("branch-blurred", notes=True)  # what is a buffer or a constant is told by the exporter's notes alone
class _(ABN):
    def build(self):
        k = torch.tensor([1.0, 2, 1])
        self.register_buffer("blur", (k[:, None] * k / 16).repeat(C, 1, 1, 1))
        self.register_buffer("positions", torch.linspace(-1, 1, 12))
        self.scale = torch.tensor([0.5, 1, 2] * 4)

    def attend(self, g):
        return super().attend(F.conv2d(F.pad(g, (1,) * 4, mode="reflect"), self.blur, groups=C))

    def perceive(self, g):
        y = self.perception(g).mean((2, 3)) + self.positions
        return self.fc(y * self.scale)


@network("branch-logsumexp")
class _(ABN):
    def pool_att(self, a):
        return torch.logsumexp(a, (2, 3))

    def perceive(self, g):
        return self.fc(torch.logsumexp(self.perception(g), (2, 3)) / 3)


@network("branch-gem")
class _(ABN):
    def build(self):
        self.p = nn.Parameter(torch.tensor([3.0]))

    def perceive(self, g):
        return self.fc(self.perception(g).clamp(min=1e-6).pow(self.p).mean((2, 3)).pow(1 / self.p))


@network("branch-tile")
def perceive(self, g):
    return self.fc(self.perception(g).repeat(1, 1, 2, 2).mean((2, 3)))


@network("shared-stage")
class _(ABN):
    def build(self):
        self.stage = conv(C, C)

    def attend(self, g):
        return super().attend(self.stage(g))

    def perceive(self, g):
        return super().perceive(self.stage(g))


# Answers.
@network("answers-softmax")
def answer(self, att, per, m):
    return torch.softmax(att, 1), torch.softmax(per, 1), m


@network("answers-sigmoid")
def answer(self, att, per, m):
    return torch.sigmoid(att), torch.sigmoid(per), m


@network("answers-sigmoid-attribute")
def answer(self, att, per, m):
    return torch.sigmoid(per), torch.sigmoid(att)


@network("answers-one-logit")
class _(ABN):
    def build(self):
        self.fc, self.att_logits = nn.Linear(12, 1), nn.Conv2d(K, 1, 1)


@network("skip")
class _(ABN):
    def build(self):
        self.stem, self.rest, self.side = conv(3, C, 3, 2), conv(C, C, 3, 2), nn.Linear(C, 12)

    def features(self, x):
        self.early = self.stem(x)
        return self.rest(self.early)

    def perceive(self, g):
        return self.fc(self.perception(g).mean((2, 3)) + self.side(self.early.mean((2, 3))))


@network("two-maps")
class _(ABN):
    def build(self):
        self.second = nn.Conv2d(K, 1, 1)

    def attend(self, g):
        self.a = super().attend(g)
        return self.a

    def answer(self, att, per, m):
        return att, per, m, torch.sigmoid(self.second(self.a))


# Forms of export.
for name in ("plain", "convnext", "swin", "eca", "layernorm-pool", "upsample", "tokens", "encoder"):
    source = {"plain": ABN, "convnext": NETWORKS["branches-convnext"][0], "swin": NETWORKS["extractor-swin"][0], "eca": NETWORKS["branches-eca"][0],
              "layernorm-pool": NETWORKS["perception-layernorm-pool"][0], "upsample": NETWORKS["branch-upsample"][0], "tokens": NETWORKS["gain-tokens"][0], "encoder": NETWORKS["branch-encoder"][0]}[name]
    NETWORKS["fixed-" + name] = (source, {"batch": 1})
    NETWORKS["fixed-two-" + name] = (source, {"batch": 2, "fixed": True})
    NETWORKS["traced-" + name] = (source, {"trace": True, "opset": 17})
    NETWORKS["traced-fixed-" + name] = (source, {"trace": True, "opset": 14, "batch": 1})


@network("channels-last")
class _(ABN):
    def forward(self, x):
        return super().forward(x.permute(0, 3, 1, 2))


@network("quantised", quantise=True)
class _(ABN):
    pass


@network("half-inside", half=True)
class _(ABN):
    pass


@network("dropout-on", dropout=True)
class _(ABN):
    def build(self):
        self.drop = nn.Dropout2d(0.2)

    def attend(self, g):
        return super().attend(self.drop(g))


@network("external-data", external=True)  # the default of PyTorch 2.9 and later
class _(ABN):
    pass


@network("mean-of-255", mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
class _(ABN):
    pass


@network("half")
class _(ABN):
    pass


def export(name, folder):
    cls, o = NETWORKS[name]
    torch.manual_seed(sum(map(ord, name)))
    model = cls()
    last = name == "channels-last"
    noise = lambda n: torch.randn((n, 16, 16, 3) if last else (n, 3, 16, 16))
    with torch.no_grad():
        for _ in range(3):
            model.train()(noise(8))
    model.eval()
    if o.get("dropout"):
        model.drop.train()
    batch = o.get("batch")
    x = noise(batch or 2)
    path = folder / f"{name}.onnx"
    if o.get("trace"):
        axes = None if batch else {"x": {0: "batch"}}
        torch.onnx.export(model, (x,), str(path), dynamo=False, opset_version=o["opset"], input_names=["x"], dynamic_axes=axes)
    else:
        shapes = None if batch else ({0: torch.export.Dim("batch")},)
        torch.onnx.export(model, (x,), str(path), dynamo=True, external_data="external" in o, input_names=["x"], dynamic_shapes=shapes, verbose=False,
                          **({"opset_version": o["opset"]} if "opset" in o else {}))
    m = onnx.load(path, load_external_data=False)
    for n in m.graph.node:  # notes of where in the source, which name this machine's folders
        kept = [p for p in n.metadata_props if o.get("notes") and p.key == "pkg.torch.onnx.fx_node"]
        del n.metadata_props[:]
        n.metadata_props.extend(kept)
    for v in [*m.graph.value_info, *m.graph.input, *m.graph.output]:
        del v.metadata_props[:]
    if o.get("half"):
        from onnxruntime.transformers.float16 import convert_float_to_float16
        m = convert_float_to_float16(m, keep_io_types=True)
    if name == "half":
        from onnxruntime.transformers.float16 import convert_float_to_float16
        m = convert_float_to_float16(m)
    onnx.save(m, path)
    if o.get("quantise"):
        from onnxruntime.quantization import quantize_dynamic
        quantize_dynamic(path, path)
    s = onnxruntime.InferenceSession(str(path))
    given = x.numpy() if name != "half" else x.numpy().astype(np.float16)
    outs = s.run(None, {"x": given})
    np.savez_compressed(folder / f"{name}.npz", input=x.numpy(), **{"out_" + v.name: a.astype(np.float32) for v, a in zip(s.get_outputs(), outs)})
    classes = ["c0"] if name == "answers-one-logit" else ["c0", "c1", "c2"]
    manifest = {"resize": None, "crop": [16, 16], "mean": o.get("mean", [0.5, 0.5, 0.5]), "std": o.get("std", [0.5, 0.5, 0.5]), "classes": classes}
    (folder / f"{name}.json").write_text(json.dumps(manifest) + "\n")


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(exist_ok=True)
    for name in sys.argv[2:] or NETWORKS:
        try:
            export(name, out)
        except Exception as e:  # said, and gone on
            print(name, type(e).__name__, str(e)[:300], file=sys.stderr)
