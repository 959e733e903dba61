"""Executing: requests in, responses out."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from .channel import Frame
from .constants import TRITONSERVER_REQUEST_RELEASE_RESCHEDULE, TRITONSERVER_RESPONSE_COMPLETE_FINAL
from .errors import TritonModelException, describe, error_to_wire
from .flight import Flight, forget
from .outputs import write_tensors
from .readiness import Readiness
from .request import InferenceRequest
from .response import InferenceResponse, parameters_to_wire
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
            if responses is not None:
                self._check(requests, responses, decoupled)
            answer["answers"] = self._answers(requests, flights, responses, answer)
        except (
            BaseException
        ) as error:  # also SystemExit and KeyboardInterrupt, which are the model's own here
            message = (
                f"Failed to process the request(s) for model '{session.instance_name}', message: "
            )
            answer["error"] = {"message": message + describe(error), "code": "INTERNAL"}
            answer.pop("block", None)
            for flight in flights:
                with flight.lock:
                    flight.closed = True
            session.flights.pop(run, None)
        finally:
            session.running = None
        return answer

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

    def _check(self, requests: list[InferenceRequest], responses: Any, decoupled: bool) -> None:
        if decoupled:
            raise TritonModelException(
                f"Python model '{self._session.instance_name}' is using the decoupled mode and the "
                f"execute function "
                "must return None."
            )
        if not isinstance(responses, list):
            raise TritonModelException(
                f"Expected a list in the execute return, found type '{type(responses)}'."
            )
        if len(responses) != len(requests):
            raise TritonModelException(
                "Number of InferenceResponse objects do not match the number of InferenceRequest "
                "objects. "
                f"InferenceRequest(s) size is:{len(requests)}, and InferenceResponse(s) size "
                f"is:{len(responses)}\n"
            )
        for request, response in zip(requests, responses):
            if response is None:
                continue
            if request._release == TRITONSERVER_REQUEST_RELEASE_RESCHEDULE:
                raise TritonModelException(
                    "Expected a None object in the execute function return list for reschduled "
                    "request, found type "
                    f"'{type(response)}'."
                )
            if not isinstance(response, InferenceResponse):
                raise TritonModelException(
                    "Expected an 'InferenceResponse' object in the execute function return list, "
                    "found type "
                    f"'{type(response)}'."
                )
            flight = request._flight
            if flight is not None:
                with flight.lock:
                    flight.account(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _answers(
        self,
        requests: list[InferenceRequest],
        flights: list[Flight],
        responses: list[InferenceResponse | None] | None,
        answer: Frame,
    ) -> list[Any]:
        session = self._session
        answers: list[Any] = []
        tensors: list[Tensor] = []
        ours = session.flights.get(answer["run"])
        open_flights = False
        for index, request in enumerate(requests):
            response = None if responses is None else responses[index]
            flight = flights[index]
            if response is None:
                again = request._release == TRITONSERVER_REQUEST_RELEASE_RESCHEDULE
                answers.append({"again": True} if again else None)
                if again:
                    flight.closed = True
                elif flight.sent == 0 and not flight.closed:
                    # Whoever holds the sender answers; if nobody does, the end of the request is
                    # the answer.
                    request.get_response_sender()
                if not flight.closed:
                    open_flights = True
                elif ours is not None:
                    ours[index] = None
                continue
            if ours is not None:
                ours[index] = None
            error = response._error
            if error is not None:
                answers.append({"error": error_to_wire(error)})
                continue
            response.prune(flight.names)
            tensors.extend(response._outputs)
            item: dict[str, Any] = {"outputs": len(response._outputs)}
            if response._parameters:
                item["parameters"] = parameters_to_wire(response._parameters)
            answers.append(item)
        if not open_flights:
            session.flights.pop(answer["run"], None)
        if tensors:
            block, wires = write_tensors(session.outgoing, tensors)
            if block is not None:
                answer["block"] = block
            at = 0
            for item in answers:
                if item is not None and "outputs" in item:
                    count = item["outputs"]
                    item["outputs"] = wires[at : at + count]
                    at += count
        else:
            for item in answers:
                if item is not None and "outputs" in item:
                    item["outputs"] = []
        if flights and flights[0].decoupled:
            return self._decoupled_answers(flights, answers)
        return answers

    def _decoupled_answers(self, flights: list[Flight], answers: list[Any]) -> list[Any]:
        for flight, item in zip(flights, answers):
            if item is not None:
                forget(self._session.flights, flight)
                self._session.channel.send(
                    {
                        "kind": "sent",
                        "run": flight.run,
                        "index": flight.index,
                        "final": True,
                        "again": True,
                    }
                )
        return []
