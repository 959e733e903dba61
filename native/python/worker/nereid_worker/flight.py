"""One request under way: what may still be sent for it."""

from __future__ import annotations

import threading
from typing import Any

from .channel import Waiter
from .constants import TRITONSERVER_RESPONSE_COMPLETE_FINAL
from .errors import TritonModelException


class Flight:
    """Kept apart from the request, so that its tensors may go while its responses still come."""

    __slots__ = (
        "cancelled",
        "closed",
        "credits",
        "decoupled",
        "index",
        "lock",
        "names",
        "run",
        "sent",
        "waiter",
    )

    def __init__(
        self, run: int, index: int, decoupled: bool, credits: int | None, names: frozenset[str]
    ) -> None:
        self.run = run
        self.index = index
        self.decoupled = decoupled
        self.credits = credits
        self.names = names
        self.cancelled = False
        self.closed = False
        self.sent = 0
        self.lock = threading.Lock()
        self.waiter: Waiter | None = None

    def cancel(self) -> None:
        """The client has gone: nobody waits for credits any more."""
        self.cancelled = True
        self._wake()

    def credit(self) -> None:
        """One more response may be sent."""
        if self.credits is not None:
            self.credits += 1
            self._wake()

    def account(self, response: Any, flags: int) -> None:
        """Notes a response that is to be sent; raises TritonModelException where the model may not
        send it.
        """
        if not self.decoupled:
            if response is not None and self.sent > 0:
                raise TritonModelException(
                    "Unable to send response. Non-decoupled model cannot send more than one "
                    "response."
                )
            if (
                response is None
                and flags == TRITONSERVER_RESPONSE_COMPLETE_FINAL
                and self.sent == 0
            ):
                raise TritonModelException(
                    "Unable to send response. Non-decoupled model cannot send complete final "
                    "before "
                    "sending a response."
                )
        if self.closed:
            raise TritonModelException("Unable to send response. Response sender has been closed.")
        if flags == TRITONSERVER_RESPONSE_COMPLETE_FINAL:
            self.closed = True
        self.sent += 1

    def _wake(self) -> None:
        waiter = self.waiter
        if waiter is not None:
            waiter.done = True


def forget(flights: dict[int, list[Flight | None]], flight: Flight) -> None:
    """Drops a flight whose last response was sent."""
    run = flights.get(flight.run)
    if run is not None:
        run[flight.index] = None
        if not any(run):
            flights.pop(flight.run, None)
