"""Datatypes of configurations and of numpy."""

from __future__ import annotations

from typing import Any

import numpy as np

# BF16 is missing in numpy: runtimes that know it deal with it themselves.
CONFIG_TYPES: dict[str, str] = {
    "bool": "TYPE_BOOL",
    "uint8": "TYPE_UINT8",
    "uint16": "TYPE_UINT16",
    "uint32": "TYPE_UINT32",
    "uint64": "TYPE_UINT64",
    "int8": "TYPE_INT8",
    "int16": "TYPE_INT16",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "float16": "TYPE_FP16",
    "float32": "TYPE_FP32",
    "float64": "TYPE_FP64",
    "bfloat16": "TYPE_BF16",
}


def config_type(dtype: Any) -> str:
    """The configuration's name of a numpy type; text and objects are strings."""
    return CONFIG_TYPES.get(str(np.dtype(dtype)), "TYPE_STRING")


def as_bytes(array: Any) -> Any:
    """An array of texts as one of bytes objects, as tensors of strings have them."""
    texts = np.asarray(array, dtype=object)
    flat = [item if isinstance(item, bytes) else str(item).encode() for item in texts.reshape(-1)]
    encoded = np.empty(len(flat), dtype=object)
    encoded[:] = flat
    return encoded.reshape(texts.shape)


def as_texts(array: Any) -> Any:
    """An array of bytes objects as one of texts."""
    flat = [item.decode() if isinstance(item, bytes) else str(item) for item in array.reshape(-1)]
    decoded = np.empty(len(flat), dtype=object)
    decoded[:] = flat
    return decoded.reshape(array.shape)
