# Makes optimizer.json: what PyTorch's own optimisers do to two small tensors in five steps.
#   python3 optimizer.py > optimizer.json
import json
import torch

torch.set_num_threads(1)
generator = torch.Generator().manual_seed(1)
start = [torch.randn(2, 3, generator=generator), torch.randn(4, generator=generator)]  # a weight and a bias
gradients = [[torch.randn(p.shape, generator=generator) * 2 for p in start] for _ in range(5)]

CASES = [
    dict(name="sgd", optimizer="sgd", decay=0.01),
    dict(name="sgd, momentum", optimizer="sgd", momentum=0.9, decay=0.01),
    dict(name="nesterov", optimizer="nesterov", momentum=0.8, decay=0.01),
    dict(name="adamw", optimizer="adamw", decay=0.1),
    dict(name="sgd, clipped", optimizer="sgd", momentum=0.9, decay=0.01, clip=1.5),
    dict(name="adamw, spared, clipped", optimizer="adamw", decay=0.1, spare=True, clip=3.0),
    dict(name="nesterov, spared", optimizer="nesterov", momentum=0.9, decay=0.1, spare=True),
    dict(name="sgd, clipped by more than there is", optimizer="sgd", momentum=0.9, clip=1e6),
]


def flat(tensors):
    return [t.detach().flatten().tolist() for t in tensors]


out = {"dims": [list(p.shape) for p in start], "start": flat(start), "gradients": [flat(g) for g in gradients], "cases": []}
for case in CASES:
    parameters = [p.clone().requires_grad_() for p in start]
    decay, rates = case.get("decay", 0), [0.1, 0.05, 0.05, 0.02, 0.01]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0 if case.get("spare") else decay},
    ]
    if case["optimizer"] == "adamw":
        optimizer = torch.optim.AdamW(groups, lr=0.1)
    else:
        optimizer = torch.optim.SGD(groups, lr=0.1, momentum=case.get("momentum", 0), nesterov=case["optimizer"] == "nesterov")
    norms, after = [], []
    for rate, step in zip(rates, gradients):
        for group in optimizer.param_groups:
            group["lr"] = rate
        for p, g in zip(parameters, step):
            p.grad = g.clone()
        if "clip" in case:
            norms.append(float(torch.nn.utils.clip_grad_norm_(parameters, case["clip"])))
        optimizer.step()
        after.append(flat(parameters))
    out["cases"].append(dict(case, rates=rates, norms=norms, after=after))
print(json.dumps(out, indent=None).replace('{"name"', '\n{"name"'))
