"""Training steps of an ABN's branches in PyTorch, one for each line on standard input.

The first line is a JSON document: the branches' nodes as ONNX has them, and where in a file of raw bytes the
tensors lie. It is answered with one that names the version and the threads; each further line with what a
step took and its losses, before its update. The end of the input ends the program. Modules are what PyTorch
users write: in-place Relu, in-place residual sums, autograd, torch.optim.SGD.
"""
import json
import sys
import time

import torch
import torch.nn.functional as F

TYPES = {"float32": torch.float32, "int64": torch.int64}


def read_tensors(spec):
    with open(spec["data"], "rb") as file:
        data = bytearray(file.read())
    tensors = {}
    for t in spec["tensors"]:
        count = 1
        for size in t["dims"]:
            count *= size
        flat = torch.frombuffer(data, dtype=TYPES[t["type"]], count=count, offset=t["offset"])
        tensors[t["name"]] = flat.clone().reshape(t["dims"])
    return tensors


class Branches:
    """The branches as a list of calls on a dictionary of values."""

    def __init__(self, nodes, tensors, trained, batch_norms):
        self.tensors, self.trained, self.batch_norms = tensors, set(trained), batch_norms
        self.readers = {}
        for n in nodes:
            for name in n["inputs"]:
                self.readers[name] = self.readers.get(name, 0) + 1
        self.makers = {n["outputs"][0]: n["op"] for n in nodes}
        self.calls = []
        skipped = {}
        for i, n in enumerate(nodes):
            inputs = [skipped.get(name, name) for name in n["inputs"]]
            n = dict(n, inputs=inputs)
            if n["op"] == "Relu" and self.clipped(n, nodes):
                skipped[n["outputs"][0]] = inputs[0]  # Relu and Clip are one relu6
                self.makers[n["outputs"][0]] = self.makers.get(inputs[0])
                continue
            build = getattr(self, "op_" + n["op"].lower(), None)
            if build is None:
                raise SystemExit("the comparison knows no %s (%s)" % (n["op"], n["outputs"][0]))
            self.calls.append((n["outputs"][0], build(n, n.get("attributes", {}))))

    def clipped(self, relu, nodes):
        after = [n for n in nodes if relu["outputs"][0] in n["inputs"]]
        return len(after) == 1 and after[0]["op"] == "Clip" and self.bounds(after[0])[0] == 0

    def bounds(self, n):
        named = lambda i, default: float(self.tensors[n["inputs"][i]]) if len(n["inputs"]) > i and n["inputs"][i] else default
        attributes = n.get("attributes", {})
        return named(1, attributes.get("min", -3.4e38)), named(2, attributes.get("max", 3.4e38))

    def alone(self, name):
        """Whether a value may be overwritten: nobody else reads it, and its maker's gradient does not need it."""
        return self.readers.get(name, 0) == 1 and self.makers.get(name) in ("Conv", "BatchNormalization", "Add")

    def op_conv(self, n, a):
        k = a.get("kernel_shape") or list(self.tensors[n["inputs"][1]].shape[2:])
        rank = len(k)
        if a.get("auto_pad", "NOTSET") != "NOTSET":
            raise SystemExit("the comparison knows no auto_pad")
        pads, stride = a.get("pads", [0] * 2 * rank), a.get("strides", [1] * rank)
        dilation, groups = a.get("dilations", [1] * rank), a.get("group", 1)
        x, w = n["inputs"][0], n["inputs"][1]
        b = n["inputs"][2] if len(n["inputs"]) > 2 else ""
        even = pads[:rank] == pads[rank:]
        extra = [p for i in reversed(range(rank)) for p in (pads[i], pads[rank + i])]

        def call(v):
            value = v[x] if even else F.pad(v[x], extra)
            return torch.conv2d(value, v[w], v[b] if b else None, stride, pads[:rank] if even else [0] * rank, dilation, groups)
        return call

    def op_batchnormalization(self, n, a):
        x, w, b, mean, variance = n["inputs"]
        training, eps = self.batch_norms and w in self.trained, a.get("epsilon", 1e-5)
        return lambda v: F.batch_norm(v[x], v[mean], v[variance], v[w], v[b], training, 0.1, eps)

    def op_relu(self, n, a):
        x = n["inputs"][0]
        f = F.relu_ if self.alone(x) else F.relu
        return lambda v: f(v[x])

    def op_clip(self, n, a):
        x, (low, high) = n["inputs"][0], self.bounds(n)
        inplace = self.alone(x)
        return lambda v: F.hardtanh(v[x], low, high, inplace)

    def op_add(self, n, a):
        x, y = n["inputs"]
        if self.alone(x):
            return lambda v: v[x].add_(v[y])
        return lambda v: v[x] + v[y]

    def op_mul(self, n, a):
        x, y = n["inputs"]
        return lambda v: v[x] * v[y]

    def op_sigmoid(self, n, a):
        return lambda v: torch.sigmoid(v[n["inputs"][0]])

    def op_identity(self, n, a):
        return lambda v: v[n["inputs"][0]]

    op_dropout = op_identity

    def op_globalaveragepool(self, n, a):
        return lambda v: F.adaptive_avg_pool2d(v[n["inputs"][0]], 1)

    def op_reducemean(self, n, a):
        axes = a.get("axes") or self.tensors[n["inputs"][1]].tolist()
        return lambda v: v[n["inputs"][0]].mean(axes, bool(a.get("keepdims", 1)))

    def op_flatten(self, n, a):
        return lambda v: v[n["inputs"][0]].flatten(a.get("axis", 1))

    def op_reshape(self, n, a):
        shape = self.tensors[n["inputs"][1]].tolist()
        return lambda v: v[n["inputs"][0]].reshape([v[n["inputs"][0]].shape[i] if s == 0 else s for i, s in enumerate(shape)])

    def op_gemm(self, n, a):
        x, w, b = n["inputs"]
        if a.get("transA", 0) or a.get("alpha", 1) != 1 or a.get("beta", 1) != 1:
            raise SystemExit("the comparison knows only plain Gemms")
        return (lambda v: F.linear(v[x], v[w], v[b])) if a.get("transB", 0) else (lambda v: F.linear(v[x], v[w].t(), v[b]))

    def op_concat(self, n, a):
        return lambda v: torch.cat([v[name] for name in n["inputs"]], a["axis"])

    def op_pad(self, n, a):
        pads = self.tensors[n["inputs"][1]].tolist()
        rank = len(pads) // 2
        extra = [p for i in reversed(range(rank)) for p in (pads[i], pads[rank + i])]
        return lambda v: F.pad(v[n["inputs"][0]], extra)

    def op_averagepool(self, n, a):
        k, pads = a["kernel_shape"], a.get("pads", [0, 0])
        return lambda v: F.avg_pool2d(v[n["inputs"][0]], k, a.get("strides", [1] * len(k)), pads[:2],
                                      bool(a.get("ceil_mode", 0)), bool(a.get("count_include_pad", 0)))

    def op_maxpool(self, n, a):
        k, pads = a["kernel_shape"], a.get("pads", [0, 0])
        return lambda v: F.max_pool2d(v[n["inputs"][0]], k, a.get("strides", [1] * len(k)), pads[:2],
                                      a.get("dilations", 1), bool(a.get("ceil_mode", 0)))

    def run(self):
        values = dict(self.tensors)
        for output, call in self.calls:
            values[output] = call(values)
        return values


def main():
    spec = json.loads(sys.stdin.readline())
    torch.set_num_threads(spec["threads"])
    tensors = read_tensors(spec)
    for name in spec["trained"]:
        tensors[name].requires_grad_(True)
    if spec["channels_last"]:
        for name, t in tensors.items():
            if t.dim() == 4:
                tensors[name] = t.detach().contiguous(memory_format=torch.channels_last).requires_grad_(t.requires_grad)
    branches = Branches(spec["nodes"], tensors, spec["trained"], spec["batch_norm"] == "batch")
    optimizer = torch.optim.SGD([tensors[name] for name in spec["trained"]], lr=spec["learning_rate"],
                                momentum=spec["momentum"], weight_decay=spec["weight_decay"])
    labels, edited, has_edit = tensors["labels"], tensors["edited"], tensors["has_edit"]

    def step():
        optimizer.zero_grad(set_to_none=True)
        values = branches.run()
        att = F.cross_entropy(values[spec["logits_att"]], labels)
        per = F.cross_entropy(values[spec["logits_per"]], labels)
        maps = values[spec["map"]].flatten(1)
        distance = torch.sqrt((maps - edited).square().sum(1) + 1e-12)
        distance = (distance * has_edit).sum() / has_edit.sum().clamp(min=1)
        (att + per + distance).backward()
        optimizer.step()
        return att.item(), per.item(), distance.item()

    print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for _ in sys.stdin:
        start, used = time.perf_counter(), time.process_time()
        att, per, distance = step()
        took, used = time.perf_counter() - start, time.process_time() - used
        print(json.dumps({"seconds": took, "processor": used, "att": att, "per": per, "distance": distance}), flush=True)


if __name__ == "__main__":
    main()
