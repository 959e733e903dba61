"""NVIDIA's load generator: it measures through metadata, config, statistics and inference, over both protocols."""

import os
import subprocess
import unittest

from grpc_tensors import URL as GRPC_URL
from test_infer import URL as HTTP_URL

ANALYZER = os.path.join(os.environ["CLIENTS_DIR"], "bin", "perf_analyzer")
SECONDS = 60
# What it exits with where its own requests came too late, as on a busy machine.
UNSTABLE = 2
TRIALS = 3
IN_SHARED_MEMORY = ("--shared-memory", "system", "--output-shared-memory-size", "64", "--concurrency-range", "4")


@unittest.skipUnless(os.path.exists(ANALYZER), "perf_analyzer is only published for x86-64 Linux")
class OverHttp(unittest.TestCase):
    target = ("-u", HTTP_URL, "-i", "http")

    def measure(self, model, *options):
        # Short windows and a wide band: what counts here is that it runs, not what it measures.
        command = [ANALYZER, "-m", model, *self.target, "-p", "500", "-r", "3", "-s", "999", *options]
        for _ in range(TRIALS):
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
            if done.returncode != UNSTABLE:
                break
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("infer/sec", done.stdout)
        self.assertNotIn("throughput: 0 infer/sec", done.stdout)
        return done.stdout

    def test_concurrency_range(self):
        text = self.measure("addsub_int32", "--concurrency-range", "1:4:3")
        self.assertIn("Concurrency: 4", text)

    def test_request_rate(self):
        self.measure("addsub_fp32", "--request-rate-range", "50:100:50")

    def test_tensors_in_shared_memory(self):
        self.measure("addsub_fp32", *IN_SHARED_MEMORY)

    def test_batching_model_with_a_window(self):
        self.measure("dyn", "--concurrency-range", "8")

    def test_asynchronous_mode_and_strings(self):
        self.measure("identity_string", "--async", "--shape", "INPUT0:4", "--string-length", "8", "--concurrency-range", "4")

    def test_sequences(self):
        self.measure("seq_ctrl", "--sequence-length", "5", "--concurrency-range", "4")

    def test_ensembles(self):
        self.measure("ens_chain", "--concurrency-range", "4")


class OverGrpc(OverHttp):
    target = ("-u", GRPC_URL, "-i", "grpc")

    def test_streams(self):
        self.measure("addsub_int32", "--streaming", "--async", "--concurrency-range", "4")

    def test_streams_of_sequences(self):
        self.measure("seq_oldest", "--streaming", "--async", "--sequence-length", "5", "--concurrency-range", "4")

    def test_streams_with_shared_memory(self):
        self.measure("addsub_fp32", "--streaming", "--async", *IN_SHARED_MEMORY)

    def test_streams_of_many_responses(self):
        self.measure("repeat", "--streaming", "--async", "--shape", "IN:2", "--shape", "DELAY:2", "--input-data", "zero")

    def test_compression(self):
        self.measure("addsub_fp32", "--grpc-compression-algorithm", "gzip", "-b", "8")


@unittest.skipUnless(os.path.exists(ANALYZER), "perf_analyzer is only published for x86-64 Linux")
class JsonTensors(unittest.TestCase):
    target = OverHttp.target
    measure = OverHttp.measure

    def test_batches_and_json(self):
        self.measure("addsub_fp32", "-b", "4", "--input-tensor-format", "json", "--output-tensor-format", "json")
