"""Writes measures.json: what NumPy, SciPy, scikit-learn and PyTorch say of random cases, which this package's measures must agree with.

    python3 measures.py           (numpy, scipy, scikit-learn, torch)
"""
import importlib.metadata
import json
import os

import numpy as np
import scipy.ndimage
import scipy.stats
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score, top_k_accuracy_score

here = os.path.dirname(os.path.abspath(__file__))
g = np.random.default_rng(20)
out = {"versions": {p: importlib.metadata.version(p) for p in ("numpy", "scipy", "scikit-learn", "torch")}}

# Answers of 8 classes on 200 images.
K, n = 8, 200
label = g.integers(0, K, n)
logits = (g.normal(size=(n, K)) + 1.5 * np.eye(K)[label] * g.random((n, 1))).astype(np.float32)
p = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
predicted, confidence = p.argmax(1), p.max(1).astype(np.float64)
correct = predicted == label
ece = 0.0
for m in range(15):
    b = (confidence > m / 15) & (confidence <= (m + 1) / 15)
    if b.any():
        ece += b.mean() * abs(correct[b].mean() - confidence[b].mean())
per_class = np.array([correct[label == k].mean() for k in range(K)])
out["answers"] = dict(
    classes=K, labels=label.tolist(), probabilities=p.ravel().tolist(), accuracy=accuracy_score(label, predicted),
    top5=top_k_accuracy_score(label, p, k=5, labels=range(K)), ece=ece, worst_class=per_class.min(), worst_fifth=np.sort(per_class)[: max(1, K // 5)].mean(),
    confusion=confusion_matrix(label, predicted, labels=range(K)).ravel().tolist(),
)

# Maps of 6 × 5 cells against masks and other maps, some with equal values.
cases = []
for i in range(12):
    m, e = g.random((6, 5)).astype(np.float32), g.random((6, 5)).astype(np.float32)
    if i % 2:
        m, e = np.round(m * 4) / 4, np.round(e * 3) / 4
    mask = (g.random((6, 5)) < 0.4).astype(np.float32)
    mask[2, 2] = 1
    size = int(mask.sum())
    top = np.argsort(-m.ravel(), kind="stable")[:size]
    y, x = np.unravel_index(m.argmax(), m.shape)
    away = scipy.ndimage.distance_transform_edt(mask == 0)[y, x]
    up = torch.nn.functional.interpolate(torch.from_numpy(m)[None, None], size=(23, 31), mode="bilinear", align_corners=False)[0, 0]
    cases.append(dict(
        map=m.ravel().tolist(), edited=e.ravel().tolist(), mask=mask.ravel().tolist(), away=float(away),
        spearman=float(scipy.stats.spearmanr(m.ravel(), e.ravel()).statistic), soft_iou=float(np.minimum(m, e).sum(dtype=np.float64) / np.maximum(m, e).sum(dtype=np.float64)),
        iou=jaccard_score(mask.ravel() > 0, m.ravel() >= 0.5 * m.max()), rank_accuracy=float(mask.ravel()[top].mean()),
        distance=float(np.linalg.norm(m.astype(np.float64) - e)), upsampled=up.ravel().tolist(),
    ))
out["maps"] = cases

# McNemar's test, exact and with Edwards' correction; Holm's adjustment by its definition.
pairs = []
for gained, lost in ((0, 0), (1, 0), (3, 9), (12, 12), (8, 16), (9, 16), (20, 5), (40, 22), (13, 13), (300, 250)):
    d = gained + lost
    if d < 25:
        v = scipy.stats.binomtest(min(gained, lost), d).pvalue if d else 1.0
    else:
        v = float(scipy.stats.chi2.sf(max(0, abs(gained - lost) - 1) ** 2 / d, 1))
    pairs.append(dict(gained=gained, lost=lost, p=v))
out["mcnemar"] = pairs
values = g.random(9) ** 3
order = np.argsort(values)
holm = np.minimum(1, np.maximum.accumulate(values[order] * (len(values) - np.arange(len(values)))))
back = np.empty_like(holm)
back[order] = holm
out["holm"] = dict(p=values.tolist(), adjusted=back.tolist())
json.dump(out, open(os.path.join(here, "measures.json"), "w"))
