"""A plan of TensorRT: what it takes and makes, and how it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from nereid_runtimes.completion import Io

TYPES = {
    "FLOAT": ("TYPE_FP32", np.float32),
    "HALF": ("TYPE_FP16", np.float16),
    "INT8": ("TYPE_INT8", np.int8),
    "UINT8": ("TYPE_UINT8", np.uint8),
    "INT32": ("TYPE_INT32", np.int32),
    "INT64": ("TYPE_INT64", np.int64),
    "BOOL": ("TYPE_BOOL", np.bool_),
}


class Plan:
    """Reads the plan at `path` and makes a context of its optimization profile `profile`."""

    def __init__(self, trt: Any, device: Any, path: str, profile: int, host_code: bool) -> None:
        self._device = device
        # Kept: an engine does not outlive its runtime, nor that its logger.
        self._logger = trt.Logger(trt.Logger.WARNING)
        self._runtime = trt.Runtime(self._logger)
        self._runtime.engine_host_code_allowed = host_code
        with open(path, "rb") as file:
            engine = self._runtime.deserialize_cuda_engine(file.read())
        if engine is None:
            raise pb_utils.TritonModelException(
                f"TensorRT {trt.__version__} cannot read '{os.path.basename(path)}': a plan runs only with the release and on "
                "the kind of GPU that it was built for, unless it was built to be version compatible; what TensorRT says of "
                "it is in the log"
            )
        self._engine = engine
        self._profile = profile
        if profile >= engine.num_optimization_profiles:
            raise pb_utils.TritonModelException(
                f"the plan has no optimization profile {profile}: it has {engine.num_optimization_profiles}"
            )
        self._context = engine.create_execution_context()
        if self._context is None:
            raise pb_utils.TritonModelException(
                "TensorRT cannot make an execution context: what it says of it is in the log"
            )
        if profile > 0:
            self._context.set_optimization_profile_async(profile, device.stream)
            device.wait()
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        self._inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        self._outputs = [name for name in names if name not in self._inputs]
        self._types = {name: self._type(name) for name in names}

    def described(self) -> tuple[list[Io], list[Io], bool, int | None]:
        """Inputs, outputs, whether the first dimension of all of them is free, and how large the profile lets it be."""
        shapes = {name: [int(size) for size in self._engine.get_tensor_shape(name)] for name in self._types}
        batches = all(shape and shape[0] == -1 for shape in shapes.values())
        most = None
        if batches:
            most = min(int(self._engine.get_tensor_profile_shape(name, self._profile)[2][0]) for name in self._inputs)

        def io(name: str) -> Io:
            return Io(
                name,
                self._types[name][0],
                shapes[name][1:] or [1] if batches else shapes[name] or [1],
            )

        return (
            [io(name) for name in self._inputs],
            [io(name) for name in self._outputs],
            batches,
            most,
        )

    def check(self, config: Mapping[str, Any]) -> None:
        """Throws where a configuration has tensors that the plan does not."""
        for section, known in (("input", self._inputs), ("output", self._outputs)):
            for io in config.get(section) or []:
                if io["name"] not in known:
                    raise pb_utils.TritonModelException(
                        f"unexpected inference {section} '{io['name']}', allowed {section}s are: {', '.join(sorted(known))}"
                    )
                if io["data_type"] != self._types[io["name"]][0]:
                    raise pb_utils.TritonModelException(
                        f"configuration expects datatype {io['data_type']} for {section} '{io['name']}', "
                        f"model provides {self._types[io['name']][0]}"
                    )

    def run(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs for inputs, both on the host."""
        context, device = self._context, self._device
        held = []
        for name in self._inputs:
            array = np.ascontiguousarray(arrays[name])
            held.append(array)
            if not self._engine.is_shape_inference_io(name) and not context.set_input_shape(name, array.shape):
                raise ValueError(f"input '{name}' of shape {list(array.shape)} is not within {self._range(name)}")
            self._place(name, array)
        made = {}
        for name in self._outputs:
            shape = [int(size) for size in context.get_tensor_shape(name)]
            if any(size < 0 for size in shape):
                raise ValueError(f"output '{name}' has a shape that only its data tell, which is not supported")
            made[name] = np.empty(shape, dtype=self._types[name][1])
            context.set_tensor_address(name, device.room(name, made[name].nbytes))
        if not context.execute_async_v3(device.stream):
            raise RuntimeError("the plan did not run: what TensorRT says of it is in the log")
        for name, array in made.items():
            device.fetch(device.room(name, array.nbytes), array)
        device.wait()
        return made

    def close(self) -> None:
        """Gives the memory of the GPU back. Idempotent."""
        self._context = None
        self._device.close()

    def _place(self, name: str, array: Any) -> None:
        if self._engine.is_shape_inference_io(name):  # TensorRT reads these on the host
            self._context.set_tensor_address(name, array.ctypes.data)
            return
        at = self._device.room(name, array.nbytes)
        self._device.send(at, array)
        self._context.set_tensor_address(name, at)

    def _range(self, name: str) -> str:
        least, _, most = self._engine.get_tensor_profile_shape(name, self._profile)
        return f"{list(least)} to {list(most)}, the range of optimization profile {self._profile}"

    def _type(self, name: str) -> tuple[str, Any]:
        kind = str(getattr(self._engine.get_tensor_dtype(name), "name", ""))
        if kind not in TYPES:
            raise pb_utils.TritonModelException(f"tensor '{name}' has type {kind}, which this runtime does not have")
        return TYPES[kind]
