"""Metrics of a model, shown among those of the server."""

from __future__ import annotations

import math
from typing import Any

from .enums import TritonEnum
from .errors import TritonModelException
from .session import current


class MetricKind(TritonEnum):
    """Kinds of metrics."""

    COUNTER = 0
    GAUGE = 1
    HISTOGRAM = 2


COUNTER = MetricKind.COUNTER
GAUGE = MetricKind.GAUGE
HISTOGRAM = MetricKind.HISTOGRAM

_NOT_MADE = "Error when creating Metric"
_DELETED = (
    "Invalid metric operation as the corresponding 'MetricFamily' has been deleted. The "
    "'MetricFamily' object should "
    "be deleted AFTER its corresponding 'Metric' objects have been deleted."
)


class Metric:
    """One series of a family, made by `MetricFamily.Metric`. It goes with its family."""

    def __init__(
        self,
        family: MetricFamily,
        labels: dict[str, str] | None,
        buckets: list[float] | None,
    ) -> None:
        self._dropped = True
        if any(not isinstance(value, str) for value in (labels or {}).values()):
            raise current().refusal(_NOT_MADE, "attempt to access JSON non-string as string")
        self._session = current()
        self._number = next(self._session.numbers)
        frame: dict[str, Any] = {
            "kind": "metric",
            "action": "metric",
            "family": family._number,
            "metric": self._number,
            "labels": {} if labels is None else labels,
        }
        if buckets is not None:
            frame["buckets"] = buckets
        _asked(_NOT_MADE, frame)
        self._dropped = False

    def increment(self, value: float) -> None:
        """Adds to a counter (never a negative number) or a gauge."""
        self._change("Failed to increment metric value", "increment", value)

    def set(self, value: float) -> None:
        """Sets a gauge."""
        self._change("Failed to set metric value", "set", value)

    def observe(self, value: float) -> None:
        """Adds an observation to a histogram."""
        self._change("Failed to observe metric value", "observe", value)

    def value(self) -> float:
        """The value of a counter or gauge, all instances of the model together."""
        failure = "Failed to get metric value"
        self._check(failure)
        return float(
            _asked(failure, {"kind": "metric", "action": "value", "metric": self._number}).get(
                "value", 0
            )
        )

    def _change(self, failure: str, action: str, value: float) -> None:
        self._check(failure)
        if isinstance(value, (str, bytes)):
            raise TypeError(f"Metric: expected a number, got {type(value).__name__}")
        number = float(value)
        if not math.isfinite(number):
            raise TritonModelException(f"{failure}: the value must be finite, got {number}")
        _asked(
            failure, {"kind": "metric", "action": action, "metric": self._number, "value": number}
        )

    def _check(self, failure: str) -> None:
        if self._dropped:
            raise TritonModelException(f"{failure}: {_DELETED}")


class MetricFamily:
    """Metrics of one name that differ by their labels."""

    COUNTER = MetricKind.COUNTER
    GAUGE = MetricKind.GAUGE
    HISTOGRAM = MetricKind.HISTOGRAM

    def __init__(self, name: str, description: str, kind: MetricKind) -> None:
        self._made = False
        self._kind = MetricKind(kind)
        self._session = current()
        self._number = next(self._session.numbers)
        # A metric lives as long as its family, also when the model lets go of it.
        self._metrics: list[Metric] = []
        _asked(
            "Error when creating MetricFamily",
            {
                "kind": "metric",
                "action": "family",
                "family": self._number,
                "name": name,
                "description": description,
                "type": self._kind.name.lower(),
            },
        )
        self._made = True

    def Metric(  # noqa: N802 - Triton's name
        self, labels: dict[str, str] | None = None, buckets: list[float] | None = None
    ) -> Metric:
        """A metric with these labels; `buckets` (upper bounds, ascending) for histograms and only
        for them.
        """
        if labels is not None and not isinstance(labels, dict):
            raise TritonModelException("Failed to create metric. Labels must be a dictionary.")
        if buckets is not None:
            if not isinstance(buckets, list):
                raise TritonModelException("Failed to create metric. Buckets must be a list.")
            if self._kind != MetricKind.HISTOGRAM:
                raise TritonModelException("Failed to create metric. Unexpected buckets found.")
            buckets = [float(bound) for bound in buckets]
            if any(low >= high for low, high in zip(buckets, buckets[1:])):
                raise self._session.refusal(_NOT_MADE, "Bucket Boundaries must be strictly sorted")
        elif self._kind == MetricKind.HISTOGRAM:
            raise TritonModelException("Failed to create metric. Missing required buckets.")
        metric = Metric(self, labels, buckets)
        self._metrics.append(metric)
        return metric

    def __del__(self) -> None:
        if self._made:
            for metric in self._metrics:
                metric._dropped = True
            self._session.channel.later(
                {"kind": "metric", "action": "drop", "family": self._number}
            )


def _asked(failure: str, frame: dict[str, Any]) -> dict[str, Any]:
    return current().ask(failure, "ask", frame)
