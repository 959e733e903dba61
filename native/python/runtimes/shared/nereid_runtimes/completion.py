"""Configurations that models complete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .options import batch_limit


class Io(NamedTuple):
    """An input or output of a model: its dimensions, without that of the batch where the model can batch."""

    name: str
    data_type: str
    dims: Sequence[int]

    def as_config(self, first: list[int]) -> dict[str, Any]:
        return {"name": self.name, "data_type": self.data_type, "dims": [*first, *self.dims]}


def complete(
    config: Any,
    inputs: Iterable[Io],
    outputs: Iterable[Io],
    batches: bool,
    most: int | None = None,
) -> Any:
    """`config` (Triton's ModelConfig) with the inputs and outputs that its user did not write.

    Where the user wrote neither and the model can batch (`batches`), requests are batched as well: `most` rows where the model
    says so. Where the user left batching off, the first dimension is one like others.
    """
    known = config.as_dict()
    if batches and not known.get("input") and not known.get("output"):
        if not known.get("max_batch_size"):
            config.set_max_batch_size(batch_limit() if most is None else most)
        if not known.get("sequence_batching"):
            config.set_dynamic_batching()
    first = [-1] if batches and not known.get("max_batch_size") else []
    if not known.get("input"):
        for io in inputs:
            config.add_input(io.as_config(first))
    if not known.get("output"):
        for io in outputs:
            config.add_output(io.as_config(first))
    return config


def names(config: dict[str, Any], section: str) -> list[str]:
    """The names of a configuration's inputs or outputs, in its order."""
    return [io["name"] for io in config.get(section) or []]
