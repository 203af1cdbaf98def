"""Writes tiny.onnx, a small Attention Branch Network whose extractor ends in a residual block with BatchNorms, and case.json: what
PyTorch's autograd says when that block learns with the branches, on batch statistics: the losses of a batch, their gradient by every
weight from the block on, and the statistics that a step leaves.

    pip install torch onnx onnxscript && python3 make.py        made with PyTorch 2.15
"""
import json
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
here = Path(__file__).parent
K, C, SIDE, ROWS = 3, 4, 6, 6


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(C, C, 3, padding=1, bias=False), nn.BatchNorm2d(C)
        self.conv2, self.bn2 = nn.Conv2d(C, C, 3, padding=1, bias=False), nn.BatchNorm2d(C)

    def forward(self, x):
        return torch.tanh(x + self.bn2(self.conv2(torch.tanh(self.bn1(self.conv1(x))))))


class ABN(nn.Module):
    """3×12×12 → features 4×6×6 → 3 classes, smooth everywhere."""

    def __init__(self):
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, C, 3, 2, 1), Block()
        self.att_body, self.att_bn = nn.Conv2d(C, C, 3, padding=1, bias=False), nn.BatchNorm2d(C)
        self.att_logits, self.att_map = nn.Conv2d(C, K, 1), nn.Conv2d(C, 1, 1)
        self.body, self.fc = nn.Conv2d(C, C, 3, padding=1), nn.Linear(C, K)

    def after(self, h):
        g = self.block(h)
        a = torch.tanh(self.att_bn(self.att_body(g)))
        m = torch.sigmoid(self.att_map(a))
        p = torch.tanh(self.body(g * m + g))
        return F.adaptive_avg_pool2d(self.att_logits(a), 1).flatten(1), self.fc(F.adaptive_avg_pool2d(p, 1).flatten(1)), m

    def forward(self, x):
        return self.after(torch.tanh(self.stem(x)))


torch.manual_seed(4)
net = ABN()
with torch.no_grad():
    for name, p in net.named_parameters():
        p.copy_(torch.randn_like(p) * 0.5 + ("bn" in name and "weight" in name))
    for name, b in net.named_buffers():
        if b.dtype == torch.float32:
            b.copy_(torch.rand_like(b) + 0.5)
net.train()
names = ("image", "logits_att", "logits_per", "attention")
torch.onnx.export(net, torch.zeros(2, 3, 2 * SIDE, 2 * SIDE), here / "tiny.onnx", input_names=names[:1], output_names=names[1:], dynamo=False,
                  dynamic_axes={name: {0: "batch"} for name in names}, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False)

features = torch.tanh(torch.randn(ROWS, C, SIDE, SIDE))  # before the block
labels, edited = torch.tensor([0, 1, 2, 0, 1, 0]), torch.rand(ROWS, SIDE * SIDE)
has_edit = torch.tensor([1.0, 1, 1, 1, 0, 0])
att, per, m = net.after(features)
distance = ((m.flatten(1) - edited).square().sum(1) + 1e-12).sqrt()
losses = F.cross_entropy(att, labels), F.cross_entropy(per, labels), 0.7 * (distance * has_edit).sum() / has_edit.sum()
sum(losses).backward()


def short(x):
    if isinstance(x, dict):
        return {k: short(v) for k, v in x.items()}
    if isinstance(x, list):
        return [short(v) for v in x]
    return float(f"{x:.7g}") if isinstance(x, float) else x


batch = dict(features=features, labels=labels, edited=edited, has_edit=has_edit)
json.dump(short(dict(torch=torch.__version__, batch={k: v.flatten().tolist() for k, v in batch.items()}, losses=[l.item() for l in losses],
                     gradients={n: p.grad.flatten().tolist() for n, p in net.named_parameters() if p.grad is not None},
                     statistics={n: b.flatten().tolist() for n, b in net.named_buffers() if b.dtype == torch.float32})), open(here / "case.json", "w"))
