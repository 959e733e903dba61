"""What tritonclient uses of NVIDIA's `cuda.bindings.driver`, on the stand-in."""

import enum


class CUresult(enum.IntEnum):
    CUDA_SUCCESS = 0


def cuDeviceGet(ordinal):
    return CUresult.CUDA_SUCCESS, ordinal


def cuDevicePrimaryCtxGetState(device):
    return CUresult.CUDA_SUCCESS, 0, 1


def cuGetErrorString(error):
    return CUresult.CUDA_SUCCESS, str(error).encode()
