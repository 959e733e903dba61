"""What `execute` returned: checked, and put into the frame that answers the batch."""

from __future__ import annotations

from typing import Any

from .channel import Frame
from .constants import (
    TRITONSERVER_REQUEST_RELEASE_RESCHEDULE,
    TRITONSERVER_RESPONSE_COMPLETE_FINAL,
)
from .errors import TritonModelException, error_to_wire
from .flight import forget
from .outputs import write_groups
from .request import InferenceRequest
from .response import InferenceResponse, parameters_to_wire
from .session import Session
from .tensor import Tensor


def check_responses(requests: list[InferenceRequest], responses: Any) -> None:
    """Raises TritonModelException for anything but a response, or None, for each request."""
    if not isinstance(responses, list):
        raise TritonModelException(
            f"Expected a list in the execute return, found type '{type(responses)}'."
        )
    if len(responses) != len(requests):
        raise TritonModelException(
            "Number of InferenceResponse objects do not match the number of InferenceRequest "
            f"objects. InferenceRequest(s) size is:{len(requests)}, and InferenceResponse(s) size "
            f"is:{len(responses)}\n"
        )
    for request, response in zip(requests, responses):
        if response is None:
            continue
        if request._release == TRITONSERVER_REQUEST_RELEASE_RESCHEDULE:
            raise TritonModelException(
                "Expected a None object in the execute function return list for reschduled "
                f"request, found type '{type(response)}'."
            )
        if not isinstance(response, InferenceResponse):
            raise TritonModelException(
                "Expected an 'InferenceResponse' object in the execute function return list, "
                f"found type '{type(response)}'."
            )
        flight = request.flight()
        with flight.lock:
            flight.account(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL)


def add_answers(
    session: Session, answer: Frame, requests: list[InferenceRequest], responses: list[Any]
) -> None:
    """Adds the answers to the frame `ran`. Raises TritonModelException where they find no room."""
    answers: list[Any] = []
    groups: list[list[Tensor]] = []
    complete = True
    for request, response in zip(requests, responses):
        if response is None:
            answers.append(_without_response(request))
            complete = False
        elif response._error is not None:
            answers.append({"error": error_to_wire(response._error)})
        else:
            response.prune(request._names)
            groups.append(response._outputs)
            item: Frame = {"outputs": ()}
            if response._parameters:
                item["parameters"] = parameters_to_wire(response._parameters)
            answers.append(item)
    block, wires = write_groups(session.outgoing, groups)
    if block is not None:
        answer["block"] = block
    at = 0
    for item in answers:
        if item is not None and "outputs" in item:
            item["outputs"] = wires[at]
            at += 1
    answer["answers"] = answers
    if complete:
        session.flights.pop(answer["run"], None)
    else:
        _forget_closed(session, requests)


def release_decoupled(session: Session, requests: list[InferenceRequest]) -> None:
    """Tells which requests of a decoupled model run again; the others go on by themselves."""
    for request in requests:
        if request._release == TRITONSERVER_REQUEST_RELEASE_RESCHEDULE:
            flight = request.flight()
            flight.closed = True
            forget(session.flights, flight)
            frame: Frame = {"kind": "sent", "run": flight.run, "index": flight.index}
            session.channel.send({**frame, "final": True, "again": True})


def _without_response(request: InferenceRequest) -> Frame | None:
    flight = request.flight()
    if request._release == TRITONSERVER_REQUEST_RELEASE_RESCHEDULE:
        flight.closed = True
        return {"again": True}
    if not flight.closed:
        # Whoever holds the sender answers; if nobody does, the end of the request is the answer.
        request.get_response_sender()
    return None


def _forget_closed(session: Session, requests: list[InferenceRequest]) -> None:
    for request in requests:
        flight = request.flight()
        if flight.closed:
            forget(session.flights, flight)
