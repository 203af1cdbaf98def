"""Writes logistic.json: scikit-learn's multinomial logistic regression on standardised features, which Fit must agree with.

    pip install scikit-learn && python3 logistic.py
"""
import importlib.metadata
import json
import os

here = os.path.dirname(os.path.abspath(__file__))


import numpy as np
from sklearn.linear_model import LogisticRegression

L2, SPREAD = 1e-3, 1e-3
cases = []
for name, rows, dims, classes, bias in (("few features", 120, 6, 3, True), ("more features than rows", 60, 90, 5, True), ("without a bias", 80, 10, 4, False), ("features that never and hardly ever fire", 90, 8, 3, True)):
    g = np.random.default_rng(len(name))
    y = np.concatenate([np.arange(classes), g.choice(classes, rows - classes, p=g.dirichlet(np.full(classes, 2.0)))])
    z = (g.normal(size=(classes, dims))[y] * 0.6 + g.normal(size=(rows, dims))) * g.uniform(0.05, 3, dims) + g.normal(size=dims)
    z = np.maximum(z, 0).astype(np.float32)
    if "never" in name:
        z[:, 2], z[:, 5], z[:, 6] = 0, 1.5, 0
        z[7, 6] = 0.02
    Z = z.astype(np.float64)
    sd = Z.std(0, ddof=1)
    scale = sd + SPREAD * np.sqrt((sd**2).mean())
    Zn = (Z - (Z.mean(0) if bias else 0)) / scale
    m = LogisticRegression(class_weight="balanced", C=1 / (2 * L2 * rows), fit_intercept=bias, tol=1e-12, max_iter=100000).fit(Zn, y)
    cases.append(dict(name=name, classes=classes, bias=bias, features=z.ravel().tolist(), labels=y.tolist(),
                      probabilities=m.predict_proba(Zn).ravel().tolist()))
json.dump(dict(scikit_learn=importlib.metadata.version("scikit-learn"), cases=cases), open(os.path.join(here, "logistic.json"), "w"))
