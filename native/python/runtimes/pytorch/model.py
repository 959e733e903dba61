"""Serves PyTorch models: TorchScript (`model.pt`), `torch.export` programs and packages that were compiled ahead of time
(`model.pt2`), and a module of one's own (`model.py`, with its weights in `model.pt`).

Names of inputs and outputs and parameters are those of Triton's PyTorch backend.
"""

from __future__ import annotations

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "shared"), HERE]

import numpy as np
import triton_python_backend_utils as pb_utils
from nereid_runtimes.batch import Batcher
from nereid_runtimes.completion import complete
from nereid_runtimes.libraries import need
from nereid_runtimes.options import flag

torch = need("torch", "torch")

from torch_files import PythonModule, load_model, model_kind, program_io
from torch_options import apply_options, device_of


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(auto_complete_model_config):
        config = auto_complete_model_config.as_dict()
        if config.get("input") and config.get("output"):
            return auto_complete_model_config
        kind, path = model_kind(config)
        if kind != "program":  # no other file says what its tensors look like
            return auto_complete_model_config
        inputs, outputs, batches = program_io(path)
        return complete(auto_complete_model_config, inputs, outputs, batches)

    def initialize(self, args):
        config = json.loads(args["model_config"])
        name = args["model_name"]
        for section in ("input", "output"):
            if not config.get(section):
                raise pb_utils.TritonModelException(
                    f"model configuration must contain at least one {section}, none were specified."
                )
        apply_options(config)
        self._device = device_of(args["model_instance_kind"], args["model_instance_device_id"])
        self._guard = torch.no_grad if flag(config, "INFERENCE_MODE") is False else torch.inference_mode
        self._clean = bool(flag(config, "ENABLE_CACHE_CLEANING")) and torch.cuda.is_available()
        if flag(config, "ENABLE_WEIGHT_SHARING"):
            pb_utils.Logger.log_warn(
                f"model '{name}': ENABLE_WEIGHT_SHARING has no effect: each instance is a process of its own"
            )
        with self._guard():
            self._model = load_model(config, self._device, name)
            self._batcher = Batcher(config, self._call, "PyTorch execute failure")
        if isinstance(self._model, PythonModule):
            pb_utils.Logger.log_info(f"model '{name}': runs {self._model.description}")

    def execute(self, requests):
        with self._guard():
            responses = self._batcher.execute(requests)
        if self._clean:
            torch.cuda.empty_cache()
        return responses

    def _call(self, arrays, wanted):
        tensors = {name: self._tensor(value) for name, value in arrays.items()}
        outputs = self._model(tensors)
        return {name: self._value(name, outputs[name]) for name in wanted}

    def _tensor(self, value):
        if not isinstance(value, np.ndarray):
            tensor = torch.from_dlpack(value)
        elif value.dtype == object:
            return [item.decode() if isinstance(item, bytes) else str(item) for item in value.reshape(-1)]
        else:
            tensor = torch.from_numpy(value if value.flags.writeable else value.copy())
        return tensor if self._device is None else tensor.to(self._device)

    def _value(self, name, value):
        if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            return np.array([item.encode() for item in value], dtype=object)
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"output '{name}' must be of type Tensor or List[str], received {type(value).__name__}")
        tensor = value.detach().to("cpu").contiguous()
        return tensor if tensor.dtype == torch.bfloat16 else tensor.numpy()
