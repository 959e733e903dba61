"""What the tests of the worker share: a real worker on a model that the test writes."""

from __future__ import annotations

import os
import tempfile
import textwrap
import unittest
from typing import Any, Sequence

import numpy as np

from server_double import Frame, ServerDouble

CONFIG = {
    "name": "m",
    "max_batch_size": 0,
    "input": [{"name": "IN", "data_type": "TYPE_FP32", "dims": [-1]}],
    "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [-1]}],
}
HEAD = """
import json
import numpy as np
import triton_python_backend_utils as pb_utils
"""


class WorkerCase(unittest.TestCase):
    """Ends the workers and removes the models of a test."""

    def write(self, source: str, name: str = "model.py", head: str = HEAD) -> str:
        """Writes a file of the model's version folder; gives its path."""
        if not hasattr(self, "folder"):
            temporary = tempfile.TemporaryDirectory()
            self.addCleanup(temporary.cleanup)
            self.folder = os.path.join(temporary.name, "m", "1")
            os.makedirs(self.folder)
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(head + textwrap.dedent(source))
        return path

    def double(self, **options: Any) -> ServerDouble:
        """A server with a worker that has not opened anything."""
        server = ServerDouble(**options)
        self.addCleanup(server.end)
        return server

    def started(
        self, source: str, config: dict[str, Any] | None = None, **fields: Any
    ) -> ServerDouble:
        """A worker whose model has been initialized."""
        path = self.write(source)
        server = self.double()
        opened = server.open(path, config or CONFIG, **fields)
        self.assertEqual(opened["kind"], "opened", opened)
        started = server.start()
        self.assertEqual(started["kind"], "started", started)
        return server

    def execute(self, body: str, **fields: Any) -> ServerDouble:
        """A worker whose model has this body of `execute(self, requests)`."""
        indented = textwrap.indent(textwrap.dedent(body), " " * 8)
        return self.started(
            f"class TritonPythonModel:\n    def execute(self, requests):\n{indented}\n", **fields
        )

    def answer(
        self, server: ServerDouble, inputs: dict[str, np.ndarray] | None = None, **fields: Any
    ) -> Frame:
        """Runs one request; the `ran` that comes of it."""
        server.run(1, [inputs or {"IN": FOUR}], **fields)
        return server.expect("ran")

    def outputs(self, server: ServerDouble, wires: Sequence[Any]) -> dict[str, np.ndarray]:
        """Tensors of a frame by name."""
        return {wire[0]: server.tensor(wire) for wire in wires}


FOUR = np.arange(4, dtype=np.float32)
