"""Exports the ABNs of networks.py as skeletons: ONNX graphs as torch.onnx.export writes them, without their weights.

    python3 export.py OUT_DIR [--new] [--shard I/N]

Writes one NAME.onnx.gz per export and families.json, which says what each is. A skeleton is a valid ONNX file whose
larger float initializers are marked as kept elsewhere (external data) and kept nowhere: names, dims, types and the whole
graph stay; doc strings and the exporter's notes on nodes (stack traces with paths) go. Without --new the
exports are those of the exporter that traces (TorchScript), at the operator sets it has in PyTorch 1.13; with --new those
of PyTorch 2: operator sets up to 20 by tracing, and up to 22 by torch.export (dynamo=True). --shard does every N-th export from
the I-th on, so that several processes can share the work; each writes a table of its own.
"""
import gzip
import inspect
import io
import json
import sys
import traceback
import warnings
from pathlib import Path

import onnx
import torch
import torchvision

from networks import FULL, SMALL

KEEP = 8  # elements: clip bounds, scales of a Resize and the like are part of the graph
DEFAULT = {"head": "published", "pool": "adaptive", "map": "grid", "gain": "g*M+g", "answers": "logits", "weights": "trained", "norm": "folded", "batch": "dynamic", "opset": 13}

# What people do differently, one list of changes to DEFAULT per export of a small network.
FORMS = [
    {},
    {"norm": "kept", "opset": 17, "pool": "window"},
    {"norm": "kept", "opset": 11, "batch": 1, "pool": "window", "answers": "probabilities"},
    {"head": "plain", "gain": "(1+M)*g", "map": "squeezed", "opset": 16, "pool": "mean"},
    {"head": "short", "gain": "g*M", "map": "flat first", "opset": 12, "batch": 4, "pool": "window", "answers": "both"},
    {"norm": "training", "opset": 15, "head": "short", "gain": "(1+M)*g"},
]
EXTRA = [  # one network is enough for these
    ("resnet18", {"norm": "training", "opset": 13}),
    ("resnet18", {"norm": "training", "opset": 11, "batch": 2}),
    ("resnet18", {"opset": 14, "head": "plain", "answers": "probabilities", "map": "squeezed", "batch": 1}),
    ("resnet18", {"opset": 10, "norm": "kept"}),
    ("resnet18", {"weights": "fresh"}),
    ("mobilenet_v2", {"weights": "fresh", "norm": "kept", "opset": 17}),
    ("resnet18", {"opset": 9, "gain": "g*M", "pool": "window"}),
    ("densenet", {"opset": 9, "pool": "window", "batch": 3}),
    ("mobilenet_v2", {"opset": 9, "norm": "kept"}),
    ("mobilenet_v2", {"opset": 10, "head": "short", "map": "squeezed", "answers": "both"}),
]
FULL_FORMS = [{"opset": 11}, {"opset": 17, "norm": "kept", "pool": "window"}]
NEW_FORMS = [  # (form, by torch.export)
    ({"opset": 18, "norm": "kept"}, False),
    ({"opset": 20, "pool": "mean", "head": "short", "map": "squeezed"}, False),
    ({"opset": 18}, True),
    ({"opset": 20, "norm": "kept", "gain": "(1+M)*g", "map": "flat first", "answers": "both"}, True),
    ({"opset": 21, "head": "plain", "pool": "mean", "gain": "g*M", "batch": 2}, True),
    ({"opset": 22, "head": "short", "pool": "window", "map": "squeezed", "answers": "probabilities"}, True),
]
NEW_FULL = [({"opset": 20, "norm": "kept"}, False), ({"opset": 18}, True)]


def export(model, image, form, dynamo):
    """The bytes of an ONNX file."""
    names = ["logits_att", "logits_per", "attention", "probabilities"][: 4 if form["answers"] == "both" else 3]
    dynamic = form["batch"] == "dynamic"
    arguments = {"input_names": ["image"], "output_names": names, "opset_version": form["opset"]}
    new = "dynamo" in inspect.signature(torch.onnx.export).parameters
    file = io.BytesIO()
    if dynamo:
        if dynamic:
            arguments["dynamic_shapes"] = {"image": {0: torch.export.Dim("batch")}}
        program = torch.onnx.export(model, (image,), dynamo=True, optimize=form["norm"] != "kept", verbose=False, **arguments)
        return program.model_proto
    if new:
        arguments["dynamo"] = False
    if dynamic:
        arguments["dynamic_axes"] = {name: {0: "batch"} for name in ["image", *names]}
    mode = torch.onnx.TrainingMode
    arguments["training"] = {"folded": mode.EVAL, "kept": mode.PRESERVE, "training": mode.TRAINING}[form["norm"]]
    arguments["do_constant_folding"] = form["norm"] == "folded"
    torch.onnx.export(model, (image,), file, **arguments)
    return onnx.load_model_from_string(file.getvalue())


def skeleton(proto):
    """Removes data and notes in place."""
    for tensor in proto.graph.initializer:
        count = 1
        for d in tensor.dims:
            count *= d
        if tensor.data_type == onnx.TensorProto.FLOAT and count > KEEP:
            name, dims = tensor.name, list(tensor.dims)
            tensor.Clear()
            tensor.name, tensor.data_type, tensor.data_location = name, onnx.TensorProto.FLOAT, onnx.TensorProto.EXTERNAL
            tensor.dims.extend(dims)
            tensor.external_data.add(key="location", value="removed")
    proto.doc_string = ""
    if hasattr(proto, "metadata_props"):
        del proto.metadata_props[:]
    graphs = [proto.graph, *proto.functions]
    for graph in graphs:
        graph.doc_string = ""
        for thing in [graph, *graph.node, *getattr(graph, "value_info", []), *getattr(graph, "input", []), *getattr(graph, "output", []),
                      *getattr(graph, "initializer", [])]:
            if hasattr(thing, "doc_string"):
                thing.doc_string = ""
            if hasattr(thing, "metadata_props"):
                del thing.metadata_props[:]


def as_if_trained(model):
    """Gives every tensor values of its own: the exporters name equal tensors once, as all fresh BatchNorms and copied stages are."""
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            spread = torch.rand_like(tensor)
            tensor.copy_(0.5 + spread if name.endswith("running_var") else tensor + 0.1 * (spread - 0.5))


def write(out, size, family, form, dynamo, table):
    build, classes, pixels = (FULL if size == "full" else SMALL)[family]
    form = DEFAULT | form
    torch.manual_seed(1)
    model = build(form, classes, pixels).eval()
    batch = 2 if form["batch"] == "dynamic" else form["batch"]
    image = torch.randn(batch, 3, pixels, pixels)
    with torch.no_grad():
        if form["weights"] == "trained":
            as_if_trained(model)
        features = model.extractor(image)
        if form["norm"] == "training":
            model.train()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        proto = export(model, image, form, dynamo)
    skeleton(proto)
    by = "export" if dynamo else "trace"
    opset = {o.domain: o.version for o in proto.opset_import}.get("", form["opset"])  # the exporter may write another than was asked for
    name = f"{family}-{size}-{by}{opset}-{form['norm']}-{form['head']}" + ("-fresh" if form["weights"] == "fresh" else "")
    data = proto.SerializeToString()
    (out / f"{name}.onnx.gz").write_bytes(gzip.compress(data, 9, mtime=0))
    table.append({"name": name, "family": family, "size": size, "exporter": by, "torch": torch.__version__.split("+")[0], **form, "opset": opset,
                  "classes": classes, "image": pixels, "channels": features.shape[1], "height": features.shape[2], "width": features.shape[3]})
    print(f"{name}: {len(data)} bytes, {len(proto.graph.node)} nodes", flush=True)


def main():
    out, new = Path(sys.argv[1]), "--new" in sys.argv
    out.mkdir(parents=True, exist_ok=True)
    print("torch", torch.__version__, "torchvision", torchvision.__version__, "onnx", onnx.__version__)
    if new:
        jobs = [("small", family, form, dynamo) for family in SMALL for form, dynamo in NEW_FORMS]
        jobs += [("full", family, form, dynamo) for family in FULL for form, dynamo in NEW_FULL]
    else:
        jobs = [("small", family, form, False) for family in SMALL for form in FORMS]
        jobs += [("small", family, form, False) for family, form in EXTRA]
        jobs += [("full", family, FULL_FORMS[i % 2], False) for i, family in enumerate(FULL)]
    shard = sys.argv[sys.argv.index("--shard") + 1] if "--shard" in sys.argv else "0/1"
    first, every = map(int, shard.split("/"))
    table = []
    for size, family, form, dynamo in jobs[first::every]:
        try:
            write(out, size, family, form, dynamo, table)
        except Exception:  # the rest is still worth having
            print(f"FAILED {size} {family} {form}", file=sys.stderr)
            traceback.print_exc(limit=3)
    part = f"-{first}" if every > 1 else ""
    (out / f"families{'-new' if new else ''}{part}.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
