"""Writes rise.json: what RISE's own evaluation code (github.com/eclique/RISE at d91ea00, evaluation.py and utils.py) says of a reference
network's own attention map on its own pictures, made 100 times stronger so that its answers vary. RISE is the folder with these two files.

    python3 rise.py RISE          (numpy, scipy, torch, torchvision, matplotlib, tqdm, onnxruntime)
"""
import json
import os
import sys

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F

here = os.path.dirname(os.path.abspath(__file__))
reference = os.path.join(here, "..", "..", "..", "testdata", "reference")
sys.path.insert(0, sys.argv[1])
import evaluation  # noqa: E402

torch.Tensor.cuda = lambda tensor, *a, **k: tensor  # RISE asks for a GPU

cases = []
for name in ("abn-resnet-tiny",):
    session = onnxruntime.InferenceSession(os.path.join(reference, name + ".onnx"))
    pictures = np.load(os.path.join(reference, name + ".npz"))["image"]

    def model(x):
        return torch.from_numpy(session.run(["logits_per"], {"image": x.numpy()})[0]).softmax(1)

    side = pictures.shape[-1]
    evaluation.HW = side * side
    kernel = evaluation.gkern(11, 5)
    for i in range(3):
        x = 100 * torch.from_numpy(pictures[i : i + 1])
        attention = session.run(["attention"], {"image": x.numpy()})[0]
        up = F.interpolate(torch.from_numpy(attention), size=(side, side), mode="bilinear", align_corners=False).numpy()[0, 0]
        # Equal values in reading order: RISE leaves them to numpy's sort, so it gets the places in that order, which differ.
        order = np.argsort(-up.ravel(), kind="stable")
        places = np.empty(side * side)
        places[order] = np.arange(side * side, 0, -1)
        runs = {}
        for mode, substrate in (("del", torch.zeros_like), ("ins", lambda t: F.conv2d(t, kernel, padding=11 // 2))):
            scores = evaluation.CausalMetric(model, mode, side, substrate).single_run(x, places)
            runs[mode] = dict(auc=float(evaluation.auc(scores)), scores=scores.tolist())
        cases.append(dict(network=name, picture=i, strength=100, deletion=runs["del"], insertion=runs["ins"], kernel=kernel[0, 0].sum(1).tolist()))
json.dump(dict(cases=cases), open(os.path.join(here, "rise.json"), "w"))
