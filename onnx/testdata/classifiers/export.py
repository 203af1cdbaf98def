"""Exports torchvision's classifiers as skeletons (see ../families/export.py): what `studio model attach` is tested on.

    python3 export.py

The table's channels, height and width are those of the features that Attach splits at by itself.
"""
import gzip
import io
import json
import sys
from pathlib import Path

import onnx
import torch
import torchvision

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "families"))
from export import skeleton  # noqa: E402

# name: (kept BatchNorms, fixed batch, opset, features)
NETWORKS = {
    "resnet18": (False, 0, 11, (256, 14, 14)),
    "resnext50_32x4d": (True, 0, 17, (1024, 14, 14)),
    "mobilenet_v2": (True, 0, 13, (96, 14, 14)),
    "mobilenet_v3_small": (False, 0, 14, (48, 14, 14)),
    "efficientnet_b0": (True, 0, 13, (112, 14, 14)),
    "mnasnet0_5": (False, 0, 13, (48, 14, 14)),
    "regnet_y_400mf": (True, 0, 13, (208, 14, 14)),
    "densenet121": (True, 0, 13, (512, 14, 14)),
    "shufflenet_v2_x0_5": (False, 1, 13, (96, 14, 14)),
    "googlenet": (False, 2, 12, (832, 14, 14)),
    "squeezenet1_1": (False, 0, 13, (256, 13, 13)),
    "vgg11_bn": (False, 0, 13, (512, 14, 14)),
    "alexnet": (False, 0, 13, (192, 13, 13)),
}


def main():
    table = []
    for name, (kept, batch, opset, (channels, height, width)) in NETWORKS.items():
        options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
        torch.manual_seed(1)
        model = getattr(torchvision.models, name)(weights=None, **options).eval()
        arguments = {} if batch else {"dynamic_axes": {"input": {0: "batch"}, "logits": {0: "batch"}}}
        mode = torch.onnx.TrainingMode
        file = io.BytesIO()
        torch.onnx.export(model, (torch.zeros(batch or 2, 3, 224, 224),), file, opset_version=opset, input_names=["input"], output_names=["logits"],
                          training=mode.PRESERVE if kept else mode.EVAL, do_constant_folding=not kept, **arguments)
        proto = onnx.load_model_from_string(file.getvalue())
        skeleton(proto)
        (HERE / f"{name}.onnx.gz").write_bytes(gzip.compress(proto.SerializeToString(), 9, mtime=0))
        table.append({"name": name, "family": name, "size": "full", "exporter": "trace", "torch": torch.__version__.split("+")[0], "opset": opset,
                      "norm": "kept" if kept else "folded", "batch": batch or "dynamic", "answers": "logits", "classes": 1000, "image": 224,
                      "channels": channels, "height": height, "width": width})
        print(name, len(proto.graph.node), "nodes", flush=True)
    (HERE / "families.json").write_text(json.dumps(table, indent=1) + "\n")


main()
