"""Requests that coroutines make to other models."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from .calls import Call, ResponseIterator, check_calls, response_of, send_call
from .channel import Frame
from .request import InferenceRequest
from .session import Session


class AsyncCall(Call):
    """A call that a coroutine waits for."""

    __slots__ = ("_decoupled", "_future", "_lock", "_loop")

    def __init__(
        self,
        session: Session,
        number: int,
        loop: asyncio.AbstractEventLoop,
        decoupled: bool,
    ) -> None:
        super().__init__(session, number)
        self._loop = loop
        self._decoupled = decoupled
        self._lock = threading.Lock()
        self._future: asyncio.Future[Any] | None = loop.create_future()
        self._future.add_done_callback(self._settled)
        session.pump.begin()

    def future(self) -> asyncio.Future[Any]:
        """What the coroutine waits for. Asked once, before the request is sent."""
        if self._future is None:
            raise RuntimeError("the call is over")
        return self._future

    def receive(self, frame: Frame) -> None:
        """Takes an answer; the first one resolves the future, on its loop."""
        super().receive(frame)
        future = self._take()
        if future is not None:
            try:
                self._loop.call_soon_threadsafe(self._resolve, future)
            except RuntimeError:
                pass  # the loop was closed meanwhile

    def abandon(self) -> None:
        """It was never sent."""
        self._take()

    def _take(self) -> asyncio.Future[Any] | None:
        with self._lock:
            future, self._future = self._future, None
        if future is not None:
            self.session.pump.end()
        return future

    def _resolve(self, future: asyncio.Future[Any]) -> None:
        if not future.done():
            future.set_result(
                ResponseIterator(self) if self._decoupled else response_of(self.wait())
            )

    def _settled(self, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            self._take()
            if self.session.calls.pop(self.number, None) is not None:
                self.session.channel.send({"kind": "stop", "call": self.number})


def execute_async(
    session: Session, request: InferenceRequest, decoupled: bool
) -> asyncio.Future[Any]:
    """As `execute`, while other coroutines go on."""
    check_calls(session)
    call = AsyncCall(session, next(session.numbers), asyncio.get_running_loop(), decoupled)
    future = call.future()
    try:
        error = send_call(call, request, decoupled)
    except BaseException:
        call.abandon()
        raise
    if error is not None:
        call.receive({"error": error})
    return future
