"""tritonclient.grpc: every method, and inference in every way it offers."""

import queue
import unittest

import grpc
import numpy as np
import tritonclient.grpc as client
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from grpc_tensors import LATE, LEFT, RIGHT, URL, sequence_input, tensors
from server import running


class Infer(unittest.TestCase):
    def setUp(self):
        self.client = client.InferenceServerClient(URL)
        self.addCleanup(self.client.close)

    def check_sum(self, result, left=LEFT, right=RIGHT):
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), left + right)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), left - right)

    def test_raw_contents(self):
        self.check_sum(self.client.infer("addsub_int32", tensors(LEFT, RIGHT)))

    def test_typed_contents(self):
        with grpc.insecure_channel(URL) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            request = service_pb2.ModelInferRequest(model_name="addsub_int32", id="typed")
            for name, values in (("INPUT0", LEFT), ("INPUT1", RIGHT)):
                tensor = request.inputs.add(name=name, datatype="INT32", shape=[1, 16])
                tensor.contents.int_contents.extend(values.flatten().tolist())
            answer = stub.ModelInfer(request, timeout=20)
            self.assertEqual((answer.id, answer.model_version), ("typed", "1"))
            self.check_sum(client.InferResult(answer))

    def test_requested_outputs(self):
        result = self.client.infer("addsub_int32", tensors(LEFT, RIGHT), outputs=[client.InferRequestedOutput("OUTPUT1")])
        self.assertIsNone(result.as_numpy("OUTPUT0"))
        np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), LEFT - RIGHT)

    def test_compression(self):
        rows = np.tile(LEFT, (8, 1))
        for algorithm in ("gzip", "deflate", None):
            with self.subTest(algorithm):
                result = self.client.infer("addsub_int32", tensors(rows, rows), compression_algorithm=algorithm)
                self.check_sum(result, rows, rows)

    def test_large_messages(self):
        array = np.arange(2_000_000, dtype=np.float32).reshape(1, -1)
        given = client.InferInput("INPUT0", list(array.shape), "FP32")
        given.set_data_from_numpy(array)
        np.testing.assert_array_equal(self.client.infer("identity_fp32", [given]).as_numpy("OUTPUT0"), array)

    def test_strings(self):
        array = np.array([["", "ä€😀", "x" * 1000]], dtype=np.object_)
        given = client.InferInput("INPUT0", [1, 3], "BYTES")
        given.set_data_from_numpy(array)
        result = self.client.infer("identity_string", [given]).as_numpy("OUTPUT0")
        self.assertEqual([word.decode() for word in result.flatten()], list(array.flatten()))

    def test_classification(self):
        outputs = [client.InferRequestedOutput("OUTPUT0", class_count=2)]
        inputs = tensors(LEFT.astype(np.float32), RIGHT.astype(np.float32), "FP32")
        classes = self.client.infer("labeled", inputs, outputs=outputs).as_numpy("OUTPUT0")
        self.assertEqual(classes.tolist(), [[b"16.000000:15:label15", b"15.000000:14:label14"]])

    def test_versions(self):
        found = {}
        for version in ("1", "2", "3", ""):
            result = self.client.infer("versions_all", tensors(LEFT, RIGHT), model_version=version)
            found[version] = (result.get_response().model_version, int(result.as_numpy("OUTPUT0")[0, 0]))
        self.assertEqual(found, {"1": ("1", 1), "2": ("2", -1), "3": ("3", 1), "": ("3", 1)})

    def test_ensembles(self):
        inputs = [client.InferInput(name, [1, 16], "FP32") for name in ("A", "B")]
        for one, array in zip(inputs, (LEFT, RIGHT)):
            one.set_data_from_numpy(array.astype(np.float32))
        result = self.client.infer("ens_chain", inputs)
        np.testing.assert_array_equal(result.as_numpy("SUM"), (LEFT + RIGHT).astype(np.float32))
        np.testing.assert_array_equal(result.as_numpy("DIFF"), (LEFT - RIGHT).astype(np.float32))

    def test_sequences(self):
        for model, identity in (("seq_ctrl", 7001), ("seq_oldest", 7002)):
            with self.subTest(model):
                for step in range(3):
                    edges = {"sequence_start": step == 0, "sequence_end": step == 2}
                    result = self.client.infer(model, sequence_input(step), sequence_id=identity, **edges)
                    self.assertEqual(result.as_numpy("CORR").tolist(), [[identity]])
        with self.assertRaisesRegex(InferenceServerException, "must specify the START flag"):
            self.client.infer("seq_ctrl", sequence_input(1), sequence_id=7003)

    def test_sequences_whose_ids_are_strings(self):
        sums = []
        for step in range(4):
            edges = {"sequence_start": step == 0, "sequence_end": step == 3}
            result = self.client.infer("seq_state", sequence_input(step), sequence_id="a name", **edges)
            sums.append(int(result.as_numpy("OUTPUT")[0, 0]))
        self.assertEqual(sums, [0, 1, 3, 6])

    def test_id_priority_timeout_and_parameters(self):
        result = self.client.infer(
            "dyn_prio",
            tensors(LEFT.astype(np.float32), RIGHT.astype(np.float32), "FP32"),
            request_id="my id",
            priority=1,
            timeout=20_000_000,
            parameters={"mine": "yes", "count": 3, "on": True},
            headers={"x-mine": "1"},
        )
        self.assertEqual(result.get_response().id, "my id")

    def test_asynchronous_requests(self):
        done = queue.Queue()
        for i in range(64):
            callback = lambda result, error, i=i: done.put((i, result, error))
            self.client.async_infer("addsub_int32", tensors(LEFT + i, RIGHT), callback)
        for _ in range(64):
            i, result, error = done.get(timeout=30)
            self.assertIsNone(error)
            self.check_sum(result, LEFT + i)

    def test_cancellation(self):
        done = queue.Queue()
        array = np.zeros((1, 250_000), np.float32)
        given = client.InferInput("INPUT0", list(array.shape), "FP32")
        given.set_data_from_numpy(array)
        calls = [self.client.async_infer("identity_fp32", [given], lambda result, error: done.put(error)) for _ in range(32)]
        for call in calls:
            call.cancel()
        errors = [done.get(timeout=30) for _ in calls]
        self.assertEqual({error.status() for error in errors if error is not None}, {"StatusCode.CANCELLED"})
        self.check_sum(self.client.infer("addsub_int32", tensors(LEFT, RIGHT)))

    def test_a_timeout_of_the_client(self):
        with self.assertRaisesRegex(InferenceServerException, "Deadline Exceeded") as caught:
            self.client.infer(*LATE, client_timeout=0.01)
        self.assertEqual(caught.exception.status(), "StatusCode.DEADLINE_EXCEEDED")
        self.check_sum(self.client.infer("addsub_int32", tensors(LEFT, RIGHT), client_timeout=20))

    def test_errors_have_tritons_codes_and_texts(self):
        for model, inputs, code, text in (
            ("nope", tensors(LEFT, RIGHT), "NOT_FOUND", "Request for unknown model: 'nope' is not found"),
            ("addsub_int32", tensors(LEFT.astype(np.float32), RIGHT.astype(np.float32), "FP32"), "INVALID_ARGUMENT", "expects 'INT32'"),
            ("addsub_int32", tensors(np.zeros((9, 16), np.int32), np.zeros((9, 16), np.int32)), "INVALID_ARGUMENT", "must be <= 8"),
            ("addsub_int32", tensors(LEFT, RIGHT)[:1], "INVALID_ARGUMENT", "expected 2 inputs but got 1"),
            ("repeat", [], "UNIMPLEMENTED", "ModelInfer RPC doesn't support models with decoupled transaction policy"),
        ):
            with self.subTest(text), self.assertRaisesRegex(InferenceServerException, text) as caught:
                self.client.infer(model, inputs)
            self.assertEqual(caught.exception.status(), f"StatusCode.{code}")


class Restricted(unittest.TestCase):
    def test_protocols_need_their_header(self):
        with running("--grpc-restricted-protocol=inference,health:mine=yes", models=["addsub_int32"]) as server:
            with client.InferenceServerClient(server.grpc) as one:
                self.assertTrue(one.get_server_metadata().name)
                with self.assertRaisesRegex(InferenceServerException, "This protocol is restricted, expecting header 'triton-grpc-protocol-mine'"):
                    one.infer("addsub_int32", tensors(LEFT, RIGHT))
                headers = {"triton-grpc-protocol-mine": "yes"}
                self.assertTrue(one.is_server_live(headers=headers))
                one.infer("addsub_int32", tensors(LEFT, RIGHT), headers=headers)
