"""Executing: requests in, responses out."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from .channel import Frame
from .errors import TritonModelException, describe
from .flight import Flight
from .readiness import Readiness
from .request import InferenceRequest
from .returned import add_answers, check_responses, release_decoupled
from .session import Session
from .tensor import Tensor

if TYPE_CHECKING:
    from .coroutines import Coroutines


class Runs:
    """Runs batches on the model, on the thread that calls; coroutines run on one event loop of a
    thread of its own.
    """

    def __init__(self, session: Session, model: Any, model_path: str) -> None:
        self._session = session
        self._model = model
        self._model_path = model_path
        self.readiness: Readiness | None = None
        self._coroutines: Coroutines | None = None
        self._lock = threading.Lock()

    def run(self, frame: Frame) -> None:
        """Executes a `run` and sends what came of it."""
        session = self._session
        channel = session.channel
        readiness = self.readiness
        channel.begin()
        if readiness is not None:
            readiness.begin()
        try:
            answer = self._answer(frame)
        finally:
            channel.end()
            if readiness is not None:
                readiness.end()
        # The requests have gone by now, unless the model keeps some: the answer tells that they may
        # be freed.
        channel.send(answer)

    def ready(self) -> bool:
        """Asks the model's `is_ready`; raises what it raises."""
        result = self._settle(self._model.is_ready(), False)
        if not isinstance(result, bool):
            raise TritonModelException("is_ready() must return a boolean value")
        return result

    def close(self) -> None:
        """Stops the event loop."""
        if self._coroutines is not None:
            self._coroutines.close()

    def _settle(self, result: Any, in_background: bool) -> Any:
        """What a method returned; a coroutine is run, and with `in_background` not waited for."""
        # Most models need no event loop, whose module takes as long to load as the worker.
        from .coroutines import Coroutines, is_coroutine

        if not is_coroutine(result):
            return result
        with self._lock:
            coroutines = self._coroutines
            if coroutines is None:
                coroutines = self._coroutines = Coroutines(self._session.channel)
        if not in_background:
            return coroutines.wait(result)
        coroutines.follow(result)
        return None

    def _answer(self, frame: Frame) -> Frame:
        session = self._session
        run: int = frame["run"]
        decoupled: bool = frame["decoupled"]
        answer: Frame = {"kind": "ran", "run": run}
        requests, flights = self._requests(frame, run, decoupled)
        session.running = flights
        try:
            execute = getattr(self._model, "execute", None)
            if execute is None:
                raise TritonModelException(
                    f"Python model {self._model_path} does not implement `execute` method."
                )
            # The list is the model's to change: which request is which stays known here.
            responses = execute(list(requests))
            if responses is not None and type(responses) is not list:
                responses = self._settle(responses, decoupled)
            if decoupled:
                self._check_decoupled(responses)
                release_decoupled(session, requests)
                answer["answers"] = []
            else:
                if responses is None:
                    responses = [None] * len(requests)
                check_responses(requests, responses)
                add_answers(session, answer, requests, responses)
        except BaseException as error:
            # Also SystemExit and KeyboardInterrupt, which are the model's own here.
            message = (
                f"Failed to process the request(s) for model '{session.instance_name}', message: "
            )
            answer["error"] = {"message": message + describe(error), "code": "INTERNAL"}
            answer.pop("block", None)
            session.flights.pop(run, None)
            for flight in flights:
                # Nothing of it is credited any more: a thread that waits to send must not.
                flight.closed = True
                flight.cancel()
        finally:
            session.running = None
        return answer

    def _check_decoupled(self, responses: Any) -> None:
        if responses is not None:
            raise TritonModelException(
                f"Python model '{self._session.instance_name}' is using the decoupled mode and the "
                "execute function must return None."
            )

    def _requests(
        self, frame: Frame, run: int, decoupled: bool
    ) -> tuple[list[InferenceRequest], list[Flight]]:
        session = self._session
        wires: list[dict[str, Any]] = frame["requests"]
        block = frame.get("block")
        base: Any = None
        start = 0
        if block is not None:
            lease = session.incoming.lease(block)
            base, start = lease.base, lease.start
        requests = []
        flights = []
        every = session.output_names
        for index, wire in enumerate(wires):
            outputs = wire.get("outputs")
            names: frozenset[str] = every if outputs is None else frozenset(outputs)
            flight = Flight(run, index, decoupled, session.credits, names)
            inputs = [Tensor.received(tensor, base, start) for tensor in wire["inputs"]]
            flights.append(flight)
            requests.append(InferenceRequest.received(session, wire, inputs, flight))
        session.depart(run, flights)
        return requests, flights
