"""Tensors on their way to the server: written into one block of a frame."""

from __future__ import annotations

from typing import Any, List, Sequence

from .datatypes import BYTES
from .memory_out import OutgoingMemory, aligned, copy_into
from .tensor import Tensor

Wire = List[Any]


def write_tensors(
    memory: OutgoingMemory, tensors: Sequence[Tensor]
) -> tuple[int | None, list[Wire]]:
    """Copies all tensors into one block; its offset (None where they have no bytes) and the tensors
    as frames tell them.

    Raises TritonModelException where the memory may not grow any further.
    """
    total = 0
    for tensor in tensors:
        total += (tensor.byte_size() + 63) & ~63
    if total == 0:
        return None, [[tensor._name, tensor._datatype, tensor.shape(), 0, 0] for tensor in tensors]
    wires: list[Wire] = []
    block, start, segment = memory.allocate(total)
    at = block
    for tensor in tensors:
        datatype = tensor._datatype
        if datatype == BYTES:
            data = tensor.encoded()
            length = len(data)
            segment[at - start : at - start + length] = data
            shape = tensor.shape()
        else:
            array = tensor.bits()
            length = array.nbytes
            if length:
                copy_into(segment, at - start, array)
            shape = list(array.shape)
        wires.append([tensor._name, datatype, shape, at, length])
        at += aligned(length)
    return block, wires
