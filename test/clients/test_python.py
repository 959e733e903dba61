"""Models in Python, by NVIDIA's client and load generator; the workers run on the Python of these tests, which has numpy."""

import os
import sys
import unittest

import numpy as np
import test_perf_analyzer
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient

from server import ROOT, running

MODELS = os.path.join(ROOT, "test", "fixtures", "python", "repository")
SERVED = ["add_sub", "square", "misbehave"]
RUNTIME = f"--backend-config=python,python-runtime={sys.executable}"


class PythonModels(unittest.TestCase):
    measure = test_perf_analyzer.OverHttp.measure

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(running(RUNTIME, models=SERVED, source=MODELS))
        cls.target = ("-u", cls.server.http, "-i", "http")

    def test_infer_over_http(self):
        left = np.arange(8, dtype=np.float32).reshape(2, 4)
        right = np.ones((2, 4), dtype=np.float32)
        inputs = [httpclient.InferInput(name, [2, 4], "FP32") for name in ("INPUT0", "INPUT1")]
        inputs[0].set_data_from_numpy(left)
        inputs[1].set_data_from_numpy(right)
        with httpclient.InferenceServerClient(self.server.http) as client:
            result = client.infer("add_sub", inputs)
            np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), left + right)
            np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), left - right)
            what = httpclient.InferInput("WHAT", [1], "BYTES")
            what.set_data_from_numpy(np.array(["raises"], dtype=np.object_))
            with self.assertRaisesRegex(Exception, "a value that is wrong"):
                client.infer("misbehave", [what])

    def test_decoupled_over_a_stream(self):
        answers = []
        number = grpcclient.InferInput("IN", [1], "INT32")
        number.set_data_from_numpy(np.array([5], dtype=np.int32))
        with grpcclient.InferenceServerClient(self.server.grpc) as client:
            client.start_stream(lambda result, error: answers.append((result, error)))
            client.async_stream_infer("square", [number])
            client.stop_stream()
        self.assertEqual([error for _, error in answers], [None] * 5)
        self.assertEqual([result.as_numpy("OUT").tolist() for result, _ in answers], [[5]] * 5)

    @unittest.skipUnless(os.path.exists(test_perf_analyzer.ANALYZER), "perf_analyzer is only published for x86-64 Linux")
    def test_load(self):
        self.measure("add_sub", "--concurrency-range", "4")
