"""Models that tell by themselves whether they are ready, also while they execute."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable

from .channel import Channel, ChannelClosed, Frame, Waiter
from .errors import describe

# An execution that takes longer has the channel read by somebody else meanwhile.
PATIENCE_SECONDS = 0.05


class Readiness:
    """Answers `ready` frames, each on a thread of its own: neither requests nor `is_ready` wait for
    each other.
    """

    def __init__(self, channel: Channel, is_ready: Callable[[], bool]) -> None:
        self._channel = channel
        self._is_ready = is_ready
        self._busy = threading.Event()
        self._waiter = Waiter()
        threading.Thread(target=self._watch, name="readiness", daemon=True).start()

    def begin(self) -> None:
        """An execution begins."""
        self._waiter = Waiter()
        self._busy.set()

    def end(self) -> None:
        """It has ended."""
        self._busy.clear()
        self._waiter.done = True

    def answer(self, frame: Frame) -> None:
        """Asks the model and tells the server. Called by whoever reads the channel."""
        threading.Thread(target=self._answer, args=(frame,), name="ready", daemon=True).start()

    def _answer(self, frame: Frame) -> None:
        reply: Frame = {"kind": "ready", "ask": frame["ask"]}
        try:
            reply["result"] = self._is_ready()
        except BaseException as error:
            reply["error"] = {"message": describe(error), "code": "INTERNAL"}
        try:
            self._channel.send(reply)
        except ChannelClosed:
            pass

    def _watch(self) -> None:
        try:
            while True:
                self._busy.wait()
                waiter: Any = self._waiter
                time.sleep(PATIENCE_SECONDS)
                if not waiter.done:
                    self._channel.wait(waiter)
        except ChannelClosed:
            return
