"""Tensors as models see them: a name and numpy data."""

from __future__ import annotations

from typing import Any

import numpy as np

from .datatypes import BF16, BYTES, DTYPE_BY_NAME, NUMBER_BY_NAME, bfloat16, name_of
from .elements import decode_elements, encode_elements
from .errors import TritonModelException

_UINT8 = np.dtype(np.uint8)
_UINT16 = np.dtype(np.uint16)


class Tensor:
    """A named tensor. One that came from the server is a view of shared memory, valid for as long
    as it is kept.
    """

    __slots__ = (
        "__weakref__",
        "_array",
        "_base",
        "_datatype",
        "_encoded",
        "_name",
        "_shape",
        "_where",
    )

    def __init__(self, name: str, numpy_array: Any) -> None:
        if not isinstance(name, str):
            raise TypeError(f"Tensor: name must be a str, got {type(name).__name__}")
        if name == "":
            raise TritonModelException("Tensor name cannot be an empty string.")
        if not isinstance(numpy_array, np.ndarray):
            raise TypeError(f"Tensor: expected a numpy.ndarray, got {type(numpy_array).__name__}")
        array = numpy_array
        self._datatype = name_of(array.dtype)
        if not array.flags.c_contiguous:
            array = np.ascontiguousarray(array)
        self._name = name
        self._array: np.ndarray | None = array
        self._shape: list[int] | None = None
        self._encoded: bytes | None = None
        self._base: Any = None
        # Of one that came: where it lies in its block, and how long it is.
        self._where = (0, 0)

    @staticmethod
    def received(wire: list[Any], base: np.ndarray | None, start: int) -> Tensor:
        """A tensor of a frame, whose block begins at `start` and is `base`. The array is made when
        it is asked for.
        """
        tensor = Tensor.__new__(Tensor)
        tensor._name, tensor._datatype, tensor._shape, at, length = wire
        tensor._array = None
        tensor._encoded = None
        tensor._base = base
        tensor._where = (at - start, length)
        return tensor

    @staticmethod
    def from_bits(name: str, bits: np.ndarray) -> Tensor:
        """A tensor of BF16 from 16-bit numbers that hold its bits."""
        tensor = Tensor(name, bits)
        tensor._datatype = BF16
        return tensor

    def name(self) -> str:
        """The name in the configuration."""
        return self._name

    def shape(self) -> list[int]:
        """The dimensions, the batch included."""
        if self._shape is not None:
            return list(self._shape)
        return list(self._data().shape)

    def triton_dtype(self) -> int:
        """Triton's number of the datatype."""
        return NUMBER_BY_NAME[self._datatype]

    def is_cpu(self) -> bool:
        """Always true: tensors live in the machine's memory."""
        return True

    def as_numpy(self) -> np.ndarray:
        """The data without a copy; BYTES as objects of type bytes. BF16 needs the package
        `ml_dtypes`.
        """
        array = self._array
        if array is None:
            array = self._data()
        if self._datatype is BF16 or self._datatype == BF16:
            dtype = bfloat16()
            if dtype is None:
                raise TritonModelException(
                    "Tensor dtype is BF16 and cannot be converted to NumPy. Use to_dlpack() and "
                    "from_dlpack() instead."
                )
            return array if array.dtype == dtype else array.view(dtype)
        return array

    def to_dlpack(self) -> Any:
        """A DLPack capsule of the data, without a copy."""
        from .dlpack import capsule_of

        return capsule_of(self)

    @staticmethod
    def from_dlpack(name: str, tensor: Any) -> Tensor:
        """A tensor over the memory of a DLPack capsule, or of an object that offers one, without a
        copy.
        """
        from .dlpack import tensor_from

        return tensor_from(name, tensor)

    def __dlpack__(self, stream: Any = None, **_: Any) -> Any:
        return self.to_dlpack()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def datatype(self) -> str:
        """The datatype's name on the wire (`FP32`)."""
        return self._datatype

    def bits(self) -> np.ndarray:
        """The data as numpy can always hold it: BF16 as 16-bit numbers."""
        array = self._data()
        if self._datatype == BF16 and array.dtype != _UINT16:
            return array.view(_UINT16)
        return array

    def byte_size(self) -> int:
        """The length of the wire form in bytes."""
        if self._datatype == BYTES:
            return len(self.encoded())
        return self._data().nbytes

    def encoded(self) -> bytes:
        """The wire form of BYTES, made once."""
        if self._encoded is None:
            if self._array is None:
                # Nobody has looked at it: it goes on as it came.
                offset, length = self._where
                self._encoded = self._base[offset : offset + length].tobytes() if length else b""
            else:
                self._encoded = encode_elements(self._array)
        return self._encoded

    def _data(self) -> np.ndarray:
        array = self._array
        if array is not None:
            return array
        shape = self._shape or []
        offset, length = self._where
        datatype = self._datatype
        base = self._base
        if datatype == BYTES:
            data = base[offset : offset + length].tobytes() if length else b""
            count = 1
            for dimension in shape:
                count *= dimension
            array = decode_elements(data, count).reshape(shape)
            # The elements are copies: the block is not needed for them.
            self._base = None
        elif length == 0:
            array = np.empty(shape, _UINT16 if datatype == BF16 else DTYPE_BY_NAME[datatype])
        else:
            array = np.ndarray(
                shape, _UINT16 if datatype == BF16 else DTYPE_BY_NAME[datatype], base, offset
            )
        self._array = array
        return array
