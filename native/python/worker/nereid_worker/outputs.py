"""Tensors on their way to the server: written into one block of a frame."""

from __future__ import annotations

from typing import Any, List, Sequence

from .datatypes import BYTES
from .memory_out import OutgoingMemory, copy_into
from .tensor import Tensor

Wire = List[Any]


def write_tensors(
    memory: OutgoingMemory, tensors: Sequence[Tensor]
) -> tuple[int | None, list[Wire]]:
    """Copies all tensors into one block: its offset, and the tensors as frames tell them.

    Without bytes there is no block (None). Raises TritonModelException where the memory may not
    grow any further.
    """
    block, wires = write_groups(memory, (tensors,))
    return block, wires[0]


def write_groups(
    memory: OutgoingMemory, groups: Sequence[Sequence[Tensor]]
) -> tuple[int | None, list[list[Wire]]]:
    """As `write_tensors`, for the tensors of several responses."""
    total = 0
    for tensors in groups:
        for tensor in tensors:
            total += (tensor.byte_size() + 63) & ~63
    if total == 0:
        return None, [[_wire(tensor, 0, 0) for tensor in tensors] for tensors in groups]
    block, start, segment = memory.allocate(total)
    at = block
    written: list[list[Wire]] = []
    for tensors in groups:
        wires: list[Wire] = []
        for tensor in tensors:
            if tensor._datatype == BYTES:
                data = tensor.encoded()
                length = len(data)
                segment[at - start : at - start + length] = data
            else:
                array = tensor.bits()
                length = array.nbytes
                copy_into(segment, at - start, array)
            wires.append(_wire(tensor, at, length))
            at += (length + 63) & ~63
        written.append(wires)
    return block, written


def _wire(tensor: Tensor, at: int, length: int) -> Wire:
    return [tensor._name, tensor._datatype, tensor.shape(), at, length]
