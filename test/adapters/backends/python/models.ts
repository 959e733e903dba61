/** Answers each input `X` as output `Y`. */
export const IDENTITY = `
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            x = pb_utils.get_input_tensor_by_name(request, "X")
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("Y", x.as_numpy())]))
        return responses
`

/** The same without numpy, which knows no BF16. */
export const PASSED_ON = `
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        return [
            pb_utils.InferenceResponse([
                pb_utils.Tensor.from_dlpack("Y", pb_utils.get_input_tensor_by_name(request, "X").to_dlpack())])
            for request in requests
        ]
`

export const ADD_SUB = `
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            a = pb_utils.get_input_tensor_by_name(request, "A").as_numpy()
            b = pb_utils.get_input_tensor_by_name(request, "B").as_numpy()
            responses.append(pb_utils.InferenceResponse([
                pb_utils.Tensor("SUM", a + b), pb_utils.Tensor("DIFF", a - b)]))
        return responses
`

/** Takes COUNT milliseconds, or until nobody waits. */
export const SLOW = `
import time
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            count = pb_utils.get_input_tensor_by_name(request, "COUNT").as_numpy()[0]
            for _ in range(count):
                if request.is_cancelled():
                    break
                time.sleep(0.001)
            if request.is_cancelled():
                error = pb_utils.TritonError("stopped", pb_utils.TritonError.CANCELLED)
                responses.append(pb_utils.InferenceResponse(error=error))
                continue
            done = pb_utils.Tensor("DONE", np.array([count], np.int64))
            responses.append(pb_utils.InferenceResponse([done]))
        return responses
`
