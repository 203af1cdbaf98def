"""Makes what lies in this folder: an ABN as PyTorch exports one by default today, in two files, beside what Hugging Face keeps of a network.

    python3 make.py    # torch 2.15, onnx, onnxscript
"""
import json
from pathlib import Path

import onnx
import torch
from torch import nn

here = Path(__file__).parent
SIZE, CLASSES = 32, ["auk", "owl", "tern"]


class ABN(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.extractor = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, 2, 1), nn.ReLU())
        self.att = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, len(CLASSES), 1), nn.ReLU())
        self.att_map = nn.Conv2d(len(CLASSES), 1, 3, 1, 1)
        self.per = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, len(CLASSES)))

    def forward(self, x):
        g = self.extractor(x)
        h = self.att(g)
        att, m = h.mean((2, 3)), torch.sigmoid(self.att_map(h))
        return self.per(g * (1 + m)), att, m


torch.manual_seed(1)
torch.onnx.export(ABN().eval(), (torch.zeros(1, 3, SIZE, SIZE),), here / "abn.onnx", dynamic_shapes=({0: torch.export.Dim("batch")},), external_data=True)
model = onnx.load(here / "abn.onnx", load_external_data=False)
for node in model.graph.node:  # paths of whoever exported it
    del node.metadata_props[:]
del model.metadata_props[:], model.graph.metadata_props[:]
(here / "abn.onnx").write_bytes(model.SerializeToString())
half = [0.5, 0.5, 0.5]
(here / "preprocessor_config.json").write_text(json.dumps({
    "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": half, "image_std": half, "image_processor_type": "ViTImageProcessor",
    "resample": 2, "rescale_factor": 1 / 255, "size": {"height": SIZE, "width": SIZE}}, indent=2) + "\n")
(here / "config.json").write_text(json.dumps({"model_type": "abn", "id2label": dict(enumerate(CLASSES))}, indent=2) + "\n")
