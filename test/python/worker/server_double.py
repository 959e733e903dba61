"""The server's end of a worker's channel, for tests: starts a real worker process and speaks the protocol with it."""

from __future__ import annotations

import json
import mmap
import os
import socket
import struct
import subprocess
import sys
from typing import Any, Dict, Sequence

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
MAIN = os.path.join(HERE, "..", "..", "..", "native", "python", "worker", "main.py")

DTYPES = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "u2", "UINT32": "u4", "UINT64": "u8", "INT8": "i1", "INT16": "i2",
    "INT32": "i4", "INT64": "i8", "FP16": "f2", "FP32": "f4", "FP64": "f8", "BF16": "u2",
}  # fmt: skip
NAMES = {np.dtype(code): name for name, code in DTYPES.items() if name != "BF16"}

Frame = Dict[str, Any]

# How long a frame that must come is waited for.
PATIENCE_SECONDS = 20


class ServerDouble:
    """One worker. Blocks of its memory are handed out one behind the other, and never used again."""

    def __init__(self, size: int = 1 << 20) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE_SECONDS)
        self.socket = ours
        self.size = size
        self.sent_fd = os.memfd_create("sent")
        self.got_fd = os.memfd_create("got")
        os.ftruncate(self.sent_fd, size)
        os.ftruncate(self.got_fd, size)
        self.sent = mmap.mmap(self.sent_fd, size)
        self.next = 0
        self.buffer = b""
        self.freed: list[int] = []
        self.frames: list[Frame] = []
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _LAUNCH,
                str(theirs.fileno()),
                str(self.sent_fd),
                str(self.got_fd),
                MAIN,
            ],
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(), self.sent_fd, self.got_fd),
        )
        theirs.close()

    def send(self, frame: Frame) -> None:
        text = json.dumps(frame).encode()
        self.socket.sendall(struct.pack("<I", len(text)) + text)

    def send_all(self, frames: Sequence[Frame]) -> None:
        """Sends several frames in one piece."""
        texts = [json.dumps(frame).encode() for frame in frames]
        self.socket.sendall(b"".join(struct.pack("<I", len(text)) + text for text in texts))

    def receive_raw(self) -> Frame:
        """The next frame as it comes."""
        return json.loads(self._exactly(struct.unpack("<I", self._exactly(4))[0]))

    def receive(self) -> Frame:
        """The next frame that says something; `free` is put aside, also where it comes alone."""
        while True:
            frame = self.receive_raw()
            self.freed.extend(frame.pop("free", ()))
            if frame["kind"] != "free":
                return frame

    def expect(self, kind: str) -> Frame:
        """The next frame of a kind; the others are kept in `frames`."""
        while True:
            frame = self.receive()
            if frame["kind"] == kind:
                return frame
            self.frames.append(frame)

    def _exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("the worker has gone")
            self.buffer += data
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def put(self, tensors: Sequence[tuple[str, np.ndarray]]) -> tuple[int, list[Any]]:
        """Writes tensors into a new block: its offset and the tensors as frames tell them."""
        block = self.next
        wires = []
        for name, array in tensors:
            if array.dtype == object:
                data = b"".join(
                    struct.pack("<I", len(element)) + element for element in array.ravel()
                )
                datatype = "BYTES"
            else:
                data, datatype = array.tobytes(), NAMES[array.dtype]
            self.sent[self.next : self.next + len(data)] = data
            wires.append([name, datatype, list(array.shape), self.next, len(data)])
            self.next += (len(data) + 63) & ~63
        return block, wires

    def tensor(self, wire: list[Any]) -> np.ndarray:
        """A tensor of the worker, copied."""
        _, datatype, shape, at, length = wire
        data = os.pread(self.got_fd, length, at)
        if datatype == "BYTES":
            elements, position = [], 0
            while position < length:
                (size,) = struct.unpack_from("<I", data, position)
                elements.append(data[position + 4 : position + 4 + size])
                position += 4 + size
            return np.array(elements, dtype=object).reshape(shape)
        return np.frombuffer(data, DTYPES[datatype]).reshape(shape)

    def open(self, path: str, config: dict[str, Any] | None = None, **fields: Any) -> Frame:
        config = config or {"name": "m", "input": [], "output": []}
        self.config = config
        self.send(
            {
                "kind": "open",
                "path": path,
                "config": json.dumps(config),
                "args": {"model_name": "m"},
                **fields,
            }
        )
        return self.receive()

    def start(self, **args: str) -> Frame:
        self.send(
            {
                "kind": "start",
                "args": {
                    "model_config": json.dumps(self.config),
                    "model_instance_kind": "CPU",
                    "model_instance_name": "m_0_0",
                    "model_instance_device_id": "0",
                    "model_repository": "/models/m",
                    "model_version": "1",
                    "model_name": "m",
                    **args,
                },
            }
        )
        return self.receive()

    def run(
        self,
        run: int,
        requests: Sequence[dict[str, np.ndarray]],
        decoupled: bool = False,
        **fields: Any,
    ) -> None:
        wires = []
        block = self.next
        for inputs in requests:
            wires.append({"inputs": self.put(list(inputs.items()))[1], **fields})
        self.send(
            {"kind": "run", "run": run, "decoupled": decoupled, "requests": wires, "block": block}
        )

    def close(self) -> int:
        """Ends the worker by `finish` and gives its exit status."""
        try:
            self.send({"kind": "finish"})
            self.expect("finished")
        except (OSError, EOFError):
            pass
        self.socket.close()
        return self.process.wait(PATIENCE_SECONDS)

    def end(self) -> None:
        """Kills the worker if it is still there, and gives everything back."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.socket.close()
        self.sent.close()
        os.close(self.sent_fd)
        os.close(self.got_fd)


# subprocess cannot place descriptors at given numbers.
_LAUNCH = """
import fcntl, os, sys
numbers = [int(text) for text in sys.argv[1:4]]
high = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 200) for number in numbers]
for index, number in enumerate(high):
    os.dup2(number, 3 + index)
os.execv(sys.executable, [sys.executable, sys.argv[4]])
"""
