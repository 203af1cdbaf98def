"""What studio bench times, in PyTorch: an ABN of torchvision's blocks as plain modules, used as people use PyTorch.

The first line on standard input is a JSON document: the job (train, scan or score), the files of the weights and of the job's
values, and its settings. It is answered with the versions and threads. Each further line is a form of the job; it is answered with
what a turn in that form took, or with why it cannot run. The end of the input ends the program.
"""
import copy
import json
import os
import sys
import time

import numpy
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.resnet import BasicBlock, Bottleneck, conv1x1
from torchvision.ops import Conv2dNormActivation
from torchvision.transforms import v2


def blocks(weights, name):
    """The first convolution of each block of a stage."""
    found, i = [], 0
    while any(key.startswith(f"{name}.{i}.") for key in weights):
        found.append(f"{name}.{i}")
        i += 1
    return found


def residual_stage(weights, name, stride):
    stage = []
    for block in blocks(weights, name):
        planes, channels = weights[f"{block}.conv1.weight"].shape[:2]
        kind, down = Bottleneck if f"{block}.conv3.weight" in weights else BasicBlock, None
        if f"{block}.downsample.0.weight" in weights:
            out = planes * kind.expansion
            down = nn.Sequential(conv1x1(channels, out, stride), nn.BatchNorm2d(out))
        stage.append(kind(channels, planes, stride, down))
        stride = 1
    return nn.Sequential(*stage)


def inverted_stage(weights, name, stride):
    stage = []
    for i, block in enumerate(blocks(weights, name)):
        out, hidden = weights[f"{block}.conv3.weight"].shape[:2]
        channels = hidden
        if f"{block}.expand.conv.weight" in weights:
            channels = weights[f"{block}.expand.conv.weight"].shape[1]
        halves = i == (1 if name == "layer1" else 0)  # the first block of the first stage keeps the size
        stage.append(InvertedResidual(channels, out, stride if halves else 1, hidden // channels))
    stage = nn.Sequential(*stage)
    if f"{name}.last.conv.weight" in weights:
        out, channels = weights[f"{name}.last.conv.weight"].shape[:2]
        stage.add_module("last", Conv2dNormActivation(channels, out, 1, activation_layer=nn.ReLU6))
    return stage


def as_torchvision(weights):
    """The weights of inverted residuals under torchvision's names."""
    renamed = {}
    for name, value in weights.items():
        for block in {name.split(part)[0] for part in (".expand.", ".conv2.", ".bn2.", ".conv3.", ".bn3.") if part in name}:
            first = 1 if f"{block}.expand.conv.weight" in weights else 0
            for old, new in (("expand.conv", "conv.0.0"), ("expand.bn", "conv.0.1"), ("conv2", f"conv.{first}.0"), ("bn2", f"conv.{first}.1"),
                             ("conv3", f"conv.{first + 1}"), ("bn3", f"conv.{first + 2}")):
                if name.startswith(f"{block}.{old}."):
                    name = name.replace(f"{block}.{old}.", f"{block}.{new}.")
                    break
        renamed[name.replace(".last.conv.", ".last.0.").replace(".last.bn.", ".last.1.")] = value
    return renamed


class ABN(nn.Module):
    """The published form: the last stage twice, for the attention branch at stride 1."""

    def __init__(self, weights, pool, residual):
        super().__init__()
        inverted = "layer1.0.bn3.weight" in weights and "layer1.0.conv1.weight" not in weights
        stage = inverted_stage if inverted else residual_stage
        width, _, kernel, _ = weights["conv1.weight"].shape
        self.conv1, self.bn1 = nn.Conv2d(3, width, kernel, 2, kernel // 2, bias=False), nn.BatchNorm2d(width)
        self.relu = nn.ReLU6(inplace=True) if inverted else nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if pool else nn.Identity()
        self.layer1 = stage(weights, "layer1", 2 if inverted else 1)
        self.layer2, self.layer3, self.layer4 = (stage(weights, f"layer{i}", 2) for i in (2, 3, 4))
        self.att_layer4 = stage(weights, "att_layer4", 1)
        classes, channels = weights["att_conv.weight"].shape[:2]
        self.bn_att, self.att_conv, self.bn_att2 = nn.BatchNorm2d(channels), nn.Conv2d(channels, classes, 1, bias=False), nn.BatchNorm2d(classes)
        self.att_relu = nn.ReLU(inplace=True)
        self.att_conv2, self.att_conv3 = nn.Conv2d(classes, classes, 1, bias=False), nn.Conv2d(classes, 1, 3, padding=1, bias=False)
        self.bn_att3, self.sigmoid = nn.BatchNorm2d(1), nn.Sigmoid()
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(weights["fc.weight"].shape[1], classes)
        self.residual = residual
        left = self.load_state_dict(as_torchvision(weights) if inverted else weights, strict=False)
        if left.unexpected_keys or any(not key.endswith("num_batches_tracked") for key in left.missing_keys):
            raise KeyError(*left.unexpected_keys, *left.missing_keys)

    def extract(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer3(self.layer2(self.layer1(x)))

    def attention(self, g):
        a = self.att_relu(self.bn_att2(self.att_conv(self.bn_att(self.att_layer4(g)))))
        m = self.sigmoid(self.bn_att3(self.att_conv3(a)))
        return self.avgpool(self.att_conv2(a)).flatten(1), m

    def perception(self, g, m):
        x = g * m + g if self.residual else g * m
        return self.fc(self.avgpool(self.layer4(x)).flatten(1))

    def branches(self, g):
        att, m = self.attention(g)
        return att, self.perception(g, m), m

    def forward(self, x):
        return self.branches(self.extract(x))


def laid(form, value):
    """A module or a batch in the form's memory format."""
    return value.to(memory_format=torch.channels_last) if "channels_last" in form else value


def called(form, function):
    return torch.compile(function) if "compile" in form else function


class Train:
    """Training steps of the branches on features, always the same batch."""

    def __init__(self, spec, model, values, form):
        self.model = laid(form, model).train()
        self.model.requires_grad_(False)
        trained = [m for name, m in model.named_children() if name in ("layer4", "fc") or "att" in name]
        if spec["strategy"] == "attention":
            model.layer4.eval()
            trained = [m for m in trained if m not in (model.layer4, model.fc)]
        for module in trained:
            module.requires_grad_(True)
        if spec["batch_norm"] == "frozen":
            self.model.eval()
        self.branches = called(form, model.branches)
        self.features = laid(form, values["features"])
        self.labels, self.edited, self.has_edit = values["labels"], values["edited"], values["has_edit"]
        self.optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=spec["learning_rate"],
                                         momentum=spec["momentum"], weight_decay=spec["weight_decay"], foreach=True)

    def turn(self):
        start, used = time.perf_counter(), time.process_time()
        self.optimizer.zero_grad(set_to_none=True)
        att, per, m = self.branches(self.features)
        loss_att, loss_per = F.cross_entropy(att, self.labels), F.cross_entropy(per, self.labels)
        distance = torch.sqrt((m.flatten(1) - self.edited).square().sum(1) + 1e-12)
        distance = (distance * self.has_edit).sum() / self.has_edit.sum().clamp(min=1)
        (loss_att + loss_per + distance).backward()
        self.optimizer.step()
        losses = [loss_att.item(), loss_per.item(), distance.item()]
        return {"seconds": [time.perf_counter() - start], "processor": time.process_time() - used, "values": losses}


class Pictures(Dataset):
    def __init__(self, spec):
        self.paths, manifest = spec["pictures"], spec["manifest"]
        resize = [v2.Resize(manifest["resize"], v2.InterpolationMode(manifest["interpolation"]))] if manifest["resize"] else []
        self.transform = v2.Compose([*resize, v2.CenterCrop(manifest["crop"]), v2.ToImage(), v2.ToDtype(torch.float32, scale=True),
                                     v2.Normalize(manifest["mean"], manifest["std"])])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        with Image.open(self.paths[i]) as picture:
            return self.transform(picture.convert("RGB"))


class Scan:
    """All pictures from their files to answers and maps."""

    loader = None  # of all forms

    def __init__(self, spec, model, values, form):
        if Scan.loader is None:
            Scan.loader = DataLoader(Pictures(spec), spec["batch"], num_workers=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(), persistent_workers=True)
        self.form, self.model = form, called(form, laid(form, model).eval())

    @torch.inference_mode()
    def turn(self):
        start, answers = time.perf_counter(), []
        for x in self.loader:
            att, per, m = self.model(laid(self.form, x))
            answers.append((per.softmax(1).tolist(), att, per, m.numpy()))
        took = time.perf_counter() - start
        return {"seconds": [took], "values": answers[0][2].flatten().tolist()}


class Score:
    """The answer to an edited map, on features in memory, for a few pictures in turn."""

    def __init__(self, spec, model, values, form):
        self.features = [laid(form, g.unsqueeze(0)) for g in values["features"]]
        self.maps = values["maps"].numpy()
        self.perception = called(form, laid(form, model).eval().perception)

    @torch.inference_mode()
    def turn(self):
        seconds, values = [], []
        for g, m in zip(self.features, self.maps):
            start = time.perf_counter()
            answer = self.perception(g, torch.from_numpy(m)[None, None]).softmax(1)[0].tolist()
            seconds.append(time.perf_counter() - start)
            values += answer
        return {"seconds": seconds, "values": values}


def arrays(path):
    with numpy.load(path) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def main():
    spec = json.loads(sys.stdin.readline())
    if spec["threads"]:
        torch.set_num_threads(spec["threads"])
    try:
        model = ABN(arrays(spec["weights"]), spec["pool"], spec["residual"])
    except (KeyError, RuntimeError) as problem:
        print(json.dumps({"problem": str(problem)}), flush=True)
        return
    values = arrays(spec["values"]) if spec["values"] else {}
    print(json.dumps({"torch": torch.__version__, "torchvision": torchvision.__version__, "threads": torch.get_num_threads()}), flush=True)
    job, forms = {"train": Train, "scan": Scan, "score": Score}[spec["job"]], {}
    for line in sys.stdin:
        form = json.loads(line)
        try:
            if form not in forms:
                forms[form] = job(spec, copy.deepcopy(model), values, form)
            answer = forms[form].turn()
        except Exception as problem:  # a compiler that is missing, say
            answer = {"problem": f"{type(problem).__name__}: {str(problem).strip()[:300]}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
