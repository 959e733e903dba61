"""A GPU as the runtime needs it: memory, copies and one stream."""

from __future__ import annotations

from typing import Any

import triton_python_backend_utils as pb_utils


class Device:
    """The GPU `ordinal`, and memory on it that is used again by the next run."""

    def __init__(self, cuda: Any, ordinal: int) -> None:
        self._cuda = cuda
        self._call("cudaSetDevice", ordinal)
        self.stream = self._call("cudaStreamCreate")
        self._memory: dict[str, tuple[int, int]] = {}

    def room(self, name: str, size: int) -> int:
        """The address of at least `size` bytes for the tensor `name`."""
        at, has = self._memory.get(name, (0, -1))
        if has < size:
            if has >= 0:
                self._call("cudaFree", at)
                del self._memory[name]
            at = self._call("cudaMalloc", max(size, 1))
            self._memory[name] = (at, size)
        return at

    def send(self, at: int, array: Any) -> None:
        """Copies an array to the address `at`, in the order of the stream."""
        self._copy(at, array.ctypes.data, array.nbytes, "cudaMemcpyHostToDevice")

    def fetch(self, at: int, array: Any) -> None:
        """Copies from the address `at` into an array, in the order of the stream."""
        self._copy(array.ctypes.data, at, array.nbytes, "cudaMemcpyDeviceToHost")

    def wait(self) -> None:
        """Returns when the stream has done all of it."""
        self._call("cudaStreamSynchronize", self.stream)

    def close(self) -> None:
        """Gives the memory back."""
        while self._memory:
            _, (at, _) = self._memory.popitem()
            self._call("cudaFree", at)
        if self.stream is not None:
            stream, self.stream = self.stream, None
            self._call("cudaStreamDestroy", stream)

    def _copy(self, to: int, source: int, size: int, kind: str) -> None:
        if size > 0:
            way = getattr(self._cuda.cudaMemcpyKind, kind)
            self._call("cudaMemcpyAsync", to, source, size, way, self.stream)

    def _call(self, name: str, *values: Any) -> Any:
        answer = getattr(self._cuda, name)(*values)
        code, made = (answer[0], answer[1:]) if isinstance(answer, tuple) else (answer, ())
        if int(code) != 0:
            raise pb_utils.TritonModelException(f"{name} failed: {self._text(code)} (CUDA error {int(code)})")
        return made[0] if made else None

    def _text(self, code: Any) -> str:
        text = self._cuda.cudaGetErrorString(code)
        text = text[1] if isinstance(text, tuple) else text
        return text.decode() if isinstance(text, bytes) else str(text)
