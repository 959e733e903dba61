"""DLPack: tensors handed to and taken from other libraries without a copy."""

from __future__ import annotations

import ctypes
import weakref
from typing import Any

import numpy as np

from .datatypes import BF16, BYTES
from .errors import TritonModelException
from .tensor import Tensor

CPU, CUDA, CUDA_HOST = 1, 2, 3
_INT, _UINT, _FLOAT, _BFLOAT, _BOOL = 0, 1, 2, 4, 6
_CODES = {"i": _INT, "u": _UINT, "f": _FLOAT, "b": _BOOL}
_KINDS = {_INT: "i", _UINT: "u", _FLOAT: "f"}
_NAME = b"dltensor"
_USED = b"used_dltensor"


class _Device(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int32), ("number", ctypes.c_int32)]


class _Type(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class _Data(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", _Device),
        ("dimensions", ctypes.c_int32),
        ("type", _Type),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("offset", ctypes.c_uint64),
    ]


class _Managed(ctypes.Structure):
    pass


_Deleter = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Managed))
_Managed._fields_ = [("tensor", _Data), ("context", ctypes.c_void_p), ("deleter", _Deleter)]

_Destructor = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_new = ctypes.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, _Destructor]
_valid = ctypes.pythonapi.PyCapsule_IsValid
_valid.restype, _valid.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
_rename = ctypes.pythonapi.PyCapsule_SetName
_rename.restype, _rename.argtypes = ctypes.c_int, [ctypes.py_object, ctypes.c_char_p]
# In a destructor the capsule is dying: it is named by its address, never by a new reference.
_dying_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_IsValid", ctypes.pythonapi)
)
_dying_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)

# What a capsule's taker reads lives until it calls the deleter, however long that takes: by the
# address it was given.
_lent: dict[int, tuple[Any, ...]] = {}


@_Deleter
def _returned(managed: Any) -> None:
    _lent.pop(ctypes.addressof(managed.contents), None)


@_Destructor
def _dropped(capsule: int) -> None:
    if _dying_valid(capsule, _NAME):
        _lent.pop(_dying_pointer(capsule, _NAME), None)


def capsule_of(tensor: Tensor) -> Any:
    """A capsule over the tensor's memory, which stays as long as whoever takes it needs it."""
    if tensor.datatype() == BYTES:
        raise TritonModelException("DLPack does not have support for string tensors.")
    array = tensor.bits()
    managed = _Managed()
    data = managed.tensor
    shape = (ctypes.c_int64 * max(1, array.ndim))(*array.shape)
    data.data = array.ctypes.data
    data.device = _Device(CPU, 0)
    data.dimensions = array.ndim
    code = _BFLOAT if tensor.datatype() == BF16 else _CODES[array.dtype.kind]
    data.type = _Type(code, array.itemsize * 8, 1)
    data.shape = ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64))
    data.strides = None
    data.offset = 0
    managed.deleter = _returned
    address = ctypes.addressof(managed)
    _lent[address] = (managed, shape, array)
    return _new(address, _NAME, _dropped)


class _Loan:
    """Memory of another library, given back when the last array over it has gone."""

    def __init__(self, managed: Any) -> None:
        self._managed = managed

    def give_back(self) -> None:
        if self._managed.deleter:
            self._managed.deleter(ctypes.byref(self._managed))


def tensor_from(name: str, source: Any) -> Tensor:
    """A tensor over the memory of a capsule, or of an object that offers one; from a GPU it is
    copied.
    """
    if name == "":
        raise TritonModelException("Tensor name cannot be an empty string.")
    if type(source).__name__ == "PyCapsule":
        return _tensor_of_capsule(name, source)
    if not hasattr(source, "__dlpack__") or not hasattr(source, "__dlpack_device__"):
        raise TritonModelException(
            "Provided tensor is not supported. Tensor must be a DLPack capsule         or have "
            "`__dlpack__` and "
            "`__dlpack_device__` attributes"
        )
    device = int(source.__dlpack_device__()[0])
    if device == CUDA and hasattr(source, "cpu"):
        return tensor_from(name, source.cpu())
    if device == CUDA and hasattr(source, "get"):
        return Tensor(name, source.get())
    _check_device(device)
    return _tensor_of_capsule(name, source.__dlpack__(stream=None))


def _check_device(device: int) -> None:
    if device == CUDA:
        raise TritonModelException(
            "DLPack capsule passed pointer to memory allocated on GPU device,           when GPU "
            "is not available"
        )
    if device not in (CPU, CUDA_HOST):
        raise TritonModelException(f"DLDevice type {device} is not support by Python backend.")


def _tensor_of_capsule(name: str, capsule: Any) -> Tensor:
    if not _valid(capsule, _NAME):
        raise TritonModelException("the DLPack capsule was taken by somebody else already")
    managed = ctypes.cast(_pointer(capsule, _NAME), ctypes.POINTER(_Managed)).contents
    data = managed.tensor
    _check_device(data.device.kind)
    shape = [data.shape[index] for index in range(data.dimensions)]
    if data.strides:
        _check_contiguous(shape, [data.strides[index] for index in range(data.dimensions)])
    brain = data.type.code == _BFLOAT and data.type.bits == 16
    dtype = _dtype_of(data.type)
    count = 1
    for dimension in shape:
        count *= dimension
    # From here on the memory is ours to give back.
    _rename(capsule, _USED)
    loan = _Loan(managed)
    if count == 0:
        array = np.empty(shape, dtype)
        loan.give_back()
    else:
        buffer = (ctypes.c_char * (count * dtype.itemsize)).from_address(data.data + data.offset)
        array = np.ndarray(shape, dtype, memoryview(buffer))
        weakref.finalize(array, loan.give_back).atexit = False
    return Tensor.from_bits(name, array) if brain else Tensor(name, array)


def _check_contiguous(shape: list[int], strides: list[int]) -> None:
    expected = 1
    for dimension, stride in zip(reversed(shape), reversed(strides)):
        if dimension != 1 and stride != expected:
            raise TritonModelException(
                "DLPack tensor is not contiguous. Only contiguous DLPack tensors that are stored "
                "in C-Order are "
                "supported."
            )
        expected *= dimension


def _dtype_of(kind: _Type) -> np.dtype:
    if kind.lanes == 1:
        if kind.code == _BFLOAT and kind.bits == 16:
            return np.dtype(np.uint16)
        if kind.code == _BOOL and kind.bits == 8:
            return np.dtype(np.bool_)
        letter = _KINDS.get(kind.code)
        if (
            letter is not None
            and kind.bits in (8, 16, 32, 64)
            and not (letter == "f" and kind.bits == 8)
        ):
            return np.dtype(f"{letter}{kind.bits // 8}")
    raise TritonModelException("the DLPack tensor has a datatype that Triton does not know")
