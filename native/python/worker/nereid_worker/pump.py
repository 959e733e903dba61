"""Reads the channel while the main thread executes and coroutines wait for other models."""

from __future__ import annotations

import threading

from .channel import Channel, ChannelClosed, Waiter


class Pump:
    """A thread that exists from the first asynchronous call on, and reads only while there are such
    calls.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._change = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._pending = 0
        self._waiter = Waiter()

    def begin(self) -> None:
        """A coroutine begins to wait."""
        with self._change:
            self._pending += 1
            self._waiter.done = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._read, name="channel", daemon=True)
                self._thread.start()
            elif self._pending == 1:
                self._change.notify()

    def end(self) -> None:
        """It has its answer. Called by whoever reads."""
        with self._change:
            self._pending -= 1
            if self._pending == 0:
                self._waiter.done = True

    def _read(self) -> None:
        try:
            while True:
                with self._change:
                    while self._pending == 0:
                        self._change.wait()
                self._channel.wait(self._waiter)
        except ChannelClosed:
            return
