"""Triton's datatypes: names on the wire, names in configurations, numbers, and numpy's types."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .errors import TritonModelException

BF16 = "BF16"
BYTES = "BYTES"

TRITON_STRING_TO_NUMPY: dict[str, Any] = {
    "TYPE_BOOL": bool,
    "TYPE_UINT8": np.uint8,
    "TYPE_UINT16": np.uint16,
    "TYPE_UINT32": np.uint32,
    "TYPE_UINT64": np.uint64,
    "TYPE_INT8": np.int8,
    "TYPE_INT16": np.int16,
    "TYPE_INT32": np.int32,
    "TYPE_INT64": np.int64,
    "TYPE_FP16": np.float16,
    "TYPE_FP32": np.float32,
    "TYPE_FP64": np.float64,
    "TYPE_STRING": np.object_,
}

NUMPY_BY_NUMBER: dict[int, Any] = {
    1: np.bool_,
    2: np.uint8,
    3: np.uint16,
    4: np.uint32,
    5: np.uint64,
    6: np.int8,
    7: np.int16,
    8: np.int32,
    9: np.int64,
    10: np.float16,
    11: np.float32,
    12: np.float64,
    13: np.object_,
}

NUMBER_BY_NAME: dict[str, int] = {
    "BOOL": 1,
    "UINT8": 2,
    "UINT16": 3,
    "UINT32": 4,
    "UINT64": 5,
    "INT8": 6,
    "INT16": 7,
    "INT32": 8,
    "INT64": 9,
    "FP16": 10,
    "FP32": 11,
    "FP64": 12,
    BYTES: 13,
    BF16: 14,
}

DTYPE_BY_NAME: dict[str, np.dtype] = {
    name: np.dtype(NUMPY_BY_NUMBER[number])
    for name, number in NUMBER_BY_NAME.items()
    if number < 13
}

# A character is the cheapest key that a dtype has; several characters may stand for the same type
# (`l` and `q`).
NAME_BY_CHARACTER: dict[str, str] = {}
for _characters, _kind in (("?", ""), ("BHILQ", "UINT"), ("bhilq", "INT"), ("efd", "FP")):
    for _character in _characters:
        NAME_BY_CHARACTER[_character] = (
            f"{_kind}{np.dtype(_character).itemsize * 8}" if _kind else "BOOL"
        )
NAME_BY_CHARACTER["O"] = BYTES
NAME_BY_CHARACTER["S"] = BYTES


def bfloat16() -> np.dtype | None:
    """The numpy type of BF16 where the package `ml_dtypes` is installed, else None."""
    try:
        import ml_dtypes
    except ImportError:
        return None
    return np.dtype(ml_dtypes.bfloat16)


def name_of(dtype: np.dtype) -> str:
    """The datatype on the wire of a numpy type; raises TritonModelException for one that has
    none.
    """
    name = NAME_BY_CHARACTER.get(dtype.char)
    if name is not None and dtype.isnative:
        return name
    # Whoever has an array of bfloat16 has imported ml_dtypes: nobody else pays for the import.
    if dtype.name == "bfloat16" and "ml_dtypes" in sys.modules:
        return BF16
    raise TritonModelException("NumPy dtype is not supported.")


def triton_to_numpy_type(data_type: int) -> Any:
    """The numpy type of one of Triton's datatype numbers, None for an unknown one."""
    return NUMPY_BY_NUMBER.get(data_type)


def numpy_to_triton_type(data_type: Any) -> int | None:
    """Triton's number for a numpy type, None for one that has none."""
    for number, candidate in NUMPY_BY_NUMBER.items():
        if data_type == candidate:
            return number
    return 13 if data_type == np.bytes_ else None


def triton_string_to_numpy(triton_type_string: str) -> Any:
    """The numpy type of a configuration's datatype (`TYPE_FP32`); raises KeyError for an unknown
    one.
    """
    return TRITON_STRING_TO_NUMPY[triton_type_string]
