"""Models of a test, with questions to them and the answers of the library that made them."""

from __future__ import annotations

import json
import pathlib
import sys

import numpy as np

DATATYPES = {
    "float32": "FP32",
    "float64": "FP64",
    "int32": "INT32",
    "int64": "INT64",
    "object": "BYTES",
}


class Cases:
    """A repository in the folder that the command line names, and `cases.json` beside its models."""

    def __init__(self):
        self.repository = pathlib.Path(sys.argv[1])
        self._cases = []

    def folder(self, model, config=None):
        """The folder of version 1 of a model, with `config` as its config.pbtxt."""
        path = self.repository / model / "1"
        path.mkdir(parents=True, exist_ok=True)
        if config is not None:
            (path.parent / "config.pbtxt").write_text(config)
        return path

    def ask(self, model, inputs, outputs):
        """A request and its answer, both as arrays by name."""
        self._cases.append({"model": model, "inputs": _tensors(inputs), "outputs": _tensors(outputs)})

    def write(self):
        (self.repository / "cases.json").write_text(json.dumps(self._cases))


def _tensors(arrays):
    tensors = []
    for name, array in arrays.items():
        array = np.asarray(array)
        if array.dtype.kind in "US":
            array = array.astype(object)
        data = [item.decode() if isinstance(item, bytes) else item for item in array.reshape(-1).tolist()]
        tensors.append(
            {
                "name": name,
                "datatype": DATATYPES[str(array.dtype)],
                "shape": list(array.shape),
                "data": data,
            }
        )
    return tensors
