"""Enumerations that look as Triton's do."""

from __future__ import annotations

import enum


class TritonEnum(enum.IntEnum):
    """Told as `Name.MEMBER`, whatever the version of Python tells of numbers with names."""

    def __str__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    def __repr__(self) -> str:
        return f"<{self}: {int(self)}>"
