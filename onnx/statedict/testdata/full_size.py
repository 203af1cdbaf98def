"""ResNet-50 and ResNet-152 as Attention Branch Networks of full size, as PyTorch's default export writes them, and home again.

    python3 full_size.py make resnet50 PICTURES FOLDER             FOLDER/resnet50.onnx with its .data, .json, -state.safetensors, -scores.npz
    python3 full_size.py home resnet50 FOLDER BETTER.onnx BETTER.safetensors
                                                                   loads with strict=True and compares with ONNX Runtime's BETTER.onnx

Made with torch 2.15, torchvision 0.29, timm (for the names of ImageNet's classes), onnxruntime. PICTURES is split/WNID/picture. K = 1000, 224×224; weights
are random, running statistics those of a few batches of PICTURES. docs/from-pytorch.md has the commands between the two, and figures.
"""
import json
import sys
from pathlib import Path

import numpy
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torchvision.transforms import v2

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSES = Path(timm.__file__).with_name("data").joinpath("_info", "imagenet_synsets.txt").read_text().split()


class ABN(nn.Module):
    """The published form: layer4 twice, for the attention branch at stride 1."""

    def __init__(self, name):
        super().__init__()
        base, twin = (getattr(torchvision.models, name)(weights=None, num_classes=len(CLASSES)) for _ in range(2))
        self.conv1, self.bn1, self.layer1, self.layer2, self.layer3 = base.conv1, base.bn1, base.layer1, base.layer2, base.layer3
        self.att_layer4, self.layer4, self.fc = twin.layer4, base.layer4, base.fc
        self.att_layer4[0].conv2.stride = self.att_layer4[0].downsample[0].stride = (1, 1)
        k = len(CLASSES)
        self.bn_att, self.att_conv, self.bn_att2 = nn.BatchNorm2d(2048), nn.Conv2d(2048, k, 1, bias=False), nn.BatchNorm2d(k)
        self.att_conv2, self.att_conv3, self.bn_att3 = nn.Conv2d(k, k, 1, bias=False), nn.Conv2d(k, 1, 3, padding=1, bias=False), nn.BatchNorm2d(1)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        g = self.layer3(self.layer2(self.layer1(x)))
        a = F.relu(self.bn_att2(self.att_conv(self.bn_att(self.att_layer4(g)))))
        m = torch.sigmoid(self.bn_att3(self.att_conv3(a)))
        return self.att_conv2(a).mean((2, 3)), self.fc(self.layer4(g * m + g).mean((2, 3))), m


def network(name):
    torch.manual_seed(1)
    return ABN(name)


def make(name, pictures, folder):
    from safetensors.torch import save_file

    view = v2.Compose([v2.Resize(256), v2.CenterCrop(224), v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    files = sorted(Path(pictures, "train").glob("*/*"))[::10][:96]
    x = torch.stack([view(torchvision.datasets.folder.default_loader(str(f))) for f in files])
    model = network(name).train()
    with torch.no_grad():
        for batch in x.split(16):
            model(batch)
        model.eval()
        found = model(x[:4])
    folder = Path(folder)
    torch.onnx.export(model, (x[:2],), folder / f"{name}.onnx", input_names=["image"], output_names=["att", "per", "map"],
                      dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    save_file(model.state_dict(), folder / f"{name}-state.safetensors")
    numpy.savez(folder / f"{name}-scores.npz", input=x[:4].numpy(), **{f"out_{k}": v.numpy() for k, v in zip(("att", "per", "map"), found)})
    manifest = {"resize": 256, "crop": [224, 224], "mean": MEAN, "std": STD, "classes": CLASSES}
    (folder / f"{name}.json").write_text(json.dumps(manifest))


def home(name, folder, better, state):
    import onnxruntime
    from safetensors.torch import load_file

    x = numpy.load(Path(folder, f"{name}-scores.npz"))["input"]
    want = onnxruntime.InferenceSession(better, providers=["CPUExecutionProvider"]).run(["att", "per", "map"], {"image": x})
    model = network(name)
    model.load_state_dict(load_file(state), strict=True)
    with torch.no_grad():
        found = model.eval()(torch.from_numpy(x))
    for key, w, v in zip(("att", "per", "map"), want, found):
        spread = float(w.max() - w.min())
        print(f"{key}: {numpy.abs(w - v.numpy()).max() / spread:.2g} of its range {spread:.3g}")
        assert numpy.abs(w - v.numpy()).max() <= 1e-5 * spread, key


if sys.argv[1] == "make":
    make(*sys.argv[2:])
else:
    home(*sys.argv[2:])
