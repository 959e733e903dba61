"""Where a model would like the outputs of another model to be."""

from __future__ import annotations

from operator import index

from .enums import TritonEnum


class MemoryType(TritonEnum):
    """Kinds of memory."""

    TRITONSERVER_MEMORY_GPU = 0
    TRITONSERVER_MEMORY_CPU = 1


TRITONSERVER_MEMORY_GPU = MemoryType.TRITONSERVER_MEMORY_GPU
TRITONSERVER_MEMORY_CPU = MemoryType.TRITONSERVER_MEMORY_CPU


class PreferredMemory:
    """A wish: outputs always come in the machine's memory."""

    __slots__ = ("preferred_device_id", "preferred_memory_type")

    def __init__(self, preferred_memory_type: MemoryType, preferred_device_id: int = 0) -> None:
        if not isinstance(preferred_memory_type, MemoryType):
            raise TypeError(f"PreferredMemory: not a kind of memory: {preferred_memory_type!r}")
        self.preferred_memory_type = preferred_memory_type
        self.preferred_device_id = index(preferred_device_id)
