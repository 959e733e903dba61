"""Requests that run as one call of a library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

import numpy as np
import triton_python_backend_utils as pb_utils

from .datatypes import as_bytes

Arrays = dict[str, Any]
# From inputs and the names of the wanted outputs to at least these.
Call = Callable[[Arrays, set[str]], Mapping[str, Any]]


class Batcher:
    """Runs requests by `call`: together where the model batches and their shapes allow it, else one by one.

    Where a joined call fails, each request runs alone, so that a bad one does not fail the others.
    """

    def __init__(self, config: dict[str, Any], call: Call, failure: str) -> None:
        """`failure`: what the texts of errors begin with."""
        self._call = call
        self._failure = failure
        self._batches = int(config.get("max_batch_size") or 0) > 0
        # numpy has no such numbers: the library takes the tensor itself.
        self._raw = {io["name"] for io in config["input"] if io["data_type"] == "TYPE_BF16"}
        self._outputs = {io["name"]: _Output(io, self._batches) for io in config["output"]}

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One response for each request."""
        inputs = [self._arrays(request) for request in requests]
        wanted = [self._wanted(request) for request in requests]
        if len(requests) > 1 and self._batches and _joinable(inputs):
            joined = {name: np.concatenate([one[name] for one in inputs]) for name in inputs[0]}
            rows = [next(iter(one.values())).shape[0] for one in inputs]
            try:
                outputs = self._run(joined, set().union(*wanted), sum(rows))
            except Exception:
                pass
            else:
                ends = np.cumsum(rows)
                return [
                    self._response({name: outputs[name][end - count : end] for name in names})
                    for end, count, names in zip(ends, rows, wanted)
                ]
        return [self._alone(one, names) for one, names in zip(inputs, wanted)]

    def _arrays(self, request: Any) -> Arrays:
        arrays = {}
        for tensor in request.inputs():
            name = tensor.name()
            arrays[name] = tensor if name in self._raw else tensor.as_numpy()
        return arrays

    def _alone(self, inputs: Arrays, wanted: set[str]) -> Any:
        try:
            rows = next(iter(inputs.values())).shape[0] if self._batches else None
            return self._response(self._run(inputs, wanted, rows))
        except Exception as error:
            text = str(error) or type(error).__name__
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"{self._failure}: {text}"))

    def _run(self, inputs: Arrays, wanted: set[str], rows: int | None) -> Arrays:
        made = self._call(inputs, wanted)
        outputs = {name: self._outputs[name].fit(made[name]) for name in wanted}
        for name, array in outputs.items():
            if rows is not None and array.shape[:1] != (rows,):
                raise ValueError(
                    f"output '{name}' has shape {list(array.shape)} for a batch of {rows}: "
                    "the model does not batch, set max_batch_size to 0"
                )
        return outputs

    def _wanted(self, request: Any) -> set[str]:
        return {name for name in request.requested_output_names() if name in self._outputs}

    def _response(self, arrays: Arrays) -> Any:
        return pb_utils.InferenceResponse([tensor_of(name, array) for name, array in arrays.items()])


class _Output:
    """An output of the configuration."""

    def __init__(self, io: Mapping[str, Any], batches: bool) -> None:
        name = io["data_type"].replace("TYPE_", "")
        self._bytes = name in ("STRING", "BYTES")
        self._dtype = None if self._bytes or name == "BF16" else pb_utils.triton_string_to_numpy(io["data_type"])
        self._dims = len(io["dims"]) + (1 if batches else 0)

    def fit(self, value: Any) -> Any:
        """`value` with the configuration's datatype and number of dimensions; no number becomes another."""
        if not isinstance(value, np.ndarray):
            if hasattr(value, "__dlpack__"):
                return value
            value = np.asarray(value)
        if self._bytes:
            value = as_bytes(value)
        elif self._dtype is not None and value.dtype != self._dtype:
            value = value.astype(self._dtype, casting="same_kind")
        return value[..., None] if value.ndim == self._dims - 1 else value


def tensor_of(name: str, value: Any) -> Any:
    """A named tensor of an array, or of anything that knows DLPack."""
    if isinstance(value, np.ndarray):
        return pb_utils.Tensor(name, value)
    return pb_utils.Tensor.from_dlpack(name, value)


def _joinable(inputs: Sequence[Arrays]) -> bool:
    first = inputs[0]
    if not all(isinstance(array, np.ndarray) and array.ndim > 0 for array in first.values()):
        return False
    return all(
        one.keys() == first.keys() and all(one[name].shape[1:] == first[name].shape[1:] for name in first)
        for one in inputs[1:]
    )
