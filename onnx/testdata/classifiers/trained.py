"""Trains narrow forms of torchvision's classifiers on pictures and exports them, for `studio bench recipe`.

    studio aviary draw --out aviary
    python3 trained.py aviary nets [NAME …]
    studio bench recipe nets --images aviary

A network is torchvision's own with every width divided by WIDTH, at 112×112 pixels, trained on the split train for a few
epochs: barely, and the scene with the bird. What is to be seen on them is whether a branch dies, not how good they are. BatchNorms
are folded or kept as in export.py. Tried with PyTorch 2.15 and torchvision 0.29; a network takes some minutes on a core.
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import nn
from torch.nn import functional as F

WIDTH, SIZE, EPOCHS, BATCH = 4, 112, 6, 32
KEPT = {"resnext50_32x4d", "mobilenet_v2", "efficientnet_b0", "regnet_y_400mf", "densenet121"}
NAMES = ["resnet18", "resnext50_32x4d", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "mnasnet0_5", "regnet_y_400mf",
         "densenet121", "shufflenet_v2_x0_5", "googlenet", "squeezenet1_1", "vgg11_bn", "alexnet"]
# What is left of SIZE before the classifier: these pool to more than that, which has no form in ONNX.
POOLED = {"AlexNet": 2, "VGG": 3}


def narrower(c):
    return max(2, c // WIDTH)


def narrow(module, classes):
    """module with narrower layers, of new values; its last layer has as many outputs as there are classes."""
    last = [m for m in module.modules() if isinstance(m, (nn.Conv2d, nn.Linear))][-1]
    if isinstance(module, torchvision.models.SqueezeNet):
        last = module.classifier[1]

    def replace(parent):
        for name, m in parent.named_children():
            if isinstance(m, nn.Conv2d):
                into = 3 if m.in_channels == 3 else narrower(m.in_channels)
                out = classes if m is last else narrower(m.out_channels)
                groups = into if m.groups == m.in_channels else m.groups
                while into % groups or out % groups:
                    groups //= 2
                setattr(parent, name, nn.Conv2d(into, out, m.kernel_size, m.stride, m.padding, m.dilation, groups, m.bias is not None))
            elif isinstance(m, nn.BatchNorm2d):
                setattr(parent, name, nn.BatchNorm2d(narrower(m.num_features), momentum=0.1))
            elif isinstance(m, nn.Linear):
                setattr(parent, name, nn.Linear(narrower(m.in_features), classes if m is last else narrower(m.out_features)))
            else:
                replace(m)

    replace(module)
    if side := POOLED.get(type(module).__name__):
        flat = next(i for i, m in enumerate(module.classifier) if isinstance(m, nn.Linear))
        features = [m for m in module.features if isinstance(m, nn.Conv2d)][-1].out_channels * side * side
        module.avgpool, module.classifier[flat] = nn.Identity(), nn.Linear(features, module.classifier[flat].out_features)
    for m in module.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            if m.bias is not None:
                nn.init.zeros_(m.bias)
    return module


def pictures(folder, split):
    classes = sorted(p.name for p in (folder / "train").iterdir() if p.is_dir())
    x, y = [], []
    for label, name in enumerate(classes):
        for path in sorted((folder / split / name).glob("*.png")):
            x.append(np.asarray(Image.open(path).convert("RGB").resize((SIZE, SIZE), Image.BILINEAR)))
            y.append(label)
    return classes, torch.from_numpy(np.stack(x)).permute(0, 3, 1, 2), torch.tensor(y)


def prepared(x):
    return x.float() / 127.5 - 1


def accuracy(net, x, y):
    net.eval()
    with torch.no_grad():
        return np.mean(np.concatenate([(net(prepared(x[i:i + 200])).argmax(1) == y[i:i + 200]).numpy() for i in range(0, len(y), 200)]))


def main():
    folder, out, names = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or NAMES
    out.mkdir(parents=True, exist_ok=True)
    classes, x, y = pictures(folder, "train")
    _, xt, yt = pictures(folder, "test")
    for name in names:
        torch.manual_seed(1)
        options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
        net = narrow(getattr(torchvision.models, name)(weights=None, **options), len(classes))
        steps = EPOCHS * (len(y) // BATCH)
        optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
        for _ in range(EPOCHS):
            net.train()
            order = torch.randperm(len(y))
            for i in range(0, len(y) - BATCH + 1, BATCH):
                rows = order[i:i + BATCH]
                batch = prepared(x[rows])
                if torch.rand(()) < 0.5:
                    batch = batch.flip(3)
                optimizer.zero_grad()
                F.cross_entropy(net(batch), y[rows]).backward()
                optimizer.step()
                schedule.step()
        kept = name in KEPT
        right = accuracy(net, xt, yt)
        mode = torch.onnx.TrainingMode
        torch.onnx.export(net.eval(), (torch.zeros(2, 3, SIZE, SIZE),), out / f"{name}.onnx", opset_version=13, dynamo=False, input_names=["input"], output_names=["logits"],
                          dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}}, training=mode.PRESERVE if kept else mode.EVAL, do_constant_folding=not kept)
        manifest = {"resize": SIZE, "crop": [SIZE, SIZE], "interpolation": "bilinear", "channels": "RGB", "mean": [0.5] * 3, "std": [0.5] * 3, "classes": classes}
        (out / f"{name}.json").write_text(json.dumps(manifest, indent=1) + "\n")
        print(name, f"{100 * right:.1f}% of test", flush=True)


main()
