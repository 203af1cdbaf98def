"""Writes small segmenters with the interfaces of SAM's, MobileSAM's and EfficientSAM's usual exports.

    python export.py        # needs onnx and numpy

The encoder keeps the mean colour of every 16 x 16 pixels. The decoder answers where the colour is nearer to that under a point with
label 1 than to that under any point with label 0, and near at all.
"""

import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper

SIDE, CELL = 256, 16
CELLS = SIDE // CELL  # of the embedding; its masks have four times as many, as SAM's do
NEAR, FAR = 0.5, 1e6
MEAN, STD = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])


class Graph:
    def __init__(self):
        self.nodes, self.constants = [], []

    def const(self, value, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def add(self, op, *inputs, out=None, **attributes):
        out = out or f"v{len(self.nodes)}"
        self.nodes.append(h.make_node(op, list(inputs), [out], **attributes))
        return out

    def save(self, name, inputs, outputs):
        value = lambda v: h.make_tensor_value_info(*v)
        graph = h.make_graph(self.nodes, name, [value(v) for v in inputs], [value(v) for v in outputs], self.constants)
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8, producer_name="abn-studio testdata")
        onnx.checker.check_model(model)
        onnx.save(model, name + ".onnx")


EMBEDDING = ("image_embeddings", T.FLOAT, [1, 3, CELLS, CELLS])


def pool(g, x):
    g.add("AveragePool", x, out="image_embeddings", kernel_shape=[CELL, CELL], strides=[CELL, CELL])


def sam_encoder():
    """The image encoder alone: normalised and padded outside."""
    g = Graph()
    pool(g, "input_image")
    g.save("sam_encoder", [("input_image", T.FLOAT, [1, 3, SIDE, SIDE])], [EMBEDDING])


def sam_encoder_hwc(name, dtype):
    """With its preprocessing (samexporter --use-preprocess): pixels of a picture that was brought to the side."""
    g = Graph()
    x = g.add("Cast", "input_image", to=T.FLOAT) if dtype != T.FLOAT else "input_image"
    x = g.add("Transpose", g.add("Div", g.add("Sub", x, g.const(MEAN)), g.const(STD)), perm=[2, 0, 1])
    size = g.add("Slice", g.add("Shape", x), g.const([1], np.int64), g.const([3], np.int64))
    pads = g.add("Concat", g.const([0, 0, 0, 0], np.int64), g.add("Sub", g.const([SIDE, SIDE], np.int64), size), axis=0)
    pool(g, g.add("Unsqueeze", g.add("Pad", x, pads), g.const([0], np.int64)))
    g.save(name, [("input_image", dtype, ["image_height", "image_width", 3])], [EMBEDDING])


def efficient_encoder():
    g = Graph()
    size = g.const([1, 3, SIDE, SIDE], np.int64)
    x = g.add("Resize", "batched_images", "", "", size, mode="linear", coordinate_transformation_mode="half_pixel")
    shape = lambda v: g.const((v / 255).reshape(1, 3, 1, 1))
    pool(g, g.add("Div", g.add("Sub", x, shape(MEAN)), shape(STD)))
    g.save("efficient_encoder", [("batched_images", T.FLOAT, ["batch", 3, "height", "width"])], [EMBEDDING])


def answer(g, coords, labels):
    """coords (N,2) in pixels of the side, labels (N): the logits (1,1,CELLS,CELLS)."""
    cells = g.add("Clip", g.add("Floor", g.add("Div", coords, g.const([CELL, CELL]))), g.const(0), g.const(CELLS - 1))
    at = g.add("Cast", g.add("ReduceSum", g.add("Mul", cells, g.const([1, CELLS])), g.const([1], np.int64), keepdims=0), to=T.INT64)
    flat = g.add("Reshape", "image_embeddings", g.const([3, CELLS * CELLS], np.int64))
    under = g.add("Gather", flat, at, axis=1)  # (3,N)
    apart = g.add("Sub", g.add("Unsqueeze", under, g.const([2], np.int64)), g.add("Unsqueeze", flat, g.const([1], np.int64)))
    far = g.add("ReduceSum", g.add("Mul", apart, apart), g.const([0], np.int64), keepdims=0)  # (N,cells)

    def nearest(label):
        other = g.add("Not", g.add("Equal", labels, g.const(label)))
        barred = g.add("Mul", g.add("Cast", other, to=T.FLOAT), g.const(FAR))
        return g.add("ReduceMin", g.add("Add", far, g.add("Unsqueeze", barred, g.const([1], np.int64))), axes=[0], keepdims=0)

    wanted, unwanted = nearest(1), nearest(0)
    logits = g.add("Min", g.add("Sub", g.const(NEAR), wanted), g.add("Sub", unwanted, wanted))
    return g.add("Reshape", g.add("Sign", logits), g.const([1, 1, CELLS, CELLS], np.int64))  # equal on both sides of an edge


def resized(g, x, sizes, out=None):
    return g.add("Resize", x, "", "", sizes, out=out, mode="nearest")


def sam_decoder():
    g = Graph()
    logits = answer(g, g.add("Squeeze", "point_coords", g.const([0], np.int64)), g.add("Squeeze", "point_labels", g.const([0], np.int64)))
    resized(g, logits, g.const([1, 1, 4 * CELLS, 4 * CELLS], np.int64), out="low_res_masks")
    size = g.add("Concat", g.const([1, 1], np.int64), g.add("Cast", "orig_im_size", to=T.INT64), axis=0)
    resized(g, logits, size, out="masks")
    g.add("Constant", out="iou_predictions", value=numpy_helper.from_array(np.float32([[0.9]])))
    g.save("sam_decoder", [
        EMBEDDING, ("point_coords", T.FLOAT, [1, "num_points", 2]), ("point_labels", T.FLOAT, [1, "num_points"]),
        ("mask_input", T.FLOAT, [1, 1, 4 * CELLS, 4 * CELLS]), ("has_mask_input", T.FLOAT, [1]), ("orig_im_size", T.FLOAT, [2]),
    ], [("masks", T.FLOAT, [1, 1, "h", "w"]), ("iou_predictions", T.FLOAT, [1, 1]), ("low_res_masks", T.FLOAT, [1, 1, 4 * CELLS, 4 * CELLS])])


def efficient_decoder():
    """Three masks, of which the second is meant; points in pixels of the picture."""
    g = Graph()
    size = g.add("Cast", "orig_im_size", to=T.FLOAT)
    width_height = g.add("Gather", size, g.const([1, 0], np.int64))
    points = g.add("Squeeze", "batched_point_coords", g.const([0, 1], np.int64))
    points = g.add("Mul", points, g.add("Div", g.const([SIDE, SIDE]), width_height))
    logits = answer(g, points, g.add("Squeeze", "batched_point_labels", g.const([0, 1], np.int64)))
    nothing, everything = g.add("Sub", g.add("Mul", logits, g.const(0)), g.const(1)), g.add("Add", g.add("Mul", logits, g.const(0)), g.const(1))
    three = g.add("Concat", nothing, logits, everything, axis=1)
    masks = resized(g, three, g.add("Concat", g.const([1, 3], np.int64), "orig_im_size", axis=0))
    g.add("Unsqueeze", masks, g.const([1], np.int64), out="output_masks")
    g.add("Constant", out="iou_predictions", value=numpy_helper.from_array(np.float32([[[0.1, 0.9, 0.5]]])))
    g.save("efficient_decoder", [
        ("image_embeddings", T.FLOAT, ["batch", 3, CELLS, CELLS]), ("batched_point_coords", T.FLOAT, [1, 1, "num_points", 2]),
        ("batched_point_labels", T.FLOAT, [1, 1, "num_points"]), ("orig_im_size", T.INT64, [2]),
    ], [("output_masks", T.FLOAT, [1, 1, 3, "h", "w"]), ("iou_predictions", T.FLOAT, [1, 1, 3])])


sam_encoder()
sam_encoder_hwc("sam_encoder_hwc", T.FLOAT)
sam_encoder_hwc("sam_encoder_bytes", T.UINT8)
sam_decoder()
efficient_encoder()
efficient_decoder()
