"""Serves TensorFlow: `model.savedmodel`, and `model.graphdef` where the configuration names its tensors.

Inputs and outputs are those of a signature. Parameters as Triton's TensorFlow backend has them: `TF_SIGNATURE_DEF` (default
`serving_default`), `TF_GRAPH_TAG` (default `serve`), `TF_NUM_INTRA_THREADS`, `TF_NUM_INTER_THREADS`.
"""

from __future__ import annotations

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "shared"))
# Before the library is imported: it says a lot.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import triton_python_backend_utils as pb_utils
from nereid_runtimes.batch import Batcher
from nereid_runtimes.completion import Io, complete, names
from nereid_runtimes.datatypes import config_type
from nereid_runtimes.files import model_path
from nereid_runtimes.libraries import need
from nereid_runtimes.options import number, parameter

tf = need("tensorflow", "tensorflow-cpu")

FILES = ("model.savedmodel", "model.graphdef")


def signature_of(config):
    """The model, which has to be kept, and the function of the signature that the parameters name."""
    path = model_path(config, *FILES)
    # TensorFlow takes it only before anything has run, and again only as it was.
    for name, key in (("intra", "TF_NUM_INTRA_THREADS"), ("inter", "TF_NUM_INTER_THREADS")):
        threads = number(config, key)
        if threads:
            getattr(tf.config.threading, f"set_{name}_op_parallelism_threads")(threads)
    if not os.path.isdir(path):
        return None, graph_function(path, config)
    tag = parameter(config, "TF_GRAPH_TAG")
    loaded = tf.saved_model.load(path, tags=None if tag is None else [tag])
    wanted = parameter(config, "TF_SIGNATURE_DEF")
    signatures = loaded.signatures
    if wanted is None:
        # As Triton does: without a default one, the first by name.
        usual = sorted(name for name in signatures if name not in ("__saved_model_init_op", "__saved_model_train_op"))
        wanted = "serving_default" if "serving_default" in signatures else (usual or [""])[0]
    if wanted not in signatures:
        raise pb_utils.TritonModelException(
            f"'{os.path.basename(path)}' has no signature '{wanted}'; it has {', '.join(sorted(signatures)) or 'none'}"
        )
    return loaded, signatures[wanted]


def graph_function(path, config):
    """A frozen graph as a function; the configuration says which of its tensors are inputs and outputs."""
    graph = tf.compat.v1.GraphDef()
    with open(path, "rb") as file:
        graph.ParseFromString(file.read())
    inputs, outputs = names(config, "input"), names(config, "output")
    if not inputs or not outputs:
        raise pb_utils.TritonModelException(
            f"'{os.path.basename(path)}' does not say what its inputs and outputs are: write them into config.pbtxt"
        )
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])

    def tensor(name):
        return wrapped.graph.as_graph_element(name if ":" in name else f"{name}:0")

    pruned = wrapped.prune([tensor(name) for name in inputs], [tensor(name) for name in outputs])
    return lambda **tensors: dict(zip(outputs, pruned(*[tensors[name] for name in inputs])))


def described(function):
    """The inputs and outputs of a signature, and whether the first dimension of all of them is free."""
    given = list(function.structured_input_signature[1].items())
    made = sorted(function.structured_outputs.items())
    shapes = [spec.shape for _, spec in given + made]
    batches = bool(shapes) and all(shape.rank is not None and shape.rank > 0 and shape[0] is None for shape in shapes)

    def io(name, spec):
        if spec.shape.rank is None:
            raise pb_utils.TritonModelException(
                f"tensor '{name}' has any number of dimensions: write the model's inputs and outputs into config.pbtxt"
            )
        dims = [-1 if size is None else size for size in spec.shape.as_list()]
        return Io(name, config_type_of(name, spec), dims[1:] or [1] if batches else dims or [1])

    return [io(*one) for one in given], [io(*one) for one in made], batches


def config_type_of(name, spec):
    if spec.dtype == tf.string:
        return "TYPE_STRING"
    kind = "TYPE_BF16" if spec.dtype == tf.bfloat16 else config_type(spec.dtype.as_numpy_dtype)
    if kind == "TYPE_STRING":
        raise pb_utils.TritonModelException(f"tensor '{name}' has type {spec.dtype.name}, which no request can have")
    return kind


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(auto_complete_model_config):
        config = auto_complete_model_config.as_dict()
        if config.get("input") and config.get("output"):
            return auto_complete_model_config
        _, function = signature_of(config)
        return complete(auto_complete_model_config, *described(function))

    def initialize(self, args):
        config = json.loads(args["model_config"])
        self._device = self._choose(args)
        with tf.device(self._device):
            self._kept, self._function = signature_of(config)
        self._specs = self._expected()
        self._check(config, args["model_name"])
        self._batcher = Batcher(config, self._call, f"TensorFlow failed on model '{args['model_name']}'")

    def execute(self, requests):
        return self._batcher.execute(requests)

    def _call(self, arrays, wanted):
        with tf.device(self._device):
            tensors = {name: self._tensor(name, array) for name, array in arrays.items()}
            made = self._function(**tensors)
        return {name: made[name].numpy() for name in wanted}

    def _tensor(self, name, array):
        spec = self._specs.get(name)
        if not isinstance(array, np.ndarray):
            return tf.experimental.dlpack.from_dlpack(array.to_dlpack())
        # [batch, 1] stands for [batch]: a configuration has no dimensions that are none.
        if spec is not None and spec.shape.rank == array.ndim - 1 and array.shape[-1] == 1:
            array = array[..., 0]
        return tf.constant(array)

    def _expected(self):
        signature = getattr(self._function, "structured_input_signature", None)
        return {} if signature is None else dict(signature[1])

    def _check(self, config, model):
        if not self._specs:
            return
        for section, known in (
            ("input", self._specs),
            ("output", self._function.structured_outputs),
        ):
            for name in names(config, section):
                if name not in known:
                    raise pb_utils.TritonModelException(
                        f"unexpected inference {section} '{name}', allowed {section}s for model '{model}' are: {', '.join(sorted(known))}"
                    )

    @staticmethod
    def _choose(args):
        if args["model_instance_kind"].replace("KIND_", "") != "GPU":
            return "/CPU:0"
        if not tf.config.list_physical_devices("GPU"):
            raise pb_utils.TritonModelException(
                f"an instance of kind KIND_GPU needs a GPU, and TensorFlow {tf.__version__} finds none: "
                f"use KIND_CPU, or {sys.executable} -m pip install 'tensorflow[and-cuda]'"
            )
        return f"/GPU:{args['model_instance_device_id']}"
