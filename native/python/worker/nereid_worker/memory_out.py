"""Memory that the worker writes and the server reads: an allocator of blocks in a file that only
grows.
"""

from __future__ import annotations

import mmap
import os
import threading
from typing import Sequence

import numpy as np

from .errors import TritonModelException

SEGMENT_MULTIPLE = 1 << 16
DEFAULT_GROWTH = 1 << 20
DEFAULT_LIMIT = 8 << 30
LARGEST_COPY_WITH_LOCK = 1 << 18
GIVE_BACK_BYTES = 1 << 20
KEPT_FREE_BYTES = 64 << 20

_REMOVE = getattr(mmap, "MADV_REMOVE", None)


def size_class(length: int) -> int:
    """The size of the block for `length` bytes: steps of 64 bytes, then four steps between powers
    of two.
    """
    if length <= 1024:
        return (length + 63) & ~63 or 64
    step = 1 << max(6, length.bit_length() - 3)
    return (length + step - 1) & -step


class OutgoingMemory:
    """Blocks by size class, each with a list of free ones; a new one is cut from the last segment.

    Threads may write at the same time. What the server has freed is used again before the file
    grows, and pages of
    large free blocks are given back to the system once much is free.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._size = os.fstat(descriptor).st_size
        self._growth = DEFAULT_GROWTH
        self._limit = DEFAULT_LIMIT
        self._sizes: list[int] = []
        self._segments: list[tuple[int, mmap.mmap]] = []
        self._free: dict[int, list[int]] = {}
        self._free_bytes = 0
        # Of each block in use: its class and segment. The server names blocks by their offset
        # alone.
        self._blocks: dict[int, tuple[int, int, mmap.mmap]] = {}
        self._next = 0
        self._end = self._size
        if self._size:
            self._segments.append((0, mmap.mmap(descriptor, self._size)))

    def configure(self, growth: int, limit: int) -> None:
        """By how much the file grows at least and how large it may become, both in bytes."""
        self._growth = growth
        self._limit = limit

    def grown(self) -> Sequence[int]:
        """The sizes that the server has not been told, one for each new segment."""
        if not self._sizes:
            return ()
        with self._lock:
            sizes, self._sizes = self._sizes, []
        return sizes

    def allocate(self, length: int) -> tuple[int, int, mmap.mmap]:
        """A block of at least `length` bytes: its offset, its segment's first offset, and the
        segment.

        Raises TritonModelException where the memory may not grow any further.
        """
        size = size_class(length)
        with self._lock:
            free = self._free.get(size)
            if free:
                at = free.pop()
                self._free_bytes -= size
                _, start, segment = self._blocks[at]
                return at, start, segment
            if self._next + size > self._end:
                self._grow(size)
            at = self._next
            self._next = at + size
            start, segment = self._segments[-1]
            self._blocks[at] = (size, start, segment)
            return at, start, segment

    def release(self, blocks: Sequence[int]) -> None:
        """Takes back blocks that the server reads no more."""
        with self._lock:
            for at in blocks:
                block = self._blocks.get(at)
                if block is None:
                    continue
                size, start, segment = block
                self._free.setdefault(size, []).append(at)
                self._free_bytes += size
                if (
                    size >= GIVE_BACK_BYTES
                    and self._free_bytes > KEPT_FREE_BYTES
                    and _REMOVE is not None
                ):
                    first = (at - start + mmap.PAGESIZE - 1) & -mmap.PAGESIZE
                    last = (at - start + size) & -mmap.PAGESIZE
                    segment.madvise(_REMOVE, first, last - first)

    def _grow(self, size: int) -> None:
        growth = max(size, self._growth)
        growth = (growth + SEGMENT_MULTIPLE - 1) & -SEGMENT_MULTIPLE
        if self._size + growth > self._limit:
            growth = (size + SEGMENT_MULTIPLE - 1) & -SEGMENT_MULTIPLE
        if self._size + growth > self._limit:
            raise TritonModelException(
                f"Failed to increase the shared memory pool: {size} bytes more than the "
                f"{self._size} bytes in use "
                f"would exceed the limit of {self._limit} bytes"
            )
        start = self._size
        os.ftruncate(self._descriptor, start + growth)
        self._segments.append((start, mmap.mmap(self._descriptor, growth, offset=start)))
        self._size = start + growth
        self._sizes.append(self._size)
        self._next = start
        self._end = self._size


def copy_into(segment: mmap.mmap, at: int, array: np.ndarray) -> None:
    """Writes a C-contiguous array of plain numbers at `at` of a segment."""
    length = array.nbytes
    if length <= LARGEST_COPY_WITH_LOCK:
        segment[at : at + length] = array  # type: ignore[call-overload]
    else:
        # Other threads of the model run meanwhile.
        np.copyto(np.ndarray(array.shape, array.dtype, segment, at), array)
