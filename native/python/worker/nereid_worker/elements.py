"""BYTES tensors: elements of any length, each behind its 32-bit length."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from .errors import TritonModelException

_LENGTH = struct.Struct("<I")


def encode_elements(array: np.ndarray) -> bytes:
    """The wire form of an array of bytes, texts (as UTF-8) or other objects (as their text), in C
    order.
    """
    parts: list[bytes] = []
    pack = _LENGTH.pack
    for element in array.ravel().tolist():
        if type(element) is not bytes:
            element = str(element).encode("utf-8")
        parts.append(pack(len(element)))
        parts.append(element)
    return b"".join(parts)


def decode_elements(data: bytes, count: int) -> np.ndarray:
    """A flat array of `count` objects of type bytes."""
    array = np.empty(count, dtype=np.object_)
    unpack = _LENGTH.unpack_from
    at = 0
    try:
        for index in range(count):
            start = at + 4
            at = start + unpack(data, at)[0]
            array[index] = data[start:at]
    except struct.error as error:
        raise TritonModelException("Invalid bytes tensor data: incomplete length field") from error
    if at > len(data):
        raise TritonModelException("Invalid bytes tensor data: string extends beyond buffer")
    return array


def serialize_byte_tensor(input_tensor: np.ndarray) -> Any:
    """The wire form of an array of objects or of numpy's own bytes; `()` for an empty one, None for
    any other type.
    """
    if input_tensor.size == 0:
        return ()
    if input_tensor.dtype == np.object_ or input_tensor.dtype.type == np.bytes_:
        return encode_elements(input_tensor)
    return None


def deserialize_bytes_tensor(encoded_tensor: Any) -> np.ndarray:
    """A flat array of bytes objects from their wire form."""
    data = bytes(encoded_tensor)
    elements: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + 4
        at = start + _LENGTH.unpack_from(data, at)[0]
        if at > len(data):
            struct.unpack_from(f"<{at - start}s", data, start)  # raises what Triton's does
        elements.append(data[start:at])
    array = np.empty(len(elements), dtype=np.object_)
    array[:] = elements
    return array
