"""The channel to the server: frames of JSON, read by whoever waits and written by anybody."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import threading
from collections import deque
from typing import Any, Callable, Dict, Sequence

Frame = Dict[str, Any]

HEADER = struct.Struct("<I")
LARGEST_FRAME = 1 << 28
RECEIVE_BYTES = 1 << 16
# How often an idle worker looks before it sleeps, some 100 us in all: waking it costs the server as
# much as all else that it does for a request. Alone with the server on one processor it sleeps at
# once, and lets the server run.
LOOKS = 40

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode
_decode = json.JSONDecoder().decode


def _processors() -> int:
    # macOS has no affinity, and tells no better.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else 0


class ChannelClosed(Exception):
    """The server has gone, or this process is a child that the model forked."""


class Waiter:
    """Somebody who waits for the server. Whoever dispatches the awaited frame sets `done`."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False


class Channel:
    """Reads without a thread of its own: of those who wait, one reads for all.

    `dispatch` is called for each frame by the thread that has read it, never by two at a time, and
    must not block.
    """

    def __init__(self, descriptor: int, dispatch: Callable[[Frame], None]) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(True)
        self._dispatch = dispatch
        self._buffer = b""
        self._send_lock = threading.Lock()
        self._turn = threading.Condition(threading.Lock())
        self._reading = False
        self._closed = False
        self._executing = 0
        self._looks = LOOKS if _processors() > 1 else 0
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        # What finalizers left to be told. They run anywhere, also while this thread sends, so they
        # only append.
        self.freed: deque[int] = deque()
        self.afterwards: deque[Frame] = deque()
        self.grown: Callable[[], Sequence[int]] = tuple

    # Writing

    def send(self, frame: Frame) -> None:
        """Sends a frame, with what was freed and grown since the last one; waits while the server
        does not read.

        Raises ChannelClosed where nobody reads any more.
        """
        with self._send_lock:
            self._write(frame)
        if self.afterwards or (self.freed and not self._executing):
            self.flush()

    def flush(self) -> None:
        """Tells what finalizers have left, unless another thread is sending, which then does it."""
        while self.afterwards or self.freed:
            if not self._send_lock.acquire(blocking=False):
                return
            try:
                while self.afterwards:
                    self._write(self.afterwards.popleft())
                if self.freed:
                    self._write({"kind": "free"})
            except ChannelClosed:
                self.afterwards.clear()
                self.freed.clear()
            finally:
                self._send_lock.release()

    def finalized(self, at: int) -> None:
        """Takes note of a block that nobody reads any more. During an execution it waits for the
        next frame.
        """
        if self._closed:
            return
        self.freed.append(at)
        if not self._executing:
            self.flush()

    def later(self, frame: Frame) -> None:
        """Sends a frame from a finalizer, which may have interrupted a send of its own thread."""
        if not self._closed:
            self.afterwards.append(frame)
            self.flush()

    def begin(self) -> None:
        """An execution begins: a frame follows, which carries what is freed meanwhile."""
        self._executing += 1

    def end(self) -> None:
        """An execution ended. Called before its last frame is sent."""
        self._executing -= 1

    def _write(self, frame: Frame) -> None:
        if self._closed:
            raise ChannelClosed("the server has gone")
        for size in self.grown():
            self._put({"kind": "free", "free": [], "grown": size})
        freed = self.freed
        if freed:
            # Never exchanged for an empty one: a finalizer elsewhere may be about to append to it.
            frame["free"] = [freed.popleft() for _ in range(len(freed))]
        self._put(frame)

    def _put(self, frame: Frame) -> None:
        text = _encode(frame).encode("utf-8", "replace")
        try:
            self._socket.sendall(HEADER.pack(len(text)) + text)
        except OSError as error:
            self._closed = True
            raise ChannelClosed("the server has gone") from error

    # Reading

    def wait(self, waiter: Waiter) -> None:
        """Returns once `waiter` is done; reads for everybody meanwhile if nobody else does.

        Raises ChannelClosed where the server has gone.
        """
        while not waiter.done:
            with self._turn:
                while self._reading and not waiter.done:
                    self._turn.wait()
                if waiter.done:
                    return
                self._reading = True
            try:
                self._read()
            finally:
                with self._turn:
                    self._reading = False
                    self._turn.notify_all()

    def drain(self) -> None:
        """Reads what has come, without waiting. Where another thread reads already, there is
        nothing to do.
        """
        with self._turn:
            if self._reading or self._closed:
                return
            self._reading = True
        try:
            while self._poll.poll(0):
                self._read()
        finally:
            with self._turn:
                self._reading = False
                self._turn.notify_all()

    def _read(self) -> None:
        """Reads once and dispatches each whole frame."""
        if self._closed:
            raise ChannelClosed("the server has gone")
        try:
            data = self._receive()
        except OSError as error:
            self._closed = True
            raise ChannelClosed("the server has gone") from error
        if not data:
            self._closed = True
            raise ChannelClosed("the server has gone")
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        at = 0
        have = len(data)
        while have - at >= 4:
            (length,) = HEADER.unpack_from(data, at)
            if length > LARGEST_FRAME:
                raise ChannelClosed(f"a frame of {length} bytes")
            end = at + 4 + length
            if end > have:
                if have - at < length >> 1:
                    data = self._read_rest(data[at:], length + 4)
                    at, have, end = 0, len(data), length + 4
                else:
                    break
            frame = _decode(data[at + 4 : end].decode())
            at = end
            self._dispatch(frame)
        if at < have:
            self._buffer = data[at:]

    def _receive(self) -> bytes:
        """What has come; waits for it, awake at first."""
        receive = self._socket.recv
        for _ in range(self._looks):
            try:
                return receive(RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:  # noqa: PERF203 - costs less than the sleep
                os.sched_yield()
        return receive(RECEIVE_BYTES)

    def _read_rest(self, start: bytes, length: int) -> bytes:
        """A long frame: received into one place, not joined again with each piece."""
        whole = bytearray(length)
        whole[: len(start)] = start
        view = memoryview(whole)
        at = len(start)
        while at < length:
            count = self._socket.recv_into(view[at:])
            if count == 0:
                self._closed = True
                raise ChannelClosed("the server has gone")
            at += count
        return bytes(whole)

    def abandon(self) -> None:
        """In a child that the model forked: the channel is its parent's, and is neither read nor
        written here.
        """
        self._closed = True
        self.freed.clear()
        self.afterwards.clear()
        self._send_lock = threading.Lock()
        self._turn = threading.Condition(threading.Lock())
        self._socket.close()
