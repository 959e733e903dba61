"""What tritonclient uses of NVIDIA's `cuda.bindings.runtime`, on the stand-in."""

import ctypes
import enum

CUDA_IPC_HANDLE_SIZE = 64
_library = ctypes.CDLL("libcuda.so.1")


class cudaError_t(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInvalidDevice = 101


class cudaDeviceAttr(enum.IntEnum):
    cudaDevAttrUnifiedAddressing = 41


class cudaMemcpyKind(enum.IntEnum):
    cudaMemcpyDefault = 4


class cudaIpcMemHandle_t:
    def __init__(self):
        self._bytes = (ctypes.c_char * CUDA_IPC_HANDLE_SIZE)()

    def getPtr(self):
        return ctypes.addressof(self._bytes)


def _address(of):
    if isinstance(of, int):
        return of
    if isinstance(of, bytes):
        return ctypes.cast(of, ctypes.c_void_p).value
    return ctypes.addressof(of)


def cudaGetErrorString(error):
    return cudaError_t.cudaSuccess, error.name.encode()


def cudaGetDevice():
    device = ctypes.c_int()
    return cudaError_t(_library.cudaGetDevice(ctypes.byref(device))), device.value


def cudaSetDevice(device):
    return (cudaError_t(_library.cudaSetDevice(device)),)


def cudaDeviceGetAttribute(attribute, device):
    return cudaError_t.cudaSuccess, 1


def cudaMalloc(size):
    pointer = ctypes.c_uint64()
    error = _library.cudaMalloc(ctypes.byref(pointer), ctypes.c_size_t(size))
    return cudaError_t(error), pointer.value


def cudaFree(pointer):
    return (cudaError_t(_library.cudaFree(ctypes.c_uint64(pointer))),)


def cudaIpcGetMemHandle(pointer):
    handle = cudaIpcMemHandle_t()
    error = _library.cudaIpcGetMemHandle(
        ctypes.c_void_p(handle.getPtr()), ctypes.c_uint64(pointer)
    )
    return cudaError_t(error), handle


class _Stream:
    def getPtr(self):
        return 0


def cudaStreamCreate():
    return cudaError_t.cudaSuccess, _Stream()


def cudaStreamDestroy(stream):
    return (cudaError_t.cudaSuccess,)


def cudaStreamSynchronize(stream):
    return (cudaError_t.cudaSuccess,)


def cudaMemcpyAsync(to, source, size, kind, stream):
    error = _library.cudaMemcpy(
        ctypes.c_uint64(_address(to)), ctypes.c_uint64(_address(source)), ctypes.c_size_t(size)
    )
    return (cudaError_t(error),)
