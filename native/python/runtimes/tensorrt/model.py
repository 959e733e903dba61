"""Serves plans of TensorRT (`model.plan`) by the packages tensorrt and cuda-python.

The optimization profile is that of the instance group (`profile: ["1"]`, default 0). `--backend-config=tensorrt,version-compatible=true`
allows plans that bring the runtime they need, which is code of theirs.
"""

from __future__ import annotations

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "shared"), HERE]

import triton_python_backend_utils as pb_utils
from nereid_runtimes.batch import Batcher
from nereid_runtimes.completion import complete
from nereid_runtimes.files import model_path
from nereid_runtimes.libraries import need
from nereid_runtimes.options import setting

trt = need("tensorrt", "tensorrt cuda-python")
# The module has moved between the releases of cuda-python.
try:
    cuda = need("cuda.bindings.runtime", "cuda-python")
except pb_utils.TritonModelException:
    cuda = need("cuda.cudart", "cuda-python")

from trt_device import Device
from trt_plan import Plan


def open_plan(config, ordinal=0, profile=0):
    """The plan of the model's folder, on a GPU."""
    path = model_path(config, "model.plan")
    device = Device(cuda, ordinal)
    return Plan(trt, device, path, profile, setting("version-compatible"))


def profile_of(config, instance):
    """The optimization profile that the group of an instance names."""
    for group in config.get("instance_group") or []:
        if group.get("name") and instance.startswith(group["name"]) and group.get("profile"):
            return int(group["profile"][0])
    return 0


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(auto_complete_model_config):
        config = auto_complete_model_config.as_dict()
        if config.get("input") and config.get("output"):
            return auto_complete_model_config
        plan = open_plan(config)
        try:
            return complete(auto_complete_model_config, *plan.described())
        finally:
            plan.close()

    def initialize(self, args):
        config = json.loads(args["model_config"])
        name = args["model_name"]
        if args["model_instance_kind"].replace("KIND_", "") == "CPU":
            raise pb_utils.TritonModelException(
                f"model '{name}': TensorRT runs on GPUs only: use instance_group [{{ kind: KIND_GPU }}]"
            )
        ordinal = int(args["model_instance_device_id"])
        profile = profile_of(config, args.get("model_instance_name", ""))
        self._plan = open_plan(config, ordinal, profile)
        self._plan.check(config)
        self._batcher = Batcher(config, self._call, f"TensorRT failed on model '{name}'")

    def execute(self, requests):
        return self._batcher.execute(requests)

    def finalize(self):
        self._plan.close()

    def _call(self, arrays, wanted):
        return self._plan.run(arrays)
