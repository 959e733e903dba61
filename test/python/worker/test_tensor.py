"""Tensors, their datatypes and DLPack, without a server."""

import gc
import os
import struct
import sys
import unittest
import weakref

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "..", "..", "native", "python", "worker"))

import triton_python_backend_utils as pb_utils  # noqa: E402

try:
    import torch
except ImportError:
    torch = None


class Tensors(unittest.TestCase):
    def test_a_tensor_tells_its_name_shape_and_datatype(self):
        tensor = pb_utils.Tensor("T", np.zeros((2, 3), np.int8))
        self.assertEqual((tensor.name(), tensor.shape(), tensor.triton_dtype()), ("T", [2, 3], 6))
        self.assertTrue(tensor.is_cpu())
        self.assertEqual(pb_utils.Tensor("B", np.array([b"a"])).triton_dtype(), 13)
        with self.assertRaises(TypeError):
            pb_utils.Tensor("L", [1.5])

    def test_what_cannot_be_a_tensor_is_refused(self):
        for array in [
            np.zeros(1, np.complex64),
            np.array(["text"]),
            np.zeros(1, ">f4"),
            np.zeros(1, "M8[s]"),
        ]:
            with self.assertRaisesRegex(
                pb_utils.TritonModelException, "NumPy dtype is not supported"
            ):
                pb_utils.Tensor("T", array)
        with self.assertRaisesRegex(pb_utils.TritonModelException, "cannot be an empty string"):
            pb_utils.Tensor("", np.zeros(1))

    def test_datatypes_are_converted_as_triton_does(self):
        pairs = [
            (1, np.bool_),
            (2, np.uint8),
            (9, np.int64),
            (10, np.float16),
            (12, np.float64),
            (13, np.object_),
        ]
        for number, dtype in pairs:
            self.assertIs(pb_utils.triton_to_numpy_type(number), dtype)
            self.assertEqual(pb_utils.numpy_to_triton_type(dtype), number)
            self.assertEqual(pb_utils.numpy_to_triton_type(np.dtype(dtype)), number)
        self.assertEqual(pb_utils.numpy_to_triton_type(np.bytes_), 13)
        self.assertIsNone(pb_utils.triton_to_numpy_type(99))
        self.assertIs(pb_utils.triton_string_to_numpy("TYPE_STRING"), np.object_)
        with self.assertRaises(KeyError):
            pb_utils.triton_string_to_numpy("TYPE_NONE")

    def test_elements_of_any_length_are_written_and_read(self):
        array = np.array([[b"", "\u00fc"], [b"\x00\xff", 3]], dtype=object)
        data = pb_utils.serialize_byte_tensor(array)
        self.assertEqual(data, b"\0\0\0\0\x02\0\0\0\xc3\xbc\x02\0\0\0\0\xff\x01\0\0\x003")
        self.assertEqual(
            pb_utils.deserialize_bytes_tensor(data).tolist(), [b"", b"\xc3\xbc", b"\x00\xff", b"3"]
        )
        self.assertEqual(pb_utils.serialize_byte_tensor(np.array([], dtype=object)), ())
        self.assertIsNone(pb_utils.serialize_byte_tensor(np.zeros(2)))
        self.assertEqual(pb_utils.deserialize_bytes_tensor(b"").shape, (0,))

    def test_classes_and_codes_are_told_as_triton_tells_them(self):
        self.assertEqual(repr(pb_utils.Tensor), "<class 'c_python_backend_utils.Tensor'>")
        code = pb_utils.TritonError("x").code()
        self.assertEqual(
            (str(code), repr(code)), ("__ErrorCode.INTERNAL", "<__ErrorCode.INTERNAL: 1>")
        )
        self.assertEqual(str(pb_utils.Logger.INFO), "LogLevel.INFO")
        self.assertEqual(repr(pb_utils.MetricFamily.GAUGE), "<MetricKind.GAUGE: 1>")

    def test_responses_and_requests_refuse_what_does_not_belong_into_them(self):
        error = pb_utils.TritonModelException
        with self.assertRaisesRegex(
            error, "Output tensor for inference response should not be empty."
        ):
            pb_utils.InferenceResponse([None])
        with self.assertRaisesRegex(
            error, "values to have type bool/int/str, found type <class 'float'>"
        ):
            pb_utils.InferenceResponse(parameters={"a": 1.5})
        with self.assertRaisesRegex(error, "keys to have type str, found type <class 'int'>"):
            pb_utils.InferenceResponse(parameters={1: 1})
        with self.assertRaisesRegex(error, "Correlation ID must be integer or string"):
            pb_utils.InferenceRequest(
                inputs=[], requested_output_names=[], model_name="m", correlation_id=1.5
            )
        with self.assertRaisesRegex(
            error, "Requested output name for request with id 'i' and model name 'm'"
        ):
            pb_utils.InferenceRequest("i", inputs=[], requested_output_names=[""], model_name="m")
        needed = {"inputs": [], "requested_output_names": [], "model_name": "m"}
        for wrong in [
            {"correlation_id": None},
            {"flags": "x"},
            {"timeout": 1.5},
            {"model_name": 3},
        ]:
            with self.subTest(wrong), self.assertRaises(TypeError):
                pb_utils.InferenceRequest(**{**needed, **wrong})
        for make in [
            lambda: pb_utils.InferenceRequest(inputs=[], model_name="m"),
            lambda: pb_utils.InferenceRequest(**needed).set_flags("x"),
            lambda: pb_utils.PreferredMemory("x"),
            lambda: pb_utils.TritonError("x", 3),
            lambda: pb_utils.TritonError(None),
            lambda: pb_utils.InferenceResponse([3]),
            lambda: pb_utils.InferenceResponse([], "error"),
            lambda: pb_utils.Logger.log("x", "INFO"),
        ]:
            with self.assertRaises(TypeError):
                make()
        with self.assertRaisesRegex(struct.error, "requires a buffer of at least 9 bytes"):
            pb_utils.deserialize_bytes_tensor(b"\x05\0\0\0ab")
        with self.assertRaisesRegex(error, "works only in a model that a server runs"):
            pb_utils.is_model_ready("m")

    def test_numpy_reads_a_tensor_through_dlpack_and_keeps_it_alive(self):
        array = np.arange(6, dtype=np.int32).reshape(2, 3)
        gone = weakref.ref(array)
        tensor = pb_utils.Tensor("T", array)
        view = np.from_dlpack(tensor)
        array[0, 0] = 7
        self.assertEqual(view.tolist(), [[7, 1, 2], [3, 4, 5]])
        del array, tensor
        gc.collect()
        self.assertIsNotNone(gone())
        del view
        gc.collect()
        self.assertIsNone(gone())

    def test_a_capsule_that_nobody_takes_gives_its_memory_back(self):
        array = np.zeros(3)
        gone = weakref.ref(array)
        capsule = pb_utils.Tensor("T", array).to_dlpack()
        del array
        self.assertIsNotNone(gone())
        del capsule
        gc.collect()
        self.assertIsNone(gone())

    def test_a_tensor_over_memory_of_others_does_not_copy_and_gives_it_back(self):
        for dtype in ["?", "i1", "u8", "f2", "f8"]:
            array = np.ones((2, 2), dtype)
            gone = weakref.ref(array)
            tensor = pb_utils.Tensor.from_dlpack("T", pb_utils.Tensor("S", array).to_dlpack())
            self.assertEqual(tensor.as_numpy().dtype, np.dtype(dtype))
            self.assertTrue(np.shares_memory(tensor.as_numpy(), array))
            del array
            gc.collect()
            self.assertIsNotNone(gone())
            self.assertEqual(tensor.as_numpy().sum(), 4)
            del tensor
            gc.collect()
            self.assertIsNone(gone())

    def test_empty_and_scalar_tensors_go_through_dlpack(self):
        for array in [np.zeros((0, 4), np.float32), np.array(5, np.int64)]:
            again = pb_utils.Tensor.from_dlpack("T", pb_utils.Tensor("S", array))
            self.assertEqual(
                (again.shape(), again.as_numpy().tolist()), (list(array.shape), array.tolist())
            )

    def test_what_dlpack_cannot_carry_is_refused(self):
        error = pb_utils.TritonModelException
        with self.assertRaisesRegex(error, "DLPack does not have support for string tensors."):
            pb_utils.Tensor("T", np.array([b"a"], dtype=object)).to_dlpack()
        with self.assertRaisesRegex(error, "Provided tensor is not supported"):
            pb_utils.Tensor.from_dlpack("T", 3)
        with self.assertRaisesRegex(error, "not contiguous"):
            pb_utils.Tensor.from_dlpack("T", np.zeros((3, 4)).T)
        capsule = pb_utils.Tensor("T", np.zeros(1)).to_dlpack()
        pb_utils.Tensor.from_dlpack("T", capsule)
        with self.assertRaisesRegex(error, "taken by somebody else"):
            pb_utils.Tensor.from_dlpack("T", capsule)

    @unittest.skipIf(torch is None, "torch is not installed")
    def test_torch_and_tensors_share_memory_both_ways(self):
        source = torch.arange(6, dtype=torch.float32).reshape(2, 3)
        tensor = pb_utils.Tensor.from_dlpack("T", source)
        source[0, 0] = 9
        self.assertEqual(tensor.as_numpy().tolist(), [[9, 1, 2], [3, 4, 5]])
        back = torch.from_dlpack(tensor)
        self.assertEqual(back.data_ptr(), source.data_ptr())
        self.assertEqual(torch.utils.dlpack.from_dlpack(tensor.to_dlpack()).sum().item(), 24)
        brain = pb_utils.Tensor.from_dlpack("B", torch.ones(3, dtype=torch.bfloat16))
        self.assertEqual(brain.triton_dtype(), 14)
        self.assertEqual(torch.from_dlpack(brain).dtype, torch.bfloat16)
        with self.assertRaises(pb_utils.TritonModelException):
            pb_utils.Tensor.from_dlpack("T", source.t())


class Completion(unittest.TestCase):
    def config(self, **fields):
        text = __import__("json").dumps(
            {"name": "m", "max_batch_size": 4, "input": [], "output": [], **fields}
        )
        return pb_utils.ModelConfig(text)

    def test_contradictions_are_told_as_triton_does(self):
        tensor = {"name": "A", "data_type": "TYPE_INT8", "dims": [1]}
        cases = [
            (lambda c: c.set_max_batch_size(2), {}, "configuration specified max_batch_size 4, but in "
             "auto-complete-config function for model 'm' specified max_batch_size 2"),
            (lambda c: c.set_dynamic_batching(), {"sequence_batching": {}}, "Configuration specified "
             "scheduling_choice as 'sequence_batching', but auto-complete-config function for model 'm' tries to set "
             "scheduling_choice as 'dynamic_batching'"),
            (lambda c: c.add_input({**tensor, "x": 1}), {}, "input 'A' in auto-complete-config function for model "
             "'m' contains property other than 'name', 'data_type', 'dims' and 'optional'."),
            (lambda c: c.add_output({**tensor, "optional": True}), {}, "output 'A' in auto-complete-config function "
             "for model 'm' contains property other than 'name', 'data_type' and 'dims'."),
            (lambda c: c.add_input({"data_type": "TYPE_INT8"}), {}, "input in auto-complete-config function for "
             "model 'm' is missing 'name' property."),
            (lambda c: c.add_output({"name": "A", "data_type": "TYPE_INT8"}), {}, "output 'A' in "
             "auto-complete-config function for model 'm' is missing 'dims' property."),
            (lambda c: c.add_input(tensor), {"input": [{**tensor, "data_type": "TYPE_FP32"}]}, "unable to load model "
             "'m', configuration expects datatype TYPE_FP32 for input 'A', model provides TYPE_INT8"),
            (lambda c: c.add_output(tensor), {"output": [{**tensor, "dims": [2, -1]}]}, "model 'm', tensor 'A': the "
             "model expects dims [1] but the model configuration specifies dims [2, -1]"),
            (lambda c: c.add_input({**tensor, "optional": True}), {"input": [{**tensor, "optional": False}]}, "model "
             "'m', tensor 'A': the model expects optional True but the model configuration specifies optional False"),
            (lambda c: c.set_model_transaction_policy({"x": 1}), {}, "model transaction property in "
             "auto-complete-config function for model 'm' contains property other than 'decoupled'."),
            (lambda c: c.set_model_transaction_policy({"decoupled": True}),
             {"model_transaction_policy": {"decoupled": False}}, "trying to change decoupled property in "
             "auto-complete-config for model 'm', which is already set to 'False'."),
        ]  # fmt: skip
        for change, fields, message in cases:
            with self.subTest(message), self.assertRaises(ValueError) as caught:
                change(self.config(**fields))
            self.assertEqual(str(caught.exception), message)

    def test_what_is_left_open_is_completed(self):
        config = self.config(input=[{"name": "A", "data_type": "TYPE_INVALID", "dims": []}])
        config.add_input({"name": "A", "data_type": "TYPE_INT8", "dims": [1], "optional": True})
        config.add_output({"name": "B", "data_type": "TYPE_INT8", "dims": [1]})
        config.set_max_batch_size(8)
        self.assertEqual(
            config.as_dict(),
            {
                "name": "m",
                "max_batch_size": 8,
                "input": [{"name": "A", "data_type": "TYPE_INT8", "dims": [1], "optional": True}],
                "output": [{"name": "B", "data_type": "TYPE_INT8", "dims": [1]}],
            },
        )


if __name__ == "__main__":
    unittest.main()
