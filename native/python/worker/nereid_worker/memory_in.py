"""Memory that the server writes and the worker reads: blocks, seen through numpy, freed with the
last view.
"""

from __future__ import annotations

import mmap
import os
import weakref
from bisect import bisect_right
from typing import Callable

import numpy as np

_UINT8 = np.dtype(np.uint8)


class _Lease(weakref.ref):
    """Notices the end of the array that all views of a block hang on."""

    __slots__ = ("at",)
    at: int


class IncomingMemory:
    """Maps each segment once and for ever, so that views stay good for as long as a model keeps
    them.

    `freed` is called with the offset of a block, by any thread, when the last view of it has gone.
    """

    def __init__(self, descriptor: int, freed: Callable[[int], None]) -> None:
        self._descriptor = descriptor
        self._freed = freed
        self._starts: list[int] = []
        self._maps: list[mmap.mmap] = []
        self._size = 0
        # By offset: a reference to an array cannot be hashed.
        self._leases: dict[int, _Lease] = {}
        size = os.fstat(descriptor).st_size
        if size:
            self.grow(size)

    def grow(self, size: int) -> None:
        """Maps what the server has added: from the size so far to `size`."""
        if size <= self._size:
            return
        self._maps.append(mmap.mmap(self._descriptor, size - self._size, offset=self._size))
        self._starts.append(self._size)
        self._size = size

    def segment(self, at: int) -> tuple[mmap.mmap, int]:
        """The segment that holds `at`, and its first offset."""
        index = bisect_right(self._starts, at) - 1
        return self._maps[index], self._starts[index]

    def lease(self, at: int) -> BlockView:
        """The block at `at`, which is freed when this and all arrays made of it have gone."""
        return BlockView(self, at)

    def watch(self, array: np.ndarray, at: int) -> None:
        """Frees the block at `at` when `array`, which all its views hang on, has gone."""
        lease = _Lease(array, self._gone)
        lease.at = at
        self._leases[at] = lease

    def _gone(self, lease: _Lease) -> None:
        del self._leases[lease.at]
        self._freed(lease.at)


class BlockView:
    """One block while a frame that names it is read."""

    __slots__ = ("base", "start")

    def __init__(self, memory: IncomingMemory, at: int) -> None:
        segment, self.start = memory.segment(at)
        # numpy lets a view of a view hang on the first array below that is not an array of another
        # object, which is this one: its end is the end of all views.
        self.base = np.ndarray(
            (len(segment) - (at - self.start),), _UINT8, segment, at - self.start
        )
        self.start = at
        memory.watch(self.base, at)
