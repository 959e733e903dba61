"""Sending responses one by one, from any thread."""

from __future__ import annotations

from typing import Any

from .channel import Waiter
from .constants import TRITONSERVER_RESPONSE_COMPLETE_FINAL
from .errors import TritonModelException, error_to_wire
from .flight import Flight, forget
from .outputs import write_tensors
from .response import InferenceResponse, parameters_to_wire
from .session import Session


class InferenceResponseSender:
    """Sends the responses of one request. A sender that goes without the final flag closes its
    request.
    """

    __slots__ = ("_flight", "_session")

    def __init__(self, session: Session, flight: Flight) -> None:
        self._session = session
        self._flight = flight

    def is_cancelled(self) -> bool:
        """Whether the client has gone."""
        flight = self._flight
        if not flight.cancelled and not flight.closed:
            self._session.channel.drain()
        return flight.cancelled

    def send(self, response: InferenceResponse | None = None, flags: int = 0) -> None:
        """Sends a response, the last one with TRITONSERVER_RESPONSE_COMPLETE_FINAL.

        Waits while the server has too many of this request already. Raises TritonModelException for
        misuse.
        """
        if flags not in (0, TRITONSERVER_RESPONSE_COMPLETE_FINAL):
            raise TritonModelException("Unable to send response. Unsupported flag provided.")
        if flags == 0 and response is None:
            raise TritonModelException(
                "Inference Response object must be provided when the response flags is set to zero."
            )
        if response is not None and not isinstance(response, InferenceResponse):
            raise TypeError(f"send(): expected an InferenceResponse, got {type(response).__name__}")
        flight = self._flight
        with flight.lock:
            flight.account(response, flags)
            self._put(flight, response, flags == TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _put(self, flight: Flight, response: InferenceResponse | None, final: bool) -> None:
        session = self._session
        frame: dict[str, Any] = {
            "kind": "sent",
            "run": flight.run,
            "index": flight.index,
            "final": final,
        }
        try:
            if response is not None and self._credited(flight):
                if response._error is not None:
                    frame["error"] = error_to_wire(response._error)
                else:
                    response.prune(flight.names)
                    block, frame["outputs"] = write_tensors(session.outgoing, response._outputs)
                    if block is not None:
                        frame["block"] = block
                    if response._parameters:
                        frame["parameters"] = parameters_to_wire(response._parameters)
            elif not final:
                return  # nobody waits for it
        except TritonModelException as error:
            if final:
                # The request ends all the same.
                frame["error"] = {"message": str(error), "code": "INTERNAL"}
                self._end(flight, frame)
            raise
        if final:
            self._end(flight, frame)
        else:
            session.channel.send(frame)

    def _end(self, flight: Flight, frame: dict[str, Any]) -> None:
        forget(self._session.flights, flight)
        self._session.channel.send(frame)

    def _credited(self, flight: Flight) -> bool:
        """Takes a credit, waiting for one if need be; false where the client has gone meanwhile."""
        if flight.credits is None:
            return not flight.cancelled
        while flight.credits <= 0 and not flight.cancelled:
            waiter = flight.waiter = Waiter()
            if flight.credits <= 0 and not flight.cancelled:
                self._session.channel.wait(waiter)
        flight.credits -= 1
        return not flight.cancelled

    def __del__(self) -> None:
        flight = self._flight
        if flight.closed:
            return
        flight.closed = True
        frame: dict[str, Any] = {
            "kind": "sent",
            "run": flight.run,
            "index": flight.index,
            "final": True,
        }
        if not flight.decoupled and flight.sent == 0:
            frame["error"] = {
                "message": "the model let go of the request without a response",
                "code": "INTERNAL",
            }
        forget(self._session.flights, flight)
        self._session.channel.later(frame)
