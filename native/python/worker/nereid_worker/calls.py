"""Requests that a model makes to other models."""

from __future__ import annotations

from collections import deque
from typing import Any

from .channel import Frame, Waiter
from .errors import TritonModelException, error_from_wire
from .outputs import write_tensors
from .request import InferenceRequest
from .response import InferenceResponse, parameters_from_wire, parameters_to_wire
from .session import Session
from .tensor import Tensor


class Call(Waiter):
    """One request on its way, and the responses that have come."""

    __slots__ = ("answers", "number", "session")

    def __init__(self, session: Session, number: int) -> None:
        super().__init__()
        self.session = session
        self.number = number
        self.answers: deque[Frame] = deque()

    def receive(self, frame: Frame) -> None:
        """Takes an answer. Called by whoever reads the channel."""
        if frame.get("final", True):
            self.session.calls.pop(self.number, None)
        if "block" in frame:
            # From here on it is freed with the last view of it, also where nobody looks at it.
            frame["lease"] = self.session.incoming.lease(frame["block"])
        self.answers.append(frame)
        self.done = True

    def wait(self) -> Frame:
        """The next answer."""
        answers = self.answers
        while not answers:
            self.done = False
            if not answers:
                self.session.channel.wait(self)
        return answers.popleft()


class ResponseIterator:
    """The responses of a decoupled model, as they come; may be iterated again once all have
    come.
    """

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
    check_calls(session)
    call = Call(session, next(session.numbers))
    error = send_call(call, request, decoupled)
    if error is not None:
        call.receive({"error": error})
    if decoupled:
        session.channel.wait(call)
        return ResponseIterator(call)
    return response_of(call.wait())


def check_calls(session: Session) -> None:
    """Raises TritonModelException where the model may not call others."""
    if not session.initialized:
        raise TritonModelException("BLS is only supported during the 'execute' function.")


def send_call(call: Call, request: InferenceRequest, decoupled: bool) -> dict[str, Any] | None:
    """Sends a call; the error that is its answer where its inputs find no room."""
    session = call.session
    trace = request.trace()
    run, index = trace._run, trace._index
    running = session.running
    if run < 0 and running is not None:
        # Without a trace it is made for what executes now, and for its only request if it has one.
        run = running[0].run
        index = 0 if len(running) == 1 else -1
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
    frame: dict[str, Any] = {
        "kind": "infer",
        "call": call.number,
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
        return {"message": str(error)}
    if block is not None:
        frame["block"] = block
    session.calls[call.number] = call
    session.channel.send(frame)
    return None
