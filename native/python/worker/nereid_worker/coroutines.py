"""The event loop of models whose methods are coroutines: one, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import traceback
from typing import TYPE_CHECKING, Any

from .channel import Channel, ChannelClosed

if TYPE_CHECKING:
    from concurrent.futures import Future


class Coroutines:
    """Runs coroutines at the same time. `wait` waits for one, `follow` lets it go on by itself."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        # A loop keeps only weak references to what runs on it.
        self._followed: set[Future[Any]] = set()
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        threading.Thread(target=self._loop.run_forever, name="coroutines", daemon=True).start()

    def wait(self, coroutine: Any) -> Any:
        """The result of a coroutine; raises what it raises."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def follow(self, coroutine: Any) -> None:
        """Starts a coroutine; what it raises is told in the log."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        self._followed.add(future)
        future.add_done_callback(self._done)

    def close(self) -> None:
        """Stops the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _done(self, future: Future[Any]) -> None:
        self._followed.discard(future)
        error = None if future.cancelled() else future.exception()
        if error is None:
            return
        message = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        try:
            self._channel.send(
                {"kind": "log", "level": "error", "message": message, "file": "model.py", "line": 0}
            )
        except ChannelClosed:
            pass


def is_coroutine(result: Any) -> bool:
    """Whether a method is a coroutine, as its result tells."""
    return asyncio.iscoroutine(result)
