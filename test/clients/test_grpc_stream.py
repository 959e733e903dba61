"""tritonclient.grpc: streams of requests, sequences over them, and decoupled models."""

import queue
import unittest

import numpy as np
import tritonclient.grpc as client
from tritonclient.utils import InferenceServerException

from grpc_tensors import LEFT, RIGHT, URL, repeat_inputs, sequence_input, tensors

SECONDS = 30


class Stream(unittest.TestCase):
    def setUp(self):
        self.client = client.InferenceServerClient(URL)
        self.addCleanup(self.client.close)
        self.answers = queue.Queue()

    def start(self, **options):
        self.client.start_stream(lambda result, error: self.answers.put((result, error)), **options)

    def answer(self):
        result, error = self.answers.get(timeout=SECONDS)
        self.assertIsNone(error)
        return result

    def error(self):
        result, error = self.answers.get(timeout=SECONDS)
        self.assertIsNone(result)
        return error

    def test_answers_come_in_order(self):
        for algorithm in (None, "gzip", "deflate"):
            with self.subTest(algorithm):
                self.start(compression_algorithm=algorithm, headers={"x-mine": "1"})
                for i in range(50):
                    self.client.async_stream_infer("addsub_int32", tensors(LEFT + i, RIGHT), request_id=str(i))
                for i in range(50):
                    result = self.answer()
                    self.assertEqual(result.get_response().id, str(i))
                    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), LEFT + i + RIGHT)
                self.client.stop_stream()

    def test_sequences(self):
        """Two sequences, their requests one after the other on one stream."""
        self.start()
        for step in range(5):
            for identity in (8001, 8002):
                edges = {"sequence_start": step == 0, "sequence_end": step == 4}
                value = sequence_input(step * (identity - 8000))
                self.client.async_stream_infer("seq_state", value, sequence_id=identity, request_id=str(identity), **edges)
        sums = {"8001": [], "8002": []}
        for _ in range(10):
            result = self.answer()
            sums[result.get_response().id].append(int(result.as_numpy("OUTPUT")[0, 0]))
        self.assertEqual(sums, {"8001": [0, 1, 3, 6, 10], "8002": [0, 2, 6, 12, 20]})
        self.client.stop_stream()

    def test_a_decoupled_model_answers_many_times(self):
        self.start()
        self.client.async_stream_infer("repeat", repeat_inputs([4, 2, 0, 1]), request_id="r")
        found = [self.answer() for _ in range(4)]
        self.assertEqual([int(one.as_numpy("OUT")[0]) for one in found], [4, 2, 0, 1])
        self.assertEqual([int(one.as_numpy("IDX")[0]) for one in found], [0, 1, 2, 3])
        self.assertEqual({one.get_response().id for one in found}, {"r"})
        self.client.stop_stream()
        self.assertTrue(self.answers.empty())

    def test_an_empty_final_response(self):
        self.start()
        is_final = lambda one: one.get_response().parameters["triton_final_response"].bool_param
        self.client.async_stream_infer("repeat", repeat_inputs([7, 8]), enable_empty_final_response=True)
        found = [self.answer() for _ in range(3)]
        self.assertEqual([is_final(one) for one in found], [False, False, True])
        self.assertEqual([len(one.get_response().outputs) for one in found], [2, 2, 0])
        self.client.async_stream_infer("addsub_int32", tensors(LEFT, RIGHT), enable_empty_final_response=True)
        self.assertTrue(is_final(self.answer()))
        self.client.stop_stream()

    def test_an_error_is_a_message_and_the_stream_goes_on(self):
        self.start()
        self.client.async_stream_infer("nope", tensors(LEFT, RIGHT))
        self.assertIn("Request for unknown model: 'nope' is not found", self.error().message())
        self.client.async_stream_infer("addsub_int32", tensors(LEFT, RIGHT))
        np.testing.assert_array_equal(self.answer().as_numpy("OUTPUT1"), LEFT - RIGHT)
        self.client.stop_stream()

    def test_an_error_ends_the_stream_of_who_asked_for_that(self):
        self.start(headers={"triton_grpc_error": "true"})
        self.client.async_stream_infer("nope", tensors(LEFT, RIGHT))
        self.assertEqual(self.error().status(), "StatusCode.NOT_FOUND")
        self.client.stop_stream()

    def test_stopping_with_cancellation(self):
        """The second response is ten minutes away."""
        self.start()
        self.client.async_stream_infer("repeat", repeat_inputs([1, 2], delay_ms=600_000))
        self.client.async_stream_infer("addsub_int32", tensors(LEFT, RIGHT))
        self.assertIsNotNone(self.answer().as_numpy("OUTPUT0"))
        self.client.stop_stream(cancel_requests=True)
        self.assertEqual(self.error().status(), "StatusCode.CANCELLED")
        self.assertTrue(self.client.is_server_live())

    def test_a_timeout_of_the_stream(self):
        self.start(stream_timeout=0.2)
        self.client.async_stream_infer("repeat", repeat_inputs([1], delay_ms=600_000))
        self.assertEqual(self.error().status(), "StatusCode.DEADLINE_EXCEEDED")
        with self.assertRaisesRegex(InferenceServerException, "no longer in valid state"):
            self.client.async_stream_infer("addsub_int32", tensors(LEFT, RIGHT))
        self.client.stop_stream()
