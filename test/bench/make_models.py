"""Seeded random-weight ONNX models and the Triton repositories of the bench: make_models.py OUT

Writes OUT/onnx/BASE.onnx and OUT/repo/MODEL/{config.pbtxt,1/model.onnx}. Variants of each base: BASE (one instance, no
batching), _i2 (two instances), _dyn (batching without a window), _db (a window of 1000 us); OUT/repo_tiny has tiny_mlp
alone. One thread per session everywhere.
"""

import os
import shutil
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = sys.argv[1]
RNG = np.random.default_rng(7)
DATATYPES = {"FP32": TensorProto.FLOAT, "INT64": TensorProto.INT64}


class Graph:
    """Collects nodes and weights; every method returns the name of what it made."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def constant(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def floats(self, value):
        return self.constant(np.float32(value))

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def random(self, *shape, scale=None):
        fan = int(np.prod(shape[1:])) if len(shape) == 4 else shape[0]
        return self.constant((RNG.standard_normal(shape) * (scale or np.sqrt(1 / fan))).astype(np.float32))

    def op(self, kind, inputs, output=None, **attributes):
        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def linear(self, x, rows, columns, scale=None, bias=0.1, output=None):
        product = self.op("MatMul", [x, self.random(rows, columns, scale=scale)])
        return self.op("Add", [product, self.random(columns, scale=bias)], output)

    def save(self, name, inputs, outputs):
        values = lambda side: [helper.make_tensor_value_info(n, DATATYPES[t], ["N", *dims]) for n, t, dims in side]
        graph = helper.make_graph(self.nodes, name, values(inputs), values(outputs), self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        os.makedirs(f"{OUT}/onnx", exist_ok=True)
        onnx.save(model, f"{OUT}/onnx/{name}.onnx")


def tiny_mlp(g):
    g.linear(g.op("Relu", [g.linear("x", 16, 32)]), 32, 4, output="y")


def identity_big(g):
    g.op("Identity", ["INPUT0"], "OUTPUT0")


def resnet18(g):
    def conv(x, inner, outer, size, stride, pad):
        weights = g.random(outer, inner, size, size, scale=np.sqrt(2 / (inner * size * size)))
        y = g.op("Conv", [x, weights], kernel_shape=[size, size], strides=[stride, stride], pads=[pad] * 4)
        full = lambda value: g.constant(np.full(outer, value, np.float32))
        return g.op("BatchNormalization", [y, full(1), full(0), full(0), full(1)], epsilon=1e-5)

    x = g.op("Relu", [conv("data", 3, 64, 7, 2, 3)])
    x = g.op("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    inner = 64
    for outer, first_stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for stride in (first_stride, 1):
            shortcut = x if stride == 1 and inner == outer else conv(x, inner, outer, 1, stride, 0)
            y = conv(g.op("Relu", [conv(x, inner, outer, 3, stride, 1)]), outer, outer, 3, 1, 1)
            x = g.op("Relu", [g.op("Add", [y, shortcut])])
            inner = outer
    x = g.op("Flatten", [g.op("GlobalAveragePool", [x])], axis=1)
    g.op("Gemm", [x, g.random(512, 1000, scale=0.02), g.random(1000, scale=0.01)], "resnetv15_dense0_fwd")


def minilm(g, layers=6, width=384, heads=12, inner=1536, words=2000, length=128):
    linear = lambda x, rows, columns: g.linear(x, rows, columns, scale=0.03, bias=0.01)
    ones, zeros = g.constant(np.ones(width, np.float32)), g.constant(np.zeros(width, np.float32))
    norm = lambda x: g.op("LayerNormalization", [x, ones, zeros], axis=-1, epsilon=1e-12)
    split, join = g.ints(0, 0, heads, width // heads), g.ints(0, 0, width)
    one, half, root2, root = g.floats(1), g.floats(0.5), g.floats(np.sqrt(2)), g.floats(np.sqrt(width // heads))
    positions = g.constant((RNG.standard_normal((1, length, width)) * 0.1).astype(np.float32))
    x = norm(g.op("Add", [g.op("Gather", [g.random(words, width, scale=0.5), "input_ids"]), positions]))
    mask = g.op("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    hidden = g.op("Sub", [one, g.op("Unsqueeze", [mask, g.ints(1, 2)])])
    bias = g.op("Mul", [hidden, g.floats(-10000)])
    for _ in range(layers):
        head = lambda t, order: g.op("Transpose", [g.op("Reshape", [t, split])], perm=order)
        query, key, value = (head(linear(x, width, width), order) for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
        scores = g.op("Add", [g.op("Div", [g.op("MatMul", [query, key]), root]), bias])
        mixed = g.op("MatMul", [g.op("Softmax", [scores], axis=-1), value])
        mixed = g.op("Reshape", [g.op("Transpose", [mixed], perm=[0, 2, 1, 3]), join])
        x = norm(g.op("Add", [linear(mixed, width, width), x]))
        h = linear(x, width, inner)
        gelu = g.op("Mul", [h, g.op("Add", [g.op("Erf", [g.op("Div", [h, root2])]), one])])
        x = norm(g.op("Add", [linear(g.op("Mul", [gelu, half]), inner, width), x]))
    weights = g.op("Unsqueeze", [mask, g.ints(2)])
    total = g.op("ReduceSum", [g.op("Mul", [x, weights]), g.ints(1)], keepdims=0)
    count = g.op("Max", [g.op("ReduceSum", [weights, g.ints(1)], keepdims=0), g.constant(np.array([1e-9], np.float32))])
    g.op("Div", [total, count], "sentence_embedding")


MODELS = {
    "tiny_mlp": (tiny_mlp, [("x", "FP32", [16])], [("y", "FP32", [4])]),
    "identity_big": (identity_big, [("INPUT0", "FP32", [150528])], [("OUTPUT0", "FP32", [150528])]),
    "resnet18": (resnet18, [("data", "FP32", [3, 224, 224])], [("resnetv15_dense0_fwd", "FP32", [1000])]),
    "minilm": (
        minilm,
        [("input_ids", "INT64", [128]), ("attention_mask", "INT64", [128])],
        [("sentence_embedding", "FP32", [384])],
    ),
}
# Suffix: instances, window in microseconds (None: no dynamic batching).
VARIANTS = {"": (1, None), "_i2": (2, None), "_dyn": (1, 0), "_db": (1, 1000)}


def config(name, inputs, outputs, instances, window):
    text = f'name: "{name}"\nplatform: "onnxruntime_onnx"\nmax_batch_size: 32\n'
    for side, tensors in (("input", inputs), ("output", outputs)):
        for tensor, datatype, dims in tensors:
            text += f'{side} [ {{ name: "{tensor}" data_type: TYPE_{datatype} dims: {dims} }} ]\n'
    text += f"instance_group [ {{ count: {instances} kind: KIND_CPU }} ]\n"
    for key in ("intra_op_thread_count", "inter_op_thread_count"):
        text += f'parameters {{ key: "{key}" value: {{ string_value: "1" }} }}\n'
    if window is not None:
        text += f"dynamic_batching {{ max_queue_delay_microseconds: {window} }}\n" if window else "dynamic_batching { }\n"
    return text


def add_to(repository, name, base, text):
    os.makedirs(f"{OUT}/{repository}/{name}/1", exist_ok=True)
    with open(f"{OUT}/{repository}/{name}/config.pbtxt", "w") as file:
        file.write(text)
    target = f"{OUT}/{repository}/{name}/1/model.onnx"
    if os.path.exists(target):
        os.unlink(target)
    shutil.copy(f"{OUT}/onnx/{base}.onnx", target)


for base, (build, inputs, outputs) in MODELS.items():
    graph = Graph()
    build(graph)
    graph.save(base, inputs, outputs)
    for suffix, (instances, window) in VARIANTS.items():
        add_to("repo", base + suffix, base, config(base + suffix, inputs, outputs, instances, window))
add_to("repo_tiny", "tiny_mlp", "tiny_mlp", config("tiny_mlp", MODELS["tiny_mlp"][1], MODELS["tiny_mlp"][2], 1, None))
