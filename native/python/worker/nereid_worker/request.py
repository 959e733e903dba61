"""Requests: what the server gives to `execute`, and what a model makes to call other models."""

from __future__ import annotations

import json
from operator import index
from typing import Any, Iterable

from .constants import TRITONSERVER_REQUEST_RELEASE_ALL
from .errors import TritonModelException
from .flight import Flight
from .memory_choice import PreferredMemory
from .response import checked_parameters, parameters_from_wire
from .sender import InferenceResponseSender
from .session import Session, current
from .tensor import Tensor
from .trace import InferenceTrace

LARGEST_CORRELATION = (1 << 64) - 1


class InferenceRequest:
    """Inputs by name and what goes with them. The constructor makes a request to another model."""

    __slots__ = (
        "__weakref__",
        "_correlation",
        "_flags",
        "_flight",
        "_id",
        "_inputs",
        "_model_name",
        "_model_version",
        "_names",
        "_parameters",
        "_preferred_memory",
        "_release",
        "_sender",
        "_session",
        "_timeout",
        "_trace",
    )

    def __init__(
        self,
        request_id: str = "",
        correlation_id: int | str = 0,
        inputs: Iterable[Tensor] | None = None,
        requested_output_names: Iterable[str] | None = None,
        model_name: str | None = None,
        model_version: int = -1,
        flags: int = 0,
        timeout: int = 0,
        preferred_memory: PreferredMemory | None = None,
        trace: InferenceTrace | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> None:
        if inputs is None or requested_output_names is None or model_name is None:
            raise TypeError("InferenceRequest needs inputs, requested_output_names and model_name")
        where = (
            f"for request with id '{request_id}' and model name '{model_name}' should not be empty."
        )
        self._inputs: list[Tensor] = list(inputs)
        for tensor in self._inputs:
            if tensor is None:
                raise TritonModelException(f"Input tensor {where}")
            if not isinstance(tensor, Tensor):
                raise TypeError(f"InferenceRequest: expected a Tensor, got {type(tensor).__name__}")
        self._names: frozenset[str] = frozenset(requested_output_names)
        if "" in self._names:
            raise TritonModelException(f"Requested output name {where}")
        if correlation_id is None:
            raise TypeError("InferenceRequest: correlation_id must be int or str, got None")
        if isinstance(correlation_id, bool) or not isinstance(correlation_id, (int, str)):
            raise TritonModelException("Correlation ID must be integer or string")
        if isinstance(correlation_id, int) and not 0 <= correlation_id <= LARGEST_CORRELATION:
            raise TypeError("InferenceRequest: correlation_id must fit in 64 bits")
        if not isinstance(model_name, str) or not isinstance(request_id, str):
            raise TypeError("InferenceRequest: request_id and model_name must be str")
        self._id = request_id
        self._correlation = correlation_id
        self._model_name = model_name
        self._model_version = index(model_version)
        self._flags = index(flags)
        self._timeout = index(timeout)
        self._preferred_memory = preferred_memory
        self._trace: Any = InferenceTrace() if trace is None else trace
        self._parameters: dict[str, Any] | None = (
            {} if parameters is None else checked_parameters(parameters)
        )
        self._release = TRITONSERVER_REQUEST_RELEASE_ALL
        self._flight: Flight | None = None
        self._sender: InferenceResponseSender | None = None
        self._session: Session | None = None

    @staticmethod
    def received(
        session: Session, wire: dict[str, Any], inputs: list[Tensor], flight: Flight
    ) -> InferenceRequest:
        """A request that the server gives to the model."""
        request = InferenceRequest.__new__(InferenceRequest)
        get = wire.get
        request._inputs = inputs
        request._names = flight.names
        request._id = get("id", "")
        correlation = get("correlation", 0)
        request._correlation = int(correlation[0]) if type(correlation) is list else correlation
        request._model_name = ""
        request._model_version = -1
        request._flags = get("flags", 0)
        request._timeout = get("timeout", 0)
        request._preferred_memory = None
        request._trace = get("trace")
        request._parameters = get("parameters")
        request._release = TRITONSERVER_REQUEST_RELEASE_ALL
        request._flight = flight
        request._session = session
        # A decoupled request ends when everything that could answer it has gone, its sender being
        # the last.
        request._sender = InferenceResponseSender(session, flight) if flight.decoupled else None
        return request

    def flight(self) -> Flight:
        """What may still be sent for it; only the server's requests have one."""
        if self._flight is None:
            raise TritonModelException(
                "Unable to send response. Response sender has no reference to the decoupled state "
                "of the model."
            )
        return self._flight

    def inputs(self) -> list[Tensor]:
        """The input tensors."""
        return self._inputs

    def request_id(self) -> str:
        """The client's id, '' where it gave none."""
        return self._id

    def correlation_id(self) -> int | str:
        """The sequence of the request, 0 where there is none."""
        return self._correlation

    def flags(self) -> int:
        """Bits TRITONSERVER_REQUEST_FLAG_*."""
        return self._flags

    def set_flags(self, flags: int) -> None:
        """Sets the bits TRITONSERVER_REQUEST_FLAG_*."""
        self._flags = index(flags)

    def timeout(self) -> int:
        """Microseconds, 0 where there is no limit."""
        return self._timeout

    def parameters(self) -> str:
        """The parameters as JSON text, `{}` where there are none."""
        parameters = self._parameters
        if not parameters:
            return "{}"
        if self._flight is not None:
            parameters = parameters_from_wire(parameters)
        return json.dumps(parameters)

    def trace(self) -> InferenceTrace:
        """The trace, to be handed on to requests that are made for this one."""
        trace = self._trace
        if not isinstance(trace, InferenceTrace):
            flight = self._flight
            trace = (
                InferenceTrace(trace)
                if flight is None
                else InferenceTrace(trace, flight.run, flight.index)
            )
            self._trace = trace
        return trace

    def requested_output_names(self) -> set[str]:
        """The outputs that the client asked for; all of the configuration where it named none."""
        return set(self._names)

    def is_cancelled(self) -> bool:
        """Whether the client has gone."""
        flight = self._flight
        if flight is None or self._session is None:
            return False
        if not flight.cancelled and not flight.closed:
            self._session.channel.drain()
        return flight.cancelled

    def get_response_sender(self) -> InferenceResponseSender:
        """What sends the responses of this request, in decoupled models as many as they like."""
        if self._sender is None:
            self._sender = InferenceResponseSender(current(), self.flight())
        return self._sender

    def set_release_flags(self, flags: int) -> None:
        """TRITONSERVER_REQUEST_RELEASE_RESCHEDULE makes the request run again after this
        execution.
        """
        self._release = index(flags)

    def exec(self, decoupled: bool = False) -> Any:
        """Runs the request on its model and waits: the response, or with `decoupled` an iterator
        over responses.

        A failure of the other model is a response with an error. Raises TritonModelException
        outside of `execute`.
        """
        from .calls import execute

        return execute(current(), self, decoupled)

    def async_exec(self, decoupled: bool = False) -> Any:
        """As `exec`, for coroutines: a future. The request is on its way when this returns."""
        from .async_calls import execute_async

        return execute_async(current(), self, decoupled)
