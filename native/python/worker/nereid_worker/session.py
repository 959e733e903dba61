"""What one worker knows: the channel, the two memories, the model's names, and what is under way.

Triton's API lets models make requests, metrics and log lines out of nothing, so the session of the
process is found
through `current()`. There is one, set once by `process.run`.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any

from .channel import Channel, Frame, Waiter
from .errors import TritonModelException
from .flight import Flight
from .memory_in import IncomingMemory
from .memory_out import OutgoingMemory
from .pump import Pump
from .readiness import Readiness


class Reply(Waiter):
    """One answer to one question that the worker asked the server."""

    __slots__ = ("frame",)

    def __init__(self) -> None:
        super().__init__()
        self.frame: Frame = {}


class Session:
    """Dispatches the frames of the server. Frames for the main thread wait in `tasks`; the others
    are dealt with at once.
    """

    def __init__(self, channel: int, incoming: int, outgoing: int) -> None:
        self.channel = Channel(channel, self._dispatch)
        self.incoming = IncomingMemory(incoming, self.channel.finalized)
        self.outgoing = OutgoingMemory(outgoing)
        self.channel.grown = self.outgoing.grown
        self.pump = Pump(self.channel)
        self.tasks: deque[Frame] = deque()
        self.idle = Waiter()
        self.flights: dict[int, list[Flight | None]] = {}
        self.calls: dict[int, Any] = {}
        self.replies: dict[int, Reply] = {}
        self.numbers = itertools.count(1)
        self.credits: int | None = None
        self.output_names: frozenset[str] = frozenset()
        self.instance_name = ""
        self.model_folder = ""
        self.initialized = False
        self.readiness: Readiness | None = None
        self.running: list[Flight] | None = None
        self._last_run = -1
        self._early_cancels: dict[int, list[int]] = {}
        self._dispatchers = {
            "run": self._task,
            "open": self._task,
            "start": self._task,
            "finish": self._task,
            "ready": self._ready,
            "cancel": self._cancel,
            "credit": self._credit,
            "answer": self._answer,
            "controlled": self._reply,
            "metric": self._reply,
        }

    def next_task(self) -> Frame:
        """The next frame for the main thread; waits for it. Raises ChannelClosed where the server
        has gone.
        """
        tasks = self.tasks
        while not tasks:
            self.idle.done = False
            if not tasks:
                self.channel.wait(self.idle)
        return tasks.popleft()

    def depart(self, run: int, flights: list[Flight]) -> None:
        """The requests of a run are under way; some may have been cancelled while it waited."""
        self.flights[run] = list(flights)
        self._last_run = run
        if self._early_cancels:
            for index in self._early_cancels.pop(run, ()):
                flights[index].cancel()

    def ask(self, failure: str, key: str, frame: Frame) -> Frame:
        """Sends a question whose number is under `key` and waits for its answer.

        Raises TritonModelException, which begins with `failure`, where the answer is an error.
        """
        number = next(self.numbers)
        reply = self.replies[number] = Reply()
        frame[key] = number
        try:
            self.channel.send(frame)
            self.channel.wait(reply)
        finally:
            self.replies.pop(number, None)
        error = reply.frame.get("error")
        if error is not None:
            raise self.refusal(failure, error.get("message", ""))
        return reply.frame

    def refusal(self, failure: str, message: str) -> TritonModelException:
        """What a model is told of a question that the server, or the worker for it, refused."""
        return TritonModelException(
            f"{failure}: Failed to process the request for model '{self.instance_name}', "
            f"message: {message}"
        )

    def _dispatch(self, frame: Frame) -> None:
        grown = frame.get("grown")
        if grown is not None:
            self.incoming.grow(grown)
        free = frame.get("free")
        if free:
            self.outgoing.release(free)
        dispatcher = self._dispatchers.get(frame["kind"])
        if dispatcher is not None:
            dispatcher(frame)

    def _task(self, frame: Frame) -> None:
        self.tasks.append(frame)
        self.idle.done = True

    def _flight(self, frame: Frame) -> Flight | None:
        flights = self.flights.get(frame["run"])
        return None if flights is None else flights[frame["index"]]

    def _cancel(self, frame: Frame) -> None:
        flight = self._flight(frame)
        if flight is None and frame["run"] > self._last_run:
            # The run waits for the main thread, which may be taking it up right now.
            self._early_cancels.setdefault(frame["run"], []).append(frame["index"])
            flight = self._flight(frame)
        if flight is not None:
            flight.cancel()

    def _credit(self, frame: Frame) -> None:
        flight = self._flight(frame)
        if flight is not None:
            flight.credit()

    def _answer(self, frame: Frame) -> None:
        call = self.calls.get(frame["call"])
        if call is not None:
            call.receive(frame)
        elif "block" in frame:
            self.channel.finalized(frame["block"])

    def _ready(self, frame: Frame) -> None:
        if self.readiness is not None:
            self.readiness.answer(frame)

    def _reply(self, frame: Frame) -> None:
        reply = self.replies.get(frame["ask"] if "ask" in frame else frame["call"])
        if reply is not None:
            reply.frame = frame
            reply.done = True


_current: list[Session] = []


def current() -> Session:
    """The session of this process; raises TritonModelException where no server has started it."""
    if not _current:
        raise TritonModelException("this function works only in a model that a server runs")
    return _current[0]


def enter(session: Session) -> None:
    """Makes `session` the one that models find."""
    _current[:] = [session]
