"""The convolutional digit classifier: two convolutions and two dense layers, trained with Adam in plain NumPy."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

CHANNELS = (16, 32)
HIDDEN = 64
EPOCHS = 60
BATCH = 32
RATE = 2e-3
DECAY = 1e-3
# Pixels of the data set are counts from 0 to 16.
BRIGHTEST = 16


def patches(images):
    """Every 3x3 neighbourhood, zeros outside: [N, C, H, W] -> [N, H, W, C * 9]."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    n, c, h, w = images.shape
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n, h, w, c * 9)


def unpatches(gradient, shape):
    """The transpose of `patches`: adds each neighbourhood's gradient back to its pixels."""
    n, c, h, w = shape
    padded = np.zeros((n, c, h + 2, w + 2), np.float32)
    pieces = gradient.reshape(n, h, w, c, 3, 3).transpose(0, 3, 4, 5, 1, 2)
    for y in range(3):
        for x in range(3):
            padded[:, :, y : y + h, x : x + w] += pieces[:, :, y, x]
    return padded[:, :, 1:-1, 1:-1]


def forward(p, images):
    """Scores before the softmax, and what the way back needs."""
    kept = []
    x = images / np.float32(BRIGHTEST)
    for layer in (0, 1):
        columns = patches(x)
        y = columns @ p[f"conv{layer}"].reshape(CHANNELS[layer], -1).T + p[f"conv{layer}_bias"]
        y = y.transpose(0, 3, 1, 2)
        n, c, h, w = y.shape
        blocks = np.maximum(y, 0).reshape(n, c, h // 2, 2, w // 2, 2)
        pooled = blocks.max(axis=(3, 5))
        kept.append((x.shape, columns, y, blocks, pooled))
        x = pooled
    flat = x.reshape(len(x), -1)
    hidden = np.maximum(flat @ p["dense0"] + p["dense0_bias"], 0)
    return hidden @ p["dense1"] + p["dense1_bias"], (kept, flat, hidden)


def gradients(p, images, labels):
    """Of the mean cross-entropy."""
    scores, (kept, flat, hidden) = forward(p, images)
    exps = np.exp(scores - scores.max(1, keepdims=True))
    d = exps / exps.sum(1, keepdims=True)
    d[np.arange(len(labels)), labels] -= 1
    d /= len(labels)
    g = {"dense1": hidden.T @ d, "dense1_bias": d.sum(0)}
    d = (d @ p["dense1"].T) * (hidden > 0)
    g["dense0"], g["dense0_bias"] = flat.T @ d, d.sum(0)
    d = (d @ p["dense0"].T).reshape(kept[1][4].shape)
    for layer in (1, 0):
        shape, columns, y, blocks, pooled = kept[layer]
        d = ((blocks == pooled[:, :, :, None, :, None]) * d[:, :, :, None, :, None]).reshape(y.shape) * (y > 0)
        d = d.transpose(0, 2, 3, 1)
        g[f"conv{layer}_bias"] = d.sum((0, 1, 2))
        flat_d = d.reshape(-1, CHANNELS[layer])
        g[f"conv{layer}"] = (flat_d.T @ columns.reshape(len(flat_d), -1)).reshape(p[f"conv{layer}"].shape)
        d = unpatches(d @ p[f"conv{layer}"].reshape(CHANNELS[layer], -1), shape)
    return g


def train_digits(images, labels, seed):
    """Trains on [N, 1, 8, 8] images with pixels 0..16 and returns the ONNX model."""
    rng = np.random.default_rng(seed)
    shapes = {
        "conv0": (CHANNELS[0], 1, 3, 3),
        "conv1": (CHANNELS[1], CHANNELS[0], 3, 3),
        "dense0": (CHANNELS[1] * 4, HIDDEN),
        "dense1": (HIDDEN, 10),
    }
    p = {}
    for name, shape in shapes.items():
        inputs = shape[0] if name.startswith("dense") else int(np.prod(shape[1:]))
        p[name] = (rng.standard_normal(shape) * np.sqrt(2 / inputs)).astype(np.float32)
        p[f"{name}_bias"] = np.zeros(shape[0] if name.startswith("conv") else shape[1], np.float32)
    first = {name: np.zeros_like(value) for name, value in p.items()}
    second = {name: np.zeros_like(value) for name, value in p.items()}
    step = 0
    for epoch in range(EPOCHS):
        order = rng.permutation(len(images))
        rate = RATE * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
        for start in range(0, len(order), BATCH):
            step += 1
            chosen = order[start : start + BATCH]
            for name, gradient in gradients(p, images[chosen], labels[chosen]).items():
                first[name] = 0.9 * first[name] + 0.1 * gradient
                second[name] = 0.999 * second[name] + 0.001 * gradient**2
                change = (first[name] / (1 - 0.9**step)) / (np.sqrt(second[name] / (1 - 0.999**step)) + 1e-8)
                p[name] = (p[name] - rate * (change + DECAY * p[name])).astype(np.float32)
    return to_model(p)


def to_model(p):
    node = helper.make_node
    nodes = [node("Div", ["image", "brightest"], ["scaled"])]
    value = "scaled"
    for layer in (0, 1):
        conv = [value, f"conv{layer}", f"conv{layer}_bias"]
        nodes += [
            node("Conv", conv, [f"c{layer}"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            node("Relu", [f"c{layer}"], [f"r{layer}"]),
            node("MaxPool", [f"r{layer}"], [f"p{layer}"], kernel_shape=[2, 2], strides=[2, 2]),
        ]
        value = f"p{layer}"
    nodes += [
        node("Flatten", [value], ["flat"]),
        node("Gemm", ["flat", "dense0", "dense0_bias"], ["d0"]),
        node("Relu", ["d0"], ["hidden"]),
        node("Gemm", ["hidden", "dense1", "dense1_bias"], ["logits"]),
        node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    constants = {**p, "brightest": np.float32([BRIGHTEST])}
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
