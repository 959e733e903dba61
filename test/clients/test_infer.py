"""tritonclient.http: inference in every encoding it offers."""

import os
import unittest

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

URL = os.environ["CLIENTS_URL"]
LEFT = np.arange(16, dtype=np.int32).reshape(1, 16)
RIGHT = np.ones((1, 16), np.int32)


def tensors(left, right, datatype, binary=True):
    inputs = [http.InferInput(name, list(array.shape), datatype) for name, array in (("INPUT0", left), ("INPUT1", right))]
    inputs[0].set_data_from_numpy(left, binary_data=binary)
    inputs[1].set_data_from_numpy(right, binary_data=binary)
    return inputs


class Infer(unittest.TestCase):
    def setUp(self):
        self.client = http.InferenceServerClient(URL)
        self.addCleanup(self.client.close)

    def check_sum(self, result, left=LEFT, right=RIGHT):
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), left + right)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), left - right)

    def test_binary_both_ways(self):
        self.check_sum(self.client.infer("addsub_int32", tensors(LEFT, RIGHT, "INT32")))

    def test_json_both_ways(self):
        outputs = [http.InferRequestedOutput(name, binary_data=False) for name in ("OUTPUT0", "OUTPUT1")]
        self.check_sum(self.client.infer("addsub_int32", tensors(LEFT, RIGHT, "INT32", binary=False), outputs=outputs))

    def test_json_in_binary_out(self):
        self.check_sum(self.client.infer("addsub_int32", tensors(LEFT, RIGHT, "INT32", binary=False)))

    def test_one_binary_and_one_json_input(self):
        inputs = tensors(LEFT, RIGHT, "INT32")
        inputs[1].set_data_from_numpy(RIGHT, binary_data=False)
        outputs = [http.InferRequestedOutput("OUTPUT0", binary_data=True), http.InferRequestedOutput("OUTPUT1", binary_data=False)]
        self.check_sum(self.client.infer("addsub_int32", inputs, outputs=outputs))

    def test_compressed_requests_and_responses(self):
        for request in ("gzip", "deflate", None):
            for response in ("gzip", "deflate", None):
                with self.subTest(request=request, response=response):
                    result = self.client.infer(
                        "addsub_int32",
                        tensors(LEFT, RIGHT, "INT32"),
                        request_compression_algorithm=request,
                        response_compression_algorithm=response,
                    )
                    self.check_sum(result)

    def test_batches(self):
        left = np.arange(128, dtype=np.int32).reshape(8, 16)
        right = np.flip(left, 0).copy()
        self.check_sum(self.client.infer("addsub_int32", tensors(left, right, "INT32")), left, right)

    def test_the_customers_sample(self):
        """A labelled onnxruntime_onnx model, default outputs, read with as_numpy."""
        left, right = LEFT.astype(np.float32), RIGHT.astype(np.float32)
        self.check_sum(self.client.infer("labeled", tensors(left, right, "FP32")), left, right)

    def test_classification_with_labels(self):
        outputs = [http.InferRequestedOutput("OUTPUT0", class_count=2)]
        inputs = tensors(LEFT.astype(np.float32), RIGHT.astype(np.float32), "FP32")
        classes = self.client.infer("labeled", inputs, outputs=outputs).as_numpy("OUTPUT0")
        self.assertEqual(classes.tolist(), [[b"16.000000:15:label15", b"15.000000:14:label14"]])

    def test_every_datatype(self):
        for name, dtype, datatype in (
            ("bool", np.bool_, "BOOL"),
            ("int8", np.int8, "INT8"),
            ("int16", np.int16, "INT16"),
            ("int32", np.int32, "INT32"),
            ("int64", np.int64, "INT64"),
            ("uint8", np.uint8, "UINT8"),
            ("uint16", np.uint16, "UINT16"),
            ("uint32", np.uint32, "UINT32"),
            ("uint64", np.uint64, "UINT64"),
            ("fp16", np.float16, "FP16"),
            ("fp32", np.float32, "FP32"),
            ("fp64", np.float64, "FP64"),
        ):
            with self.subTest(datatype):
                array = np.array([[0, 1, 100]]).astype(dtype)
                given = http.InferInput("INPUT0", [1, 3], datatype)
                given.set_data_from_numpy(array)
                result = self.client.infer(f"identity_{name}", [given]).as_numpy("OUTPUT0")
                self.assertEqual(result.dtype, array.dtype)
                np.testing.assert_array_equal(result, array)

    def test_strings(self):
        array = np.array([["", "ä€😀", "x" * 1000]], dtype=np.object_)
        for binary in (True, False):
            given = http.InferInput("INPUT0", [1, 3], "BYTES")
            given.set_data_from_numpy(array, binary_data=binary)
            outputs = [http.InferRequestedOutput("OUTPUT0", binary_data=binary)]
            result = self.client.infer("identity_string", [given], outputs=outputs).as_numpy("OUTPUT0")
            words = [word.decode() if isinstance(word, bytes) else word for word in result.ravel()]
            self.assertEqual(words, list(array.ravel()))

    def test_versions(self):
        answers = {}
        for version in ("1", "2", "3", ""):
            result = self.client.infer("versions_all", tensors(LEFT, RIGHT, "INT32"), model_version=version)
            answers[version] = (result.get_response()["model_version"], int(result.as_numpy("OUTPUT0")[0, 0]))
        self.assertEqual(answers, {"1": ("1", 1), "2": ("2", -1), "3": ("3", 1), "": ("3", 1)})

    def test_id_and_parameters(self):
        result = self.client.infer(
            "dyn_prio",
            tensors(LEFT.astype(np.float32), RIGHT.astype(np.float32), "FP32"),
            request_id="my id",
            priority=1,
            timeout=20_000_000,
            parameters={"mine": "yes", "count": 3},
        )
        self.assertEqual(result.get_response()["id"], "my id")

    def test_asynchronous_requests(self):
        with http.InferenceServerClient(URL, concurrency=8) as client:
            pending = [client.async_infer("addsub_int32", tensors(LEFT + i, RIGHT, "INT32")) for i in range(64)]
            for i, request in enumerate(pending):
                self.check_sum(request.get_result(), LEFT + i)

    def test_a_body_made_by_hand(self):
        body, length = http.InferenceServerClient.generate_request_body(tensors(LEFT, RIGHT, "INT32"))
        headers = {"Inference-Header-Content-Length": str(length), "Content-Type": "application/octet-stream"}
        answer = self.client._post("v2/models/addsub_int32/infer", body, headers, None)
        raw = answer.read()
        self.check_sum(http.InferenceServerClient.parse_response_body(raw, header_length=int(answer.get("Inference-Header-Content-Length"))))

    def test_errors_have_tritons_texts(self):
        with self.assertRaisesRegex(InferenceServerException, "Request for unknown model: 'nope' is not found"):
            self.client.infer("nope", tensors(LEFT, RIGHT, "INT32"))
        with self.assertRaisesRegex(InferenceServerException, r"data-type is 'FP32', but model 'addsub_int32' expects 'INT32'") as caught:
            self.client.infer("addsub_int32", tensors(LEFT.astype(np.float32), RIGHT.astype(np.float32), "FP32"))
        self.assertEqual(caught.exception.status(), "400")
        with self.assertRaisesRegex(InferenceServerException, "batch-size must be <= 8"):
            rows = np.zeros((9, 16), np.int32)
            self.client.infer("addsub_int32", tensors(rows, rows, "INT32"))
