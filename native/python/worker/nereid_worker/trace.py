"""Traces of requests, as models hand them on to the requests that they make."""

from __future__ import annotations

import json
from typing import Any


class InferenceTrace:
    """The trace of a request; also which request it is, so that those made for it belong to it."""

    __slots__ = ("_index", "_run", "_wire")

    def __init__(self, wire: dict[str, Any] | None = None, run: int = -1, index: int = -1) -> None:
        self._wire = wire
        self._run = run
        self._index = index

    def get_context(self) -> str | None:
        """The trace's context as JSON text (`traceparent`), None where the request is not
        traced.
        """
        parent = None if self._wire is None else self._wire.get("traceparent")
        return json.dumps({"traceparent": parent}) if parent else None
