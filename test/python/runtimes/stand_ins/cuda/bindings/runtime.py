# ruff: noqa: N802, N816 (names of CUDA)
"""Stands for cuda-python's runtime: the memory of the "device" is that of this process."""

from __future__ import annotations

import ctypes
import enum

cudaMemcpyKind = enum.IntEnum(
    "cudaMemcpyKind", "cudaMemcpyHostToHost cudaMemcpyHostToDevice cudaMemcpyDeviceToHost", start=0
)
_memory = {}


def cudaSetDevice(ordinal):
    return (0,) if ordinal == 0 else (101,)


def cudaGetErrorString(code):
    return 0, b"invalid device ordinal"


def cudaStreamCreate():
    return 0, 1


def cudaStreamDestroy(stream):
    return (0,)


def cudaStreamSynchronize(stream):
    return (0,)


def cudaMalloc(size):
    room = ctypes.create_string_buffer(size)
    at = ctypes.addressof(room)
    _memory[at] = room
    return 0, at


def cudaFree(at):
    del _memory[at]
    return (0,)


def cudaMemcpyAsync(to, source, size, kind, stream):
    ctypes.memmove(to, source, size)
    return (0,)
