"""Parameters of Triton's PyTorch backend, and the device of an instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import triton_python_backend_utils as pb_utils
from nereid_runtimes.options import flag, number


def apply_options(config: Mapping[str, Any]) -> None:
    """Sets what the parameters say for this process, which runs one instance. What is not named stays as PyTorch has it."""
    if flag(config, "DISABLE_OPTIMIZED_EXECUTION"):
        torch._C._set_graph_executor_optimize(False)
    if flag(config, "DISABLE_CUDNN"):
        torch.backends.cudnn.enabled = False
    profiling = flag(config, "ENABLE_JIT_PROFILING")
    if profiling is not None:
        torch._C._jit_set_profiling_mode(profiling)
    executor = flag(config, "ENABLE_JIT_EXECUTOR")
    if executor is not None:
        torch._C._jit_set_profiling_executor(executor)
    fuser = flag(config, "ENABLE_TENSOR_FUSER")
    if fuser is not None:
        torch._C._jit_set_texpr_fuser_enabled(fuser)
    threads = _threads(config, "INTRA_OP_THREAD_COUNT", "NUM_THREADS")
    if threads is not None:
        torch.set_num_threads(threads)
    between = _threads(config, "INTER_OP_THREAD_COUNT", "NUM_INTEROP_THREADS")
    if between is not None:
        torch.set_num_interop_threads(between)


def device_of(kind: str, ordinal: str) -> torch.device | None:
    """The device that inputs go to; None where the model itself knows (`KIND_MODEL`)."""
    kind = kind.replace("KIND_", "")
    if kind == "MODEL":
        return None
    if kind != "GPU":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise pb_utils.TritonModelException(
            f"an instance of kind KIND_GPU needs a GPU, and PyTorch {torch.__version__} finds none: "
            "use KIND_CPU, or install the driver and a PyTorch that was built for it"
        )
    return torch.device(f"cuda:{ordinal}")


def _threads(config: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        count = number(config, name)
        if count is not None and count > 0:
            return count
    return None
