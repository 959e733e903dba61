"""Requests that several of the gRPC tests send."""

import os

import numpy as np
import tritonclient.grpc as client

URL = os.environ["CLIENTS_GRPC_URL"]
LEFT = np.arange(16, dtype=np.int32).reshape(1, 16)
RIGHT = np.ones((1, 16), np.int32)


def tensors(left, right, datatype="INT32"):
    inputs = [client.InferInput(name, list(array.shape), datatype) for name, array in (("INPUT0", left), ("INPUT1", right))]
    inputs[0].set_data_from_numpy(left)
    inputs[1].set_data_from_numpy(right)
    return inputs


# A model and its inputs: one request alone waits 100 ms for others.
LATE = ("dyn_prio", tensors(LEFT.astype(np.float32), RIGHT.astype(np.float32), "FP32"))


def sequence_input(value):
    given = client.InferInput("INPUT", [1, 1], "INT32")
    given.set_data_from_numpy(np.array([[value]], np.int32))
    return [given]


def repeat_inputs(values, delay_ms=0):
    """For `repeat`: one response for each of `values`, `delay_ms` after the one before."""
    arrays = (("IN", values, np.int32, "INT32"), ("DELAY", [delay_ms] * len(values), np.uint32, "UINT32"), ("WAIT", [0], np.uint32, "UINT32"))
    inputs = []
    for name, array, dtype, datatype in arrays:
        one = client.InferInput(name, [len(array)], datatype)
        one.set_data_from_numpy(np.array(array, dtype))
        inputs.append(one)
    return inputs
