"""Requests that a model makes to other models."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from .channel import Frame, Waiter
from .errors import TritonError, TritonModelException, error_from_wire
from .outputs import write_tensors
from .request import InferenceRequest
from .response import InferenceResponse, parameters_from_wire, parameters_to_wire
from .session import Session
from .tensor import Tensor


class Call(Waiter):
    """One request on its way, and the responses that have come."""

    __slots__ = ("answers", "future", "loop", "number", "session")

    def __init__(self, session: Session, number: int) -> None:
        super().__init__()
        self.session = session
        self.number = number
        self.answers: deque[Frame] = deque()
        self.future: asyncio.Future[None] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def receive(self, frame: Frame) -> None:
        """Takes an answer. Called by whoever reads the channel."""
        if frame.get("final", True):
            self.session.calls.pop(self.number, None)
        if "block" in frame:
            # From here on it is freed with the last view of it, also where nobody looks at this
            # answer.
            frame["lease"] = self.session.incoming.lease(frame["block"])
        self.answers.append(frame)
        self.done = True
        future, loop = self.future, self.loop
        if future is not None and loop is not None:
            self.future = None
            self.session.pump.end()
            try:
                loop.call_soon_threadsafe(_resolve, future)
            except RuntimeError:
                pass  # the loop was closed meanwhile

    def wait(self) -> Frame:
        """The next answer."""
        answers = self.answers
        while not answers:
            self.done = False
            if not answers:
                self.session.channel.wait(self)
        return answers.popleft()


class ResponseIterator:
    """The responses of a decoupled model, as they come; may be iterated again once all have come."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._responses: list[InferenceResponse] = []
        self._next = 0
        self._finished = False

    def __iter__(self) -> ResponseIterator:
        if self._finished and self._next >= len(self._responses):
            self._next = 0
        return self

    def __next__(self) -> InferenceResponse:
        if self._finished:
            if self._next >= len(self._responses):
                raise StopIteration
            response = self._responses[self._next]
            self._next += 1
            return response
        frame = self._call.wait()
        response = response_of(frame)
        if frame.get("final", True):
            self._finished = True
        else:
            self._call.session.channel.send({"kind": "taken", "call": self._call.number})
        self._responses.append(response)
        self._next = len(self._responses)
        return response

    def cancel(self) -> None:
        """Asks the other model to stop."""
        if not self._finished:
            self._call.session.channel.send({"kind": "stop", "call": self._call.number})

    def __del__(self) -> None:
        call = self._call
        if not self._finished and call.number in call.session.calls:
            call.session.calls.pop(call.number, None)
            call.session.channel.later({"kind": "stop", "call": call.number})


def response_of(frame: Frame) -> InferenceResponse:
    """The response in an `answer`; its tensors are views of the answer's block."""
    error = frame.get("error")
    if error is not None:
        return InferenceResponse(error=error_from_wire(error))
    lease = frame.get("lease")
    base, start = (None, 0) if lease is None else (lease.base, lease.start)
    response = InferenceResponse(
        [Tensor.received(wire, base, start) for wire in frame.get("outputs", ())]
    )
    parameters = frame.get("parameters")
    if parameters:
        response._parameters = parameters_from_wire(parameters)
    return response


def execute(
    session: Session, request: InferenceRequest, decoupled: bool
) -> InferenceResponse | ResponseIterator:
    """Runs a request on another model and waits for its (first) response."""
    call = _begin(session, request, decoupled)
    if isinstance(call, InferenceResponse):
        return call
    if decoupled:
        if not call.answers:
            session.channel.wait(call)
        return ResponseIterator(call)
    return response_of(call.wait())


async def execute_async(
    session: Session, request: InferenceRequest, decoupled: bool
) -> InferenceResponse | ResponseIterator:
    """As `execute`, while other coroutines go on."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    call = _begin(session, request, decoupled, loop, future)
    if isinstance(call, InferenceResponse):
        return call
    try:
        await future
    except asyncio.CancelledError:
        if session.calls.pop(call.number, None) is not None:
            if call.future is not None:
                call.future = None
                session.pump.end()
            session.channel.send({"kind": "stop", "call": call.number})
        raise
    if decoupled:
        return ResponseIterator(call)
    return response_of(call.wait())


def _begin(
    session: Session,
    request: InferenceRequest,
    decoupled: bool,
    loop: asyncio.AbstractEventLoop | None = None,
    future: asyncio.Future[None] | None = None,
) -> Call | InferenceResponse:
    if not session.initialized:
        raise TritonModelException("BLS is only supported during the 'execute' function.")
    trace = request.trace()
    run, index = trace._run, trace._index
    if run < 0 and session.running is not None:
        # Without a trace the call is made for what executes now, for its only request if there is
        # one.
        run = session.running[0].run
        index = 0 if len(session.running) == 1 else -1
    correlation = request._correlation
    wire: dict[str, Any] = {
        "id": request._id,
        "correlation": [str(correlation)] if isinstance(correlation, int) else correlation,
        "flags": request._flags,
        "timeout": request._timeout,
        "outputs": sorted(request._names) if request._names else None,
    }
    if request._parameters:
        wire["parameters"] = parameters_to_wire(request._parameters)
    if trace._wire is not None:
        wire["trace"] = trace._wire
    number = next(session.numbers)
    frame: dict[str, Any] = {
        "kind": "infer",
        "call": number,
        "model": request._model_name,
        "version": str(request._model_version) if request._model_version >= 0 else "",
        "request": wire,
        "run": run,
        "index": index,
        "decoupled": bool(decoupled),
    }
    try:
        block, wire["inputs"] = write_tensors(session.outgoing, request._inputs)
    except TritonModelException as error:
        return InferenceResponse(error=TritonError(str(error)))
    if block is not None:
        frame["block"] = block
    call = Call(session, number)
    if future is not None:
        call.loop = loop
        call.future = future
        session.pump.begin()
    session.calls[number] = call
    session.channel.send(frame)
    return call


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
