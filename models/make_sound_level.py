"""Writes `sound_level`, a small model for streams: it keeps its state between the chunks of a sequence.

    python -m venv .venv && .venv/bin/pip install -r models/requirements.txt && .venv/bin/python models/make_sound_level.py

Nothing is trained: the smoothed energy of 16 kHz samples, in decibels, and for how long it was that of speech.
"""

import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# What ONNX Runtime of Triton 2.51 can read, and newer ones still can.
IR_VERSION = 8
OPSET = 17

RATE = 16_000
# Louder than this is speech.
SPEECH_DB = -40.0
# How much of the energy before a chunk is left after it.
KEEP = 0.7


def constant(name, value):
    return numpy_helper.from_array(np.asarray(value), name)


def make():
    f32, boolean = TensorProto.FLOAT, TensorProto.BOOL
    node = helper.make_node
    nodes = [
        # energy = KEEP * energy before + (1 - KEEP) * mean square of the chunk
        node("Mul", ["samples", "samples"], ["squares"]),
        node("ReduceMean", ["squares"], ["power"], axes=[1], keepdims=1),
        node("Mul", ["power", "share"], ["new"]),
        node("Mul", ["energy_before", "keep"], ["old"]),
        node("Add", ["old", "new"], ["energy"]),
        # level = 10 * log10(energy)
        node("Max", ["energy", "silence"], ["audible"]),
        node("Log", ["audible"], ["logarithm"]),
        node("Mul", ["logarithm", "decibels"], ["level"]),
        # seconds of speech without a pause
        node("Greater", ["level", "threshold"], ["speech"]),
        node("Shape", ["samples"], ["shape"]),
        node("Gather", ["shape", "columns"], ["length"]),
        node("Cast", ["length"], ["count"], to=f32),
        node("Mul", ["count", "period"], ["duration"]),
        node("Add", ["seconds_before", "duration"], ["longer"]),
        node("Where", ["speech", "longer", "zero"], ["seconds"]),
        node("Identity", ["energy"], ["energy_after"]),
        node("Identity", ["seconds"], ["seconds_after"]),
    ]
    constants = {
        "share": np.float32(1 - KEEP),
        "keep": np.float32(KEEP),
        "silence": np.float32(1e-10),
        "decibels": np.float32(10 / np.log(10)),
        "threshold": np.float32(SPEECH_DB),
        "columns": np.int64(1),
        "period": np.float32(1 / RATE),
        "zero": np.float32(0),
    }
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "sound_level",
        [
            value("samples", f32, ["rows", "length"]),
            value("energy_before", f32, ["rows", 1]),
            value("seconds_before", f32, ["rows", 1]),
        ],
        [
            value("level", f32, ["rows", 1]),
            value("speech", boolean, ["rows", 1]),
            value("seconds", f32, ["rows", 1]),
            value("energy_after", f32, ["rows", 1]),
            value("seconds_after", f32, ["rows", 1]),
        ],
        [constant(name, array) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    model.producer_name = "nereid models/make_sound_level.py"
    onnx.checker.check_model(model)
    return model


folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sound_level", "1")
os.makedirs(folder, exist_ok=True)
onnx.save(make(), os.path.join(folder, "model.onnx"))
