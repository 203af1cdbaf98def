"""Two networks that a graph does not show to be of no use, as PyTorch 2.15 exports them: python3 answers.py FOLDER

answers-ensemble    its perception logits are the mean of two softmaxes
answers-batch-norm  its features are normalised by the batch that they are in
"""
import json
import sys
from pathlib import Path

import onnx
import torch
from torch import nn


class ABN(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)
        self.attention, self.classes, self.map = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 3, 1), nn.Conv2d(3, 1, 3, 1, 1)
        self.perception, self.head, self.other = nn.Conv2d(8, 8, 3, 1, 1), nn.Linear(8, 3), nn.Linear(8, 3)

    def normalised(self, g):
        return g

    def answer(self, p):
        return self.head(p)

    def forward(self, x):
        g = self.normalised(self.second(self.first(x).relu()).relu())
        a = self.classes(self.attention(g).relu())
        m = self.map(a).sigmoid()
        return a.mean((2, 3)), self.answer(self.perception(g * (1 + m)).relu().mean((2, 3))), m


class Ensemble(ABN):
    def answer(self, p):
        return (self.head(p).softmax(1) + self.other(p).softmax(1)) / 2


class BatchNorm(ABN):
    def normalised(self, g):
        return (g - g.mean((0, 2, 3), keepdim=True)) / (g.var((0, 2, 3), keepdim=True) + 1e-5).sqrt()


folder = Path(sys.argv[1])
for name, kind in {"answers-ensemble": Ensemble, "answers-batch-norm": BatchNorm}.items():
    torch.manual_seed(0)
    path = folder / f"{name}.onnx"
    torch.onnx.export(kind().eval(), (torch.randn(2, 3, 16, 16),), path, input_names=["image"], output_names=["att", "per", "map"],
                      dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), external_data=False, verbose=False)
    model = onnx.load(path)
    for node in model.graph.node:
        del node.metadata_props[:]  # stack traces
    onnx.save(model, path)
    path.with_suffix(".json").write_text(json.dumps({"crop": 16, "mean": [0.5] * 3, "std": [0.5] * 3, "classes": ["c0", "c1", "c2"]}) + "\n")
