"""Responses: what a model answers to one request, and what it gets from other models."""

from __future__ import annotations

import json
from typing import Any, Collection

from .errors import TritonError, TritonModelException
from .tensor import Tensor


class InferenceResponse:
    """Output tensors, or an error; and parameters (texts, booleans and integers)."""

    __slots__ = ("_error", "_outputs", "_parameters")

    def __init__(
        self,
        output_tensors: list[Tensor] | None = None,
        error: TritonError | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> None:
        outputs = [] if output_tensors is None else list(output_tensors)
        for output in outputs:
            if not isinstance(output, Tensor):
                if output is None:
                    raise TritonModelException(
                        "Output tensor for inference response should not be empty."
                    )
                raise TypeError(
                    f"InferenceResponse: expected a Tensor, got {type(output).__name__}"
                )
        if error is not None and not isinstance(error, TritonError):
            raise TypeError(
                f"InferenceResponse: error must be a TritonError, got {type(error).__name__}"
            )
        self._outputs = outputs
        self._error = error
        self._parameters = None if parameters is None else checked_parameters(parameters)

    def output_tensors(self) -> list[Tensor]:
        """The outputs; empty where there is an error."""
        return self._outputs

    def has_error(self) -> bool:
        """Whether this tells an error."""
        return self._error is not None

    def error(self) -> TritonError | None:
        """The error, or None."""
        return self._error

    def parameters(self) -> str:
        """The parameters as JSON text."""
        return json.dumps(self._parameters or {})

    def prune(self, names: Collection[str]) -> None:
        """Drops the outputs that nobody asked for."""
        outputs = self._outputs
        for output in outputs:
            if output._name not in names:
                self._outputs = [kept for kept in outputs if kept._name in names]
                return


def checked_parameters(parameters: Any) -> dict[str, Any]:
    """The parameters that a model gave; raises TritonModelException for keys or values that have no
    place in JSON.
    """
    if not isinstance(parameters, dict):
        raise TritonModelException(f"Expect dict, got {type(parameters)}")
    for key, value in parameters.items():
        if not isinstance(key, str):
            raise TritonModelException(
                f"Expect parameters keys to have type str, found type {type(key)}"
            )
        if not isinstance(value, (bool, int, str)):
            raise TritonModelException(
                f"Expect parameters values to have type bool/int/str, found type {type(value)}"
            )
    return parameters


def parameters_to_wire(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters as a field of a frame: integers as text in a list, which other numbers are not."""
    return {
        key: [str(value)] if isinstance(value, int) and not isinstance(value, bool) else value
        for key, value in parameters.items()
    }


def parameters_from_wire(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters of a frame as a model reads them."""
    return {
        key: int(value[0]) if isinstance(value, list) else value
        for key, value in parameters.items()
    }
