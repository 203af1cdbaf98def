"""Writes suspects.json: answers of a made-up classifier with some labels exchanged, and what confident learning says of them, by numpy
as the paper has it (arXiv 1911.00068, section 3.1) and by cleanlab, which must agree.

    pip install cleanlab && python suspects.py
"""
import json

import numpy as np
from cleanlab.count import compute_confident_joint
from cleanlab.filter import find_label_issues

rng = np.random.default_rng(7)
n, classes = 160, 5
truth = rng.integers(classes, size=n)
logits = rng.normal(size=(n, classes)) * 1.1
logits[np.arange(n), truth] += 2.2
logits[:, 1] += 0.5  # a class that the classifier prefers: its threshold is higher
p = np.exp(logits)
p = (p / p.sum(1, keepdims=True)).astype(np.float32)
labels = truth.copy()
noisy = rng.random(n) < 0.2
labels[noisy] = (truth[noisy] + rng.integers(1, classes, size=noisy.sum())) % classes

thresholds = np.array([p[labels == j, j].astype(np.float64).mean() for j in range(classes)])
suggested = []
for row, label in zip(p, labels):
    confident = [j for j in range(classes) if row[j] >= thresholds[j] - 1e-6]
    best = max(confident, key=lambda j: row[j]) if confident else -1
    suggested.append(int(best) if best >= 0 and best != label and row.argmax() != label else -1)

wide = p.astype(np.float64)
wide /= wide.sum(1, keepdims=True)
theirs = find_label_issues(labels, wide, filter_by="confident_learning")
assert (theirs == (np.array(suggested) >= 0)).all(), np.flatnonzero(theirs != (np.array(suggested) >= 0))
compute_confident_joint(labels, wide)
with open("suspects.json", "w") as f:
    json.dump({"labels": labels.tolist(), "probabilities": [[float(f"{v:.8g}") for v in row] for row in p.tolist()],
               "thresholds": thresholds.tolist(), "suggested": suggested, "exchanged": noisy.tolist()}, f)
print(sum(s >= 0 for s in suggested), "suspects,", noisy.sum(), "exchanged,", sum(bool(a) and b >= 0 for a, b in zip(noisy, suggested)), "of them found")
