"""Stands in for Triton's `onnxruntime` backend where only its core, HTTP front end and Python backend can be installed.

Triton takes a folder `onnxruntime/` with this file as a Python-based backend of that name. What a client then sees of
checks, errors, encodings, the repository and the configuration is the real Triton's; only the numbers come from the
`onnxruntime` package. RECORD_REPOSITORY names the model repository (auto-completion is not told where a model lies).
"""

import os

import numpy
import onnxruntime
import triton_python_backend_utils as pb

TYPES = {
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(bool)": "TYPE_BOOL",
    "tensor(string)": "TYPE_STRING",
}
DEFAULT_MAX_BATCH_SIZE = 4


def open_session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def dims_of(shape, batched):
    dims = [dim if isinstance(dim, int) else -1 for dim in shape]
    return dims[1:] if batched else dims


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        known = config.as_dict()
        if known["input"] and known["output"]:
            return config
        folder = os.path.join(os.environ["RECORD_REPOSITORY"], known["name"])
        version = sorted(entry for entry in os.listdir(folder) if entry.isdigit())[-1]
        session = open_session(os.path.join(folder, version, "model.onnx"))
        tensors = session.get_inputs() + session.get_outputs()
        batched = all(tensor.shape and not isinstance(tensor.shape[0], int) for tensor in tensors)
        if batched and known["max_batch_size"] == 0:
            config.set_max_batch_size(DEFAULT_MAX_BATCH_SIZE)
            config.set_dynamic_batching()
        for add, side in ((config.add_input, session.get_inputs()), (config.add_output, session.get_outputs())):
            for tensor in side:
                dims = dims_of(tensor.shape, batched)
                add({"name": tensor.name, "data_type": TYPES[tensor.type], "dims": dims})
        return config

    def initialize(self, args):
        # The location is the backend's own for a Python-based backend, so the model's is found by name.
        folder = os.path.join(os.environ["RECORD_REPOSITORY"], args["model_name"])
        self.session = open_session(os.path.join(folder, args["model_version"], "model.onnx"))
        self.inputs = self.session.get_inputs()
        self.outputs = [output.name for output in self.session.get_outputs()]

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        feeds = {}
        for declared in self.inputs:
            given = pb.get_input_tensor_by_name(request, declared.name)
            array = given.as_numpy()
            if array.dtype == numpy.object_:
                array = numpy.array([entry.decode("latin-1") for entry in array.ravel()], object).reshape(array.shape)
            fixed = [dim for dim in declared.shape if isinstance(dim, int)]
            if len(fixed) + 1 == len(declared.shape) and array.ndim != len(declared.shape):
                array = array.reshape([array.shape[0], *fixed])
            feeds[declared.name] = array
        wanted = [name for name in self.outputs if name in request.requested_output_names()]
        try:
            results = self.session.run(wanted, feeds)
        except Exception as error:
            return pb.InferenceResponse(error=pb.TritonError(str(error)))
        tensors = []
        for name, array in zip(wanted, results):
            if array.dtype.kind in "OU":
                array = numpy.array([str(entry).encode("latin-1") for entry in array.ravel()], object).reshape(array.shape)
            tensors.append(pb.Tensor(name, array))
        return pb.InferenceResponse(output_tensors=tensors)
