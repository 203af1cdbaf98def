"""Writes tiny.onnx, a small Attention Branch Network, and cases.json: what PyTorch's autograd says of L_map in each of its forms
and weights, beside the two cross entropies: the losses of a batch and their gradient by every weight of the branches.

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


class ABN(nn.Module):
    """3×12×12 → features 4×6×6 → 3 classes, smooth everywhere."""

    def __init__(self):
        super().__init__()
        self.extractor = nn.Conv2d(3, C, 3, 2, 1)
        self.att_body = nn.Conv2d(C, C, 3, padding=1)
        self.att_logits = nn.Conv2d(C, K, 1)
        self.att_map = nn.Conv2d(C, 1, 1)
        self.body = nn.Conv2d(C, C, 3, padding=1)
        self.fc = nn.Linear(C, K)

    def branches(self, g):
        a = torch.tanh(self.att_body(g))
        m = torch.sigmoid(self.att_map(a))
        p = torch.tanh(self.body(g * m + g))
        return F.adaptive_avg_pool2d(self.att_logits(a), 1).flatten(1), self.fc(F.adaptive_avg_pool2d(p, 1).flatten(1)), m

    def forward(self, x):
        return self.branches(torch.tanh(self.extractor(x)))


def distances(form, m, t, k, weight="none"):
    if "grid" in weight:  # to the norm of a map of 14×14 cells
        return distances(form, m, t, k) * 14 / m.shape[1] ** 0.5
    if form == "energy":
        return torch.log(1e-6 + (k * m).sum(1)) - torch.log(1e-6 + (k * t * m).sum(1))
    d = k * (t - m)
    if form == "l2":
        return (d.square().sum(1) + 1e-12).sqrt()
    return (d.square() if form == "mse" else d.abs()).mean(1)


def mean_over(rows, marks, weights=1):
    return (rows * marks * weights).sum() / marks.sum().clamp(min=1)


torch.manual_seed(3)
net = ABN()
with torch.no_grad():
    for p in net.parameters():
        p.copy_(torch.randn_like(p) * 0.5)
net.eval()
torch.onnx.export(net, torch.zeros(1, 3, 2 * SIDE, 2 * SIDE), here / "tiny.onnx", input_names=["image"], output_names=["logits_att", "logits_per", "attention"],
                  dynamic_axes={name: {0: "batch"} for name in ("image", "logits_att", "logits_per", "attention")}, dynamo=False)

features = torch.tanh(torch.randn(ROWS, C, SIDE, SIDE))
labels = torch.tensor([0, 1, 2, 0, 1, 0])
edited = torch.rand(ROWS, SIDE * SIDE)
edited[0] = (edited[0] > 0.7).float()  # a region with a sharp edge
edited[2] = 0  # a map of zeros
marks = torch.randint(3, (ROWS, SIDE * SIDE))  # a value, don't know, do not look here
marks[0] = 0
marks[3] = 1  # nothing is known of it
known, avoided = (marks == 0).float(), (marks == 2).float()
avoided = avoided / avoided.sum(1, keepdim=True).clamp(min=1)
has_edit = torch.tensor([1.0, 1, 1, 1, 0, 0])
anchored = 1 - has_edit
classes = [l for l, has in zip(labels.tolist(), has_edit.tolist()) if has]
weights = torch.tensor([len(classes) / (len(set(classes)) * classes.count(l)) if has else 0.0 for l, has in zip(labels.tolist(), has_edit.tolist())])
known[4:], avoided[4:] = 1, 0

cases = []
for settings in [dict(map_loss=form, gamma=0.7) for form in ("l2", "mse", "l1", "energy")] + [
    dict(map_loss="energy", gamma=2, gamma_avoid=3), dict(map_loss="energy", gamma=0.4, anchor=1.5), dict(map_loss="l1", gamma=0.4, gamma_avoid=1, anchor=1.5),
    dict(map_loss="l2", gamma=0.7, gamma_avoid=1, map_weight="by_class"), dict(map_loss="energy", gamma=2, anchor=1, map_weight="by_class"),
    dict(map_loss="l2", gamma=0.7, anchor=1, map_weight="by_grid"), dict(map_loss="l2", gamma=0.7, gamma_avoid=3, map_weight="by_class_and_grid")]:
    net.zero_grad()
    att, per, m = net.branches(features)
    m = m.flatten(1)
    form, weight = settings["map_loss"], settings.get("map_weight", "none")
    rows = weights if "class" in weight else 1
    l_map = settings["gamma"] * mean_over(distances(form, m, edited, known, weight), has_edit, rows) + settings.get("gamma_avoid", 0) * mean_over((m * avoided).sum(1), has_edit, rows)
    l_anchor = settings.get("anchor", 0) * mean_over(distances("l2" if form == "energy" else form, m, edited, known, weight), anchored)
    losses = F.cross_entropy(att, labels), F.cross_entropy(per, labels), l_map, l_anchor
    sum(losses).backward()
    cases.append(dict(settings=settings, losses=[l.item() for l in losses],
                      gradients={name: p.grad.flatten().tolist() for name, p in net.named_parameters() if p.grad is not None}))


def short(x):
    if isinstance(x, dict):
        return {k: short(v) for k, v in x.items()}
    if isinstance(x, list):
        return [short(v) for v in x]
    return float(f"{x:.7g}") if isinstance(x, float) else x


batch = dict(features=features, labels=labels, edited=edited, known=known, avoided=avoided, has_edit=has_edit, anchored=anchored, weights=weights)
json.dump(short(dict(torch=torch.__version__, batch={k: v.flatten().tolist() for k, v in batch.items()}, cases=cases)), open(here / "cases.json", "w"))
